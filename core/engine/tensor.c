/* tensor.c: tensors: how they are made, and what they say of themselves. */
#include "engine/engine.h"
#include <string.h>

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

int mn_tensor_allocate(mn_tensor *t) {
  t->storage = mn_storage_new(t->ctx, t->a.device, (size_t)t->a.numel * mn_dtype_size(t->a.dtype));
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
  t->a.device = ctx->default_device;
  for (int d = 0; d < ndim; d++) t->a.size[d] = sizes[d];
  if (mn_array_finish(ctx, "empty", &t->a) == 0 && mn_tensor_allocate(t) == 0) return t;
  mn_tensor_release(t);
  return NULL;
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
  }
  if (mn_record_grad(ctx, t, value)) return -1;
  if (value) value->refs++;
  mn_tensor_put_grad(t, value);
  mn_drain(t->ctx);
  return 0;
}
