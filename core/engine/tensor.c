/* tensor.c: tensors, storages, their release, and how data enters and leaves. */
#include "engine/engine.h"
#include <string.h>

/* The absent optional input. It is never counted or freed. */
static mn_tensor none;
mn_tensor *mn_none(void) { return &none; }

mn_tensor *mn_tensor_header(mn_context *ctx) {
  mn_tensor *t = mn_memory_get(ctx, sizeof *t);
  if (!t) return NULL;
  memset(t, 0, sizeof *t);
  t->ctx = ctx;
  t->refs = 1;
  t->id = ctx->next_id++;
  ctx->refs++;
  ctx->stats.live_tensors++;
  return t;
}

/* A storage and its data are one block: the header fills the first 64 bytes. */
enum { STORAGE_HEADER = 64 };
_Static_assert(sizeof(mn_storage) <= STORAGE_HEADER, "the data must stay 64-byte aligned");

static mn_storage *storage_new(mn_context *ctx, size_t bytes) {
  mn_storage *s = mn_memory_get(ctx, STORAGE_HEADER + bytes);
  if (!s) return NULL;
  memset(s, 0, sizeof *s);
  s->bytes = STORAGE_HEADER + bytes;
  s->refs = 1;
  s->data = (char *)s + STORAGE_HEADER;
  s->id = ctx->next_id++;
  ctx->stats.live_storages++;
  return s;
}

int mn_tensor_allocate(mn_tensor *t) {
  t->storage = storage_new(t->ctx, (size_t)t->a.numel * mn_dtype_size(t->a.dtype));
  if (!t->storage) return -1;
  t->a.data = t->storage->data;
  return 0;
}

mn_tensor *mn_tensor_alias(mn_tensor *t) {
  mn_tensor *alias = mn_tensor_header(t->ctx);
  if (!alias) return NULL;
  alias->a = t->a;
  alias->id = t->id;
  alias->storage = t->storage;
  alias->storage->refs++;
  return alias;
}

/* ---- release ---- */

static void storage_unref(mn_context *ctx, mn_storage *s) {
  if (--s->refs > 0) return;
  mn_map_release(s->map);
  mn_memory_put(ctx, s, s->bytes);
  ctx->stats.live_storages--;
}

void mn_tensor_unref(mn_tensor *t) {
  if (!t || t == &none || --t->refs > 0) return;
  t->next_dead = t->ctx->dead_tensors;
  t->ctx->dead_tensors = t;
}

void mn_tensor_put_grad(mn_tensor *t, mn_tensor *grad) {
  mn_tensor *old = t->grad;
  if (grad) grad->is_grad_of++;
  t->grad = grad;
  if (old) old->is_grad_of--;
  mn_tensor_unref(old);
}

static void tensor_destroy(mn_tensor *t) {
  mn_context *ctx = t->ctx;
  if (t->flags & T_VIEW) t->storage->views--;
  if (t->storage) storage_unref(ctx, t->storage);
  if (t->flags & T_RETAIN_GRAD && t->node->outputs[t->out_nr] == t) t->node->outputs[t->out_nr] = NULL;
  if (t->flags & T_HOOKED) mn_number_died(ctx, -t->id);
  mn_node_unref(t->node);
  mn_tensor_put_grad(t, NULL);
  mn_memory_put(ctx, t, sizeof *t);
  ctx->stats.live_tensors--;
  ctx->refs--; /* mn_drain holds one more */
}

void mn_drain(mn_context *ctx) {
  if (ctx->draining || (!ctx->dead_tensors && !ctx->dead_nodes)) return;
  ctx->draining = 1;
  ctx->refs++;
  while (ctx->dead_tensors || ctx->dead_nodes) {
    if (ctx->dead_tensors) {
      mn_tensor *t = ctx->dead_tensors;
      ctx->dead_tensors = t->next_dead;
      tensor_destroy(t);
    } else {
      mn_node *node = ctx->dead_nodes;
      ctx->dead_nodes = node->next_dead;
      mn_node_destroy(node);
    }
  }
  ctx->draining = 0;
  mn_context_release(ctx);
}

void mn_tensor_retain(mn_tensor *t) {
  if (t && t != &none) t->refs++;
}

void mn_tensor_release(mn_tensor *t) {
  if (!t || t == &none) return;
  mn_context *ctx = t->ctx;
  mn_tensor_unref(t);
  mn_drain(ctx);
}

/* ---- data in and out ---- */

mn_tensor *mn_tensor_empty(mn_context *ctx, int dtype, int ndim, const int64_t *sizes) {
  if (dtype < 0 || dtype >= MN_DTYPE_COUNT)
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "empty: no such dtype"), NULL;
  if (ndim < 0 || ndim > MN_MAX_DIMS)
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "empty: expected at most %d dims, got %d", MN_MAX_DIMS, ndim),
           NULL;
  mn_tensor *t = mn_tensor_header(ctx);
  if (!t) return NULL;
  t->a.dtype = dtype;
  t->a.ndim = ndim;
  for (int d = 0; d < ndim; d++) t->a.size[d] = sizes[d];
  if (mn_array_finish(ctx, "empty", &t->a) == 0 && mn_tensor_allocate(t) == 0) return t;
  mn_tensor_release(t);
  return NULL;
}

mn_tensor *mn_tensor_from_data(mn_context *ctx, int dtype, int ndim, const int64_t *sizes, const void *data) {
  mn_tensor *t = mn_tensor_empty(ctx, dtype, ndim, sizes);
  if (t && t->a.numel > 0) memcpy(t->a.data, data, (size_t)t->a.numel * mn_dtype_size(dtype));
  return t;
}

/* Whether the elements at offset + sum of index * stride lie among n; fills in numel. */
static bool strides_fit(mn_array *a, int64_t offset, int64_t n) {
  double numel = 1, last = (double)offset;
  for (int d = 0; d < a->ndim; d++) {
    if (a->size[d] < 0 || a->stride[d] < 0) return false;
    numel *= (double)a->size[d];
    last += (double)(a->size[d] - 1) * (double)a->stride[d];
    if (!(numel <= 0x1p53 && last <= 0x1p53)) return false;
  }
  a->numel = (int64_t)numel;
  return offset >= 0 && (a->numel == 0 ? offset <= n : last < (double)n);
}

mn_tensor *mn_tensor_strided(mn_context *ctx, mn_tensor *t, int ndim, const int64_t *sizes,
                             const int64_t *strides, int64_t offset) {
  if (!t || mn_is_none(t) || !t->a.contiguous || ndim < 0 || ndim > MN_MAX_DIMS)
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "strided: expected a dense tensor and at most %d dims",
                        MN_MAX_DIMS),
           NULL;
  mn_array a = {.dtype = t->a.dtype, .ndim = ndim, .device = t->a.device};
  for (int d = 0; d < ndim; d++) a.size[d] = sizes[d], a.stride[d] = strides[d];
  if (!strides_fit(&a, offset, t->a.numel))
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "strided: the sizes and strides reach beyond the %lld elements",
                        (long long)t->a.numel),
           NULL;
  a.data = (char *)t->a.data + offset * (int64_t)mn_dtype_size(a.dtype);
  a.contiguous = mn_array_is_contiguous(&a);
  mn_tensor *made = mn_tensor_header(ctx);
  if (!made) return NULL;
  made->a = a;
  made->storage = t->storage;
  made->storage->refs++;
  return made;
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

/* ---- properties ---- */

double mn_tensor_id(const mn_tensor *t) { return t->id; }
double mn_storage_id(const mn_tensor *t) { return t->storage->id; }
double mn_tensor_version(const mn_tensor *t) { return t->storage->version; }
int mn_tensor_requires_grad(const mn_tensor *t) { return mn_tensor_needs_grad(t); }
int mn_tensor_is_leaf(const mn_tensor *t) { return t->node == NULL; }
int mn_tensor_is_parameter(const mn_tensor *t) { return (t->flags & T_PARAMETER) != 0; }
void mn_tensor_set_parameter(mn_tensor *t, int b) {
  t->flags = (uint16_t)(b ? t->flags | T_PARAMETER : t->flags & ~T_PARAMETER);
}
const char *mn_tensor_grad_fn(const mn_tensor *t) { return t->node ? mn_node_name(t->node) : NULL; }

int mn_tensor_set_requires_grad(mn_context *ctx, mn_tensor *t, int b) {
  if (t->node) {
    if (b) return 0;
    return mn_error_set(ctx, MN_ERR_ARGUMENT,
                        "requires_grad_: a tensor with a history always requires grad; use detach()");
  }
  if (b && !mn_dtype_is_float(t->a.dtype))
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "requires_grad_: expected a tensor of a float dtype, got %s",
                        mn_dtype_name(t->a.dtype));
  t->flags = (uint16_t)(b ? t->flags | T_REQUIRES_GRAD : t->flags & ~T_REQUIRES_GRAD);
  return 0;
}

int mn_tensor_set_retain_grad(mn_context *ctx, mn_tensor *t) {
  if (!mn_tensor_needs_grad(t))
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "retain_grad: the tensor doesn't require grad");
  if (!t->node) return 0;
  if (mn_node_outputs(t->node)) return -1;
  t->flags |= T_RETAIN_GRAD;
  t->node->outputs[t->out_nr] = t;
  return 0;
}

mn_tensor *mn_tensor_grad(mn_tensor *t) {
  if (!t->grad) return mn_none();
  t->grad->refs++;
  return t->grad;
}

int mn_tensor_set_grad(mn_context *ctx, mn_tensor *t, mn_tensor *grad) {
  if (!t || !grad) return mn_error_set(ctx, MN_ERR_ARGUMENT, "grad: expected a tensor");
  mn_tensor *value = mn_is_none(grad) ? NULL : grad;
  for (const mn_tensor *g = value; g; g = g->grad)
    if (g == t)
      return mn_error_set(ctx, MN_ERR_ARGUMENT, "grad: a tensor can't be its own gradient%s",
                          g == value ? "" : ", by way of another one's");
  if (value && value->ctx != t->ctx)
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "grad: the gradient belongs to another context");
  if (value) {
    if (value->node)
      return mn_error_set(ctx, MN_ERR_ARGUMENT, "grad: a gradient must not have a history; detach() it");
    char want[128], got[128];
    if (value->a.dtype != t->a.dtype || !mn_same_size(&value->a, &t->a))
      return mn_error_set(ctx, MN_ERR_ARGUMENT, "grad: expected %s of size %s, got %s of size %s",
                          mn_dtype_name(t->a.dtype), mn_shape_text(&t->a, want),
                          mn_dtype_name(value->a.dtype), mn_shape_text(&value->a, got));
    value->refs++;
  }
  mn_tensor_put_grad(t, value);
  mn_drain(t->ctx);
  return 0;
}
