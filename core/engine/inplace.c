/* inplace.c: calls that write their output over their first input. Where the kernel can do that and no other input is
 * in its way it writes there itself; else the result is made apart, by the functional row, and assigned. Either way the
 * shape rule is asked once: `assign` needs none, since the result has been checked against the target. */
#include "engine/door.h"
#include "rows.h"
#include <string.h>

/* Would autograd be deceived? Only where gradients are on and one of the tensors needs them. */
static int check_target(mn_door *d) {
  mn_tensor *t = d->target;
  if (!d->ctx->grad_enabled) return 0;
  bool needs = false;
  for (int i = 0; i < d->n_in; i++) needs |= mn_tensor_needs_grad(d->in[i]);
  if (!needs) return 0;
  if (t->is_grad_of)
    return mn_error_set(d->ctx, MN_ERR_ARGUMENT,
                        "%s_: a tensor's grad can't get a history; do it in no_grad, or to a clone()",
                        d->op->name);
  const char *advice = "; use cat, stack or index_put to make a new tensor, or no_grad";
  if (!t->node && t->flags & T_REQUIRES_GRAD)
    return mn_error_set(d->ctx, MN_ERR_ARGUMENT, "%s_: a leaf that requires grad can't be changed in place%s",
                        d->op->name, advice);
  if (t->flags & T_VIEW)
    return mn_error_set(d->ctx, MN_ERR_ARGUMENT,
                        "%s_: a view can't be changed in place where gradients flow%s", d->op->name, advice);
  if (t->storage->views > 0)
    return mn_error_set(d->ctx, MN_ERR_LIVE_VIEWS,
                        "%s_: a tensor with live views can't be changed in place where gradients flow%s",
                        d->op->name, advice);
  return 0;
}

static bool same_layout(const mn_array *a, const mn_array *b) {
  if (a->data != b->data || a->ndim != b->ndim || a->dtype != b->dtype) return false;
  for (int d = 0; d < a->ndim; d++)
    if (a->size[d] != b->size[d] || (a->size[d] != 1 && a->stride[d] != b->stride[d])) return false;
  return true;
}

/* May the kernel write straight over the target? Not if another input overlaps it in another layout. */
static bool is_direct(const mn_door *d) {
  if (!(d->op->flags & MN_F_INPLACE) || d->in[0] != d->target) return false;
  if (d->results[0]->dtype != d->target->a.dtype) return false;
  for (int i = 1; i < d->n_in; i++)
    if (d->arrays[i] && d->in[i]->storage == d->target->storage && !same_layout(d->arrays[i], &d->target->a))
      return false;
  return true;
}

static int check_result(const mn_door *d) {
  const mn_array *a = &d->target->a, *r = d->results[0];
  char want[128], got[128];
  if (!mn_same_size(a, r))
    return mn_error_set(d->ctx, MN_ERR_ARGUMENT,
                        "%s_: the result has size %s, which doesn't fit the tensor's %s", d->op->name,
                        mn_shape_text(r, got), mn_shape_text(a, want));
  if (!mn_can_hold(a->dtype, r->dtype))
    return mn_error_set(d->ctx, MN_ERR_ARGUMENT, "%s_: a %s result doesn't fit a %s tensor", d->op->name,
                        mn_dtype_name(r->dtype), mn_dtype_name(a->dtype));
  if (mn_may_share_places(a))
    return mn_error_set(d->ctx, MN_ERR_ARGUMENT,
                        "%s_: a tensor whose elements share memory, as expand and unfold make them, can't be "
                        "changed in place; clone() it",
                        d->op->name);
  return 0;
}

/* The target holds the result from now on, and has its history. */
static void rebase(mn_door *d) {
  mn_tensor *t = d->target;
  t->storage->version++;
  if (!d->node) return;
  if (t->flags & T_RETAIN_GRAD) { /* of what it holds from now on */
    t->node->outputs[t->out_nr] = NULL;
    d->node->outputs[0] = t;
  }
  mn_node_saved_versions(d->node, t->storage);
  mn_node_unref(t->node);
  t->node = d->node;
  t->out_nr = 0;
  d->node = NULL;
  mn_drain(d->ctx);
}

/* The kernel writes over the target itself. */
static int write_target(mn_door *d) {
  d->results[0] = &d->target->a;
  if (mn_door_node(d) || mn_door_prepare(d, 1) || mn_door_execute(d)) return -1;
  rebase(d);
  return d->ctx->watch ? mn_door_note(d, true, 1, &d->target) : 0;
}

/* The row `assign` of a result that is known to fit. */
static int assign(mn_tensor *target, mn_tensor *result) {
  mn_tensor *pair[2] = {target, result};
  mn_door d;
  int failed = mn_door_open(&d, target->ctx, MN_OP_assign, 2, pair, NULL);
  d.target = target;
  failed = failed || write_target(&d);
  mn_door_close(&d, failed);
  return failed;
}

/* The result is made apart, as the functional row makes it, then assigned. Where that fails nothing has happened: the
 * random stream and the recording are as before. */
static int write_apart(mn_door *d) {
  mn_array resolved[MN_MAX_OUT];
  mn_tensor *target = d->target;
  uint64_t offset = d->ctx->offset;
  int recorded = mn_record_length(d->ctx);
  for (int k = 0; k < d->n_out; k++) resolved[k] = *d->results[k];
  d->target = NULL;
  if (mn_door_headers(d)) return -1;
  for (int k = 0; k < d->n_out; k++) d->out[k]->a = resolved[k];
  if (mn_door_storages(d) || mn_door_node(d) || mn_door_prepare(d, d->n_out) || mn_door_execute(d)) return -1;
  if (d->ctx->watch && mn_door_note(d, false, d->n_out, d->out)) return -1;
  mn_door_attach(d);
  int place = d->ctx->place_state;
  int failed = assign(target, d->out[0]);
  d->ctx->place_state = place;
  if (failed) return d->ctx->offset = offset, mn_record_cut(d->ctx, recorded), -1;
  for (int k = 0; k < d->n_out; k++) mn_tensor_unref(d->out[k]);
  mn_drain(d->ctx);
  return 0;
}

/* The shape rule is asked with headers of no tensor, since only its answer tells whether the kernel may write straight
 * over the target: that takes the target's size and dtype, and no other input that overlaps it. So nothing is allocated,
 * and nothing of the target touched, before the result is known to fit it; and what was resolved once serves either way,
 * as the outputs' headers where the result is made apart. */
static int change(mn_door *d, mn_tensor *target) {
  mn_array results[MN_MAX_OUT];
  memset(results, 0, (size_t)d->n_out * sizeof *results);
  for (int k = 0; k < d->n_out; k++) results[k].device = d->device, d->results[k] = &results[k];
  if (!target || mn_is_none(target))
    return mn_error_set(d->ctx, MN_ERR_ARGUMENT, "%s_: expected a tensor", d->op->name);
  d->target = target;
  if (check_target(d) || (d->ctx->watch && mn_place_begin(d->ctx, d->op, d->device))) return -1;
  if (mn_door_cast(d) || mn_door_resolve(d) || check_result(d)) return -1;
  return is_direct(d) ? write_target(d) : write_apart(d);
}

int mn_apply_inplace(mn_context *ctx, int op, int n_in, mn_tensor *const *inputs, const mn_slot *attrs) {
  mn_door d;
  int failed = mn_door_open(&d, ctx, op, n_in, inputs, attrs) || change(&d, n_in > 0 ? inputs[0] : NULL);
  mn_door_close(&d, failed);
  return failed ? -1 : 0;
}
