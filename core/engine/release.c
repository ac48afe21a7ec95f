/* release.c: who frees whom. A tensor owns one reference to its storage, its node and its .grad; a node owns its edges
 * and what its row saved. What loses its last reference joins a queue that the outermost release empties, so nothing is
 * destroyed recursively, however long the chain. */
#include "engine/engine.h"

void mn_tensor_unref(mn_tensor *t) {
  if (!t || t == &mn_absent || --t->refs > 0) return;
  t->next_dead = t->ctx->dead_tensors;
  t->ctx->dead_tensors = t;
}

void mn_tensor_put_grad(mn_tensor *t, mn_tensor *grad) {
  mn_tensor *old = t->grad;
  if (grad) grad->is_grad_of++;
  t->grad = grad;
  if (old) old->is_grad_of--;
  mn_tensor_unref(old);
}

void mn_node_unref(mn_node *node) {
  if (!node || --node->refs > 0) return;
  node->next_dead = node->ctx->dead_nodes;
  node->ctx->dead_nodes = node;
}

void mn_node_free_saved(mn_node *node) {
  for (int i = 0; i < node->n_saved; i++) {
    mn_tensor_unref(node->saved[i].t);
    node->saved[i].t = NULL;
  }
  node->freed = true;
}

/* ---- what dies ---- */

static void tensor_destroy(mn_tensor *t) {
  mn_context *ctx = t->ctx;
  if (t->flags & T_VIEW) t->storage->views--;
  if (t->storage) mn_storage_unref(ctx, t->storage);
  if (t->flags & T_RETAIN_GRAD && t->node->outputs[t->out_nr] == t) t->node->outputs[t->out_nr] = NULL;
  if (t->flags & T_HOOKED) mn_number_died(ctx, -t->id);
  mn_node_unref(t->node);
  mn_tensor_put_grad(t, NULL);
  mn_memory_put(ctx, t, sizeof *t);
  ctx->stats.live_tensors--;
  ctx->refs--; /* mn_drain holds one more */
}

static void node_destroy(mn_node *node) {
  mn_context *ctx = node->ctx;
  mn_node_free_saved(node);
  for (int i = 0; i < node->n_in; i++) {
    mn_node_unref(node->edges[i].node);
    mn_tensor_unref(node->edges[i].leaf);
  }
  if (node->outputs) mn_memory_put(ctx, node->outputs, node->n_out * sizeof *node->outputs);
  if (node->hooked || node->op == MN_OP_FUNCTION) mn_number_died(ctx, (double)node->seq);
  mn_memory_put(ctx, node, node->bytes);
  ctx->stats.live_nodes--;
  ctx->refs--; /* mn_drain holds one more */
}

void mn_drain(mn_context *ctx) {
  if (ctx->draining || (!ctx->dead_tensors && !ctx->dead_nodes)) return;
  ctx->draining = 1;
  ctx->refs++;
  while (ctx->dead_tensors || ctx->dead_nodes) {
    if (ctx->dead_tensors) {
      mn_tensor *t = ctx->dead_tensors;
      ctx->dead_tensors = t->next_dead;
      tensor_destroy(t);
    } else {
      mn_node *node = ctx->dead_nodes;
      ctx->dead_nodes = node->next_dead;
      node_destroy(node);
    }
  }
  ctx->draining = 0;
  mn_context_release(ctx);
}

void mn_tensor_retain(mn_tensor *t) {
  if (t && t != &mn_absent) t->refs++;
}

void mn_tensor_release(mn_tensor *t) {
  if (!t || t == &mn_absent) return;
  mn_context *ctx = t->ctx;
  mn_tensor_unref(t);
  mn_drain(ctx);
}
