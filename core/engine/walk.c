/* walk.c: the backward walk. An object of its own: marks, counts and cotangents stand here and not in the
 * nodes, so walks nest. Nodes are visited from the newest to the oldest (a node's inputs are always older),
 * and only those that lead to something wanted. A rule that fails for want of memory leaves the walk as it
 * was; it can be run again. Where a derivative or a hook is Lua's, the walk pauses, holding what it asks for. */
#include "engine/walk.h"

/* ---- seeds ---- */

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
    g = row_full(w->ctx, &output->a, 1);
  } else if (!mn_same_size(&grad->a, &output->a)) {
    char want[128], got[128];
    return mn_error_set(w->ctx, MN_ERR_ARGUMENT, "backward: expected a gradient of size %s, got %s",
                        mn_shape_text(&output->a, want), mn_shape_text(&grad->a, got));
  }
  if (g && g->a.dtype != output->a.dtype) g = row_cast(w->ctx, g, output->a.dtype);
  if (!g) return -1;
  int *found = dict_find(&w->index, output->node ? (void *)output->node : (void *)output);
  int at = output->node ? w->visits[*found].first_cotangent + output->out_nr : w->leaf_cotangents[*found];
  return mn_cotangent_add(w, &w->cotangents[at], g);
}

/* ---- a node ---- */

/* What a derivative gives nothing for gets zeros, unless the derivative is Lua's, where nil says "none". All sums are made
 * before the first is kept, so that a node without memory for one of them can be run again. `cotangents` has room for n_in. */
static int deliver(mn_walk *w, const mn_node *node, mn_tensor **results, cotangent **cotangents) {
  int failed = 0, n = 0;
  for (; n < node->n_in && !failed; n++) {
    const mn_edge *e = &node->edges[n];
    bool silent = !results[n] && node->op == MN_OP_FUNCTION;
    cotangents[n] = silent || !mn_edge_wanted(w, e) ? NULL : &w->cotangents[mn_cotangent_of(w, e)];
    if (cotangents[n] && results[n]) failed = mn_cotangent_offer(w, cotangents[n], results[n]);
  }
  for (int i = 0; i < n; i++) {
    if (!cotangents[i]) continue;
    if (failed) cotangents[i]->next = NULL;
    else mn_cotangent_keep(cotangents[i]);
    if (!failed && !results[i]) cotangents[i]->zero = true;
  }
  return failed;
}

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

static int run_rule(mn_walk *w, visit *x, mn_tensor **results) {
  mn_node *node = x->node;
  mn_rule r = {.ctx = w->ctx,
               .node = node,
               .walk = w,
               .cotangents = &w->cotangents[x->first_cotangent],
               .results = results};
  if (mn_saved_check(node)) return -1;
  if (node->op == MN_OP_FUNCTION) {
    if (mn_ask_function(w, node, results)) return -1;
  } else {
    w->ctx->default_device = mn_in_device(&r, node->n_in); /* output 0: where what the rule makes is made */
    mn_rules(node->op)->vjp(&r);
  }
  if (w->ctx->error_code != MN_OK) return -1;
  for (int i = 0; i < node->n_in; i++) {
    if (!results[i]) continue;
    results[i] = mn_rule_unbroadcast(&r, i, results[i]);
    if (!results[i]) return -1;
  }
  return w->ctx->watch & MN_WATCH_ANOMALY ? check_anomaly(w, node, results) : 0;
}

static bool is_kept(const mn_walk *w, const visit *x) {
  if (x->node->outputs && w->flags & MN_WALK_ACCUMULATE) return true;
  for (int i = 0; i < w->n_in; i++)
    if (w->inputs[i]->node == x->node) return true;
  return false;
}

enum { NO_COTANGENT, ZEROS, COTANGENT };

/* Sums the cotangents of a node's outputs. Zeros are made only for those who look at them: hooks, and Lua's
 * derivatives. */
static int cotangents_of(mn_walk *w, const visit *x, int *kind) {
  cotangent *cotangents = &w->cotangents[x->first_cotangent];
  const mn_node *node = x->node;
  bool looks = node->op == MN_OP_FUNCTION || (node->hooked && !x->barrier);
  *kind = NO_COTANGENT;
  for (int k = 0; k < node->n_out; k++) {
    if (looks && cotangents[k].zero) {
      mn_array like;
      mn_shape_read(mn_node_shape(node, node->n_in + k), &like);
      if (mn_cotangent_fill(w, &cotangents[k], &like)) return -1;
    }
    if (cotangents[k].sum) *kind = COTANGENT;
    else if (cotangents[k].zero && *kind == NO_COTANGENT) *kind = ZEROS;
  }
  return 0;
}

static int pass_on(mn_walk *w, visit *x, int kind) {
  mn_node *node = x->node;
  mn_tensor *few[8] = {0}, **results = few;
  cotangent *few_cotangents[8], **cotangents = few_cotangents;
  size_t bytes = (size_t)node->n_in * (sizeof *results + sizeof *cotangents);
  if (node->n_in > 8) {
    if (!(results = mn_memory_zeros(w->ctx, bytes))) return -1;
    cotangents = (cotangent **)(void *)(results + node->n_in);
  }
  int failed = kind == ZEROS ? mn_saved_check(node) : run_rule(w, x, results);
  if (!failed) failed = deliver(w, node, results, cotangents);
  if (results != few) mn_memory_put(w->ctx, results, bytes);
  return failed;
}

/* Takes a node through its stages: its cotangents are summed, Lua's hooks see them and may change them, the rule (or
 * Lua's derivative) makes gradients of them, and these are added to what the inputs have. Only the last stage changes
 * what other nodes will see, so a visit that fails before it for want of memory, or that stops to ask Lua, is made again
 * from its beginning: w->stage says which questions Lua has answered by then, so that no hook runs twice. */
static int visit_node(mn_walk *w, visit *x) {
  mn_node *node = x->node;
  cotangent *cotangents = &w->cotangents[x->first_cotangent];
  int kind;
  bool through = false;
  if (cotangents_of(w, x, &kind)) return -1;
  if (node->hooked && kind != NO_COTANGENT && !x->barrier && mn_ask_hooks(w, x)) return -1;
  for (int i = 0; i < node->n_in && kind != NO_COTANGENT && !through && !x->barrier; i++)
    through = mn_edge_wanted(w, &node->edges[i]);
  if (through && pass_on(w, x, kind)) return -1;
  if (through && !(w->flags & MN_WALK_RETAIN_GRAPH)) mn_node_free_saved(node);
  if (!is_kept(w, x))
    for (int k = 0; k < node->n_out; k++) mn_cotangent_free(&cotangents[k]);
  return 0;
}

/* ---- results ---- */

static int collect_results(mn_walk *w) {
  for (int i = 0; i < w->n_in; i++) {
    cotangent *s = w->input_cotangents[i] < 0 ? NULL : &w->cotangents[w->input_cotangents[i]];
    if (!s || w->results[i]) continue;
    if (mn_cotangent_fill(w, s, &w->inputs[i]->a)) return -1;
    if (s->sum) w->results[i] = s->sum, s->sum->refs++;
  }
  return 0;
}

/* What .grad becomes: the sum with what is there, or a tensor that nothing else shares. */
static mn_tensor *new_grad(mn_walk *w, mn_tensor *leaf, mn_tensor *g) {
  mn_tensor *result;
  if (leaf->grad) {
    result = row_add(w->ctx, leaf->grad, g);
  } else if (g->refs == 1 && g->storage->refs == 1 && g->a.contiguous) {
    result = g;
  } else {
    result = mn_apply1(w->ctx, MN_OP_clone, g, NULL);
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
  size_t bytes = ((size_t)room + 1) * sizeof(written);
  written *list = mn_memory_get(w->ctx, bytes);
  if (!list) return -1;
  for (int i = 0; i < w->n_leaves && !failed; i++) {
    cotangent *s = &w->cotangents[w->leaf_cotangents[i]];
    failed = mn_cotangent_fill(w, s, &w->leaves[i]->a);
    if (failed || !s->sum) continue;
    list[n].leaf = w->leaves[i];
    list[n].grad = new_grad(w, w->leaves[i], s->sum);
    failed = list[n].grad == NULL;
    n += !failed;
  }
  for (int v = 0; v < w->n_visits && !failed; v++) {
    mn_node *node = w->visits[v].node;
    for (int k = 0; k < node->n_out && node->outputs && !failed; k++) {
      cotangent *s = &w->cotangents[w->visits[v].first_cotangent + k];
      mn_tensor *kept = node->outputs[k];
      failed = kept && mn_cotangent_fill(w, s, &kept->a);
      if (failed || !s->sum || !kept) continue;
      list[n].leaf = kept;
      list[n].grad = new_grad(w, kept, s->sum);
      failed = list[n].grad == NULL;
      n += !failed;
    }
  }
  int recorded = mn_record_length(w->ctx);
  for (int i = 0; i < n && !failed; i++) failed = mn_record_grad(w->ctx, list[i].leaf, list[i].grad);
  if (failed) mn_record_cut(w->ctx, recorded);
  for (int i = 0; i < n; i++) {
    if (failed) mn_tensor_unref(list[i].grad);
    else mn_tensor_put_grad(list[i].leaf, list[i].grad);
  }
  mn_memory_put(w->ctx, list, bytes);
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
  w->room = n_in + 1;
  size_t room = (size_t)w->room;
  w->inputs = mn_memory_zeros(w->ctx, room * sizeof *w->inputs);
  w->results = mn_memory_zeros(w->ctx, room * sizeof *w->results);
  w->input_cotangents = mn_memory_get(w->ctx, room * sizeof *w->input_cotangents);
  if (!w->inputs || !w->results || !w->input_cotangents || dict_resize(w->ctx, &w->index, 128)) return -1;
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
  return reach_of(w->ctx, &w->reach, n_in, inputs);
}

/* While rules run: gradients as the walk wants them, and places as the nodes keep them. */
static mn_quiet begin_quiet(mn_walk *w) {
  mn_quiet saved = mn_quiet_begin(w->ctx);
  w->ctx->grad_enabled = (w->flags & MN_WALK_CREATE_GRAPH) != 0;
  w->ctx->place_state = MN_PLACE_HELD;
  return saved;
}

mn_walk *mn_walk_new(mn_context *ctx, int n_out, mn_tensor *const *outputs, mn_tensor *const *grad_outputs,
                     int n_in, mn_tensor *const *inputs, int flags, double since) {
  if (check_outputs(ctx, n_out, outputs, grad_outputs)) return NULL;
  mn_walk *w = mn_memory_zeros(ctx, sizeof *w);
  if (!w) return NULL;
  w->ctx = ctx;
  w->flags = flags & MN_WALK_CREATE_GRAPH && !(flags & MN_WALK_ACCUMULATE) ? flags | MN_WALK_RETAIN_GRAPH
                                                                           : flags & ~MN_WALK_CREATE_GRAPH;
  ctx->refs++;
  mn_quiet saved = begin_quiet(w);
  int mark = mn_scope_open(ctx);
  w->since = (uint64_t)since;
  int failed = mn_walk_inputs(w, n_in, inputs) || mn_visits_collect(w, n_out, outputs) || mn_visits_want(w);
  for (int i = 0; i < n_out && !failed; i++) failed = seed(w, outputs[i], grad_outputs[i]);
  w->next = w->n_visits - 1;
  mn_scope_close(ctx, mark);
  mn_quiet_end(ctx, saved);
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
    w->ctx->place = x->node->place;
    failed = x->needed ? visit_node(w, x) : 0;
  } else {
    failed = mn_ask_leaf_hooks(w) || (w->flags & MN_WALK_ACCUMULATE ? 0 : collect_results(w));
  }
  mn_scope_close(w->ctx, mark);
  if (failed) return -1;
  w->next--;
  w->stage = NOTHING;
  if (w->given) mn_ask_forget(w);
  return 0;
}

static int write_step(mn_walk *w) {
  int mark = mn_scope_open(w->ctx), failed = write_grads(w);
  mn_scope_close(w->ctx, mark);
  return failed;
}

int mn_walk_run(mn_walk *w) {
  mn_context *ctx = w->ctx;
  int failed = w->failed;
  mn_quiet saved = begin_quiet(w);
  if (w->stage == ASKED) w->stage = w->request.kind == MN_ASK_FUNCTION ? FUNCTION_DONE : HOOKS_DONE;
  while (!failed && w->next >= -1) {
    failed = step(w);
    if (!failed && w->next == -2 && w->flags & MN_WALK_ACCUMULATE) {
      failed = write_step(w);
      if (failed) w->next = -1;
    }
  }
  mn_quiet_end(ctx, saved);
  if (!failed) return MN_WALK_DONE;
  if (w->stage == ASKED) return MN_WALK_NEED_LUA;
  if (ctx->error_code == MN_ERR_MEMORY && !w->failed) return MN_WALK_NEED_MEMORY;
  w->failed = true;
  return MN_WALK_ERROR;
}

int mn_walk_retains(const mn_walk *w) { return (w->flags & MN_WALK_RETAIN_GRAPH) != 0; }

mn_tensor *mn_walk_result(mn_walk *w, int i) {
  if (i < 0 || i >= w->n_in || !w->results[i]) return mn_none();
  w->results[i]->refs++;
  return w->results[i];
}

static void put_list(mn_walk *w, void *list, int n, size_t item) {
  mn_memory_put(w->ctx, list, (size_t)n * item);
}

static void free_lists(mn_walk *w) {
  put_list(w, w->visits, w->capacity, sizeof *w->visits);
  put_list(w, w->cotangents, w->cotangent_capacity, sizeof *w->cotangents);
  put_list(w, w->leaves, w->leaf_capacity[0], sizeof *w->leaves);
  put_list(w, w->leaf_cotangents, w->leaf_capacity[1], sizeof *w->leaf_cotangents);
  put_list(w, w->leaf_wanted, w->leaf_capacity[2], sizeof *w->leaf_wanted);
  put_list(w, w->inputs, w->room, sizeof *w->inputs);
  put_list(w, w->results, w->room, sizeof *w->results);
  put_list(w, w->input_cotangents, w->room, sizeof *w->input_cotangents);
  dict_free(w->ctx, &w->index);
  reach_free(w->ctx, &w->reach);
}

void mn_walk_free(mn_walk *w) {
  if (!w) return;
  mn_context *ctx = w->ctx;
  for (int i = 0; i < w->n_cotangents; i++) mn_cotangent_free(&w->cotangents[i]);
  for (int v = 0; v < w->n_visits; v++) mn_node_unref(w->visits[v].node);
  for (int i = 0; i < w->n_leaves; i++) mn_tensor_unref(w->leaves[i]);
  for (int i = 0; i < w->n_in; i++) mn_tensor_unref(w->inputs[i]), mn_tensor_unref(w->results[i]);
  mn_ask_forget(w);
  mn_drain(ctx);
  free_lists(w);
  mn_memory_put(ctx, w, sizeof *w);
  mn_context_release(ctx);
}
