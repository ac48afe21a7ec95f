/* norm.c: batch norm over all dims but dim 1, its gradients, and their gradients. Channels are independent.
 * It must not know of derivatives beyond these formulas. */
#include "copy.h"
#include "dense.h"
#include "grain.h"
#include "vector.h"
#define MN_SECTION "ops/norm.def"
#include "section.h"
#include <string.h>
#include <math.h>

/* What is added up over a channel; the arrays of a call. */
enum { MOMENTS, PRODUCTS, TRIPLES };
enum { X, G, V, OUT, OUT2, ARRAYS };

typedef struct norm norm;
struct norm {
  int64_t images, channels, length, image_step, channel_step, per_block;
  void *array[ARRAYS], *small[2]; /* small: results of one number a channel */
  const mn_array *weight, *bias, *mean, *var, *a, *b;
  double eps;
  void (*channel)(const norm *p, int64_t c);
};

#define BODY "norm.inc"
#define KIND MN_FLOATS
#include "each_dtype.inc"

/* Without elements there is nothing to run for, and all sums and means are 0. */
static int take_shape(mn_call *call, norm *p, int in, int n_out) {
  const mn_array *x = call->in[in];
  p->images = x->size[0], p->channels = x->size[1], p->length = 1;
  for (int d = 2; d < x->ndim; d++) p->length *= x->size[d];
  p->image_step = p->channels * p->length, p->channel_step = p->length;
  for (int k = 0; k < n_out; k++) p->array[OUT + k] = call->out[k]->data;
  for (int k = 0; k < 3 && x->numel == 0; k++)
    memset(call->out[k]->data, 0, (size_t)call->out[k]->numel * mn_dtype_size(x->dtype));
  return x->numel > 0;
}

static int take_input(mn_call *call, norm *p, int which, int in) {
  if (call->in[in]) p->array[which] = (void *)mn_dense_data(call, call->in[in]);
  return call->in[in] && !p->array[which] ? -1 : 0;
}

/* From (images, channels, length) to (channels, images, length), or back. */
static void transpose(const norm *p, int dtype, void *from, void *to, bool back) {
  mn_array by_image = {.dtype = dtype, .ndim = 3, .numel = p->images * p->channels * p->length};
  by_image.size[0] = p->channels, by_image.stride[0] = p->length;
  by_image.size[1] = p->images, by_image.stride[1] = p->image_step;
  by_image.size[2] = p->length, by_image.stride[2] = 1;
  mn_array by_channel = by_image;
  by_channel.stride[0] = p->images * p->length, by_channel.stride[1] = p->length;
  by_image.data = back ? to : from, by_channel.data = back ? from : to;
  MN_KERNEL(copy_array)(back ? &by_image : &by_channel, back ? &by_channel : &by_image);
}

/* Runs p->channel for every channel. Short rows are brought together by channel first: the loops along them
 * would have nothing to vectorise. */
static int each_channel(mn_call *call, norm *p, int n_out) {
  int dtype = call->out[0]->dtype, transposed = p->images > 1 && p->length < NORM_SHORT;
  int64_t each = p->images * p->length;
  void *results[2] = {p->array[OUT], p->array[OUT2]};
  if (transposed) {
    for (int i = 0; i < ARRAYS; i++) {
      if (!p->array[i]) continue;
      void *copy = mn_scratch(call, (size_t)(each * p->channels) * mn_dtype_size(dtype));
      if (!copy) return -1;
      if (i < OUT) transpose(p, dtype, p->array[i], copy, false);
      p->array[i] = copy;
    }
  }
  norm q = *p;
  if (transposed) q.images = 1, q.length = q.channel_step = each;
  q.per_block = NORM_BLOCK / each + 1;
  mn_parallel((q.channels + q.per_block - 1) / q.per_block, MN_OF_FLOAT(dtype, channels), &q);
  for (int k = 0; transposed && k < n_out; k++) transpose(p, dtype, p->array[OUT + k], results[k], true);
  return 0;
}

int MN_KERNEL(batch_norm)(mn_call *call) {
  norm p = {.weight = call->in[1],
            .bias = call->in[2],
            .small = {call->out[1]->data, call->out[2]->data},
            .eps = mn_batch_norm_of(call)->eps};
  p.channel = MN_OF_FLOAT(call->out[0]->dtype, forward);
  if (!take_shape(call, &p, 0, 1)) return 0;
  return take_input(call, &p, X, 0) ? -1 : each_channel(call, &p, 1);
}

int MN_KERNEL(batch_norm_grad)(mn_call *call) {
  norm p = {.weight = call->in[2],
            .mean = call->in[3],
            .var = call->in[4],
            .small = {call->out[1]->data, call->out[2]->data},
            .eps = mn_batch_norm_grad_of(call)->eps};
  p.channel = MN_OF_FLOAT(call->out[0]->dtype, backward);
  if (!take_shape(call, &p, 1, 1)) return 0;
  return take_input(call, &p, X, 1) || take_input(call, &p, G, 0) ? -1 : each_channel(call, &p, 1);
}

int MN_KERNEL(batch_norm_grad_grad)(mn_call *call) {
  norm p = {.a = call->in[1],
            .b = call->in[2],
            .weight = call->in[5],
            .mean = call->in[6],
            .var = call->in[7],
            .small = {call->out[2]->data},
            .eps = mn_batch_norm_grad_grad_of(call)->eps};
  p.channel = MN_OF_FLOAT(call->out[0]->dtype, twice);
  if (!take_shape(call, &p, 4, 2)) return 0;
  return take_input(call, &p, X, 4) || take_input(call, &p, G, 3) || take_input(call, &p, V, 0)
             ? -1
             : each_channel(call, &p, 2);
}
