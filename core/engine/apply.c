/* apply.c: the one door. Every computation passes here: arguments are checked, shapes inferred, outputs
 * allocated, the kernel run, a node recorded if gradients are wanted, and the row noted if a recording is on.
 * Whatever can fail for want of memory comes before the kernel, so a failed call has no side effect. */
#include "engine/engine.h"
#include "rows.h"
#include <string.h>

enum { INLINE_INPUTS = 8, SCRATCHES = 16 };

typedef struct call_state {
  mn_context *ctx;
  const mn_op_info *op;
  mn_tensor **in;    /* after casts */
  mn_tensor *target; /* in place: what is written, else NULL */
  int n_in, n_out, n_temps;
  mn_tensor *out[MN_MAX_OUT];
  mn_array *out_arrays[MN_MAX_OUT];
  mn_slot attrs[MN_MAX_SLOTS];
  mn_node *node;
  mn_tensor **temps; /* casts, released at the end */
  struct {
    void *p;
    size_t bytes;
  } scratch[SCRATCHES];
  int n_scratch;
} call_state;

void *mn_scratch(mn_call *call, size_t bytes) {
  call_state *s = call->scratch_owner;
  if (s->n_scratch == SCRATCHES) return NULL;
  void *p = mn_memory_get(s->ctx, bytes);
  if (!p) return NULL;
  s->scratch[s->n_scratch].p = p;
  s->scratch[s->n_scratch++].bytes = bytes;
  return p;
}

/* ---- arguments ---- */

static int check_inputs(call_state *s, mn_tensor *const *inputs) {
  const mn_op_info *op = s->op;
  bool variadic = op->flags & MN_F_VARIADIC;
  if (variadic ? s->n_in < 1 : s->n_in != op->n_in)
    return mn_error_set(s->ctx, MN_ERR_ARGUMENT, "%s: expected %s%d inputs, got %d", op->name,
                        variadic ? "at least " : "", variadic ? 1 : op->n_in, s->n_in);
  if (s->n_in > UINT16_MAX)
    return mn_error_set(s->ctx, MN_ERR_ARGUMENT, "%s: expected at most %d inputs, got %d", op->name,
                        UINT16_MAX, s->n_in);
  int absent = 0;
  for (int i = 0; i < s->n_in; i++) {
    mn_tensor *t = inputs[i];
    s->in[i] = t;
    if (!t) return mn_error_set(s->ctx, MN_ERR_ARGUMENT, "%s: input %d is missing", op->name, i + 1);
    if (mn_is_none(t)) {
      absent++;
      bool may = variadic
                     ? i > 0
                     : mn_rules(op->index)->optional >> i & 1 || (op->flags & MN_F_SCALAR && absent == 1);
      if (!may) return mn_error_set(s->ctx, MN_ERR_ARGUMENT, "%s: input %d is absent", op->name, i + 1);
    } else if (t->ctx != s->ctx) {
      return mn_error_set(s->ctx, MN_ERR_ARGUMENT, "%s: input %d belongs to another context", op->name,
                          i + 1);
    }
  }
  if (op->flags & MN_F_SCALAR && absent == s->n_in)
    return mn_error_set(s->ctx, MN_ERR_ARGUMENT, "%s: expected a tensor", op->name);
  return 0;
}

static int copy_attrs(call_state *s, const mn_slot *attrs) {
  if (!attrs) {
    if (mn_rules(s->op->index)->required)
      return mn_error_set(s->ctx, MN_ERR_ARGUMENT, "%s: attributes are missing", s->op->name);
    attrs = s->op->defaults;
  } else if (mn_rules(s->op->index)->checked && mn_check_attrs(s->ctx, s->op, attrs)) {
    return -1;
  }
  memcpy(s->attrs, attrs, (size_t)s->op->n_slots * sizeof(mn_slot));
  return 0;
}

/* The dtype that inputs are cast to, or -1 for none: in place, too, where the result is cast to the target's. */
static int wanted_dtype(call_state *s) {
  int flags = s->op->flags, common = -1;
  if (!(flags & (MN_F_PROMOTE | MN_F_FLOAT))) return -1;
  const mn_array *first = NULL;
  bool mixed = false, absent = false;
  for (int i = 0; i < s->n_in; i++) {
    if (mn_is_none(s->in[i])) {
      absent = true;
    } else {
      mixed |= first && first->dtype != s->in[i]->a.dtype;
      first = first ? first : &s->in[i]->a;
    }
  }
  if (mixed && flags & MN_F_PROMOTE) {
    const mn_array *arrays[64];
    common = -1;
    for (int i = 0; i < s->n_in;
         i += 62) { /* in portions; the running result takes part as a tensor with dims */
      mn_array running = {.ndim = 1, .dtype = common};
      int n = 0;
      for (int k = i; k < s->n_in && k < i + 62; k++)
        arrays[n++] = mn_is_none(s->in[k]) ? NULL : &s->in[k]->a;
      if (common >= 0) arrays[n++] = &running;
      common = mn_promote_all(arrays, n);
    }
  } else {
    common = first ? first->dtype : -1;
  }
  if (flags & MN_F_FLOAT && !mn_dtype_is_float(common)) common = s->ctx->default_dtype;
  /* A bool tensor and a number make integers, as in PyTorch; comparing with 0 or 1 needs none. */
  double number = flags & MN_F_SCALAR ? s->attrs[0].f : 0;
  if (flags & MN_F_SCALAR && absent && common == MN_BOOL &&
      !(flags & MN_F_NODIFF && (number == 0 || number == 1)))
    common = MN_INT64;
  return common;
}

static int cast_inputs(call_state *s) {
  int dtype = wanted_dtype(s);
  if (dtype < 0) return 0;
  for (int i = 0; i < s->n_in; i++) {
    mn_tensor *t = s->in[i];
    if (mn_is_none(t) || t->a.dtype == dtype) continue;
    if (!s->temps) {
      s->temps = mn_memory_get(s->ctx, (size_t)s->n_in * sizeof *s->temps);
      if (!s->temps) return -1;
    }
    int mark_depth = s->ctx->scope.depth, place = s->ctx->place_state;
    s->ctx->scope.depth = 0; /* the cast is this call's own, not the scope's */
    mn_cast_attrs attrs = {.dtype = dtype};
    t = mn_apply1(s->ctx, MN_OP_cast, t, (const mn_slot *)&attrs);
    s->ctx->scope.depth = mark_depth;
    s->ctx->place_state = place;
    if (!t) return -1;
    s->temps[s->n_temps++] = t;
    s->in[i] = t;
  }
  return 0;
}

/* ---- outputs ---- */

static int make_outputs(call_state *s) {
  mn_infer x = {s->ctx, s->op, s->n_in, s->in, s->attrs, s->out_arrays};
  for (int k = 0; k < s->n_out; k++) {
    s->out[k] = mn_tensor_header(s->ctx);
    if (!s->out[k]) return -1;
    s->out_arrays[k] = &s->out[k]->a;
  }
  if (mn_rules(s->op->index)->infer(&x)) return -1;
  if (mn_rules(s->op->index)->view) {
    mn_tensor *view = s->out[0], *base = s->in[0];
    double numel = 1; /* views may repeat elements: their number has no bound in memory */
    for (int d = 0; d < view->a.ndim; d++) numel *= (double)view->a.size[d];
    if (numel > 0x1p47) return mn_fail(&x, "size %s is too large", mn_shape_text(&view->a, (char[128]){0}));
    view->a.numel = (int64_t)numel;
    view->storage = base->storage;
    view->storage->refs++;
    view->a.contiguous = mn_array_is_contiguous(&view->a);
    if (!(s->op->flags & MN_F_NODIFF)) view->flags |= T_VIEW, view->storage->views++;
    return 0;
  }
  for (int k = 0; k < s->n_out; k++)
    if (mn_array_finish(s->ctx, s->op->name, &s->out[k]->a)) return -1;
  return 0;
}

static int allocate_outputs(call_state *s) {
  for (int k = 0; k < s->n_out; k++)
    if (!s->out[k]->storage && mn_tensor_allocate(s->out[k])) return -1;
  return 0;
}

static bool wants_node(const call_state *s) {
  if (!s->ctx->grad_enabled || s->op->flags & MN_F_NODIFF) return false;
  if (!mn_dtype_is_float(s->out[0]->a.dtype)) return false;
  for (int i = 0; i < s->n_in; i++)
    if (mn_tensor_needs_grad(s->in[i])) return true;
  return false;
}

static int make_node(call_state *s) {
  if (!wants_node(s)) return 0;
  mn_tensor *const *out = s->target ? &s->target : s->out;
  s->node = mn_node_new(s->ctx, s->op->index, s->n_in, s->in, s->n_out, out, s->attrs, s->target != NULL);
  if (!s->node) return -1;
  return s->target && s->target->flags & T_RETAIN_GRAD ? mn_node_outputs(s->node) : 0;
}

/* ---- the kernel ---- */

static int run_kernel(call_state *s, mn_array *const *out) {
  if (mn_rules(s->op->index)->view) return 0;
  mn_kernel kernel = s->ctx->backend->kernels[s->op->index];
  if (!kernel)
    return mn_error_set(s->ctx, MN_ERR_ARGUMENT, "%s: no kernel on %s", s->op->name, s->ctx->backend->name);
  const mn_array *few[INLINE_INPUTS], **in = few;
  if (s->n_in > INLINE_INPUTS) {
    in = mn_memory_get(s->ctx, (size_t)s->n_in * sizeof *in);
    if (!in) return -1;
  }
  for (int i = 0; i < s->n_in; i++) in[i] = mn_is_none(s->in[i]) ? NULL : &s->in[i]->a;
  mn_call call;
  call.in = in, call.out = out, call.n_in = s->n_in, call.n_out = s->n_out;
  call.attrs = s->attrs, call.seed = s->ctx->seed, call.counter = s->ctx->offset;
  call.scratch_owner = s, call.error[0] = 0;
  int failed = kernel(&call);
  for (int i = 0; i < s->n_scratch; i++) mn_memory_put(s->ctx, s->scratch[i].p, s->scratch[i].bytes);
  s->n_scratch = 0;
  if (in != few) mn_memory_put(s->ctx, in, (size_t)s->n_in * sizeof *in);
  if (failed) return mn_error_set(s->ctx, MN_ERR_ARGUMENT, "%s: %s", s->op->name, call.error);
  if (s->op->flags & MN_F_RANDOM) s->ctx->offset += mn_random_count(out[0]);
  return 0;
}

/* ---- the end of a call, good or bad ---- */

static void release_all(call_state *s, bool failed) {
  mn_context *ctx = s->ctx;
  if (failed) {
    for (int k = 0; k < s->n_out; k++) mn_tensor_unref(s->out[k]);
    mn_node_unref(s->node);
  }
  for (int i = 0; i < s->n_temps; i++) mn_tensor_unref(s->temps[i]);
  if (s->temps) mn_memory_put(ctx, s->temps, (size_t)s->n_in * sizeof *s->temps);
  mn_drain(ctx);
}

static void attach_node(call_state *s) {
  mn_node_saved_versions(s->node, NULL);
  int n = s->op->flags & MN_F_FIRST ? 1 : s->n_out;
  for (int k = 0; k < n; k++) {
    s->out[k]->node = s->node;
    s->out[k]->out_nr = (uint16_t)k;
    s->node->refs++;
  }
  s->node->refs--; /* the first reference was this call's */
}

static int begin(call_state *s, mn_context *ctx, int op, int n_in, mn_tensor *const *inputs,
                 const mn_slot *attrs) {
  s->ctx = ctx;
  s->op = mn_op(op);
  s->n_in = n_in;
  s->n_out = 0;
  s->n_temps = s->n_scratch = 0;
  s->node = NULL, s->temps = NULL, s->target = NULL;
  memset(s->out, 0, sizeof s->out);
  if (ctx->error_code != MN_OK) {
    for (int i = 0; i < n_in; i++)
      if (!inputs[i]) return -1; /* an earlier call failed: pass it on */
  }
  if (!s->op) return mn_error_set(ctx, MN_ERR_ARGUMENT, "apply: no op has the number %d", op);
  s->n_out = s->op->n_out;
  return mn_check_interrupt(ctx) || check_inputs(s, inputs) || copy_attrs(s, attrs) ? -1 : 0;
}

/* What is noted of a row that has run: a recording, an anomaly. */
static int watch_row(call_state *s, bool inplace, int n_out, mn_tensor *const *out) {
  mn_context *ctx = s->ctx;
  if (ctx->recording && mn_record_row(ctx, s->op->index, inplace, s->n_in, s->in, n_out, out, s->attrs))
    return -1;
  if (!(ctx->watch & MN_WATCH_ANOMALY)) return 0;
  bool view = mn_rules(s->op->index)->view;
  int skip = inplace && s->in[0] == out[0]; /* the target holds the result now */
  int failed = !view && mn_anomaly_check(ctx, s->op, s->attrs, s->n_in - skip, s->in + skip, n_out, out);
  mn_anomaly_end(ctx);
  return failed ? -1 : 0;
}

static int apply_with(call_state *s, mn_tensor **outputs) {
  mn_context *ctx = s->ctx;
  if (ctx->watch & MN_WATCH_ANOMALY && mn_anomaly_begin(ctx)) return -1;
  int failed = cast_inputs(s) || make_outputs(s) || allocate_outputs(s) || make_node(s) ||
               mn_scope_reserve(ctx, s->n_out) || run_kernel(s, s->out_arrays);
  if (!failed && ctx->watch) failed = watch_row(s, false, s->n_out, s->out);
  if (!failed) {
    if (s->node) attach_node(s);
    for (int k = 0; k < s->n_out; k++) {
      outputs[k] = s->out[k];
      mn_scope_add(ctx, s->out[k]);
    }
  }
  return failed;
}

int mn_apply(mn_context *ctx, int op, int n_in, mn_tensor *const *inputs, const mn_slot *attrs,
             mn_tensor **outputs) {
  call_state s;
  mn_tensor *few[INLINE_INPUTS];
  for (int k = 0, n = mn_op(op) ? mn_op(op)->n_out : 0; k < n; k++) outputs[k] = NULL;
  s.in = few;
  size_t bytes = (size_t)n_in * sizeof *few;
  if (n_in > INLINE_INPUTS && !(s.in = mn_memory_get(ctx, bytes))) return -1;
  int failed = begin(&s, ctx, op, n_in, inputs, attrs) || apply_with(&s, outputs);
  if (failed || s.n_temps) release_all(&s, failed);
  if (failed && ctx->watch) mn_anomaly_end(ctx);
  if (s.in != few) mn_memory_put(ctx, s.in, bytes);
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

/* ---- in place ---- */

/* Would autograd be deceived? Only where gradients are on and one of the tensors needs them. */
static int check_target(call_state *s) {
  mn_tensor *t = s->target;
  if (!s->ctx->grad_enabled) return 0;
  bool needs = false;
  for (int i = 0; i < s->n_in; i++) needs |= mn_tensor_needs_grad(s->in[i]);
  if (!needs) return 0;
  if (t->is_grad_of)
    return mn_error_set(s->ctx, MN_ERR_ARGUMENT,
                        "%s_: a tensor's grad can't get a history; do it in no_grad, or to a clone()",
                        s->op->name);
  const char *advice = "; use cat, stack or index_put to make a new tensor, or no_grad";
  if (!t->node && t->flags & T_REQUIRES_GRAD)
    return mn_error_set(s->ctx, MN_ERR_ARGUMENT, "%s_: a leaf that requires grad can't be changed in place%s",
                        s->op->name, advice);
  if (t->flags & T_VIEW)
    return mn_error_set(s->ctx, MN_ERR_ARGUMENT,
                        "%s_: a view can't be changed in place where gradients flow%s", s->op->name, advice);
  if (t->storage->views > 0)
    return mn_error_set(s->ctx, MN_ERR_LIVE_VIEWS,
                        "%s_: a tensor with live views can't be changed in place where gradients flow%s",
                        s->op->name, advice);
  return 0;
}

static bool same_layout(const mn_array *a, const mn_array *b) {
  if (a->data != b->data || a->ndim != b->ndim || a->dtype != b->dtype) return false;
  for (int d = 0; d < a->ndim; d++)
    if (a->size[d] != b->size[d] || (a->size[d] != 1 && a->stride[d] != b->stride[d])) return false;
  return true;
}

/* May two elements share a place, as expand and unfold make them? Not if each dim, the nearest one first, steps
 * over all that those before it reach: true of dense tensors and what other views make of them. */
bool mn_may_share_places(const mn_array *a) {
  int nearest[MN_MAX_DIMS], n = 0;
  if (a->contiguous || a->numel == 0) return false;
  for (int d = 0; d < a->ndim; d++) {
    if (a->size[d] == 1) continue;
    int at = n++;
    for (; at > 0 && a->stride[nearest[at - 1]] > a->stride[d]; at--) nearest[at] = nearest[at - 1];
    nearest[at] = d;
  }
  for (int64_t i = 0, reach = 0; i < n; i++) {
    if (a->stride[nearest[i]] <= reach) return true;
    reach += (a->size[nearest[i]] - 1) * a->stride[nearest[i]];
  }
  return false;
}

/* May the kernel write straight over the target? Not if another input overlaps it in another layout. */
static bool direct(const call_state *s) {
  if (!(s->op->flags & MN_F_INPLACE) || s->in[0] != s->target) return false;
  for (int i = 1; i < s->n_in; i++)
    if (!mn_is_none(s->in[i]) && s->in[i]->storage == s->target->storage &&
        !same_layout(&s->in[i]->a, &s->target->a))
      return false;
  return true;
}

static int check_result(call_state *s) {
  const mn_array *a = &s->target->a, *r = &s->out[0]->a;
  bool fits = a->ndim == r->ndim;
  for (int d = 0; fits && d < a->ndim; d++) fits = a->size[d] == r->size[d];
  char want[128], got[128];
  if (!fits)
    return mn_error_set(s->ctx, MN_ERR_ARGUMENT,
                        "%s_: the result has size %s, which doesn't fit the tensor's %s", s->op->name,
                        mn_shape_text(r, got), mn_shape_text(a, want));
  if (!mn_can_hold(a->dtype, r->dtype))
    return mn_error_set(s->ctx, MN_ERR_ARGUMENT, "%s_: a %s result doesn't fit a %s tensor", s->op->name,
                        mn_dtype_name(r->dtype), mn_dtype_name(a->dtype));
  if (mn_may_share_places(a))
    return mn_error_set(s->ctx, MN_ERR_ARGUMENT,
                        "%s_: a tensor whose elements share memory, as expand and unfold make them, can't be "
                        "changed in place; clone() it",
                        s->op->name);
  return 0;
}

static void rebase(call_state *s) {
  mn_tensor *t = s->target;
  t->storage->version++;
  if (!s->node) return;
  if (t->flags & T_RETAIN_GRAD) { /* of what it holds from now on */
    t->node->outputs[t->out_nr] = NULL;
    s->node->outputs[0] = t;
  }
  mn_node_saved_versions(s->node, t->storage);
  mn_node_unref(t->node);
  t->node = s->node;
  t->out_nr = 0;
  s->node = NULL;
}

/* The kernel writes over the target itself. */
static int apply_direct(call_state *s) {
  mn_array *out[MN_MAX_OUT] = {&s->target->a};
  if (make_node(s) || run_kernel(s, out)) return -1;
  rebase(s);
  if (s->ctx->watch && watch_row(s, true, 1, &s->target)) return -1;
  mn_tensor_unref(s->out[0]); /* only its inferred shape was wanted */
  mn_drain(s->ctx);
  return 0;
}

/* The result is made apart, then assigned. */
static int apply_and_assign(mn_context *ctx, int op, int n_in, mn_tensor *const *inputs,
                            const mn_slot *attrs) {
  mn_tensor *out[MN_MAX_OUT] = {0};
  int depth = ctx->scope.depth, place = ctx->place_state;
  ctx->scope.depth = 0; /* the result is this call's own, not the scope's */
  int failed = mn_apply(ctx, op, n_in, inputs, attrs, out);
  if (!failed) {
    mn_tensor *pair[2] = {inputs[0], out[0]};
    ctx->place_state = place;
    failed = mn_apply_inplace(ctx, MN_OP_assign, 2, pair, NULL);
    for (int k = 0; k < mn_op(op)->n_out; k++) mn_tensor_unref(out[k]);
    mn_drain(ctx);
  }
  ctx->scope.depth = depth;
  return failed;
}

static int begin_inplace(call_state *s, mn_tensor *target) {
  s->target = target;
  if (!target || mn_is_none(target))
    return mn_error_set(s->ctx, MN_ERR_ARGUMENT, "%s_: expected a tensor", s->op->name);
  if (check_target(s) || (s->ctx->watch & MN_WATCH_ANOMALY && mn_anomaly_begin(s->ctx))) return -1;
  return cast_inputs(s) || make_outputs(s) || check_result(s) ? -1 : 0;
}

int mn_apply_inplace(mn_context *ctx, int op, int n_in, mn_tensor *const *inputs, const mn_slot *attrs) {
  call_state s;
  mn_tensor *few[INLINE_INPUTS];
  s.in = few;
  size_t bytes = (size_t)n_in * sizeof *few;
  if (n_in > INLINE_INPUTS && !(s.in = mn_memory_get(ctx, bytes))) return -1;
  int failed = begin(&s, ctx, op, n_in, inputs, attrs) || begin_inplace(&s, n_in > 0 ? inputs[0] : NULL);
  bool now = !failed && direct(&s) && s.out[0]->a.dtype == s.target->a.dtype;
  if (now) failed = apply_direct(&s);
  if (failed || !now || s.n_temps) release_all(&s, failed || !now);
  if (!failed && !now) failed = apply_and_assign(ctx, op, n_in, inputs, attrs);
  if (failed && ctx->watch) mn_anomaly_end(ctx);
  if (s.in != few) mn_memory_put(ctx, s.in, bytes);
  return failed ? -1 : 0;
}
