/* node.c: nodes, made by apply and read by derivative rules through rules.h.
 * A node is one block of memory: header, edges, saved tensors, attributes, shapes of inputs and outputs. */
#include "engine/engine.h"
#include <string.h>

enum { OUT_BIT = 16 };

static int64_t shape_words(const mn_tensor *t) { return 2 + (mn_is_none(t) ? 0 : t->a.ndim); }

const char *mn_node_name(const mn_node *node) {
  return node->op == MN_OP_FUNCTION ? (const char *)node->attrs : mn_op(node->op)->name;
}

int64_t *mn_shape_write(int64_t *words, const mn_array *a) {
  *words++ = a->dtype | (int64_t)a->device << 8;
  *words++ = a->ndim;
  for (int d = 0; d < a->ndim; d++) *words++ = a->size[d];
  return words;
}

void mn_shape_read(const int64_t *words, mn_array *out) {
  out->dtype = (int32_t)(words[0] & 255);
  out->device = (int32_t)(words[0] >> 8);
  out->ndim = (int32_t)words[1];
  for (int d = 0; d < out->ndim; d++) out->size[d] = words[2 + d];
}

static int count_saved(uint32_t saves, int n_in, int n_out) {
  uint32_t inputs = saves & 0xffff;
  if (n_in < OUT_BIT) inputs &= (1u << n_in) - 1;
  return __builtin_popcount(inputs) + __builtin_popcount(saves >> OUT_BIT & ((1u << n_out) - 1));
}

static mn_node *node_allocate(mn_context *ctx, int n_in, mn_tensor *const *in, int n_out,
                              mn_tensor *const *out, int n_saved, int n_slots) {
  int64_t words = 0;
  for (int i = 0; i < n_in; i++) words += shape_words(in[i]);
  for (int k = 0; k < n_out; k++) words += shape_words(out[k]);
  size_t edges = sizeof(mn_node), saved = edges + (size_t)n_in * sizeof(mn_edge);
  size_t attrs = saved + (size_t)n_saved * sizeof(mn_saved),
         shapes = attrs + (size_t)n_slots * sizeof(mn_slot);
  size_t bytes = shapes + (size_t)words * sizeof(int64_t);
  char *p = mn_memory_get(ctx, bytes);
  if (!p) return NULL;
  mn_node *node = (mn_node *)p;
  memset(node, 0, sizeof *node);
  node->bytes = (uint32_t)bytes;
  node->edges = (mn_edge *)(p + edges), node->saved = (mn_saved *)(p + saved);
  node->attrs = (mn_slot *)(p + attrs), node->shapes = (int64_t *)(p + shapes);
  return node;
}

static mn_edge edge_of(mn_tensor *t, uint64_t seq) {
  mn_edge e = {NULL, NULL, 0};
  if (t->node) {
    e.node = t->node, e.out_nr = t->out_nr;
    e.node->refs++;
  } else if (t->flags & T_REQUIRES_GRAD) {
    e.leaf = t;
    t->refs++;
    if (!t->first_use) t->first_use = seq;
    t->last_use = seq;
  }
  return e;
}

/* Leaves that need gradients are kept themselves; anything else as an alias, since its node may later be
 * replaced by one that depends on this node. */
int mn_node_save(mn_node *node, mn_tensor *t, int which, bool alias) {
  mn_saved *s = &node->saved[node->n_saved];
  s->which = (int16_t)which;
  if (mn_is_none(t)) {
    s->t = t;
  } else if (!alias && !t->node && t->flags & T_REQUIRES_GRAD) {
    s->t = t;
    t->refs++;
  } else if (!(s->t = mn_tensor_alias(t))) {
    return -1;
  }
  node->n_saved++;
  return 0;
}

static int save_all(mn_node *node, uint32_t saves, mn_tensor *const *in, mn_tensor *const *out,
                    bool inplace) {
  for (int i = 0; i < node->n_in && i < OUT_BIT; i++)
    if (saves >> i & 1 && mn_node_save(node, in[i], i, inplace && i == 0)) return -1;
  for (int k = 0; k < node->n_out; k++)
    if (saves >> (OUT_BIT + k) & 1 && mn_node_save(node, out[k], -1 - k, true)) return -1;
  return 0;
}

static inline mn_node *make(mn_context *ctx, int op, int n_in, mn_tensor *const *in, int n_out,
                            mn_tensor *const *out, int n_saved, int n_slots) {
  mn_node *node = node_allocate(ctx, n_in, in, n_out, out, n_saved, n_slots);
  if (!node) return NULL;
  node->ctx = ctx;
  node->seq = node->oldest = ctx->next_seq++;
  node->refs = 1;
  if (ctx->watch) node->place = mn_known_place(ctx);
  node->op = (uint16_t)op, node->n_in = (uint16_t)n_in, node->n_out = (uint16_t)n_out;
  int64_t *at = node->shapes;
  for (int i = 0; i < n_in; i++) {
    const mn_node *from = in[i]->node;
    if (from && from->oldest < node->oldest) node->oldest = from->oldest;
    node->edges[i] = edge_of(in[i], node->seq);
    at = mn_shape_write(at, &in[i]->a);
  }
  for (int k = 0; k < n_out; k++) at = mn_shape_write(at, &out[k]->a);
  ctx->refs++;
  ctx->stats.live_nodes++;
  return node;
}

mn_node *mn_node_make(mn_context *ctx, int op, int n_in, mn_tensor *const *in, int n_out,
                      mn_tensor *const *out, int n_saved, int n_slots) {
  return make(ctx, op, n_in, in, n_out, out, n_saved, n_slots);
}

mn_node *mn_node_new(mn_context *ctx, int op, int n_in, mn_tensor *const *in, int n_out,
                     mn_tensor *const *out, const mn_slot *attrs, bool inplace) {
  uint32_t saves = mn_rules(op)->saves;
  int n_slots = mn_op(op)->n_slots;
  mn_node *node = make(ctx, op, n_in, in, n_out, out, count_saved(saves, n_in, n_out), n_slots);
  if (!node) return NULL;
  memcpy(node->attrs, attrs, (size_t)n_slots * sizeof(mn_slot));
  if (save_all(node, saves, in, out, inplace) == 0) return node;
  mn_node_unref(node);
  mn_drain(ctx);
  return NULL;
}

void mn_node_saved_versions(mn_node *node, const mn_storage *overwritten) {
  for (int i = 0; i < node->n_saved; i++) {
    mn_saved *s = &node->saved[i];
    if (mn_is_none(s->t)) continue;
    /* An input that was overwritten, the target or whatever shares its memory, had the version before: reading it
     * must fail. */
    s->version = s->t->storage->version - (s->which >= 0 && s->t->storage == overwritten);
  }
}

int mn_node_outputs(mn_node *node) {
  if (node->outputs) return 0;
  size_t bytes = node->n_out * sizeof *node->outputs;
  node->outputs = mn_memory_get(node->ctx, bytes);
  if (!node->outputs) return -1;
  memset(node->outputs, 0, bytes);
  return 0;
}

mn_tensor *mn_edge_tensor(mn_context *ctx, const mn_edge *e, const int64_t *shape) {
  if (e->leaf) return e->leaf->refs++, e->leaf;
  mn_tensor *t = mn_tensor_header(ctx);
  if (!t) return NULL;
  mn_shape_read(shape, &t->a);
  t->node = e->node, t->out_nr = (uint16_t)e->out_nr;
  if (e->node) e->node->refs++;
  return t;
}
