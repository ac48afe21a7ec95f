/* frontier.c: what a computation depends on that was there before it: a checkpoint's inputs. */
#include "engine/engine.h"
#include "engine/pointers.h"

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

/* 1 where the key is new. */
static int add_key(search *s, const void *key) {
  if (s->seen.capacity && table_find(&s->seen, key)) return 0;
  return table_add(s->ctx, &s->seen, key, 0) ? -1 : 1;
}

static int add_found(search *s, const mn_edge *e, const int64_t *shape) {
  mn_frontier *f = s->found;
  if (grow(s->ctx, (void **)&f->tensors, &f->capacity, f->n, sizeof *f->tensors)) return -1;
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
  if (grow(s->ctx, (void **)&s->queue, &s->capacity, s->n, sizeof *s->queue)) return -1;
  s->queue[s->n++] = e->node;
  return 0;
}

static int search_from(search *s, int n_out, mn_tensor *const *outputs) {
  for (int k = 0; k < n_out; k++) {
    mn_tensor *t = outputs[k];
    if (mn_is_none(t) || !mn_tensor_needs_grad(t)) continue;
    int64_t shape[MN_SHAPE_WORDS];
    mn_shape_write(shape, &t->a);
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

static void clear(mn_context *ctx, mn_frontier *f) {
  for (int i = 0; i < f->n; i++) mn_tensor_unref(f->tensors[i]);
  mn_memory_put(ctx, f->tensors, (size_t)f->capacity * sizeof *f->tensors);
  *f = (mn_frontier){NULL, 0, 0};
  mn_drain(ctx);
}

/* One that was found holds memory only together with tensors. */
void mn_frontier_clear(mn_frontier *f) {
  if (f->n > 0) clear(f->tensors[0]->ctx, f);
}

int mn_frontier_find(mn_context *ctx, mn_frontier *frontier, int n_out, mn_tensor *const *outputs,
                     double node, double tensor) {
  search s = {.ctx = ctx, .node = node, .tensor = tensor, .found = frontier};
  int failed = search_from(&s, n_out, outputs);
  table_free(ctx, &s.seen);
  mn_memory_put(ctx, s.queue, (size_t)s.capacity * sizeof *s.queue);
  if (failed) clear(ctx, frontier);
  return failed;
}

int mn_walk_depends_on(mn_walk *w, const mn_frontier *f) {
  const mn_node *node = mn_walk_node(w);
  table inputs = {NULL, NULL, 0, 0};
  int answer = node->n_in == f->n;
  for (int i = 0; i < node->n_in && answer > 0; i++)
    if (table_add(node->ctx, &inputs, key_of(&node->edges[i]), i)) answer = -1;
  for (int i = 0; i < f->n && answer > 0; i++) {
    const mn_tensor *t = f->tensors[i];
    mn_edge e = {t->node, t->node ? NULL : f->tensors[i], t->out_nr};
    answer = table_find(&inputs, key_of(&e)) != NULL;
  }
  table_free(node->ctx, &inputs);
  return answer;
}

double mn_tensor_node(const mn_tensor *t) { return t->node ? (double)t->node->seq : 0; }
