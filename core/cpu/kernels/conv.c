/* conv.c: conv2d and its two gradients, of any stride, padding, dilation and groups. Work is cut into tiles
 * of result pixels (or of weights) by shape alone. It must not know of derivatives. */
#include "variant.h"
#include "dense.h"
#include "grain.h"
#include "tile.h"
#define MN_SECTION "ops/conv.def"
#include "section.h"
#include <string.h>

enum { MOST_COPIES = 6 }; /* vectors of a panel's row, up to which rows are copied by vectors */

/* A copy of planes of from, (N, C, H, W), into planes of height x width, shifted by top and left, zero
 * around. */
typedef struct padding {
  const mn_array *from;
  void *to;
  int64_t top, left, height, width, plane; /* plane: from one to the next, in elements */
} padding;

/* Planes a multiple of 512 bytes apart would meet in a few sets of the cache: those get one line more. */
static int64_t plane_step(int64_t height, int64_t width, int dtype) {
  int64_t size = (int64_t)mn_dtype_size(dtype), plane = height * width;
  return plane * size % 512 ? plane : plane + 64 / size;
}

/* For each group: rows x depth weights times depth x (images * grid) pixels. Pixel (n, h, w) of depth k is
 * source[n * from_image + h * from_h + w * from_w + offset[k]]; row r of its result is added at
 * out[n * to_image + r * to_row + h * to_h + w * to_w]. The weight gradient, rows x depth sums over pixels,
 * has the result's gradient (from grad, arranged by channel in weight) in the place of weights, and cuts the pixels
 * into parts. */
typedef struct correlation {
  int64_t images, groups, rows, depth, grid_h, grid_w;
  const void *source, *bias;
  void *weight, *out;
  const int64_t *offset;
  const mn_array *grad;
  int64_t from_image, from_group, from_h, from_w, to_image, to_row, to_h, to_w, bias_step, tiles_per_block,
      parts;
} correlation;

#define BODY "conv.inc"
#define KIND MN_FLOATS
#include "each_dtype.inc"

static int64_t divide_up(int64_t a, int64_t b) { return a > 0 ? (a + b - 1) / b : 0; }
static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

/* A picture without the dim of images gets one. */
static mn_array with_images(const mn_array *a) {
  mn_array b = *a;
  for (int d = 0; a->ndim == 3 && d < 4; d++) {
    b.size[d] = d ? a->size[d - 1] : 1;
    b.stride[d] = d ? a->stride[d - 1] : 0;
  }
  b.ndim = 4;
  return b;
}

/* The padded copy of a, with room for vectors that reach over the end. */
static const void *pad(mn_call *call, const mn_array *a, padding *p) {
  size_t size = mn_dtype_size(a->dtype);
  int64_t planes = a->size[0] * a->size[1];
  p->from = a;
  p->to = mn_scratch(call, (size_t)(planes * p->plane) * size + 256);
  if (!p->to) return NULL;
  memset((char *)p->to + (size_t)(planes * p->plane) * size, 0, 256);
  mn_parallel(a->size[0], MN_OF_FLOAT(a->dtype, pad_image), p);
  return p->to;
}

static int64_t *tap_offsets(mn_call *call, int64_t channels, int64_t plane, const int64_t *taps,
                            int64_t count) {
  int64_t *offset = mn_scratch(call, (size_t)(channels * count + 1) * sizeof *offset);
  for (int64_t c = 0; offset && c < channels; c++)
    for (int64_t t = 0; t < count; t++) offset[c * count + t] = c * plane + taps[t];
  return offset;
}

/* What conv2d and its weight gradient share: the padded input and where each tap is read. */
static int read_input(mn_call *call, correlation *g, const mn_array *x, int64_t kh, int64_t kw,
                      const mn_windows *windows) {
  const int64_t *stride = windows->stride.v, *around = windows->padding.v, *dilation = windows->dilation.v;
  padding p = {.top = around[0],
               .left = around[1],
               .height = x->size[2] + 2 * around[0],
               .width = x->size[3] + 2 * around[1]};
  int64_t channels = x->size[1] / g->groups, plane = plane_step(p.height, p.width, x->dtype);
  p.plane = plane;
  int64_t *taps = mn_scratch(call, (size_t)(kh * kw + 1) * sizeof *taps);
  if (!taps) return -1;
  for (int64_t t = 0; t < kh * kw; t++) taps[t] = t / kw * dilation[0] * p.width + t % kw * dilation[1];
  g->images = x->size[0], g->depth = channels * kh * kw;
  g->from_image = x->size[1] * plane, g->from_group = channels * plane;
  g->from_h = stride[0] * p.width, g->from_w = stride[1];
  g->offset = tap_offsets(call, channels, plane, taps, kh * kw);
  g->source = pad(call, x, &p);
  return g->offset && g->source ? 0 : -1;
}

int MN_KERNEL(conv2d)(mn_call *call) {
  const mn_conv2d_attrs *t = mn_conv2d_of(call);
  const mn_array *w = call->in[1], *bias = call->in[2];
  mn_array x = with_images(call->in[0]), y = with_images(call->out[0]);
  correlation g = {.groups = t->groups,
                   .rows = w->size[0] / t->groups,
                   .grid_h = y.size[2],
                   .grid_w = y.size[3],
                   .out = y.data,
                   .to_image = y.size[1] * y.size[2] * y.size[3],
                   .to_row = y.size[2] * y.size[3],
                   .to_h = y.size[3],
                   .to_w = 1};
  if (y.numel == 0) return 0;
  if (bias) g.bias = bias->data, g.bias_step = bias->stride[0];
  g.weight = (void *)mn_dense_data(call, w);
  if (!g.weight || read_input(call, &g, &x, w->size[2], w->size[3], &t->windows)) return -1;
  MN_OF_FLOAT(y.dtype, correlate)(&g);
  return 0;
}

/* The input gradient along one dim. Input pixel i takes tap k of result pixel (i + around - k * dilation) /
 * stride, where that divides; `before` zeros stand before the result's pixels. */
typedef struct axis {
  int64_t size, kernel, stride, around, dilation, before, length;
} axis;

static axis make_axis(const mn_conv2d_input_grad_attrs *t, int d, int64_t kernel, int64_t result) {
  axis a = {.size = t->size.v[d],
            .kernel = kernel,
            .stride = t->stride.v[d],
            .around = t->padding.v[d],
            .dilation = t->dilation.v[d]};
  a.before = divide_up((kernel - 1) * a.dilation - a.around, a.stride);
  a.length = a.before + larger(result, (a.size - 1 + a.around) / a.stride + 1);
  return a;
}

/* Where, among the padded result's pixels, input pixel `start` finds tap k; -1 if nowhere. */
static int64_t tap_at(const axis *a, int64_t start, int64_t k) {
  int64_t at = start + a->around - k * a->dilation + a->before * a->stride;
  return at % a->stride ? -1 : at / a->stride;
}

/* Pixels h0, h0 + stride, ... by w0, w0 + stride, ... of the input gradient: they share their taps. */
static void input_grad_phase(correlation *g, const mn_array *w, const axis *h, const axis *v, int64_t h0,
                             int64_t w0, int64_t *offset, int64_t *taps) {
  int count = 0;
  int64_t outs = w->size[0] / g->groups, plane = plane_step(h->length, v->length, w->dtype);
  g->offset = offset;
  for (int64_t k = 0; k < h->kernel * v->kernel; k++) {
    int64_t y = tap_at(h, h0, k / v->kernel), x = tap_at(v, w0, k % v->kernel);
    if (y < 0 || x < 0) continue;
    offset[count] = y * v->length + x;
    taps[count++] = k / v->kernel * w->stride[2] + k % v->kernel * w->stride[3];
  }
  for (int64_t o = outs - 1; o >= 0; o--)
    for (int t = 0; t < count; t++) offset[o * count + t] = offset[t] + o * plane;
  g->depth = outs * count;
  g->grid_h = divide_up(h->size - h0, h->stride), g->grid_w = divide_up(v->size - w0, v->stride);
  MN_OF_FLOAT(w->dtype, transpose_weight)(w, g->groups, taps, count, g->weight);
  MN_OF_FLOAT(w->dtype, correlate)(g);
}

int MN_KERNEL(conv2d_input_grad)(mn_call *call) {
  const mn_conv2d_input_grad_attrs *t = mn_conv2d_input_grad_of(call);
  const mn_array *w = call->in[1];
  mn_array y = with_images(call->in[0]), x = with_images(call->out[0]);
  axis h = make_axis(t, 0, w->size[2], y.size[2]), v = make_axis(t, 1, w->size[3], y.size[3]);
  padding p = {.top = h.before,
               .left = v.before,
               .height = h.length,
               .width = v.length,
               .plane = plane_step(h.length, v.length, x.dtype)};
  correlation g = {.images = x.size[0],
                   .groups = t->groups,
                   .rows = w->size[1],
                   .from_image = y.size[1] * p.plane,
                   .from_h = v.length,
                   .from_w = 1,
                   .from_group = y.size[1] / t->groups * p.plane,
                   .to_image = x.size[1] * h.size * v.size,
                   .to_row = h.size * v.size,
                   .to_h = h.stride * v.size,
                   .to_w = v.stride};
  if (x.numel == 0) return 0;
  size_t size = mn_dtype_size(x.dtype), kernel = (size_t)(h.kernel * v.kernel);
  int64_t *offset =
      mn_scratch(call, ((size_t)(y.size[1] / t->groups) * kernel + kernel + 1) * sizeof *offset);
  int64_t *taps = mn_scratch(call, (kernel + 1) * sizeof *taps);
  g.weight = mn_scratch(call, (size_t)w->numel * size + 1);
  g.source = pad(call, &y, &p);
  if (!offset || !taps || !g.weight || !g.source) return -1;
  for (int64_t h0 = 0; h0 < h.stride && h0 < h.size; h0++)
    for (int64_t w0 = 0; w0 < v.stride && w0 < v.size; w0++) {
      g.out = (char *)x.data + (size_t)(h0 * v.size + w0) * size;
      input_grad_phase(&g, w, &h, &v, h0, w0, offset, taps);
    }
  return 0;
}

int MN_KERNEL(conv2d_weight_grad)(mn_call *call) {
  const mn_conv2d_weight_grad_attrs *t = mn_conv2d_weight_grad_of(call);
  mn_array y = with_images(call->in[0]), x = with_images(call->in[1]), *w = call->out[0];
  correlation g = {.groups = t->groups,
                   .rows = w->size[0] / t->groups,
                   .grid_h = y.size[2],
                   .grid_w = y.size[3],
                   .out = w->data,
                   .grad = &y,
                   .parts = 1};
  size_t size = mn_dtype_size(w->dtype);
  if (w->numel == 0) return 0;
  if (y.numel == 0 || x.numel == 0) return memset(w->data, 0, (size_t)w->numel * size), 0;
  if (read_input(call, &g, &x, w->size[2], w->size[3], &t->windows)) return -1;
  int64_t units = g.groups * divide_up(g.depth, 16), pixels = y.size[0] * y.size[2] * y.size[3];
  while (units * g.parts < 8 && pixels / g.parts > 2048) g.parts *= 2;
  g.weight = mn_scratch(call, (size_t)y.numel * size);
  if (g.parts > 1) g.out = mn_scratch(call, (size_t)(w->numel * g.parts) * size);
  if (!g.weight || !g.out) return -1;
  MN_OF_FLOAT(w->dtype, weight_grad)(&g, w->data);
  return 0;
}
