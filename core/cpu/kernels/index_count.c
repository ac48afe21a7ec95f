/* index_count.c: kernels of nonzero, one_hot and bincount. */
#include "copy.h"
#include "index.h"
#define MN_SECTION "ops/index.def"
#include "section.h"
#include <string.h>

/* Row by row along the last dim, as bools, so that one loop serves all dtypes and layouts. */
int MN_KERNEL(nonzero)(mn_call *call) {
  enum { CHUNK = 512 };
  uint8_t truth[CHUNK];
  int64_t base = mn_nonzero_of(call)->index_base, at[MN_MAX_DIMS] = {0};
  const mn_array *in = call->in[0];
  int64_t *to = call->out[0]->data, item = (int64_t)mn_dtype_size(in->dtype);
  int n = in->ndim, last = n - 1;
  int64_t cols = n ? in->size[last] : 1, step = n ? in->stride[last] * item : 0;
  mn_row_fn row = MN_KERNEL(row_copier)(MN_BOOL, in->dtype);
  for (int64_t done = 0; done < in->numel;) {
    const char *from = in->data;
    for (int d = 0; d < n; d++) from += at[d] * in->stride[d] * item;
    int64_t start = n ? at[last] : 0, count = cols - start < CHUNK ? cols - start : CHUNK;
    row((char *)truth, 1, from, step, count);
    for (int64_t c = 0; c < count; c++) {
      if (!truth[c]) continue;
      for (int d = 0; d < last; d++) *to++ = at[d] + base;
      if (n) *to++ = start + c + base;
    }
    done += count;
    if (n) at[last] += count;
    for (int d = last; d > 0 && at[d] == in->size[d]; d--) at[d] = 0, at[d - 1]++;
  }
  return 0;
}

int MN_KERNEL(one_hot)(mn_call *call) {
  const mn_one_hot_attrs *a = mn_one_hot_of(call);
  const mn_array *in = call->in[0], *out = call->out[0];
  int64_t *index = MN_KERNEL(read_index)(call, in, a->index_base, a->num_classes, in->ndim, 0);
  if (!index) return -1;
  double one = 1;
  size_t item = mn_dtype_size(out->dtype);
  char value[8];
  MN_KERNEL(row_copier)(out->dtype, MN_FLOAT64)(value, 8, (const char *)&one, 8, 1);
  MN_KERNEL(fill_array)(out, 0);
  char *to = out->data;
  for (int64_t i = 0; i < in->numel; i++)
    memcpy(to + (size_t)(i * a->num_classes + index[i]) * item, value, item);
  return 0;
}

/* Sums in float64 whatever the dtype: one by one in float32, millions of small weights would be lost. */
static void count_weights(const mn_array *out, const int64_t *index, const double *weights, int64_t n,
                          double *sums) {
  for (int64_t i = 0; i < out->numel; i++) sums[i] = 0;
  for (int64_t i = 0; i < n; i++) sums[index[i]] += weights[i];
  mn_array from = *out;
  from.data = sums, from.dtype = MN_FLOAT64;
  MN_KERNEL(copy_array)(out, &from);
}

int MN_KERNEL(bincount)(mn_call *call) {
  const mn_bincount_attrs *a = mn_bincount_of(call);
  const mn_array *in = call->in[0], *weights = call->in[1], *out = call->out[0];
  int64_t n = in->numel, *index = MN_KERNEL(read_index)(call, in, a->index_base, out->size[0], 0, 0);
  if (!index) return -1;
  double *wide = weights ? mn_scratch(call, (size_t)(n + 1) * sizeof *wide) : NULL;
  double *sums = weights ? mn_scratch(call, (size_t)(out->numel + 1) * sizeof *sums) : NULL;
  if (weights && !(wide && sums)) return -1;
  if (weights) {
    MN_KERNEL(row_copier)
    (MN_FLOAT64, weights->dtype)((char *)wide, 8, weights->data,
                                 weights->stride[0] * (int64_t)mn_dtype_size(weights->dtype), n);
    count_weights(out, index, wide, n, sums);
  } else {
    MN_KERNEL(fill_array)(out, 0);
    int64_t *to = out->data;
    for (int64_t i = 0; i < n; i++) to[index[i]]++;
  }
  return 0;
}
