/* reduce_plan.c: sorts the dims of a reduction's input into kept and reduced ones, and merges neighbours. */
#include "reduce.h"

typedef struct dims {
  int n;
  int64_t size[MN_MAX_DIMS], stride[MN_MAX_DIMS];
} dims;

static void put(dims *d, int64_t size, int64_t stride) {
  if (size == 1) return;
  d->size[d->n] = size, d->stride[d->n++] = stride;
}

/* Larger strides first, so that the innermost is the nearest. */
static void sort(dims *d) {
  for (int i = 1; i < d->n; i++) {
    for (int k = i; k > 0 && d->stride[k - 1] < d->stride[k]; k--) {
      int64_t size = d->size[k], stride = d->stride[k];
      d->size[k] = d->size[k - 1], d->stride[k] = d->stride[k - 1];
      d->size[k - 1] = size, d->stride[k - 1] = stride;
    }
  }
}

static void merge(dims *d) {
  int n = 0;
  for (int i = 0; i < d->n; i++) {
    if (n > 0 && d->stride[n - 1] == d->stride[i] * d->size[i]) {
      d->size[n - 1] *= d->size[i], d->stride[n - 1] = d->stride[i];
    } else {
      d->size[n] = d->size[i], d->stride[n++] = d->stride[i];
    }
  }
  d->n = n;
}

/* Most layouts come down to few loops: dims of one element drop out, and neighbours that lie evenly are one dim. So a
 * sum over a dense tensor is one row, whatever its dims. Where the fold's order is free (sorted) the reduced dim with
 * the smallest stride is the innermost, so that a transposed input is read along its memory; where places count (argmax,
 * scans) the order is the row-major one. Kept dims stay in the output's order, which is dense. */
mn_plan MN_KERNEL(plan)(const mn_array *in, unsigned mask, bool sorted) {
  dims kept = {0}, reduced = {0};
  for (int d = 0; d < in->ndim; d++) put(mask >> d & 1 ? &reduced : &kept, in->size[d], in->stride[d]);
  if (sorted) sort(&reduced);
  merge(&kept);
  merge(&reduced);
  mn_plan p = {.n_kept = kept.n, .outputs = 1, .rows = 1, .length = 1, .step = 1};
  for (int d = 0; d < kept.n; d++) {
    p.kept_size[d] = kept.size[d], p.kept_stride[d] = kept.stride[d];
    p.outputs *= kept.size[d];
  }
  if (reduced.n == 0) return p;
  p.n_outer = reduced.n - 1;
  p.length = reduced.size[p.n_outer], p.step = reduced.stride[p.n_outer];
  for (int d = 0; d < p.n_outer; d++) {
    p.outer_size[d] = reduced.size[d], p.outer_stride[d] = reduced.stride[d];
    p.rows *= reduced.size[d];
  }
  return p;
}
