/* reduce_plan.c: sorts the dims of a reduction's input into kept and reduced ones, and merges neighbours. */
#include "reduce.h"

static void put(mn_dims *d, int64_t size, int64_t stride) {
  if (size == 1) return;
  d->size[d->n] = size, d->stride[d->n++] = stride;
}

/* Larger strides first, so that the innermost is the nearest. */
static void sort(mn_dims *d) {
  for (int i = 1; i < d->n; i++) {
    for (int k = i; k > 0 && d->stride[k - 1] < d->stride[k]; k--) {
      int64_t size = d->size[k], stride = d->stride[k];
      d->size[k] = d->size[k - 1], d->stride[k] = d->stride[k - 1];
      d->size[k - 1] = size, d->stride[k - 1] = stride;
    }
  }
}

static void merge(mn_dims *d) {
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
void MN_KERNEL(plan)(mn_plan *p, const mn_array *in, unsigned mask, bool sorted) {
  mn_dims *kept = &p->kept, *reduced = &p->outer;
  kept->n = reduced->n = 0;
  for (int d = 0; d < in->ndim; d++) put(mask >> d & 1 ? reduced : kept, in->size[d], in->stride[d]);
  if (sorted) sort(reduced);
  merge(kept);
  merge(reduced);
  p->outputs = p->rows = p->length = p->step = 1;
  for (int d = 0; d < kept->n; d++) p->outputs *= kept->size[d];
  if (reduced->n == 0) return;
  int row = --reduced->n;
  p->length = reduced->size[row], p->step = reduced->stride[row];
  for (int d = 0; d < row; d++) p->rows *= reduced->size[d];
}
