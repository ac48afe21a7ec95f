/* push.c: the forward walk: tangents of inputs go through the nodes, from the oldest to the newest, to the outputs, by
 * the tangent rule of each row (Jacobian-vector products). It visits what a backward walk from the outputs to the
 * inputs would, on what that would read. Where a derivative or a hook of the binding's stands between it gives up:
 * those are backward only. */
#include "engine/walk.h"

/* ---- what rules read and give ---- */

bool mn_has_tangent(mn_rule *r, int i) { return r->tangents[i] != NULL; }

/* Zeros like input i, or, from n_in on, like output i - n_in. */
static mn_tensor *zeros_like(const mn_node *node, int i) {
  mn_array like;
  mn_shape_read(mn_node_shape(node, i), &like);
  return row_full(node->ctx, &like, 0);
}

mn_tensor *mn_tangent(mn_rule *r, int i) { return r->tangents[i] ? r->tangents[i] : zeros_like(r->node, i); }

mn_list mn_out_shape(mn_rule *r, int k) { return mn_in_shape(r, r->node->n_in + k); }
int mn_out_dtype(mn_rule *r, int k) { return mn_in_dtype(r, r->node->n_in + k); }

void mn_push(mn_rule *r, int k, mn_tensor *tangent) {
  if (tangent && !mn_is_none(tangent)) r->pushed[k] = tangent;
}

bool mn_saves_in(mn_rule *r, int i) {
  for (int s = 0; s < r->node->n_saved; s++)
    if (r->node->saved[s].which == i) return true;
  return false;
}

enum { PULLED = 16 }; /* inputs of a row whose derivative rule is asked here */

static int pull(mn_rule *r, int only, cotangent *cotangents, mn_tensor **results) {
  mn_rule backward = *r;
  if (r->node->n_in > PULLED)
    return mn_error_set(r->ctx, MN_ERR_ARGUMENT, "%s: too many inputs", mn_op(r->node->op)->name);
  backward.cotangents = cotangents, backward.results = results, backward.only = only;
  mn_rules(r->node->op)->vjp(&backward);
  return r->ctx->error_code == MN_OK ? 0 : -1;
}

mn_tensor *mn_pull(mn_rule *r, int i, int k, mn_tensor *g) {
  mn_tensor *results[PULLED] = {0};
  cotangent cotangents[MN_MAX_OUT] = {{0}};
  cotangents[k].sum = g;
  if (!g || pull(r, i, cotangents, results)) return NULL;
  return results[i] ? results[i] : mn_none();
}

mn_tensor **mn_row_inputs(mn_rule *r) { return r->row; }

int mn_row_again(mn_rule *r, mn_tensor **outputs) {
  return mn_apply(r->ctx, r->node->op, r->node->n_in, r->row, r->node->attrs, outputs);
}

/* ---- by two derivatives ---- */

/* Cotangents to differentiate by: zeros that need gradients, one for each differentiable output. */
static int make_cotangents(mn_rule *r, mn_tensor **u, cotangent *cotangents) {
  int n = mn_op(r->node->op)->flags & MN_F_FIRST ? 1 : r->node->n_out;
  for (int k = 0; k < n; k++) {
    u[k] = cotangents[k].sum = zeros_like(r->node, r->node->n_in + k);
    if (!u[k] || mn_tensor_set_requires_grad(r->ctx, u[k], 1)) return -1;
  }
  return n;
}

/* Takes the results of the walk over to the open scope. */
static void take_results(mn_rule *r, mn_walk *w, int n) {
  for (int k = 0; k < n; k++) {
    mn_tensor *t = mn_scope_reserve(r->ctx, 1) ? NULL : mn_walk_result(w, k);
    if (!t || mn_is_none(t)) continue;
    mn_scope_add(r->ctx, t);
    mn_push(r, k, t);
  }
}

void mn_push_twice(mn_rule *r) {
  mn_context *ctx = r->ctx;
  mn_tensor *u[MN_MAX_OUT], *results[PULLED] = {0}, *outputs[PULLED], *along[PULLED];
  cotangent cotangents[MN_MAX_OUT] = {{0}};
  int mode = ctx->grad_enabled, n_out = 0;
  ctx->grad_enabled = 1;
  int n = make_cotangents(r, u, cotangents), failed = n < 0 || pull(r, -1, cotangents, results);
  ctx->grad_enabled = mode;
  for (int i = 0; i < r->node->n_in && !failed; i++) {
    mn_tensor *g = results[i];
    if (!g || !r->tangents[i] || !mn_tensor_needs_grad(g)) continue;
    outputs[n_out] = g, along[n_out++] = r->tangents[i];
  }
  if (failed || n_out == 0) return;
  int flags = (mode ? MN_WALK_CREATE_GRAPH : 0) | MN_WALK_PARTIAL;
  mn_walk *w = mn_walk_new(ctx, n_out, outputs, along, n, u, flags, 0);
  if (w && mn_walk_run(w) == MN_WALK_DONE) take_results(r, w, n);
  mn_walk_free(w);
}

/* ---- a node ---- */

enum { DONE = 0, FAILED = -1, BACKWARD_ONLY = 1 };

/* A tangent as its output is: rules may leave out dims that were broadcast. */
static mn_tensor *like_output(mn_rule *r, int k, mn_tensor *t) {
  mn_list want = mn_out_shape(r, k);
  bool same = want.n == t->a.ndim;
  for (int d = 0; same && d < want.n; d++) same = want.v[d] == t->a.size[d];
  mn_expand_attrs to = {.size = want};
  if (!same) t = mn_apply1(r->ctx, MN_OP_expand, t, (const mn_slot *)&to);
  return t && t->a.dtype != mn_out_dtype(r, k) ? row_cast(r->ctx, t, mn_out_dtype(r, k)) : t;
}

static int check_anomaly(mn_context *ctx, const mn_node *node, int k, const mn_tensor *t) {
  const char *what = ctx->watch & MN_WATCH_ANOMALY ? mn_anomaly_in(t) : NULL;
  if (!what) return 0;
  return mn_error_set(ctx, MN_ERR_ANOMALY, "detect_anomaly: the tangent of output %d of %s has %s", k + 1,
                      mn_node_name(node), what);
}

static int run_rule(mn_walk *w, const visit *x, mn_tensor **tangents, mn_tensor **row) {
  mn_node *node = x->node;
  mn_tensor *pushed[MN_MAX_OUT] = {0};
  cotangent no_cotangents[MN_MAX_OUT] = {{0}};
  mn_rule r = {.ctx = w->ctx,
               .node = node,
               .walk = w,
               .cotangents = no_cotangents,
               .tangents = tangents,
               .pushed = pushed,
               .row = row,
               .only = -1};
  if (mn_saved_check(node)) return FAILED;
  w->ctx->default_device = mn_in_device(&r, node->n_in); /* output 0: where what the rule makes is made */
  w->ctx->place = node->place;
  mn_rules(node->op)->jvp(&r);
  if (w->ctx->error_code != MN_OK) return FAILED;
  for (int k = 0; k < node->n_out; k++) {
    mn_tensor *t = pushed[k] ? like_output(&r, k, pushed[k]) : NULL;
    if (pushed[k] && (!t || check_anomaly(w->ctx, node, k, t))) return FAILED;
    if (!t) continue;
    w->cotangents[x->first_cotangent + k].sum = t;
    t->refs++;
  }
  return DONE;
}

static int push_node(mn_walk *w, const visit *x) {
  mn_node *node = x->node;
  mn_tensor *few[16] = {0}, **tangents = few;
  bool any = false;
  size_t bytes = 2 * (size_t)node->n_in * sizeof *tangents;
  if (node->n_in > 8 && !(tangents = mn_memory_zeros(w->ctx, bytes))) return FAILED;
  for (int i = 0; i < node->n_in; i++) {
    const mn_edge *e = &node->edges[i];
    if (mn_edge_wanted(w, e)) tangents[i] = w->cotangents[mn_cotangent_of(w, e)].sum;
    any |= tangents[i] != NULL;
  }
  int result = DONE;
  if (any && (node->op == MN_OP_FUNCTION || node->hooked)) result = BACKWARD_ONLY;
  else if (any) result = run_rule(w, x, tangents, tangents + node->n_in);
  if (tangents != few) mn_memory_put(w->ctx, tangents, bytes);
  return result;
}

/* ---- the walk ---- */

static int seed(mn_walk *w, mn_tensor *const *tangents) {
  for (int i = 0; i < w->n_in; i++) {
    if (!tangents[i] || mn_is_none(tangents[i]) || tangents[i]->ctx != w->ctx)
      return mn_error_set(w->ctx, MN_ERR_ARGUMENT, "jvp: tangent %d is missing or of another context", i + 1);
    if (w->input_cotangents[i] < 0) continue;
    w->cotangents[w->input_cotangents[i]].sum = tangents[i];
    tangents[i]->refs++;
  }
  return 0;
}

static int push_all(mn_walk *w) {
  int result = DONE;
  for (int v = 0; v < w->n_visits && result == DONE; v++) {
    visit *x = &w->visits[v];
    if (!x->needed || x->barrier) continue;
    if (mn_check_interrupt(w->ctx)) return FAILED;
    int mark = mn_scope_open(w->ctx);
    result = push_node(w, x);
    mn_scope_close(w->ctx, mark);
  }
  return result;
}

static cotangent *output_cotangent(mn_walk *w, const mn_tensor *y) {
  int found = *dict_find(&w->index, y->node ? (const void *)y->node : (const void *)y);
  return &w->cotangents[y->node ? w->visits[found].first_cotangent + y->out_nr : w->leaf_cotangents[found]];
}

/* Zeros where an output has no tangent. All are made before the first is given. */
static int fill_outputs(mn_walk *w, int n_out, mn_tensor *const *outputs) {
  int mark = mn_scope_open(w->ctx), result = DONE;
  for (int k = 0; k < n_out && result == DONE; k++) {
    cotangent *s = output_cotangent(w, outputs[k]);
    if (s->sum) continue;
    s->sum = row_full(w->ctx, &outputs[k]->a, 0);
    if (s->sum) s->sum->refs++;
    else result = FAILED;
  }
  mn_scope_close(w->ctx, mark);
  return result;
}

static int take_outputs(mn_walk *w, int n_out, mn_tensor *const *outputs, mn_tensor **results) {
  if (fill_outputs(w, n_out, outputs)) return FAILED;
  for (int k = 0; k < n_out; k++) {
    results[k] = output_cotangent(w, outputs[k])->sum;
    results[k]->refs++;
  }
  return DONE;
}

static int check(mn_context *ctx, int n_out, mn_tensor *const *outputs) {
  for (int k = 0; k < n_out; k++)
    if (!outputs[k] || mn_is_none(outputs[k]) || outputs[k]->ctx != ctx || !mn_tensor_needs_grad(outputs[k]))
      return mn_error_set(ctx, MN_ERR_ARGUMENT, "jvp: output %d has no history in this context", k + 1);
  return 0;
}

int mn_tangents(mn_context *ctx, int n_out, mn_tensor *const *outputs, int n_in, mn_tensor *const *inputs,
                mn_tensor *const *tangents, int create_graph, mn_tensor **results) {
  if (check(ctx, n_out, outputs)) return FAILED;
  mn_walk *w = mn_memory_zeros(ctx, sizeof *w);
  if (!w) return FAILED;
  w->ctx = ctx, w->flags = MN_WALK_PARTIAL;
  ctx->refs++;
  mn_quiet saved = mn_quiet_begin(ctx);
  ctx->grad_enabled = create_graph != 0;
  ctx->place_state = MN_PLACE_HELD;
  int result = mn_walk_inputs(w, n_in, inputs) || mn_visits_collect(w, n_out, outputs) || mn_visits_want(w) ||
                       seed(w, tangents)
                   ? FAILED
                   : push_all(w);
  if (result == DONE) result = take_outputs(w, n_out, outputs, results);
  mn_quiet_end(ctx, saved);
  mn_walk_free(w);
  return result;
}
