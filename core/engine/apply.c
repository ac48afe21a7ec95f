/* apply.c: the one door. Every computation passes here: arguments are checked and cast, outputs resolved and allocated,
 * the kernel executed, a node recorded if gradients are wanted, and the row noted if a recording is on.
 * Whatever can fail for want of memory comes before the kernel, so a failed call has no side effect. */
#include "engine/door.h"
#include "rows.h"
#include <stdio.h>
#include <string.h>

/* ---- arguments ---- */

/* Input i is on another device than the first one that is there. */
static int refuse_devices(const mn_door *d, int i, int device) {
  const char *name = d->op->inputs;
  for (int k = 0; k < i && strchr(name, ','); k++) name = strchr(name, ',') + 1;
  char text[40];
  int length = (int)strcspn(name, "?.,");
  snprintf(text, sizeof text, "'%.*s'", length, name);
  if (length == 0 || d->op->flags & MN_F_VARIADIC) snprintf(text, sizeof text, "input %d", i + 1);
  return mn_error_set(d->ctx, MN_ERR_ARGUMENT, "%s: inputs on %s and %s (%s); move one with :to()",
                      d->op->name, mn_device_name(d->ctx, d->device), mn_device_name(d->ctx, device), text);
}

/* The device of a row is decided here: its inputs'; without inputs it stays -1. */
static int take_inputs(mn_door *d, mn_tensor *const *inputs) {
  d->device = -1;
  for (int i = 0; i < d->n_in; i++) {
    mn_tensor *t = inputs[i];
    if (!t) return mn_error_set(d->ctx, MN_ERR_ARGUMENT, "%s: input %d is missing", d->op->name, i + 1);
    if (!mn_is_none(t) && t->ctx != d->ctx)
      return mn_error_set(d->ctx, MN_ERR_ARGUMENT, "%s: input %d belongs to another context", d->op->name,
                          i + 1);
    d->in[i] = t;
    d->arrays[i] = NULL;
    if (mn_is_none(t)) continue;
    d->arrays[i] = &t->a;
    if (d->device < 0) d->device = t->a.device;
    if (t->a.device != d->device) return refuse_devices(d, i, t->a.device);
  }
  return 0;
}

/* Room for the inputs, where there are more than a few, in one block. */
static size_t block_bytes(const mn_door *d) { return (size_t)d->n_in * (sizeof *d->in + sizeof *d->arrays); }

static int make_room(mn_door *d) {
  d->in = d->few, d->arrays = d->few_arrays;
  if (d->n_in <= MN_FEW_INPUTS) return 0;
  d->in = mn_memory_get(d->ctx, block_bytes(d));
  if (!d->in) return d->in = d->few, -1;
  d->arrays = (const mn_array **)(d->in + d->n_in);
  return 0;
}

int mn_door_open(mn_door *d, mn_context *ctx, int op, int n_in, mn_tensor *const *inputs,
                 const mn_slot *attrs) {
  d->ctx = ctx;
  d->op = mn_op(op);
  d->n_in = n_in;
  d->n_out = d->n_temps = 0;
  d->node = NULL, d->temps = NULL, d->target = NULL, d->in = d->few;
  memset(d->out, 0, sizeof d->out);
  if (ctx->error_code != MN_OK) {
    for (int i = 0; i < n_in; i++)
      if (!inputs[i]) return -1; /* an earlier call failed: pass it on */
  }
  if (!d->op) return mn_error_set(ctx, MN_ERR_ARGUMENT, "apply: no op has the number %d", op);
  d->n_out = d->op->n_out;
  if (mn_check_interrupt(ctx) || make_room(d) || take_inputs(d, inputs) ||
      mn_check_row(ctx, d->op, n_in, d->arrays, attrs))
    return -1;
  memcpy(d->attrs, attrs ? attrs : d->op->defaults, (size_t)d->op->n_slots * sizeof(mn_slot));
  if (d->device < 0) d->device = mn_wanted_device(ctx, d->op, d->attrs);
  return 0;
}

static mn_tensor *cast(mn_context *ctx, mn_tensor *t, int dtype) {
  mn_cast_attrs attrs = {.dtype = dtype};
  mn_quiet saved = mn_quiet_begin(ctx);
  t = mn_apply1(ctx, MN_OP_cast, t, (const mn_slot *)&attrs);
  mn_quiet_end(ctx, saved);
  return t;
}

int mn_door_cast(mn_door *d) {
  int dtype = mn_wanted_dtype(d->ctx, d->op, d->n_in, d->arrays, d->attrs);
  for (int i = 0; dtype >= 0 && i < d->n_in; i++) {
    if (!d->arrays[i] || d->arrays[i]->dtype == dtype) continue;
    if (!d->temps && !(d->temps = mn_memory_get(d->ctx, (size_t)d->n_in * sizeof *d->temps))) return -1;
    mn_tensor *t = cast(d->ctx, d->in[i], dtype);
    if (!t) return -1;
    d->temps[d->n_temps++] = t;
    d->in[i] = t;
    d->arrays[i] = &t->a;
  }
  return 0;
}

/* ---- outputs ---- */

int mn_door_headers(mn_door *d) {
  for (int k = 0; k < d->n_out; k++) {
    d->out[k] = mn_tensor_header(d->ctx);
    if (!d->out[k]) return -1;
    d->out[k]->a.device = d->device;
    d->results[k] = &d->out[k]->a;
  }
  return 0;
}

int mn_door_storages(mn_door *d) {
  if (mn_rules(d->op->index)->view) {
    mn_tensor *view = d->out[0];
    view->storage = d->in[0]->storage;
    view->storage->refs++;
    if (!(d->op->flags & MN_F_NODIFF)) view->flags |= T_VIEW, view->storage->views++;
    return 0;
  }
  for (int k = 0; k < d->n_out; k++)
    if (mn_tensor_allocate(d->out[k])) return -1;
  return 0;
}

static bool wants_node(const mn_door *d) {
  if (!d->ctx->grad_enabled || d->op->flags & MN_F_NODIFF) return false;
  if (!mn_dtype_is_float(d->results[0]->dtype)) return false;
  for (int i = 0; i < d->n_in; i++)
    if (mn_tensor_needs_grad(d->in[i])) return true;
  return false;
}

int mn_door_node(mn_door *d) {
  if (!wants_node(d)) return 0;
  mn_tensor *const *out = d->target ? &d->target : d->out;
  d->node = mn_node_new(d->ctx, d->op->index, d->n_in, d->in, d->n_out, out, d->attrs, d->target != NULL);
  if (!d->node) return -1;
  return d->target && d->target->flags & T_RETAIN_GRAD ? mn_node_outputs(d->node) : 0;
}

/* ---- the kernel ---- */

int mn_door_execute(mn_door *d) {
  mn_context *ctx = d->ctx;
  if (d->op->index == MN_OP_transfer) return mn_array_copy(ctx, d->results[0], d->arrays[0]);
  mn_scratches s;
  mn_scratches_open(&s, ctx, d->device);
  mn_call call;
  call.in = d->arrays, call.out = d->results, call.n_in = d->n_in, call.n_out = d->n_out;
  call.attrs = d->attrs, call.seed = ctx->seed, call.counter = ctx->offset;
  call.arena = &s.arena, call.device = ctx->devices[d->device], call.place = mn_known_place(ctx);
  int failed = mn_execute(d->op->index, &call);
  mn_scratches_close(&s);
  if (failed) return mn_error_set(ctx, MN_ERR_ARGUMENT, "%s: %s", d->op->name, call.error);
  if (d->op->flags & MN_F_RANDOM) ctx->offset += mn_random_count(d->results[0]);
  return 0;
}

/* ---- the end of a call, good or bad ---- */

int mn_door_note(mn_door *d, bool inplace, int n_out, mn_tensor *const *out) {
  mn_context *ctx = d->ctx;
  if (ctx->recording) mn_record_row(ctx, d->op->index, inplace, d->n_in, d->in, n_out, out, d->attrs);
  if (!(ctx->watch & MN_WATCH_ANOMALY) || mn_rules(d->op->index)->view) return 0;
  int skip = inplace && d->in[0] == out[0]; /* the target holds the result now */
  return mn_anomaly_check(ctx, d->op, d->attrs, d->n_in - skip, d->in + skip, n_out, out);
}

void mn_door_attach(mn_door *d) {
  if (!d->node) return;
  mn_node_saved_versions(d->node, NULL);
  int n = d->op->flags & MN_F_FIRST ? 1 : d->n_out;
  for (int k = 0; k < n; k++) {
    d->out[k]->node = d->node;
    d->out[k]->out_nr = (uint16_t)k;
    d->node->refs++;
  }
  d->node->refs--; /* the first reference was this call's */
  d->node = NULL;
}

void mn_door_close(mn_door *d, bool failed) {
  mn_context *ctx = d->ctx;
  if (failed) {
    for (int k = 0; k < d->n_out; k++) mn_tensor_unref(d->out[k]);
    mn_node_unref(d->node);
  }
  for (int i = 0; i < d->n_temps; i++) mn_tensor_unref(d->temps[i]);
  if (d->temps) mn_memory_put(ctx, d->temps, (size_t)d->n_in * sizeof *d->temps);
  if (d->in != d->few) mn_memory_put(ctx, d->in, block_bytes(d));
  if (failed || d->n_temps) mn_drain(ctx);
  if (ctx->watch) mn_place_end(ctx);
}

static int make_outputs(mn_door *d, mn_tensor **outputs) {
  mn_context *ctx = d->ctx;
  if (ctx->watch && mn_place_begin(ctx, d->op, d->device)) return -1;
  if (mn_door_cast(d) || mn_door_headers(d) || mn_door_resolve(d) || mn_door_storages(d) || mn_door_node(d) ||
      mn_scope_reserve(ctx, d->n_out) || mn_door_prepare(d, d->n_out) || mn_door_execute(d))
    return -1;
  if (ctx->watch && mn_door_note(d, false, d->n_out, d->out)) return -1;
  mn_door_attach(d);
  for (int k = 0; k < d->n_out; k++) {
    outputs[k] = d->out[k];
    mn_scope_add(ctx, d->out[k]);
  }
  return 0;
}

int mn_apply(mn_context *ctx, int op, int n_in, mn_tensor *const *inputs, const mn_slot *attrs,
             mn_tensor **outputs) {
  mn_door d;
  const mn_op_info *row = mn_op(op);
  for (int k = 0; row && k < row->n_out; k++) outputs[k] = NULL;
  int failed = mn_door_open(&d, ctx, op, n_in, inputs, attrs) || make_outputs(&d, outputs);
  mn_door_close(&d, failed);
  return failed ? -1 : 0;
}

mn_tensor *mn_apply0(mn_context *ctx, int op, const mn_slot *attrs) {
  mn_tensor *out[MN_MAX_OUT];
  return mn_apply(ctx, op, 0, NULL, attrs, out) ? NULL : out[0];
}
mn_tensor *mn_apply1(mn_context *ctx, int op, mn_tensor *a, const mn_slot *attrs) {
  mn_tensor *out[MN_MAX_OUT];
  return mn_apply(ctx, op, 1, &a, attrs, out) ? NULL : out[0];
}
mn_tensor *mn_apply2(mn_context *ctx, int op, mn_tensor *a, mn_tensor *b, const mn_slot *attrs) {
  mn_tensor *in[2] = {a, b}, *out[MN_MAX_OUT];
  return mn_apply(ctx, op, 2, in, attrs, out) ? NULL : out[0];
}
mn_tensor *mn_apply3(mn_context *ctx, int op, mn_tensor *a, mn_tensor *b, mn_tensor *c,
                     const mn_slot *attrs) {
  mn_tensor *in[3] = {a, b, c}, *out[MN_MAX_OUT];
  return mn_apply(ctx, op, 3, in, attrs, out) ? NULL : out[0];
}
