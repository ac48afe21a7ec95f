/* walk.c: the backward walk. An object of its own: marks, counts and cotangents stand here and not in the
 * nodes, so walks nest. Nodes are visited from the newest to the oldest (a node's inputs are always older),
 * and only those that lead to something wanted. A rule that fails for want of memory leaves the walk as it
 * was; it can be run again. Where a derivative or a hook is Lua's, the walk pauses, holding what it asks for. */
#include "engine/walk.h"
#include "rows.h"
#include <stdlib.h>
#include <string.h>

/* ---- collecting ---- */

static int new_slots(mn_walk *w, int n) {
  while (w->n_slots + n > w->slot_capacity)
    if (grow((void **)&w->slots, &w->slot_capacity, w->slot_capacity, sizeof *w->slots)) return -1;
  memset(&w->slots[w->n_slots], 0, (size_t)n * sizeof *w->slots);
  w->n_slots += n;
  return w->n_slots - n;
}

static int add_visit(mn_walk *w, mn_node *node) {
  if (table_find(&w->index, node)) return 0;
  if (grow((void **)&w->visits, &w->capacity, w->n_visits, sizeof *w->visits)) return mn_walk_no_memory(w);
  if (table_add(&w->index, node, 0)) return mn_walk_no_memory(w);
  node->refs++;
  w->visits[w->n_visits++] = (visit){.node = node, .seq = node->seq};
  return 0;
}

static int leaf_number(mn_walk *w, mn_tensor *leaf) {
  int *found = table_find(&w->index, leaf);
  if (found) return *found;
  int n = w->n_leaves, s = new_slots(w, 1), capacity = w->leaf_capacity;
  if (s < 0) return mn_walk_no_memory(w);
  if (n == capacity) {
    int wanted = capacity ? 2 * capacity : 64;
    mn_tensor **leaves = realloc(w->leaves, (size_t)wanted * sizeof *leaves);
    if (leaves) w->leaves = leaves;
    int *leaf_slots = leaves ? realloc(w->leaf_slots, (size_t)wanted * sizeof *leaf_slots) : NULL;
    if (leaf_slots) w->leaf_slots = leaf_slots;
    bool *wanteds = leaf_slots ? realloc(w->leaf_wanted, (size_t)wanted * sizeof *wanteds) : NULL;
    if (!wanteds) return mn_walk_no_memory(w);
    w->leaf_wanted = wanteds, w->leaf_capacity = wanted;
  }
  if (table_add(&w->index, leaf, n)) return mn_walk_no_memory(w);
  leaf->refs++;
  w->leaves[n] = leaf, w->leaf_slots[n] = s, w->leaf_wanted[n] = false;
  return w->n_leaves++;
}

static int compare_age(const void *a, const void *b) {
  uint64_t x = ((const visit *)a)->seq, y = ((const visit *)b)->seq;
  return (x > y) - (x < y);
}

/* Collecting finds the newest first: turned round, what has no branches is sorted already. */
static void sort_visits(visit *visits, int n) {
  bool sorted = true;
  for (int i = 0, k = n - 1; i < k; i++, k--) {
    visit newer = visits[i];
    visits[i] = visits[k], visits[k] = newer;
  }
  for (int i = 1; i < n && sorted; i++) sorted = visits[i - 1].seq < visits[i].seq;
  if (!sorted) qsort(visits, (size_t)n, sizeof *visits, compare_age);
}

static bool may_lead(const mn_walk *w, const mn_node *node) {
  return w->flags & MN_WALK_ACCUMULATE || (node->seq >= w->since && reach_leads(&w->reach, node));
}

/* Breadth first: visits doubles as the queue. The flag is looked at on the way: graphs may be large. */
int mn_visits_collect(mn_walk *w, int n_out, mn_tensor *const *outputs) {
  for (int i = 0; i < w->n_in && w->flags & MN_WALK_PARTIAL; i++) {
    mn_node *node = w->inputs[i]->node;
    if (!node) continue;
    if (add_visit(w, node)) return -1;
    w->visits[w->n_visits - 1].barrier = true; /* where it was there already, the last one is an input too */
  }
  for (int i = 0; i < n_out; i++) {
    if (outputs[i]->node ? add_visit(w, outputs[i]->node) : leaf_number(w, outputs[i]) < 0) return -1;
  }
  for (int v = 0; v < w->n_visits; v++) {
    mn_node *node = w->visits[v].node;
    if (mn_check_interrupt(w->ctx)) return -1;
    for (int i = 0; i < node->n_in && !w->visits[v].barrier; i++) {
      const mn_edge *e = &node->edges[i];
      if (e->node && may_lead(w, e->node) && add_visit(w, e->node)) return -1;
      if (e->leaf && leaf_number(w, e->leaf) < 0) return -1;
    }
  }
  w->ctx->stats.visited_nodes += w->n_visits;
  sort_visits(w->visits, w->n_visits);
  for (int v = 0; v < w->n_visits; v++) {
    int s = new_slots(w, w->visits[v].node->n_out);
    if (s < 0) return mn_walk_no_memory(w);
    if (mn_check_interrupt(w->ctx)) return -1;
    w->visits[v].first_slot = s;
    table_set(&w->index, w->visits[v].node, v);
  }
  return 0;
}

/* ---- what is wanted ---- */

static void want_inputs(mn_walk *w) {
  for (int i = 0; i < w->n_in; i++) {
    mn_tensor *t = w->inputs[i];
    const void *key = t->node ? (const void *)t->node : (const void *)t;
    int *found = table_find(&w->index, key);
    w->input_slots[i] = -1;
    if (!found) continue;
    if (t->node) {
      w->visits[*found].needed = true;
      w->input_slots[i] = w->visits[*found].first_slot + t->out_nr;
    } else {
      w->leaf_wanted[*found] = true;
      w->input_slots[i] = w->leaf_slots[*found];
    }
  }
}

int mn_visits_want(mn_walk *w) {
  bool all = w->flags & MN_WALK_ACCUMULATE;
  for (int i = 0; i < w->n_leaves && all; i++) w->leaf_wanted[i] = true;
  if (!all) want_inputs(w);
  for (int v = 0; v < w->n_visits; v++) {
    visit *x = &w->visits[v];
    if (mn_check_interrupt(w->ctx)) return -1;
    for (int i = 0; i < x->node->n_in && !x->needed && !x->barrier; i++)
      x->needed = mn_edge_wanted(w, &x->node->edges[i]);
    x->needed |= all && x->node->outputs;
  }
  return 0;
}

/* ---- gathering cotangents ---- */

static int put_aside(slot *s, mn_tensor *t) {
  mn_tensor **more = realloc(s->more, (size_t)(s->n_more + 1) * sizeof *more);
  if (!more) return -1;
  s->more = more;
  s->more[s->n_more++] = t;
  t->refs++;
  return 0;
}

/* Adds what was put aside, in the order in which it came. Transactional: what has been added is off the list. */
static int flush(mn_walk *w, slot *s) {
  while (s->first < s->n_more) {
    mn_tensor *sum = mn_add(w->ctx, s->sum, s->more[s->first], NULL);
    if (!sum) return -1;
    sum->refs++; /* the scope has the other reference */
    mn_tensor_unref(s->sum);
    mn_tensor_unref(s->more[s->first++]);
    s->sum = sum;
  }
  return 0;
}

/* Adds t to what the slot holds; without memory for the sum it is put aside. */
static int gather(mn_walk *w, int index, mn_tensor *t) {
  slot *s = &w->slots[index];
  if (!s->sum) {
    s->sum = t;
    t->refs++;
    return 0;
  }
  mn_tensor *sum = flush(w, s) ? NULL : mn_add(w->ctx, s->sum, t, NULL);
  if (!sum) {
    if (w->ctx->error_code != MN_ERR_MEMORY) return -1;
    mn_error_clear(w->ctx);
    w->failed = put_aside(s, t) != 0; /* half delivered: this walk can't go on */
    return w->failed ? mn_walk_no_memory(w) : 0;
  }
  sum->refs++;
  mn_tensor_unref(s->sum);
  s->sum = sum;
  return 0;
}

/* Puts zeros like that array where a slot holds no more than the word that its cotangent is 0. */
static int materialize(mn_walk *w, slot *s, const mn_array *like) {
  if (s->sum || !s->zero) return 0;
  mn_list size = {like->ndim, {0}};
  for (int d = 0; d < like->ndim; d++) size.v[d] = like->size[d];
  s->sum = mn_zeros(w->ctx, size, like->dtype);
  if (!s->sum) return -1;
  s->sum->refs++; /* the scope has the other reference */
  return 0;
}

static bool same_size(const mn_array *a, const mn_array *b) {
  if (a->ndim != b->ndim) return false;
  for (int d = 0; d < a->ndim; d++)
    if (a->size[d] != b->size[d]) return false;
  return true;
}

static int seed(mn_walk *w, mn_tensor *output, mn_tensor *grad) {
  mn_tensor *g = grad;
  if (mn_is_none(grad)) {
    if (output->a.numel != 1) {
      char text[128];
      return mn_error_set(
          w->ctx, MN_ERR_ARGUMENT,
          "backward: expected an output with one element or a gradient for it, got an output of size %s",
          mn_shape_text(&output->a, text));
    }
    mn_full_attrs one = {.size = mn_shape_list(output), .value = 1, .dtype = output->a.dtype};
    g = mn_full(w->ctx, &one);
  } else if (!same_size(&grad->a, &output->a)) {
    char want[128], got[128];
    return mn_error_set(w->ctx, MN_ERR_ARGUMENT, "backward: expected a gradient of size %s, got %s",
                        mn_shape_text(&output->a, want), mn_shape_text(&grad->a, got));
  }
  if (g && g->a.dtype != output->a.dtype) {
    mn_cast_attrs to = {.dtype = output->a.dtype};
    g = mn_cast(w->ctx, g, &to);
  }
  if (!g) return -1;
  int *found = table_find(&w->index, output->node ? (void *)output->node : (void *)output);
  return gather(w, output->node ? w->visits[*found].first_slot + output->out_nr : w->leaf_slots[*found], g);
}

/* ---- rules ---- */

mn_context *mn_rule_ctx(mn_rule *r) { return r->ctx; }
const mn_slot *mn_rule_attrs(mn_rule *r) { return r->node->attrs; }
int mn_rule_inputs(mn_rule *r) { return r->node->n_in; }
bool mn_need(mn_rule *r, int i) {
  if (i >= r->node->n_in) return false;
  if (r->tangents) return r->only < 0 ? r->tangents[i] != NULL : i == r->only;
  return mn_edge_wanted(r->walk, &r->node->edges[i]);
}
bool mn_has_grad(mn_rule *r, int k) { return r->slots[k].sum != NULL; }

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

int mn_in_dtype(mn_rule *r, int i) { return (int)mn_node_shape(r->node, i)[0]; }

mn_tensor *mn_grad(mn_rule *r, int k) {
  if (r->slots[k].sum) return r->slots[k].sum;
  mn_list size = mn_in_shape(r, r->node->n_in + k);
  return mn_zeros(r->ctx, size, mn_in_dtype(r, r->node->n_in + k));
}

/* A saved tensor as a derivative shall see it: with its history, when one is being recorded. */
static mn_tensor *unpack(mn_node *node, mn_saved *s) {
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
    if (node->saved[i].which == which) return unpack(node, &node->saved[i]);
  return mn_error_set(r->ctx, MN_ERR_ARGUMENT, "%s: its rule reads what its row doesn't save",
                      mn_node_name(node)),
         NULL;
}

mn_tensor *mn_saved_in(mn_rule *r, int i) { return find_saved(r, i); }
mn_tensor *mn_saved_out(mn_rule *r, int k) { return find_saved(r, -1 - k); }

void mn_give(mn_rule *r, int i, mn_tensor *grad) {
  if (grad && !mn_is_none(grad)) r->results[i] = grad;
}

/* ---- visiting a node ---- */

/* Sums a gradient that broadcasting made broader to the input's shape, and casts it to the input's dtype. */
static mn_tensor *fit(mn_rule *r, int i, mn_tensor *g) {
  mn_list want = mn_in_shape(r, i);
  bool same = want.n == g->a.ndim;
  for (int d = 0; same && d < want.n; d++) same = want.v[d] == g->a.size[d];
  if (!same) {
    mn_sum_to_attrs attrs = {.size = want};
    g = mn_sum_to(r->ctx, g, &attrs);
  }
  if (g && g->a.dtype != mn_in_dtype(r, i)) {
    mn_cast_attrs attrs = {.dtype = mn_in_dtype(r, i)};
    g = mn_cast(r->ctx, g, &attrs);
  }
  return g;
}

/* What a derivative gives nothing for gets zeros, unless the derivative is Lua's, where nil says "none". */
static int deliver(mn_walk *w, const mn_node *node, mn_tensor **results) {
  for (int i = 0; i < node->n_in; i++) {
    const mn_edge *e = &node->edges[i];
    bool silent = !results[i] && node->op == MN_OP_FUNCTION;
    if (silent || !mn_edge_wanted(w, e)) continue;
    if (!results[i]) w->slots[mn_slot_of(w, e)].zero = true;
    else if (gather(w, mn_slot_of(w, e), results[i])) return -1;
  }
  return 0;
}

/* ---- what Lua is asked ---- */

/* Pauses the walk: the node at hand is run again when Lua has answered. */
static int ask(mn_walk *w, mn_request request) {
  w->request = request;
  w->stage = ASKED;
  return -1;
}

static int ask_hooks(mn_walk *w, const visit *x) {
  if (w->stage >= HOOKS_DONE) return 0;
  return ask(w, (mn_request){.kind = MN_ASK_HOOKS, .n_out = x->node->n_out, .number = (double)x->node->seq});
}

static void forget_given(mn_walk *w) {
  for (int i = 0; i < w->n_given; i++) mn_tensor_unref(w->given[i]);
  free(w->given);
  w->given = NULL, w->n_given = 0;
}

/* The derivative of a Function: asks for it, or takes what was given. */
static int run_function(mn_walk *w, mn_node *node, mn_tensor **results) {
  if (w->stage == FUNCTION_DONE) {
    for (int i = 0; i < node->n_in; i++) results[i] = w->given[i];
    return 0;
  }
  forget_given(w);
  w->given = calloc((size_t)node->n_in + 1, sizeof *w->given);
  if (!w->given) return mn_walk_no_memory(w);
  w->n_given = node->n_in;
  return ask(w, (mn_request){.kind = MN_ASK_FUNCTION,
                             .n_in = node->n_in,
                             .n_out = node->n_out,
                             .n_saved = node->n_saved,
                             .number = (double)node->seq});
}

/* Hooks of leaves, once all their gradients are gathered. */
static int leaf_hooks(mn_walk *w) {
  if (w->ctx->live_numbers == 0 || w->flags & MN_WALK_PARTIAL) return 0;
  for (; w->leaf_at < w->n_leaves; w->leaf_at++) {
    mn_tensor *leaf = w->leaves[w->leaf_at];
    slot *s = &w->slots[w->leaf_slots[w->leaf_at]];
    if (leaf->flags & T_HOOKED && (s->sum || s->zero) && w->stage < HOOKS_DONE) {
      if (flush(w, s) || materialize(w, s, &leaf->a)) return -1;
      return ask(w, (mn_request){.kind = MN_ASK_LEAF_HOOKS, .n_out = 1, .number = -leaf->id});
    }
    w->stage = NOTHING;
  }
  return 0;
}

/* ---- a node ---- */

static int check_anomaly(mn_walk *w, const mn_node *node, mn_tensor **results) {
  for (int i = 0; i < node->n_in; i++) {
    const char *what = results[i] ? mn_anomaly_in(results[i]) : NULL;
    if (what)
      return mn_error_set(w->ctx, MN_ERR_ANOMALY,
                          "detect_anomaly: the derivative of %s for its input %d has %s", mn_node_name(node),
                          i + 1, what);
  }
  return 0;
}

int mn_saved_check(const mn_node *node) {
  if (!node->freed || node->n_saved == 0) return 0;
  return mn_error_set(
      node->ctx, MN_ERR_ARGUMENT,
      "backward: the graph through %s has been freed by an earlier backward; ask that one for "
      "retain_graph",
      mn_node_name(node));
}

static int run_rule(mn_walk *w, visit *x, mn_tensor **results) {
  mn_node *node = x->node;
  mn_rule r = {.ctx = w->ctx, .node = node, .walk = w, .slots = &w->slots[x->first_slot], .results = results};
  if (mn_saved_check(node)) return -1;
  if (node->op == MN_OP_FUNCTION) {
    if (run_function(w, node, results)) return -1;
  } else {
    mn_rules(node->op)->vjp(&r);
  }
  if (w->ctx->error_code != MN_OK) return -1;
  for (int i = 0; i < node->n_in; i++) {
    if (!results[i]) continue;
    results[i] = fit(&r, i, results[i]);
    if (!results[i]) return -1;
  }
  return w->ctx->watch & MN_WATCH_ANOMALY ? check_anomaly(w, node, results) : 0;
}

static void free_slot(slot *s) {
  mn_tensor_unref(s->sum);
  for (int i = s->first; i < s->n_more; i++) mn_tensor_unref(s->more[i]);
  free(s->more);
  *s = (slot){NULL, NULL, 0, 0, false};
}

static bool is_kept(const mn_walk *w, const visit *x) {
  if (x->node->outputs && w->flags & MN_WALK_ACCUMULATE) return true;
  for (int i = 0; i < w->n_in; i++)
    if (w->inputs[i]->node == x->node) return true;
  return false;
}

enum { NO_COTANGENT, ZEROS, COTANGENT };

/* What a node's outputs have gathered. Zeros are made only for those who look at them: hooks, and Lua's derivatives. */
static int cotangents_of(mn_walk *w, const visit *x, int *kind) {
  slot *slots = &w->slots[x->first_slot];
  const mn_node *node = x->node;
  bool looks = node->op == MN_OP_FUNCTION || (node->hooked && !x->barrier);
  *kind = NO_COTANGENT;
  for (int k = 0; k < node->n_out; k++) {
    if (flush(w, &slots[k])) return -1;
    if (looks && slots[k].zero) {
      mn_array like;
      mn_shape_read(mn_node_shape(node, node->n_in + k), &like);
      if (materialize(w, &slots[k], &like)) return -1;
    }
    if (slots[k].sum) *kind = COTANGENT;
    else if (slots[k].zero && *kind == NO_COTANGENT) *kind = ZEROS;
  }
  return 0;
}

static int pass_on(mn_walk *w, visit *x, int kind) {
  mn_node *node = x->node;
  mn_tensor *few[8] = {0}, **results = few;
  if (node->n_in > 8 && !(results = calloc(node->n_in, sizeof *results))) return mn_walk_no_memory(w);
  int failed = kind == ZEROS ? mn_saved_check(node) : run_rule(w, x, results);
  if (!failed) failed = deliver(w, node, results);
  if (results != few) free(results);
  return failed;
}

static int visit_node(mn_walk *w, visit *x) {
  mn_node *node = x->node;
  slot *slots = &w->slots[x->first_slot];
  int kind;
  bool through = false;
  if (cotangents_of(w, x, &kind)) return -1;
  if (node->hooked && kind != NO_COTANGENT && !x->barrier && ask_hooks(w, x)) return -1;
  for (int i = 0; i < node->n_in && kind != NO_COTANGENT && !through && !x->barrier; i++)
    through = mn_edge_wanted(w, &node->edges[i]);
  if (through && pass_on(w, x, kind)) return -1;
  if (through && !(w->flags & MN_WALK_RETAIN_GRAPH)) mn_node_free_saved(node);
  if (!is_kept(w, x))
    for (int k = 0; k < node->n_out; k++) free_slot(&slots[k]);
  return 0;
}

/* ---- results ---- */

static int collect_results(mn_walk *w) {
  for (int i = 0; i < w->n_in; i++) {
    slot *s = w->input_slots[i] < 0 ? NULL : &w->slots[w->input_slots[i]];
    if (!s || w->results[i]) continue;
    if (flush(w, s) || materialize(w, s, &w->inputs[i]->a)) return -1;
    if (s->sum) w->results[i] = s->sum, s->sum->refs++;
  }
  return 0;
}

/* What .grad becomes: the sum with what is there, or a tensor that nothing else shares. */
static mn_tensor *new_grad(mn_walk *w, mn_tensor *leaf, mn_tensor *g) {
  mn_tensor *result;
  if (leaf->grad) {
    result = mn_add(w->ctx, leaf->grad, g, NULL);
  } else if (g->refs == 1 && g->storage->refs == 1 && g->a.contiguous) {
    result = g;
  } else {
    result = mn_clone(w->ctx, g, NULL);
  }
  if (result) result->refs++;
  return result;
}

typedef struct written {
  mn_tensor *leaf, *grad;
} written;

/* All new gradients are made before the first is written. */
static int write_grads(mn_walk *w) {
  int n = 0, failed = 0, room = w->n_leaves;
  for (int v = 0; v < w->n_visits; v++) room += w->visits[v].node->outputs ? w->visits[v].node->n_out : 0;
  written *list = calloc((size_t)room + 1, sizeof *list);
  if (!list) return mn_walk_no_memory(w);
  for (int i = 0; i < w->n_leaves && !failed; i++) {
    slot *s = &w->slots[w->leaf_slots[i]];
    failed = flush(w, s) || materialize(w, s, &w->leaves[i]->a);
    if (failed || !s->sum) continue;
    list[n].leaf = w->leaves[i];
    list[n].grad = new_grad(w, w->leaves[i], s->sum);
    failed = list[n].grad == NULL;
    n += !failed;
  }
  for (int v = 0; v < w->n_visits && !failed; v++) {
    mn_node *node = w->visits[v].node;
    for (int k = 0; k < node->n_out && node->outputs && !failed; k++) {
      slot *s = &w->slots[w->visits[v].first_slot + k];
      mn_tensor *kept = node->outputs[k];
      failed = kept && materialize(w, s, &kept->a);
      if (failed || !s->sum || !kept) continue;
      list[n].leaf = kept;
      list[n].grad = new_grad(w, kept, s->sum);
      failed = list[n].grad == NULL;
      n += !failed;
    }
  }
  for (int i = 0; i < n; i++) {
    if (failed) mn_tensor_unref(list[i].grad);
    else mn_tensor_put_grad(list[i].leaf, list[i].grad);
  }
  free(list);
  return failed ? -1 : 0;
}

/* ---- the public face ---- */

static int check_outputs(mn_context *ctx, int n_out, mn_tensor *const *outputs, mn_tensor *const *grads) {
  for (int i = 0; i < n_out; i++) {
    if (!outputs[i] || !grads[i] || mn_is_none(outputs[i]))
      return mn_error_set(ctx, MN_ERR_ARGUMENT, "backward: output %d is missing", i + 1);
    if (outputs[i]->ctx != ctx || (!mn_is_none(grads[i]) && grads[i]->ctx != ctx))
      return mn_error_set(ctx, MN_ERR_ARGUMENT,
                          "backward: output %d or its gradient belongs to another context", i + 1);
    if (!mn_tensor_needs_grad(outputs[i]))
      return mn_error_set(ctx, MN_ERR_ARGUMENT, "backward: output %d doesn't require grad and has no history",
                          i + 1);
  }
  return 0;
}

int mn_walk_inputs(mn_walk *w, int n_in, mn_tensor *const *inputs) {
  size_t n = (size_t)n_in + 1;
  w->inputs = calloc(n, sizeof *w->inputs);
  w->results = calloc(n, sizeof *w->results);
  w->input_slots = calloc(n, sizeof *w->input_slots);
  if (!w->inputs || !w->results || !w->input_slots || table_resize(&w->index, 128))
    return mn_walk_no_memory(w);
  for (int i = 0; i < n_in; i++) {
    if (!inputs[i] || mn_is_none(inputs[i]))
      return mn_error_set(w->ctx, MN_ERR_ARGUMENT, "grad: input %d is missing", i + 1);
    if (inputs[i]->ctx != w->ctx)
      return mn_error_set(w->ctx, MN_ERR_ARGUMENT, "grad: input %d belongs to another context", i + 1);
    if (!mn_tensor_needs_grad(inputs[i]))
      return mn_error_set(w->ctx, MN_ERR_ARGUMENT, "grad: input %d doesn't require grad", i + 1);
    w->inputs[w->n_in++] = inputs[i];
    inputs[i]->refs++;
  }
  return reach_of(&w->reach, n_in, inputs) ? mn_walk_no_memory(w) : 0;
}

mn_walk *mn_walk_new(mn_context *ctx, int n_out, mn_tensor *const *outputs, mn_tensor *const *grad_outputs,
                     int n_in, mn_tensor *const *inputs, int flags, double since) {
  if (check_outputs(ctx, n_out, outputs, grad_outputs)) return NULL;
  mn_walk *w = calloc(1, sizeof *w);
  if (!w) return mn_error_set(ctx, MN_ERR_MEMORY, "out of memory in the backward walk"), NULL;
  w->ctx = ctx;
  w->flags = flags & MN_WALK_CREATE_GRAPH && !(flags & MN_WALK_ACCUMULATE) ? flags | MN_WALK_RETAIN_GRAPH
                                                                           : flags & ~MN_WALK_CREATE_GRAPH;
  ctx->refs++;
  int mark = mn_scope_open(ctx), mode = ctx->grad_enabled, place = ctx->place_state;
  ctx->grad_enabled = (w->flags & MN_WALK_CREATE_GRAPH) != 0;
  ctx->place_state = MN_PLACE_HELD;
  w->since = (uint64_t)since;
  int failed = mn_walk_inputs(w, n_in, inputs) || mn_visits_collect(w, n_out, outputs) || mn_visits_want(w);
  for (int i = 0; i < n_out && !failed; i++) failed = seed(w, outputs[i], grad_outputs[i]);
  w->next = w->n_visits - 1;
  ctx->grad_enabled = mode;
  ctx->place_state = place;
  mn_scope_close(ctx, mark);
  if (!failed) return w;
  mn_walk_free(w);
  return NULL;
}

static int step(mn_walk *w) {
  if (mn_check_interrupt(w->ctx)) return -1;
  int mark = mn_scope_open(w->ctx);
  int failed = 0;
  if (w->next >= 0) {
    visit *x = &w->visits[w->next];
    if (w->ctx->watch & MN_WATCH_ANOMALY) w->ctx->place = x->node->place;
    failed = x->needed ? visit_node(w, x) : 0;
  } else {
    failed = leaf_hooks(w) || (w->flags & MN_WALK_ACCUMULATE ? 0 : collect_results(w));
  }
  mn_scope_close(w->ctx, mark);
  if (failed) return -1;
  w->next--;
  w->stage = NOTHING;
  if (w->given) forget_given(w);
  return 0;
}

static int write_step(mn_walk *w) {
  int mark = mn_scope_open(w->ctx), failed = write_grads(w);
  mn_scope_close(w->ctx, mark);
  return failed;
}

int mn_walk_run(mn_walk *w) {
  mn_context *ctx = w->ctx;
  int mode = ctx->grad_enabled, failed = w->failed, place = ctx->place_state;
  ctx->grad_enabled = (w->flags & MN_WALK_CREATE_GRAPH) != 0;
  ctx->place_state = MN_PLACE_HELD;
  if (w->stage == ASKED) w->stage = w->request.kind == MN_ASK_FUNCTION ? FUNCTION_DONE : HOOKS_DONE;
  while (!failed && w->next >= -1) {
    failed = step(w);
    if (!failed && w->next == -2 && w->flags & MN_WALK_ACCUMULATE) {
      failed = write_step(w);
      if (failed) w->next = -1;
    }
  }
  ctx->grad_enabled = mode;
  ctx->place_state = place;
  if (!failed) return MN_WALK_DONE;
  if (w->stage == ASKED) return MN_WALK_NEED_LUA;
  if (ctx->error_code == MN_ERR_MEMORY && !w->failed) return MN_WALK_NEED_MEMORY;
  w->failed = true;
  return MN_WALK_ERROR;
}

/* ---- what Lua reads and answers while the walk is paused ---- */

const mn_request *mn_walk_request(const mn_walk *w) { return &w->request; }

static mn_node *asked_node(const mn_walk *w) { return w->visits[w->next].node; }
const mn_node *mn_walk_node(const mn_walk *w) { return asked_node(w); }

static slot *asked_slot(mn_walk *w, int k) {
  if (w->request.kind == MN_ASK_LEAF_HOOKS) return &w->slots[w->leaf_slots[w->leaf_at]];
  return &w->slots[w->visits[w->next].first_slot + k];
}

mn_tensor *mn_walk_cotangent(mn_walk *w, int k) {
  mn_tensor *sum = asked_slot(w, k)->sum;
  if (!sum) return mn_none();
  sum->refs++;
  return sum;
}

int mn_walk_retains(const mn_walk *w) { return (w->flags & MN_WALK_RETAIN_GRAPH) != 0; }

int mn_walk_needs(mn_walk *w, int i) { return mn_edge_wanted(w, &asked_node(w)->edges[i]); }

mn_tensor *mn_walk_saved(mn_walk *w, int i) {
  mn_node *node = asked_node(w);
  if (mn_saved_check(node)) return NULL; /* by a walk that Lua ran while this one waited */
  int mark = mn_scope_open(w->ctx);
  mn_tensor *t = unpack(node, &node->saved[i]);
  mn_tensor_retain(t);
  mn_scope_close(w->ctx, mark);
  return t;
}

mn_tensor *mn_walk_input(mn_walk *w, int i) {
  mn_node *node = asked_node(w);
  return mn_edge_tensor(w->ctx, &node->edges[i], mn_node_shape(node, i));
}

void mn_walk_array(mn_walk *w, int i, mn_array *out) { mn_shape_read(mn_node_shape(asked_node(w), i), out); }

void mn_walk_give(mn_walk *w, int i, mn_tensor *t) {
  mn_tensor **place = w->request.kind == MN_ASK_FUNCTION ? &w->given[i] : &asked_slot(w, i)->sum;
  mn_tensor *old = *place;
  mn_tensor_retain(t);
  *place = mn_is_none(t) ? NULL : t;
  mn_tensor_release(old);
}

mn_tensor *mn_walk_result(mn_walk *w, int i) {
  if (i < 0 || i >= w->n_in || !w->results[i]) return mn_none();
  w->results[i]->refs++;
  return w->results[i];
}

void mn_walk_free(mn_walk *w) {
  if (!w) return;
  mn_context *ctx = w->ctx;
  for (int i = 0; i < w->n_slots; i++) free_slot(&w->slots[i]);
  for (int v = 0; v < w->n_visits; v++) mn_node_unref(w->visits[v].node);
  for (int i = 0; i < w->n_leaves; i++) mn_tensor_unref(w->leaves[i]);
  for (int i = 0; i < w->n_in; i++) mn_tensor_unref(w->inputs[i]), mn_tensor_unref(w->results[i]);
  forget_given(w);
  mn_drain(ctx);
  free(w->visits), free(w->slots), free(w->leaves), free(w->leaf_slots), free(w->leaf_wanted);
  table_free(&w->index);
  free(w->inputs), free(w->results), free(w->input_slots), free(w->reach.of_inputs);
  free(w);
  mn_context_release(ctx);
}
