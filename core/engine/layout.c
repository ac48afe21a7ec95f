/* layout.c: sizes and strides of arrays: what is dense, what overlaps itself. Knows nothing of tensors. */
#include "engine/engine.h"

int mn_array_is_contiguous(const mn_array *a) {
  int64_t expect = 1;
  if (a->numel == 0) return 1;
  for (int d = a->ndim - 1; d >= 0; d--) {
    if (a->size[d] != 1 && a->stride[d] != expect) return 0;
    expect *= a->size[d];
  }
  return 1;
}

int mn_array_finish(mn_context *ctx, const char *name, mn_array *a) {
  double bytes = (double)mn_dtype_size(a->dtype);
  a->numel = 1;
  for (int d = a->ndim - 1; d >= 0; d--) {
    if (a->size[d] < 0)
      return mn_error_set(ctx, MN_ERR_ARGUMENT, "%s: size %lld of dim %d is negative", name,
                          (long long)a->size[d], d + ctx->message_base);
    a->stride[d] = a->numel;
    bytes *= (double)a->size[d];
    if (bytes > 1.4e14)
      return mn_error_set(ctx, MN_ERR_MEMORY, "out of memory: %s asks for %.0f bytes", name, bytes);
    a->numel *= a->size[d];
  }
  a->contiguous = 1;
  return 0;
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
