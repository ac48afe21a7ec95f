/* compose.c: what many derivative rules need, made of ordinary ops. */
#include "ops/shape.h"
#include "rows.h"

mn_list mn_shape_list(const mn_tensor *t) {
  if (!t) return (mn_list){0}; /* what made it failed: the first error is the one that counts */
  const mn_array *a = mn_arr(t);
  mn_list size = {.n = a->ndim};
  for (int d = 0; d < a->ndim; d++) size.v[d] = a->size[d];
  return size;
}

/* Must the elements move before a view of that size is possible? False also where no view is: view says why.
 */
static bool needs_copy(const mn_array *in, const mn_list *size) {
  if (in->contiguous || in->numel == 0) return false;
  mn_array out = {.ndim = (int32_t)size->n};
  int64_t product = 1;
  int unknown = -1;
  for (int d = 0; d < out.ndim; d++) {
    out.size[d] = size->v[d];
    if (out.size[d] == -1 && unknown < 0) unknown = d;
    else if (out.size[d] < 1 || __builtin_mul_overflow(product, out.size[d], &product)) return false;
  }
  if (unknown >= 0) out.size[unknown] = in->numel / product;
  if (product * (unknown >= 0 ? out.size[unknown] : 1) != in->numel) return false;
  return !mn_view_strides(&out, in);
}

mn_tensor *mn_reshape(mn_context *ctx, mn_tensor *t, mn_list size) {
  if (!t) return NULL;
  if (needs_copy(mn_arr(t), &size)) t = mn_clone(ctx, t, NULL);
  return mn_view(ctx, t, &(mn_view_attrs){.size = size});
}

mn_tensor *mn_add_number(mn_context *ctx, mn_tensor *t, double v) {
  return mn_add(ctx, t, MN_NONE, &(mn_add_attrs){.value = v, .alpha = 1});
}

mn_tensor *mn_mul_number(mn_context *ctx, mn_tensor *t, double v) {
  return mn_mul(ctx, t, MN_NONE, &(mn_mul_attrs){.value = v});
}

mn_tensor *mn_pow_number(mn_context *ctx, mn_tensor *t, double v) {
  return mn_pow(ctx, t, MN_NONE, &(mn_pow_attrs){.value = v});
}

mn_tensor *mn_zeros(mn_context *ctx, mn_list size, int dtype) {
  return mn_full(ctx, &(mn_full_attrs){.size = size, .value = 0, .dtype = dtype, .device = -1});
}
