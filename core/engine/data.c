/* data.c: how elements enter and leave: from and to the memory of whoever calls. */
#include "engine/engine.h"
#include <string.h>

mn_tensor *mn_tensor_from_data(mn_context *ctx, int dtype, int ndim, const int64_t *sizes, const void *data) {
  mn_tensor *t = mn_tensor_empty(ctx, dtype, ndim, sizes);
  if (!t || (mn_array_write(ctx, &t->a, data) == 0 && mn_record_constant(ctx, t, data, true) == 0)) return t;
  return mn_tensor_release(t), NULL;
}

int mn_tensor_read(mn_context *ctx, mn_tensor *t, void *out) {
  if (!t || mn_is_none(t)) return mn_error_set(ctx, MN_ERR_ARGUMENT, "read: expected a tensor");
  if (mn_tensor_readable(ctx, "read", t)) return -1;
  return mn_array_read(ctx, &t->a, out);
}

int mn_tensor_stretch(mn_context *ctx, mn_tensor *t, double before, double n, void *out) {
  double item = (double)mn_dtype_size(t->a.dtype);
  double first = (double)((char *)t->a.data - (char *)t->storage->data) - before * item,
         end = first + n * item;
  if (!(first >= 0 && n >= 0 && end <= (double)t->storage->bytes) && !t->storage->map)
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "stretch: %.0f elements from %.0f on reach beyond the storage",
                        n, -before);
  if (mn_tensor_readable(ctx, "stretch", t)) return -1;
  const char *from = (const char *)t->a.data - (int64_t)(before * item);
  mn_device *device = ctx->devices[t->a.device];
  if (mn_on_host(ctx, t->a.device)) return device->backend->within(device, out, from, (size_t)(n * item));
  return mn_device_download(ctx, t->a.device, out, from, (size_t)(n * item));
}

int mn_tensor_write(mn_context *ctx, mn_tensor *t, const void *data) {
  if (!t || mn_is_none(t)) return mn_error_set(ctx, MN_ERR_ARGUMENT, "write: expected a tensor");
  int recorded = mn_record_length(ctx);
  if (mn_record_constant(ctx, t, data, false)) return -1;
  if (mn_array_write(ctx, &t->a, data)) return mn_record_cut(ctx, recorded), -1;
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
static double element(int dtype, const void *p) {
  switch (dtype) {
  case MN_FLOAT32:
    return *(const float *)p;
  case MN_FLOAT64:
    return *(const double *)p;
  case MN_INT32:
    return *(const int32_t *)p;
  case MN_FLOAT16:
    return half_to_double(*(const uint16_t *)p, false);
  case MN_BFLOAT16:
    return half_to_double(*(const uint16_t *)p, true);
  default:
    return *(const uint8_t *)p;
  }
}

int mn_tensor_item(mn_context *ctx, mn_tensor *t, double *out) {
  if (!t || mn_is_none(t)) return mn_error_set(ctx, MN_ERR_ARGUMENT, "item: expected a tensor");
  if (mn_tensor_readable(ctx, "item", t)) return -1;
  if (t->a.numel != 1)
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "item: expected a tensor with one element, got one with %lld",
                        (long long)t->a.numel);
  _Alignas(8) char place[8];
  const void *p = t->a.data;
  if (!mn_on_host(ctx, t->a.device)) {
    if (mn_device_download(ctx, t->a.device, place, p, mn_dtype_size(t->a.dtype))) return -1;
    p = place;
  }
  if (t->a.dtype != MN_INT64) {
    double v = element(t->a.dtype, p);
    *out = isnan(v) ? NAN : v;
    return 0;
  }
  int64_t v;
  memcpy(&v, p, sizeof v);
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
