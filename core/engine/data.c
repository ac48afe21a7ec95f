/* data.c: how elements enter and leave: from and to the memory of whoever calls. */
#include "engine/engine.h"
#include <string.h>

mn_tensor *mn_tensor_from_data(mn_context *ctx, int dtype, int ndim, const int64_t *sizes, const void *data) {
  mn_tensor *t = mn_tensor_empty(ctx, dtype, ndim, sizes);
  if (t && t->a.numel > 0) memcpy(t->a.data, data, (size_t)t->a.numel * mn_dtype_size(dtype));
  return t;
}

/* Copies between t's elements in row-major order and a dense buffer. */
static void transfer(const mn_array *a, char *buffer, bool read) {
  size_t item = mn_dtype_size(a->dtype);
  if (a->contiguous) {
    if (a->numel > 0)
      memcpy(read ? (void *)buffer : a->data, read ? a->data : (void *)buffer, (size_t)a->numel * item);
    return;
  }
  int64_t index[MN_MAX_DIMS] = {0};
  for (int64_t i = 0, offset = 0; i < a->numel; i++) {
    char *element = (char *)a->data + offset * (int64_t)item, *place = buffer + (size_t)i * item;
    memcpy(read ? place : element, read ? element : place, item);
    for (int d = a->ndim - 1; d >= 0; d--) {
      offset += a->stride[d];
      if (++index[d] < a->size[d]) break;
      offset -= a->stride[d] * a->size[d];
      index[d] = 0;
    }
  }
}

int mn_tensor_read(mn_context *ctx, mn_tensor *t, void *out) {
  if (!t || mn_is_none(t)) return mn_error_set(ctx, MN_ERR_ARGUMENT, "read: expected a tensor");
  transfer(&t->a, out, true);
  return 0;
}

int mn_tensor_write(mn_context *ctx, mn_tensor *t, const void *data) {
  if (!t || mn_is_none(t)) return mn_error_set(ctx, MN_ERR_ARGUMENT, "write: expected a tensor");
  transfer(&t->a, (char *)data, false);
  t->storage->version++;
  return 0;
}

/* The NaNs among n floats become the one of C: code that gets them as numbers may keep types in a NaN's bits. */
static void canonical_nans(int dtype, int64_t n, void *data) {
  float *f = data;
  double *d = data;
  for (int64_t i = 0; dtype == MN_FLOAT32 && i < n; i++)
    if (isnan(f[i])) f[i] = NAN;
  for (int64_t i = 0; dtype == MN_FLOAT64 && i < n; i++)
    if (isnan(d[i])) d[i] = NAN;
}

int mn_tensor_values(mn_context *ctx, mn_tensor *t, void *out) {
  if (mn_tensor_read(ctx, t, out)) return -1;
  canonical_nans(t->a.dtype, t->a.numel, out);
  return 0;
}

static double half_to_double(uint16_t h, bool bfloat) {
  if (bfloat) {
    uint32_t bits = (uint32_t)h << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
  }
  int e = (h >> 10) & 31, m = h & 1023;
  double v = e == 31 ? (m ? NAN : INFINITY) : e ? ldexp(1024 + m, e - 25) : ldexp(m, -24);
  return h & 0x8000 ? -v : v;
}

/* An element that isn't an int64. */
static double element(const mn_array *a) {
  switch (a->dtype) {
  case MN_FLOAT32:
    return *(const float *)a->data;
  case MN_FLOAT64:
    return *(const double *)a->data;
  case MN_INT32:
    return *(const int32_t *)a->data;
  case MN_FLOAT16:
    return half_to_double(*(const uint16_t *)a->data, false);
  case MN_BFLOAT16:
    return half_to_double(*(const uint16_t *)a->data, true);
  default:
    return *(const uint8_t *)a->data;
  }
}

int mn_tensor_item(mn_context *ctx, mn_tensor *t, double *out) {
  if (!t || mn_is_none(t)) return mn_error_set(ctx, MN_ERR_ARGUMENT, "item: expected a tensor");
  if (t->a.numel != 1)
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "item: expected a tensor with one element, got one with %lld",
                        (long long)t->a.numel);
  if (t->a.dtype != MN_INT64) {
    double v = element(&t->a);
    *out = isnan(v) ? NAN : v;
    return 0;
  }
  int64_t v = *(const int64_t *)t->a.data;
  if (v > (1LL << 53) || v < -(1LL << 53))
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "item: %lld doesn't fit a number exactly (beyond 2^53)",
                        (long long)v);
  *out = (double)v;
  return 0;
}

double mn_tensor_number(mn_context *ctx, mn_tensor *t) {
  double v;
  return mn_tensor_item(ctx, t, &v) ? NAN : v;
}
