/* pool.c: pooling over the last two dims, and reading and writing planes at indices. Planes are independent.
 * It must not know of derivatives. */
#include "variant.h"
#include "dense.h"
#include "grain.h"
#define MN_SECTION "ops/conv.def"
#include "section.h"
#include <string.h>
#include <math.h>
#include <stdio.h>

/* Pixels from .. to - 1 are what a mean window sees, count what it divides by. */
typedef struct window {
  int64_t from, to, count;
} window;

/* planes of h x w on the wide side and of out_h x out_w on the pooled side. */
typedef struct pooling {
  int64_t planes, per_block, h, w, out_h, out_w, base;
  int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
  const void *in;
  void *out;
  const void *index;
  const window *window_h, *window_w;
  void *rows;
} pooling;

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

#define BODY "pool.inc"
#define KIND MN_FLOATS
#include "each_dtype.inc"

/* Sizes of the planes of both sides; planes are shared out in blocks of some ten thousand elements. */
static int64_t cut_planes(pooling *p, const mn_array *wide, const mn_array *pooled) {
  p->h = wide->size[wide->ndim - 2], p->w = wide->size[wide->ndim - 1];
  p->out_h = pooled->size[pooled->ndim - 2], p->out_w = pooled->size[pooled->ndim - 1];
  p->planes = 1;
  for (int d = 0; d < wide->ndim - 2; d++) p->planes *= wide->size[d];
  p->per_block = REDUCE_BLOCK / (p->h * p->w + p->out_h * p->out_w + 1) + 1;
  return (p->planes + p->per_block - 1) / p->per_block;
}

int MN_KERNEL(max_pool2d)(mn_call *call) {
  const mn_max_pool2d_attrs *t = mn_max_pool2d_of(call);
  pooling p = {.base = t->index_base,
               .kernel_h = t->kernel_size.v[0],
               .kernel_w = t->kernel_size.v[1],
               .stride_h = t->stride.v[0],
               .stride_w = t->stride.v[1],
               .pad_h = t->padding.v[0],
               .pad_w = t->padding.v[1],
               .dilation_h = t->dilation.v[0],
               .dilation_w = t->dilation.v[1],
               .out = call->out[0]->data,
               .index = call->out[1]->data};
  if (!(p.in = mn_dense_data(call, call->in[0]))) return -1;
  mn_parallel(cut_planes(&p, call->in[0], call->out[0]), MN_OF_FLOAT(call->out[0]->dtype, max_planes), &p);
  return 0;
}

static int check_indices(mn_call *call, const int64_t *index, int64_t count, int64_t base, int64_t size) {
  int64_t low = INT64_MAX, high = INT64_MIN;
  for (int64_t i = 0; i < count; i++) {
    low = index[i] < low ? index[i] : low;
    high = index[i] > high ? index[i] : high;
  }
  if (count == 0 || (low >= base && high < base + size)) return 0;
  snprintf(call->error, sizeof call->error, "index %lld is out of range, a plane has %lld to %lld",
           (long long)(low < base ? low : high), (long long)base, (long long)(base + size - 1));
  return -1;
}

int MN_KERNEL(plane_scatter)(mn_call *call) {
  const mn_plane_scatter_attrs *t = mn_plane_scatter_of(call);
  pooling p = {.base = t->index_base, .out = call->out[0]->data};
  int64_t blocks = cut_planes(&p, call->out[0], call->in[0]);
  if (!(p.in = mn_dense_data(call, call->in[0])) || !(p.index = mn_dense_data(call, call->in[1]))) return -1;
  if (check_indices(call, p.index, call->in[1]->numel, p.base, p.h * p.w)) return -1;
  mn_parallel(blocks, MN_OF_FLOAT(call->out[0]->dtype, scatter_planes), &p);
  return 0;
}

int MN_KERNEL(plane_gather)(mn_call *call) {
  const mn_plane_gather_attrs *t = mn_plane_gather_of(call);
  pooling p = {.base = t->index_base, .out = call->out[0]->data};
  int64_t blocks = cut_planes(&p, call->in[0], call->out[0]);
  if (!(p.in = mn_dense_data(call, call->in[0])) || !(p.index = mn_dense_data(call, call->in[1]))) return -1;
  if (check_indices(call, p.index, call->in[1]->numel, p.base, p.h * p.w)) return -1;
  mn_parallel(blocks, MN_OF_FLOAT(call->out[0]->dtype, gather_planes), &p);
  return 0;
}

/* Windows of average pooling along one dim. What is past the padding (ceil_mode) never counts. */
static void average_windows(window *to, int64_t count, int64_t size, int64_t kernel, int64_t stride,
                            int64_t around, int with_padding) {
  for (int64_t i = 0; i < count; i++) {
    int64_t from = i * stride - around, end = least(from + kernel, size + around);
    to[i].count = end - from;
    to[i].from = from < 0 ? 0 : from, to[i].to = least(end, size);
    if (!with_padding) to[i].count = to[i].to - to[i].from;
    if (to[i].count < 1) to[i].count = 1;
  }
}

static void adaptive_windows(window *to, int64_t count, int64_t size) {
  for (int64_t i = 0; i < count; i++) {
    to[i].from = i * size / count, to[i].to = ((i + 1) * size + count - 1) / count;
    to[i].count = to[i].to - to[i].from;
  }
}

static window *take_windows(mn_call *call, pooling *p, int64_t blocks) {
  window *all = mn_scratch(call, (size_t)(p->out_h + p->out_w + 1) * sizeof *all);
  p->rows = mn_scratch(call, (size_t)(blocks * p->w + 1) * mn_dtype_size(call->out[0]->dtype));
  if (!all || !p->rows) return NULL;
  p->window_h = all, p->window_w = all + p->out_h;
  return all;
}

static void share_windows(mn_call *call, pooling *p, int64_t blocks, int backward) {
  int dtype = call->out[0]->dtype;
  mn_parallel(blocks, backward ? MN_OF_FLOAT(dtype, spread_planes) : MN_OF_FLOAT(dtype, mean_planes), p);
}

static int average(mn_call *call, const mn_averaging *t, int backward) {
  pooling p = {.out = call->out[0]->data};
  int64_t blocks =
      backward ? cut_planes(&p, call->out[0], call->in[0]) : cut_planes(&p, call->in[0], call->out[0]);
  window *all = take_windows(call, &p, blocks);
  if (!all || !(p.in = mn_dense_data(call, call->in[0]))) return -1;
  const int64_t *kernel = t->kernel_size.v, *stride = t->stride.v, *around = t->padding.v;
  average_windows(all, p.out_h, p.h, kernel[0], stride[0], around[0], t->count_include_pad != 0);
  average_windows(all + p.out_h, p.out_w, p.w, kernel[1], stride[1], around[1], t->count_include_pad != 0);
  share_windows(call, &p, blocks, backward);
  return 0;
}

static int adaptive(mn_call *call, int backward) {
  pooling p = {.out = call->out[0]->data};
  int64_t blocks =
      backward ? cut_planes(&p, call->out[0], call->in[0]) : cut_planes(&p, call->in[0], call->out[0]);
  window *all = take_windows(call, &p, blocks);
  if (!all || !(p.in = mn_dense_data(call, call->in[0]))) return -1;
  adaptive_windows(all, p.out_h, p.h);
  adaptive_windows(all + p.out_h, p.out_w, p.w);
  share_windows(call, &p, blocks, backward);
  return 0;
}

int MN_KERNEL(avg_pool2d)(mn_call *call) { return average(call, &mn_avg_pool2d_of(call)->averaging, 0); }

int MN_KERNEL(avg_pool2d_grad)(mn_call *call) {
  return average(call, &mn_avg_pool2d_grad_of(call)->averaging, 1);
}

int MN_KERNEL(adaptive_avg_pool2d)(mn_call *call) { return adaptive(call, 0); }
int MN_KERNEL(adaptive_avg_pool2d_grad)(mn_call *call) { return adaptive(call, 1); }
