/* walk.c: the backward walk. An object of its own: marks, counts and cotangents stand here and not in the
 * nodes, so walks nest. Nodes are visited from the newest to the oldest (a node's inputs are always older),
 * and only those that lead to something wanted. A rule that fails for want of memory leaves the walk as it
 * was; it can be run again. */
#include "engine/engine.h"
#include <stdlib.h>
#include <string.h>

/* A place that gathers cotangents. `more` holds what could not be added yet. */
typedef struct slot {
  mn_tensor *sum;
  mn_tensor **more;
  int n_more;
} slot;

typedef struct visit {
  mn_node *node;
  int first_slot; /* of n_out slots */
  bool needed;
} visit;

typedef struct table {
  const void **keys;
  int *values;
  int capacity, n;
} table;

struct mn_walk {
  mn_context *ctx;
  int flags, n_in, n_visits, n_slots, n_leaves, capacity, next;
  visit *visits; /* ascending in age: visits[n-1] is the newest */
  slot *slots;
  int slot_capacity, leaf_capacity;
  mn_tensor **leaves; /* leaf i gathers in slots[leaf_slots[i]] */
  int *leaf_slots;
  bool *leaf_wanted;
  table index;         /* node -> visit, leaf -> leaf number */
  mn_tensor **inputs;  /* retained */
  mn_tensor **results; /* for each input, or NULL */
  int *input_slots;
  bool failed;
};

struct mn_rule {
  mn_context *ctx;
  mn_node *node;
  mn_walk *walk;
  slot *slots;
  mn_tensor **results;
};

/* ---- a small hash table of pointers ---- */

static size_t hash(const void *p) {
  uint64_t x = (uint64_t)(uintptr_t)p;
  return (size_t)((x >> 6) * 0x9E3779B97F4A7C15ull >> 20);
}

static int *table_find(table *t, const void *key) {
  size_t mask = (size_t)t->capacity - 1, i = hash(key) & mask;
  while (t->keys[i] && t->keys[i] != key) i = (i + 1) & mask;
  return t->keys[i] ? &t->values[i] : NULL;
}

static void table_set(table *t, const void *key, int value) {
  size_t mask = (size_t)t->capacity - 1, i = hash(key) & mask;
  while (t->keys[i] && t->keys[i] != key) i = (i + 1) & mask;
  t->n += t->keys[i] == NULL;
  t->keys[i] = key, t->values[i] = value;
}

static int table_resize(table *t, int capacity) {
  table bigger = {calloc((size_t)capacity, sizeof *bigger.keys),
                  malloc((size_t)capacity * sizeof *bigger.values), capacity, 0};
  if (!bigger.keys || !bigger.values) {
    free(bigger.keys), free(bigger.values);
    return -1;
  }
  for (int i = 0; i < t->capacity; i++)
    if (t->keys[i]) table_set(&bigger, t->keys[i], t->values[i]);
  free(t->keys), free(t->values);
  *t = bigger;
  return 0;
}

static int table_add(table *t, const void *key, int value) {
  if (2 * (t->n + 1) > t->capacity && table_resize(t, t->capacity ? 2 * t->capacity : 128)) return -1;
  table_set(t, key, value);
  return 0;
}

static int grow(void **items, int *capacity, int n, size_t item) {
  if (n < *capacity) return 0;
  int wanted = *capacity ? 2 * *capacity : 64;
  void *p = realloc(*items, (size_t)wanted * item);
  if (!p) return -1;
  *items = p, *capacity = wanted;
  return 0;
}

static int no_memory(mn_walk *w) {
  return mn_error_set(w->ctx, MN_ERR_MEMORY, "out of memory in the backward walk");
}

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
  if (grow((void **)&w->visits, &w->capacity, w->n_visits, sizeof *w->visits)) return no_memory(w);
  if (table_add(&w->index, node, 0)) return no_memory(w);
  node->refs++;
  w->visits[w->n_visits++] = (visit){node, 0, false};
  return 0;
}

static int leaf_number(mn_walk *w, mn_tensor *leaf) {
  int *found = table_find(&w->index, leaf);
  if (found) return *found;
  int n = w->n_leaves, s = new_slots(w, 1), capacity = w->leaf_capacity;
  if (s < 0) return no_memory(w);
  if (n == capacity) {
    int wanted = capacity ? 2 * capacity : 64;
    mn_tensor **leaves = realloc(w->leaves, (size_t)wanted * sizeof *leaves);
    if (leaves) w->leaves = leaves;
    int *leaf_slots = leaves ? realloc(w->leaf_slots, (size_t)wanted * sizeof *leaf_slots) : NULL;
    if (leaf_slots) w->leaf_slots = leaf_slots;
    bool *wanteds = leaf_slots ? realloc(w->leaf_wanted, (size_t)wanted * sizeof *wanteds) : NULL;
    if (!wanteds) return no_memory(w);
    w->leaf_wanted = wanteds, w->leaf_capacity = wanted;
  }
  if (table_add(&w->index, leaf, n)) return no_memory(w);
  leaf->refs++;
  w->leaves[n] = leaf, w->leaf_slots[n] = s, w->leaf_wanted[n] = false;
  return w->n_leaves++;
}

static int compare_age(const void *a, const void *b) {
  uint64_t x = ((const visit *)a)->node->seq, y = ((const visit *)b)->node->seq;
  return (x > y) - (x < y);
}

/* Breadth first: visits doubles as the queue. */
static int collect(mn_walk *w, int n_out, mn_tensor *const *outputs) {
  for (int i = 0; i < n_out; i++) {
    if (outputs[i]->node ? add_visit(w, outputs[i]->node) : leaf_number(w, outputs[i]) < 0) return -1;
  }
  for (int v = 0; v < w->n_visits; v++) {
    mn_node *node = w->visits[v].node;
    for (int i = 0; i < node->n_in; i++) {
      const mn_edge *e = &node->edges[i];
      if (e->node && add_visit(w, e->node)) return -1;
      if (e->leaf && leaf_number(w, e->leaf) < 0) return -1;
    }
  }
  if (w->n_visits > 1) qsort(w->visits, (size_t)w->n_visits, sizeof *w->visits, compare_age);
  for (int v = 0; v < w->n_visits; v++) {
    int s = new_slots(w, w->visits[v].node->n_out);
    if (s < 0) return no_memory(w);
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

static bool edge_wanted(mn_walk *w, const mn_edge *e) {
  if (e->node) return w->visits[*table_find(&w->index, e->node)].needed;
  return e->leaf && w->leaf_wanted[*table_find(&w->index, e->leaf)];
}

static void spread_wanted(mn_walk *w) {
  bool all = w->flags & MN_WALK_ACCUMULATE;
  for (int i = 0; i < w->n_leaves && all; i++) w->leaf_wanted[i] = true;
  if (!all) want_inputs(w);
  for (int v = 0; v < w->n_visits; v++) {
    visit *x = &w->visits[v];
    for (int i = 0; i < x->node->n_in && !x->needed; i++) x->needed = edge_wanted(w, &x->node->edges[i]);
    x->needed |= all && x->node->retains;
  }
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

/* Adds t to what the slot holds; without memory for the sum it is put aside. */
static int gather(mn_walk *w, int index, mn_tensor *t) {
  slot *s = &w->slots[index];
  if (!s->sum) {
    s->sum = t;
    t->refs++;
    return 0;
  }
  mn_tensor *sum = mn_add(w->ctx, s->sum, t, NULL);
  if (!sum) {
    if (w->ctx->error_code != MN_ERR_MEMORY) return -1;
    mn_error_clear(w->ctx);
    w->failed = put_aside(s, t) != 0; /* half delivered: this walk can't go on */
    return w->failed ? no_memory(w) : 0;
  }
  sum->refs++; /* the scope has the other reference */
  mn_tensor_unref(s->sum);
  s->sum = sum;
  return 0;
}

/* Adds what was put aside. Transactional: what has been added is off the list. */
static int flush(mn_walk *w, slot *s) {
  while (s->n_more > 0) {
    mn_tensor *sum = mn_add(w->ctx, s->sum, s->more[s->n_more - 1], NULL);
    if (!sum) return -1;
    sum->refs++;
    mn_tensor_unref(s->sum);
    mn_tensor_unref(s->more[--s->n_more]);
    s->sum = sum;
  }
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
    if (output->a.ndim != 0) {
      char text[128];
      return mn_error_set(w->ctx, MN_ERR_ARGUMENT,
                          "backward: expected a 0-dim output or a gradient for it, got an output of size %s",
                          mn_shape_text(&output->a, text));
    }
    mn_full_attrs one = {.size = {0, {0}}, .value = 1, .dtype = output->a.dtype};
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
int mn_rule_op(mn_rule *r) { return r->node->op; }
int mn_rule_inputs(mn_rule *r) { return r->node->n_in; }
bool mn_need(mn_rule *r, int i) { return i < r->node->n_in && edge_wanted(r->walk, &r->node->edges[i]); }
bool mn_has_grad(mn_rule *r, int k) { return r->slots[k].sum != NULL; }

static const int64_t *node_shape(const mn_node *node, int i) {
  const int64_t *at = node->shapes;
  for (; i > 0; i--) at += 2 + at[1];
  return at;
}

mn_list mn_in_shape(mn_rule *r, int i) {
  const int64_t *at = node_shape(r->node, i);
  mn_list l = {at[1], {0}};
  for (int d = 0; d < l.n; d++) l.v[d] = at[2 + d];
  return l;
}

int mn_in_dtype(mn_rule *r, int i) { return (int)node_shape(r->node, i)[0]; }

mn_tensor *mn_grad(mn_rule *r, int k) {
  if (r->slots[k].sum) return r->slots[k].sum;
  mn_list size = mn_in_shape(r, r->node->n_in + k);
  return mn_zeros(r->ctx, size, mn_in_dtype(r, r->node->n_in + k));
}

/* A saved tensor as the rule shall see it: with its history, when one is being recorded. */
static mn_tensor *unpack(mn_rule *r, int which) {
  mn_node *node = r->node;
  mn_context *ctx = r->ctx;
  mn_saved *s = NULL;
  for (int i = 0; i < node->n_saved; i++)
    if (node->saved[i].which == which) s = &node->saved[i];
  if (!s)
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "%s: its rule reads what its row doesn't save",
                        mn_op(node->op)->name),
           NULL;
  if (mn_is_none(s->t)) return s->t;
  if (s->t->storage->version != s->version)
    return mn_error_set(ctx, MN_ERR_ARGUMENT,
                        "backward: a tensor that %s saved for its derivative has been changed in place "
                        "since; change a "
                        "clone() of it",
                        mn_op(node->op)->name),
           NULL;
  if (!ctx->grad_enabled || s->t->flags & T_REQUIRES_GRAD) return s->t;
  const mn_edge *e = which >= 0 ? &node->edges[which] : NULL;
  if (e && !e->node && !e->leaf) return s->t;
  if (!e && mn_op(node->op)->flags & MN_F_FIRST && which != -1) return s->t;
  if (mn_scope_reserve(ctx, 1)) return NULL;
  mn_tensor *t = mn_tensor_alias(s->t);
  if (!t) return NULL;
  t->node = e ? e->node : node;
  t->out_nr = (uint16_t)(e ? e->out_nr : -1 - which);
  t->node->refs++;
  mn_scope_add(ctx, t);
  return t;
}

mn_tensor *mn_saved_in(mn_rule *r, int i) { return unpack(r, i); }
mn_tensor *mn_saved_out(mn_rule *r, int k) { return unpack(r, -1 - k); }

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

static int deliver(mn_walk *w, const mn_edge *e, mn_tensor *g) {
  int found = *table_find(&w->index, e->node ? (void *)e->node : (void *)e->leaf);
  return gather(w, e->node ? w->visits[found].first_slot + e->out_nr : w->leaf_slots[found], g);
}

static int run_rule(mn_walk *w, visit *x, mn_tensor **results) {
  mn_node *node = x->node;
  mn_rule r = {w->ctx, node, w, &w->slots[x->first_slot], results};
  if (node->freed && node->n_saved > 0)
    return mn_error_set(
        w->ctx, MN_ERR_ARGUMENT,
        "backward: the graph through %s has been freed by an earlier backward; ask that one for "
        "retain_graph",
        mn_op(node->op)->name);
  mn_rules(node->op)->vjp(&r);
  if (w->ctx->error_code != MN_OK) return -1;
  for (int i = 0; i < node->n_in; i++) {
    if (!results[i]) continue;
    results[i] = fit(&r, i, results[i]);
    if (!results[i]) return -1;
  }
  return 0;
}

static void free_slot(slot *s) {
  mn_tensor_unref(s->sum);
  for (int i = 0; i < s->n_more; i++) mn_tensor_unref(s->more[i]);
  free(s->more);
  *s = (slot){NULL, NULL, 0};
}

static bool is_kept(const mn_walk *w, const visit *x) {
  if (x->node->retains && w->flags & MN_WALK_ACCUMULATE) return true;
  for (int i = 0; i < w->n_in; i++)
    if (w->inputs[i]->node == x->node) return true;
  return false;
}

static int visit_node(mn_walk *w, visit *x) {
  mn_node *node = x->node;
  slot *slots = &w->slots[x->first_slot];
  bool any = false, through = false;
  for (int k = 0; k < node->n_out; k++) {
    if (flush(w, &slots[k])) return -1;
    any |= slots[k].sum != NULL;
  }
  for (int i = 0; i < node->n_in && any && !through; i++) through = edge_wanted(w, &node->edges[i]);
  if (any && through) {
    mn_tensor *few[8] = {0}, **results = few;
    if (node->n_in > 8 && !(results = calloc(node->n_in, sizeof *results))) return no_memory(w);
    int failed = run_rule(w, x, results);
    for (int i = 0; i < node->n_in && !failed; i++)
      if (results[i] && edge_wanted(w, &node->edges[i])) failed = deliver(w, &node->edges[i], results[i]);
    if (results != few) free(results);
    if (failed) return -1;
  }
  if (!(w->flags & MN_WALK_RETAIN_GRAPH) && any) mn_node_free_saved(node);
  if (!is_kept(w, x))
    for (int k = 0; k < node->n_out; k++) free_slot(&slots[k]);
  return 0;
}

/* ---- results ---- */

static int collect_results(mn_walk *w) {
  for (int i = 0; i < w->n_in; i++) {
    slot *s = w->input_slots[i] < 0 ? NULL : &w->slots[w->input_slots[i]];
    if (!s || w->results[i]) continue;
    if (flush(w, s)) return -1;
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
  for (int v = 0; v < w->n_visits; v++) room += w->visits[v].node->retains ? w->visits[v].node->n_out : 0;
  written *list = calloc((size_t)room + 1, sizeof *list);
  if (!list) return no_memory(w);
  for (int i = 0; i < w->n_leaves && !failed; i++) {
    slot *s = &w->slots[w->leaf_slots[i]];
    failed = flush(w, s);
    if (failed || !s->sum) continue;
    list[n].leaf = w->leaves[i];
    list[n].grad = new_grad(w, w->leaves[i], s->sum);
    failed = list[n].grad == NULL;
    n += !failed;
  }
  for (int v = 0; v < w->n_visits && !failed; v++) {
    mn_node *node = w->visits[v].node;
    for (int k = 0; k < node->n_out && node->retains && !failed; k++) {
      mn_tensor *g = w->slots[w->visits[v].first_slot + k].sum;
      if (!g || !node->outputs[k]) continue;
      list[n].leaf = node->outputs[k];
      list[n].grad = new_grad(w, node->outputs[k], g);
      failed = list[n].grad == NULL;
      n += !failed;
    }
  }
  for (int i = 0; i < n; i++) {
    mn_tensor_unref(failed ? list[i].grad : list[i].leaf->grad);
    if (!failed) list[i].leaf->grad = list[i].grad;
  }
  free(list);
  return failed ? -1 : 0;
}

/* ---- the public face ---- */

static int check_outputs(mn_context *ctx, int n_out, mn_tensor *const *outputs, mn_tensor *const *grads) {
  for (int i = 0; i < n_out; i++) {
    if (!outputs[i] || !grads[i] || mn_is_none(outputs[i]))
      return mn_error_set(ctx, MN_ERR_ARGUMENT, "backward: output %d is missing", i + 1);
    if (!mn_tensor_needs_grad(outputs[i]))
      return mn_error_set(ctx, MN_ERR_ARGUMENT, "backward: output %d doesn't require grad and has no history",
                          i + 1);
  }
  return 0;
}

static int set_inputs(mn_walk *w, int n_in, mn_tensor *const *inputs) {
  size_t n = (size_t)n_in + 1;
  w->inputs = calloc(n, sizeof *w->inputs);
  w->results = calloc(n, sizeof *w->results);
  w->input_slots = calloc(n, sizeof *w->input_slots);
  if (!w->inputs || !w->results || !w->input_slots || table_resize(&w->index, 128)) return no_memory(w);
  for (int i = 0; i < n_in; i++) {
    if (!inputs[i] || mn_is_none(inputs[i]))
      return mn_error_set(w->ctx, MN_ERR_ARGUMENT, "grad: input %d is missing", i + 1);
    if (!mn_tensor_needs_grad(inputs[i]))
      return mn_error_set(w->ctx, MN_ERR_ARGUMENT, "grad: input %d doesn't require grad", i + 1);
    w->inputs[w->n_in++] = inputs[i];
    inputs[i]->refs++;
  }
  return 0;
}

mn_walk *mn_walk_new(mn_context *ctx, int n_out, mn_tensor *const *outputs, mn_tensor *const *grad_outputs,
                     int n_in, mn_tensor *const *inputs, int flags) {
  if (check_outputs(ctx, n_out, outputs, grad_outputs)) return NULL;
  mn_walk *w = calloc(1, sizeof *w);
  if (!w) return mn_error_set(ctx, MN_ERR_MEMORY, "out of memory in the backward walk"), NULL;
  w->ctx = ctx;
  w->flags = flags & MN_WALK_CREATE_GRAPH && !(flags & MN_WALK_ACCUMULATE) ? flags | MN_WALK_RETAIN_GRAPH
                                                                           : flags & ~MN_WALK_CREATE_GRAPH;
  ctx->refs++;
  int mark = mn_scope_open(ctx), mode = ctx->grad_enabled;
  ctx->grad_enabled = (w->flags & MN_WALK_CREATE_GRAPH) != 0;
  int failed = set_inputs(w, n_in, inputs) || collect(w, n_out, outputs);
  if (!failed) spread_wanted(w);
  for (int i = 0; i < n_out && !failed; i++) failed = seed(w, outputs[i], grad_outputs[i]);
  w->next = w->n_visits - 1;
  ctx->grad_enabled = mode;
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
    failed = x->needed ? visit_node(w, x) : 0;
  } else {
    failed = w->flags & MN_WALK_ACCUMULATE ? 0 : collect_results(w);
  }
  mn_scope_close(w->ctx, mark);
  if (!failed) w->next--;
  return failed;
}

static int write_step(mn_walk *w) {
  int mark = mn_scope_open(w->ctx), failed = write_grads(w);
  mn_scope_close(w->ctx, mark);
  return failed;
}

int mn_walk_run(mn_walk *w) {
  mn_context *ctx = w->ctx;
  int mode = ctx->grad_enabled, failed = w->failed;
  ctx->grad_enabled = (w->flags & MN_WALK_CREATE_GRAPH) != 0;
  while (!failed && w->next >= -1) {
    failed = step(w);
    if (!failed && w->next == -2 && w->flags & MN_WALK_ACCUMULATE) {
      failed = write_step(w);
      if (failed) w->next = -1;
    }
  }
  ctx->grad_enabled = mode;
  if (!failed) return MN_WALK_DONE;
  if (ctx->error_code == MN_ERR_MEMORY && !w->failed) return MN_WALK_NEED_MEMORY;
  w->failed = true;
  return MN_WALK_ERROR;
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
  mn_drain(ctx);
  free(w->visits), free(w->slots), free(w->leaves), free(w->leaf_slots), free(w->leaf_wanted);
  free(w->index.keys), free(w->index.values);
  free(w->inputs), free(w->results), free(w->input_slots);
  free(w);
  mn_context_release(ctx);
}
