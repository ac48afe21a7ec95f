/* infer.c: what shape rules share: checks, messages, broadcasting. */
#include "engine/engine.h"
#include <stdarg.h>
#include <stdio.h>

int mn_fail(const mn_infer *x, const char *format, ...) {
  char text[800];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  return mn_error_set(x->ctx, MN_ERR_ARGUMENT, "%s: %s", x->op->name, text);
}

static const char *sizes_text(int n, const int64_t *v, char buf[128]) {
  int at = snprintf(buf, 128, "(");
  for (int d = 0; d < n && at < 100; d++)
    at += snprintf(buf + at, (size_t)(128 - at), "%s%lld", d ? " x " : "", (long long)v[d]);
  snprintf(buf + at, (size_t)(128 - at), ")");
  return buf;
}

const char *mn_shape_text(const mn_array *a, char buf[128]) { return sizes_text(a->ndim, a->size, buf); }
const char *mn_list_text(const mn_list *l, char buf[128]) { return sizes_text((int)l->n, l->v, buf); }

int mn_check_dim(const mn_infer *x, int64_t *dim, int ndim) {
  int64_t d = *dim;
  int n = ndim > 0 ? ndim : 1;
  if (d < -n || d >= n) {
    long long shown = d >= 0 && d < INT64_MAX ? d + x->ctx->message_base : d;
    return mn_fail(x, "dim %lld is out of range for a tensor with %d dims", shown, ndim);
  }
  *dim = d < 0 ? d + n : d;
  return 0;
}

int mn_check_number(const mn_infer *x, int dtype, const char *what, double value) {
  double low = dtype == MN_INT64 ? -0x1p63 : dtype == MN_INT32 ? -0x1p31 : 0;
  double end = dtype == MN_INT64 ? 0x1p63 : dtype == MN_INT32 ? 0x1p31 : dtype == MN_UINT8 ? 256 : 2;
  if (mn_dtype_is_float(dtype) || (value == floor(value) && value >= low && value < end)) return 0;
  return mn_fail(x, "the %s %.14g doesn't fit a %s tensor; make it a float tensor first, with :float()", what,
                 value, mn_dtype_name(dtype));
}

int mn_check_device(const mn_infer *x, int64_t device) {
  if (device >= 0 && device < x->ctx->n_devices) return 0;
  return mn_fail(x, "no device has the number %lld", (long long)device);
}

int mn_check_dims(const mn_infer *x, mn_list *dims, int ndim) {
  if (dims->n == -1) {
    dims->n = ndim;
    for (int d = 0; d < ndim; d++) dims->v[d] = d;
    return 0;
  }
  if (dims->n < 0 || dims->n > MN_MAX_DIMS) return mn_fail(x, "expected at most %d dims", MN_MAX_DIMS);
  unsigned seen = 0;
  for (int i = 0; i < dims->n; i++) {
    if (mn_check_dim(x, &dims->v[i], ndim)) return -1;
    if (seen >> dims->v[i] & 1)
      return mn_fail(x, "dim %lld is given twice", (long long)dims->v[i] + x->ctx->message_base);
    seen |= 1u << dims->v[i];
  }
  if (ndim == 0) dims->n = 0; /* a 0-dim tensor's only dim is imagined */
  return 0;
}

/* ---- broadcasting ---- */

int mn_broadcast(const mn_infer *x, const mn_array *const *arrays, int n, mn_array *out) {
  int ndim = 0;
  for (int i = 0; i < n; i++)
    if (arrays[i] && arrays[i]->ndim > ndim) ndim = arrays[i]->ndim;
  out->ndim = ndim;
  for (int d = 0; d < ndim; d++) out->size[d] = 1;
  for (int i = 0; i < n; i++) {
    if (!arrays[i]) continue;
    int shift = ndim - arrays[i]->ndim;
    for (int d = 0; d < arrays[i]->ndim; d++) {
      int64_t have = out->size[d + shift], got = arrays[i]->size[d];
      if (got == have || got == 1) continue;
      if (have == 1) {
        out->size[d + shift] = got;
        continue;
      }
      char a[128], b[128];
      const mn_array *first = arrays[0] ? arrays[0] : arrays[1];
      return mn_fail(x, "sizes don't broadcast, %s and %s", mn_shape_text(i ? first : arrays[1], a),
                     mn_shape_text(arrays[i], b));
    }
  }
  return 0;
}
