/* resolve.c: what a row's outputs are, of arrays and attributes alone. Checks what can be checked before anything is
 * allocated, and asks the row's shape rule. Sees no tensors and runs no kernels. */
#include "engine/engine.h"
#include <string.h>

enum { PORTION = 64 };

static int check_count(mn_context *ctx, const mn_op_info *op, int n_in) {
  bool variadic = op->flags & MN_F_VARIADIC;
  if (variadic ? n_in < 1 : n_in != op->n_in)
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "%s: expected %s%d inputs, got %d", op->name,
                        variadic ? "at least " : "", variadic ? 1 : op->n_in, n_in);
  if (n_in > UINT16_MAX)
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "%s: expected at most %d inputs, got %d", op->name, UINT16_MAX,
                        n_in);
  return 0;
}

static int check_absent(mn_context *ctx, const mn_op_info *op, int n_in, const mn_array *const *in) {
  const mn_op_rules *rules = mn_rules(op->index);
  int absent = 0;
  for (int i = 0; i < n_in; i++) {
    if (in[i]) continue;
    absent++;
    bool may = op->flags & MN_F_VARIADIC
                   ? i > 0
                   : rules->optional >> i & 1 || (op->flags & MN_F_SCALAR && absent == 1);
    if (!may) return mn_error_set(ctx, MN_ERR_ARGUMENT, "%s: input %d is absent", op->name, i + 1);
  }
  return 0;
}

int mn_check_row(mn_context *ctx, const mn_op_info *op, int n_in, const mn_array *const *in,
                 const mn_slot *attrs) {
  if (check_count(ctx, op, n_in) || check_absent(ctx, op, n_in, in)) return -1;
  if (!attrs && mn_rules(op->index)->required)
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "%s: attributes are missing", op->name);
  return attrs && mn_rules(op->index)->checked ? mn_check_attrs(ctx, op, attrs) : 0;
}

int mn_wanted_device(const mn_context *ctx, const mn_op_info *op, mn_slot *attrs) {
  int slot = mn_rules(op->index)->device - 1;
  if (slot < 0) return ctx->default_device;
  if (attrs[slot].i < 0) attrs[slot].i = ctx->default_device;
  return (int)attrs[slot].i;
}

/* The common dtype, found in portions: the running result takes part as an array with dims. */
static int common_dtype(int n_in, const mn_array *const *in) {
  const mn_array *arrays[PORTION];
  int common = -1;
  for (int i = 0; i < n_in; i += PORTION - 1) {
    mn_array running = {.ndim = 1, .dtype = common};
    int n = 0;
    for (int k = i; k < n_in && k < i + PORTION - 1; k++) arrays[n++] = in[k];
    if (common >= 0) arrays[n++] = &running;
    common = mn_promote_all(arrays, n);
  }
  return common;
}

int mn_wanted_dtype(const mn_context *ctx, const mn_op_info *op, int n_in, const mn_array *const *in,
                    const mn_slot *attrs) {
  int flags = op->flags;
  if (!(flags & (MN_F_PROMOTE | MN_F_FLOAT))) return -1;
  const mn_array *first = NULL;
  bool mixed = false, absent = false;
  for (int i = 0; i < n_in; i++) {
    if (!in[i]) {
      absent = true;
    } else {
      mixed |= first && first->dtype != in[i]->dtype;
      first = first ? first : in[i];
    }
  }
  int common = mixed && flags & MN_F_PROMOTE ? common_dtype(n_in, in) : first ? first->dtype : -1;
  if (flags & MN_F_FLOAT && !mn_dtype_is_float(common)) common = ctx->default_dtype;
  /* A bool tensor and a number make integers, as in PyTorch; comparing with 0 or 1 needs none. */
  double number = flags & MN_F_SCALAR ? attrs[0].f : 0;
  if (flags & MN_F_SCALAR && absent && common == MN_BOOL &&
      !(flags & MN_F_NODIFF && (number == 0 || number == 1)))
    common = MN_INT64;
  return common;
}

/* A view's rule has set its strides. Views may repeat elements: their number has no bound in memory. */
static int finish_view(mn_context *ctx, const mn_op_info *op, mn_array *view) {
  double numel = 1;
  char text[128];
  for (int d = 0; d < view->ndim; d++) numel *= (double)view->size[d];
  if (numel > 0x1p47)
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "%s: size %s is too large", op->name,
                        mn_shape_text(view, text));
  view->numel = (int64_t)numel;
  view->contiguous = mn_array_is_contiguous(view);
  return 0;
}

int mn_resolve_outputs(mn_context *ctx, const mn_op_info *op, int n_in, const mn_array *const *in,
                       mn_slot *attrs, mn_array *const *out) {
  const mn_op_rules *rules = mn_rules(op->index);
  mn_infer x = {ctx, op, n_in, in, attrs, out};
  mn_error before = ctx->error_code;
  if (rules->infer(&x)) return -1;
  if (ctx->error_code != before) return -1; /* a question about elements had no answer */
  if (rules->view) return finish_view(ctx, op, out[0]);
  for (int k = 0; k < op->n_out; k++)
    if (mn_array_finish(ctx, op->name, out[k])) return -1;
  return 0;
}

int mn_resolve(mn_context *ctx, int number, int n_in, const mn_array *const *in, mn_slot *attrs,
               mn_array *const *out) {
  const mn_op_info *op = mn_op(number);
  if (!op || !attrs)
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "resolve: expected an op and its attributes, got op %d",
                        number);
  if (mn_check_row(ctx, op, n_in, in, attrs)) return -1;
  int dtype = mn_wanted_dtype(ctx, op, n_in, in, attrs);
  for (int i = 0; dtype >= 0 && i < n_in; i++)
    if (in[i] && in[i]->dtype != dtype)
      return mn_error_set(ctx, MN_ERR_ARGUMENT, "%s: input %d must be cast to %s first", op->name, i + 1,
                          mn_dtype_name(dtype));
  int device = -1;
  for (int i = n_in - 1; i >= 0; i--)
    if (in[i]) device = in[i]->device;
  if (device < 0) device = mn_wanted_device(ctx, op, attrs);
  for (int k = 0; k < op->n_out; k++) memset(out[k], 0, sizeof *out[k]), out[k]->device = device;
  return mn_resolve_outputs(ctx, op, n_in, in, attrs, out);
}
