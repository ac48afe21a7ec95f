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

int mn_reshape_copies(const mn_tensor *t, int ndim, const int64_t *sizes) {
  const mn_array *in = mn_arr(t);
  if (in->contiguous || in->numel == 0 || ndim < 0 || ndim > MN_MAX_DIMS) return 0;
  mn_array out = {.ndim = ndim};
  int64_t product = 1;
  int unknown = -1;
  for (int d = 0; d < ndim; d++) {
    out.size[d] = sizes[d];
    if (out.size[d] == -1 && unknown < 0) unknown = d;
    else if (out.size[d] < 1 || __builtin_mul_overflow(product, out.size[d], &product)) return 0;
  }
  if (unknown >= 0) out.size[unknown] = in->numel / product;
  if (product * (unknown >= 0 ? out.size[unknown] : 1) != in->numel) return 0;
  return !mn_view_strides(&out, in);
}

mn_tensor *mn_reshape(mn_context *ctx, mn_tensor *t, mn_list size) {
  if (!t) return NULL;
  if (mn_reshape_copies(t, (int)size.n, size.v)) t = mn_clone(ctx, t, NULL);
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
