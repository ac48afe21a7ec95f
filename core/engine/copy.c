/* copy.c: elements between arrays of any layout on any device, and the host's memory. What lies on a device is touched
 * by its backend alone: by copies of adjacent bytes, and for other layouts by the kernels of clone and assign. */
#include "engine/engine.h"
#include "rows.h"
#include <string.h>

static size_t bytes_of(const mn_array *a) { return (size_t)a->numel * mn_dtype_size(a->dtype); }

/* Between an array's elements in row-major order and a dense buffer, both in the host's memory. */
static void on_host(const mn_array *a, char *buffer, bool read) {
  size_t item = mn_dtype_size(a->dtype);
  if (a->contiguous) {
    if (a->numel > 0)
      memcpy(read ? (void *)buffer : a->data, read ? a->data : (void *)buffer, (size_t)a->numel * item);
    return;
  }
  mn_cursor at = mn_cursor_at(a->ndim, a->size, a->stride, 0);
  for (int64_t i = 0; i < a->numel; i++, mn_cursor_next(&at)) {
    char *element = (char *)a->data + at.offset * (int64_t)item, *place = buffer + (size_t)i * item;
    memcpy(read ? place : element, read ? element : place, item);
  }
}

static int run_kernel(mn_context *ctx, int op, int n_in, const mn_array *const *in, mn_array *out,
                      const mn_slot *attrs) {
  mn_scratches scratches;
  mn_scratches_open(&scratches, ctx, out->device);
  mn_call call = {.in = in, .out = &out, .n_in = n_in, .n_out = 1, .attrs = attrs};
  call.arena = &scratches.arena, call.device = ctx->devices[out->device];
  int failed = mn_execute(op, &call);
  mn_scratches_close(&scratches);
  return failed ? mn_error_set(ctx, MN_ERR_ARGUMENT, "copy: %s", call.error) : 0;
}

/* A dense array of a's elements with memory of its own on a's device. */
static int dense_like(mn_context *ctx, const mn_array *a, mn_array *dense) {
  *dense = (mn_array){.dtype = a->dtype, .ndim = a->ndim, .device = a->device};
  for (int d = 0; d < a->ndim; d++) dense->size[d] = a->size[d];
  if (mn_array_finish(ctx, "copy", dense)) return -1;
  dense->data = mn_device_get(ctx, a->device, bytes_of(dense));
  return dense->data ? 0 : -1;
}

int mn_array_read(mn_context *ctx, const mn_array *a, void *buffer) {
  if (mn_on_host(ctx, a->device)) return on_host(a, buffer, true), 0;
  if (a->contiguous || a->numel == 0) return mn_device_download(ctx, a->device, buffer, a->data, bytes_of(a));
  mn_array dense;
  if (dense_like(ctx, a, &dense)) return -1;
  int failed = run_kernel(ctx, MN_OP_clone, 1, &a, &dense, NULL) ||
               mn_device_download(ctx, a->device, buffer, dense.data, bytes_of(a));
  mn_device_put(ctx, a->device, dense.data, bytes_of(a));
  return failed ? -1 : 0;
}

/* Writes over a, of any layout, what a dense array on its device holds. */
static int assign(mn_context *ctx, mn_array *a, const mn_array *dense) {
  if (a->contiguous) return mn_device_within(ctx, a->device, a->data, dense->data, bytes_of(a));
  const mn_array *in[2] = {a, dense};
  return run_kernel(ctx, MN_OP_assign, 2, in, a, NULL);
}

int mn_array_write(mn_context *ctx, mn_array *a, const void *buffer) {
  if (mn_on_host(ctx, a->device)) return on_host(a, (char *)buffer, false), 0;
  if (a->contiguous || a->numel == 0) return mn_device_upload(ctx, a->device, a->data, buffer, bytes_of(a));
  mn_array dense;
  if (dense_like(ctx, a, &dense)) return -1;
  int failed = mn_device_upload(ctx, a->device, dense.data, buffer, bytes_of(a)) || assign(ctx, a, &dense);
  mn_device_put(ctx, a->device, dense.data, bytes_of(a));
  return failed ? -1 : 0;
}

int mn_array_copy(mn_context *ctx, mn_array *to, const mn_array *from) {
  if (to->device == from->device && from->contiguous && !mn_on_host(ctx, to->device))
    return assign(ctx, to, from);
  if (mn_on_host(ctx, from->device) && from->contiguous) return mn_array_write(ctx, to, from->data);
  if (mn_on_host(ctx, to->device) && to->contiguous) return mn_array_read(ctx, from, to->data);
  size_t bytes = bytes_of(from);
  void *between = mn_memory_get(ctx, bytes);
  if (!between) return -1;
  int failed = mn_array_read(ctx, from, between) || mn_array_write(ctx, to, between);
  mn_memory_put(ctx, between, bytes);
  return failed ? -1 : 0;
}

static void zero_on_host(mn_array *a) {
  size_t item = mn_dtype_size(a->dtype);
  if (a->contiguous) {
    if (a->numel > 0) memset(a->data, 0, bytes_of(a));
    return;
  }
  mn_cursor at = mn_cursor_at(a->ndim, a->size, a->stride, 0);
  for (int64_t i = 0; i < a->numel; i++, mn_cursor_next(&at))
    memset((char *)a->data + at.offset * (int64_t)item, 0, item);
}

int mn_array_zero(mn_context *ctx, mn_array *a) {
  if (mn_on_host(ctx, a->device)) return zero_on_host(a), 0;
  const mn_fill_attrs zero = {.value = 0};
  const mn_array *in = a;
  return run_kernel(ctx, MN_OP_fill, 1, &in, a, (const mn_slot *)&zero);
}
