/* function.c: nodes whose derivative the binding computes (Function, checkpoint), and hooks. The core knows such things
 * by numbers only: a node's is its age, a leaf's its id negated (numbers.c). Computes nothing. */
#include "engine/engine.h"
#include <string.h>

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
  if (mn_number_reserve(ctx)) return NULL;
  mn_node *node = mn_node_make(ctx, MN_OP_FUNCTION, n_in, inputs, n_out, attached, n_saved, n_slots);
  if (!node) return NULL;
  memcpy(node->attrs, name, bytes);
  ctx->live_numbers++;
  return node;
}

static int record(mn_context *ctx, int n_out, mn_tensor *const *outputs, mn_tensor *const *attached) {
  if (!ctx->recording) return 0;
  if (mn_record_prepare(ctx, MN_ROW_FUNCTION, n_out, n_out)) return -1;
  mn_record_row(ctx, MN_ROW_FUNCTION, false, n_out, outputs, n_out, attached, NULL);
  return 0;
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
  if (!known && mn_number_reserve(ctx)) return 0;
  ctx->live_numbers += !known;
  if (t->node) {
    t->node->hooked = true;
    return (double)t->node->seq;
  }
  t->flags |= T_HOOKED;
  return -t->id;
}

int mn_tensor_output(const mn_tensor *t) { return t->node ? t->out_nr : 0; }
