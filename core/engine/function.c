/* function.c: nodes whose derivative the binding computes (Function, checkpoint), hooks, and what a computation
 * depends on. The core knows such things by numbers only: a node's is its age, a leaf's its id negated; those of the
 * dead are queued until the binding asks. Computes nothing; calls nobody. */
#include "engine/engine.h"
#include "engine/pointers.h"
#include <string.h>

/* ---- numbers ---- */

/* Room in the queue for one number more than live and queued ones, so that dying needs no memory. */
static int reserve_number(mn_context *ctx) {
  int wanted = ctx->live_numbers + (int)ctx->stats.dead_numbers + 1;
  if (wanted <= ctx->dead_capacity) return 0;
  double *queue = realloc(ctx->dead_numbers, (size_t)wanted * 2 * sizeof *queue);
  if (!queue) return mn_error_set(ctx, MN_ERR_MEMORY, "out of memory");
  ctx->dead_numbers = queue, ctx->dead_capacity = 2 * wanted;
  return 0;
}

void mn_number_died(mn_context *ctx, double number) {
  ctx->live_numbers--;
  ctx->dead_numbers[(int)ctx->stats.dead_numbers++] = number;
}

double mn_dead_number(mn_context *ctx) {
  return ctx->stats.dead_numbers > 0 ? ctx->dead_numbers[(int)--ctx->stats.dead_numbers] : 0;
}

/* ---- functions ---- */

static bool comes_from(const mn_tensor *t, const mn_edge *e) {
  return t->node ? t->node == e->node && t->out_nr == e->out_nr : t == e->leaf;
}

/* Is t output k, or input i? As an input it keeps its history although another input may be the same tensor. */
static int which_saved(const mn_node *node, const mn_tensor *t, mn_tensor *const *outputs) {
  for (int i = 0; i < node->n_in; i++)
    if (comes_from(t, &node->edges[i])) return i;
  for (int k = 0; k < node->n_out; k++)
    if (t == outputs[k] && !mn_is_none(t)) return -1 - k;
  return MN_SAVED_CONSTANT;
}

static int save_tensors(mn_node *node, int n, mn_tensor *const *saved, mn_tensor *const *outputs,
                        mn_tensor *const *attached) {
  for (int i = 0; i < n; i++) {
    int which = mn_is_none(saved[i]) ? MN_SAVED_CONSTANT : which_saved(node, saved[i], outputs);
    bool output = which < 0 && which != MN_SAVED_CONSTANT;
    if (!output && which < 0 && saved[i]->node)
      return mn_error_set(
          node->ctx, MN_ERR_ARGUMENT,
          "%s: saved tensor %d has a history of its own but is neither an input nor an output; "
          "make it an input",
          mn_node_name(node), i + 1);
    if (mn_node_save(node, output ? attached[-1 - which] : saved[i], which, output)) return -1;
  }
  mn_node_saved_versions(node, NULL);
  return 0;
}

/* Would writing to this output change something else of the caller's? */
static bool is_shared(const mn_tensor *t, int n_in, mn_tensor *const *inputs, int n_out,
                      mn_tensor *const *outputs) {
  if (t->flags & T_VIEW) return true;
  for (int i = 0; i < n_in; i++)
    if (inputs[i]->storage == t->storage) return true;
  for (int k = 0; k < n_out; k++)
    if (outputs[k] != t && outputs[k]->storage == t->storage) return true;
  return false;
}

static int make_attached(mn_context *ctx, int n_in, mn_tensor *const *inputs, int n_out,
                         mn_tensor *const *outputs, mn_tensor **attached) {
  for (int k = 0; k < n_out; k++) {
    attached[k] = mn_none();
    if (mn_is_none(outputs[k])) continue;
    mn_tensor *t = mn_tensor_alias(outputs[k]);
    if (!t) return -1;
    t->id = ctx->next_id++;
    if (is_shared(outputs[k], n_in, inputs, n_out, outputs)) t->flags |= T_VIEW, t->storage->views++;
    attached[k] = t;
  }
  return 0;
}

static mn_node *function_node(mn_context *ctx, const char *name, int n_in, mn_tensor *const *inputs,
                              int n_out, mn_tensor *const *attached, int n_saved) {
  size_t bytes = strlen(name) + 1;
  int n_slots = (int)((bytes + sizeof(mn_slot) - 1) / sizeof(mn_slot));
  if (reserve_number(ctx)) return NULL;
  mn_node *node = mn_node_make(ctx, MN_OP_FUNCTION, n_in, inputs, n_out, attached, n_saved, n_slots);
  if (!node) return NULL;
  memcpy(node->attrs, name, bytes);
  ctx->live_numbers++;
  return node;
}

static int record(mn_context *ctx, int n_out, mn_tensor *const *outputs, mn_tensor *const *attached) {
  return ctx->recording ? mn_record_row(ctx, -1, false, n_out, outputs, n_out, attached, NULL) : 0;
}

double mn_function_attach(mn_context *ctx, const char *name, int n_in, mn_tensor *const *inputs, int n_out,
                          mn_tensor *const *outputs, int n_saved, mn_tensor *const *saved,
                          mn_tensor **attached) {
  if (n_in > INT16_MAX || n_out > INT16_MAX || n_saved > INT16_MAX)
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "%s: more than %d tensors", name, INT16_MAX), 0;
  for (int k = 0; k < n_out; k++) attached[k] = mn_none();
  mn_node *node = NULL;
  int failed = make_attached(ctx, n_in, inputs, n_out, outputs, attached) ||
               !(node = function_node(ctx, name, n_in, inputs, n_out, attached, n_saved)) ||
               save_tensors(node, n_saved, saved, outputs, attached) || record(ctx, n_out, outputs, attached);
  double number = failed ? 0 : (double)node->seq;
  for (int k = 0; k < n_out; k++) {
    mn_tensor *t = attached[k];
    if (mn_is_none(t)) continue;
    if (failed) {
      mn_tensor_unref(t);
    } else {
      t->node = node, t->out_nr = (uint16_t)k;
      node->refs++;
    }
  }
  mn_node_unref(node); /* this call's own reference */
  mn_drain(ctx);
  return number;
}

/* ---- hooks ---- */

double mn_tensor_hook(mn_context *ctx, mn_tensor *t) {
  if (!mn_tensor_needs_grad(t))
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "register_hook: the tensor doesn't require grad"), 0;
  bool known = t->node ? t->node->hooked || t->node->op == MN_OP_FUNCTION : t->flags & T_HOOKED;
  if (!known && reserve_number(ctx)) return 0;
  ctx->live_numbers += !known;
  if (t->node) {
    t->node->hooked = true;
    return (double)t->node->seq;
  }
  t->flags |= T_HOOKED;
  return -t->id;
}

int mn_tensor_output(const mn_tensor *t) { return t->node ? t->out_nr : 0; }

/* ---- frontier ---- */

mn_tensor *mn_edge_tensor(mn_context *ctx, const mn_edge *e, const int64_t *shape) {
  if (e->leaf) return e->leaf->refs++, e->leaf;
  mn_tensor *t = mn_tensor_header(ctx);
  if (!t) return NULL;
  mn_shape_read(shape, &t->a);
  t->node = e->node, t->out_nr = (uint16_t)e->out_nr;
  if (e->node) e->node->refs++;
  return t;
}

void mn_now(mn_context *ctx, double *node, double *tensor) {
  *node = (double)ctx->next_seq;
  *tensor = ctx->next_id;
}

typedef struct search {
  mn_context *ctx;
  double node, tensor;
  table
      seen; /* nodes, leaves, and outputs of nodes: a node's address plus the output's number, inside its block */
  mn_node **queue;
  int n, capacity;
  mn_frontier *found;
} search;

static int out_of_memory(search *s) { return mn_error_set(s->ctx, MN_ERR_MEMORY, "out of memory"); }

/* 1 where the key is new. */
static int add_key(search *s, const void *key) {
  if (s->seen.capacity && table_find(&s->seen, key)) return 0;
  return table_add(&s->seen, key, 0) ? out_of_memory(s) : 1;
}

static int add_found(search *s, const mn_edge *e, const int64_t *shape) {
  mn_frontier *f = s->found;
  if (grow((void **)&f->tensors, &f->capacity, f->n, sizeof *f->tensors)) return out_of_memory(s);
  mn_tensor *t = mn_edge_tensor(s->ctx, e, shape);
  if (!t) return -1;
  f->tensors[f->n++] = t;
  return 0;
}

/* Tells places that gradients go to apart: a leaf, or an address inside the node's block for each of its outputs. */
static const void *key_of(const mn_edge *e) {
  return e->leaf ? (const void *)e->leaf : (const void *)((const char *)e->node + e->out_nr);
}

static int follow(search *s, const mn_edge *e, const int64_t *shape) {
  int fresh;
  if (e->leaf) {
    if (e->leaf->id >= s->tensor) return 0;
    fresh = add_key(s, key_of(e));
    return fresh > 0 ? add_found(s, e, shape) : fresh;
  }
  if (!e->node) return 0;
  if ((double)e->node->seq < s->node) {
    fresh = add_key(s, key_of(e));
    return fresh > 0 ? add_found(s, e, shape) : fresh;
  }
  fresh = add_key(s, e->node);
  if (fresh <= 0) return fresh;
  if (grow((void **)&s->queue, &s->capacity, s->n, sizeof *s->queue)) return out_of_memory(s);
  s->queue[s->n++] = e->node;
  return 0;
}

static int search_from(search *s, int n_out, mn_tensor *const *outputs) {
  for (int k = 0; k < n_out; k++) {
    mn_tensor *t = outputs[k];
    if (mn_is_none(t) || !mn_tensor_needs_grad(t)) continue;
    int64_t shape[2 + MN_MAX_DIMS] = {t->a.dtype, t->a.ndim};
    for (int d = 0; d < t->a.ndim; d++) shape[2 + d] = t->a.size[d];
    mn_edge e = {t->node, t->node ? NULL : t, t->out_nr};
    if (follow(s, &e, shape)) return -1;
  }
  for (int i = 0; i < s->n; i++) {
    const mn_node *node = s->queue[i];
    const int64_t *shape = node->shapes;
    for (int k = 0; k < node->n_in; k++, shape += 2 + shape[1])
      if (follow(s, &node->edges[k], shape)) return -1;
  }
  return 0;
}

int mn_frontier_find(mn_context *ctx, mn_frontier *frontier, int n_out, mn_tensor *const *outputs,
                     double node, double tensor) {
  search s = {.ctx = ctx, .node = node, .tensor = tensor, .found = frontier};
  int failed = search_from(&s, n_out, outputs);
  table_free(&s.seen);
  free(s.queue);
  if (failed) mn_frontier_clear(frontier);
  return failed;
}

int mn_walk_depends_on(mn_walk *w, const mn_frontier *f) {
  const mn_node *node = mn_walk_node(w);
  table inputs = {NULL, NULL, 0, 0};
  int answer = node->n_in == f->n;
  for (int i = 0; i < node->n_in && answer > 0; i++)
    if (table_add(&inputs, key_of(&node->edges[i]), i))
      answer = mn_error_set(node->ctx, MN_ERR_MEMORY, "out of memory");
  for (int i = 0; i < f->n && answer > 0; i++) {
    const mn_tensor *t = f->tensors[i];
    mn_edge e = {t->node, t->node ? NULL : f->tensors[i], t->out_nr};
    answer = table_find(&inputs, key_of(&e)) != NULL;
  }
  table_free(&inputs);
  return answer;
}

double mn_tensor_node(const mn_tensor *t) { return t->node ? (double)t->node->seq : 0; }

void mn_frontier_clear(mn_frontier *f) {
  for (int i = 0; i < f->n; i++) mn_tensor_release(f->tensors[i]);
  free(f->tensors);
  *f = (mn_frontier){NULL, 0, 0};
}
