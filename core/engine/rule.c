/* rule.c: what a derivative rule sees of its node (rules.h): cotangents, saved tensors with their history, sizes. */
#include "engine/walk.h"

mn_context *mn_rule_ctx(mn_rule *r) { return r->ctx; }
const mn_slot *mn_rule_attrs(mn_rule *r) { return r->node->attrs; }
int mn_rule_inputs(mn_rule *r) { return r->node->n_in; }
bool mn_need(mn_rule *r, int i) {
  if (i >= r->node->n_in) return false;
  if (r->tangents) return r->only < 0 ? r->tangents[i] != NULL : i == r->only;
  return mn_edge_wanted(r->walk, &r->node->edges[i]);
}
bool mn_has_grad(mn_rule *r, int k) { return r->cotangents[k].sum != NULL; }

const int64_t *mn_node_shape(const mn_node *node, int i) {
  const int64_t *at = node->shapes;
  for (; i > 0; i--) at += 2 + at[1];
  return at;
}

mn_list mn_in_shape(mn_rule *r, int i) {
  const int64_t *at = mn_node_shape(r->node, i);
  mn_list l = {at[1], {0}};
  for (int d = 0; d < l.n; d++) l.v[d] = at[2 + d];
  return l;
}

int mn_in_dtype(mn_rule *r, int i) {
  mn_array a;
  return mn_shape_read(mn_node_shape(r->node, i), &a), a.dtype;
}

int mn_in_device(mn_rule *r, int i) {
  mn_array a;
  return mn_shape_read(mn_node_shape(r->node, i), &a), a.device;
}

mn_tensor *mn_grad(mn_rule *r, int k) {
  if (r->cotangents[k].sum) return r->cotangents[k].sum;
  mn_array like;
  mn_shape_read(mn_node_shape(r->node, r->node->n_in + k), &like);
  return row_full(r->ctx, &like, 0);
}

int mn_saved_check(const mn_node *node) {
  if (!node->freed || node->n_saved == 0) return 0;
  return mn_error_set(
      node->ctx, MN_ERR_ARGUMENT,
      "backward: the graph through %s has been freed by an earlier backward; ask that one for "
      "retain_graph",
      mn_node_name(node));
}

/* A saved tensor as a derivative shall see it: with its history, when one is being recorded. */
mn_tensor *mn_saved_unpack(mn_node *node, mn_saved *s) {
  mn_context *ctx = node->ctx;
  int which = s->which;
  if (mn_is_none(s->t)) return s->t;
  if (s->t->storage->version != s->version)
    return mn_error_set(ctx, MN_ERR_ARGUMENT,
                        "backward: a tensor that %s saved for its derivative has been changed in place "
                        "since; change a "
                        "clone() of it",
                        mn_node_name(node)),
           NULL;
  if (!ctx->grad_enabled || s->t->flags & T_REQUIRES_GRAD || which == MN_SAVED_CONSTANT) return s->t;
  const mn_edge *e = which >= 0 ? &node->edges[which] : NULL;
  if (e && !e->node && !e->leaf) return s->t;
  if (which < -1 && node->op != MN_OP_FUNCTION && mn_op(node->op)->flags & MN_F_FIRST) return s->t;
  if (mn_scope_reserve(ctx, 1)) return NULL;
  mn_tensor *t = mn_tensor_alias(s->t);
  if (!t) return NULL;
  t->node = e ? e->node : node;
  t->out_nr = (uint16_t)(e ? e->out_nr : -1 - which);
  t->node->refs++;
  mn_scope_add(ctx, t);
  return t;
}

static mn_tensor *find_saved(mn_rule *r, int which) {
  mn_node *node = r->node;
  for (int i = 0; i < node->n_saved; i++)
    if (node->saved[i].which == which) return mn_saved_unpack(node, &node->saved[i]);
  return mn_error_set(r->ctx, MN_ERR_ARGUMENT, "%s: its rule reads what its row doesn't save",
                      mn_node_name(node)),
         NULL;
}

mn_tensor *mn_saved_in(mn_rule *r, int i) { return find_saved(r, i); }
mn_tensor *mn_saved_out(mn_rule *r, int k) { return find_saved(r, -1 - k); }

void mn_give(mn_rule *r, int i, mn_tensor *grad) {
  if (grad && !mn_is_none(grad)) r->results[i] = grad;
}

/* Sums a gradient that broadcasting made broader to the input's shape, and casts it to the input's dtype. */
mn_tensor *mn_rule_unbroadcast(mn_rule *r, int i, mn_tensor *g) {
  mn_list want = mn_in_shape(r, i);
  bool same = want.n == g->a.ndim;
  for (int d = 0; same && d < want.n; d++) same = want.v[d] == g->a.size[d];
  if (!same) {
    mn_sum_to_attrs attrs = {.size = want};
    g = mn_apply1(r->ctx, MN_OP_sum_to, g, (const mn_slot *)&attrs);
  }
  if (g && g->a.dtype != mn_in_dtype(r, i)) g = row_cast(r->ctx, g, mn_in_dtype(r, i));
  return g;
}
