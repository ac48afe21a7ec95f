/* reduce.h: how a reduction walks its input: kept dims give the outputs, reduced dims what goes into each. */
#ifndef MN_REDUCE_H
#define MN_REDUCE_H

#include "dtypes.h"
#include "grain.h"

/* Dims of each group, outermost first, merged where the strides allow. The last reduced dim is the row:
 * `rows` rows of `length` elements, `step` elements apart, make one output. */
typedef struct mn_plan {
  int n_kept, n_outer;
  int64_t kept_size[MN_MAX_DIMS], kept_stride[MN_MAX_DIMS];
  int64_t outer_size[MN_MAX_DIMS], outer_stride[MN_MAX_DIMS];
  int64_t outputs, rows, length, step;
} mn_plan;

/* mask: bit d set when dim d is reduced. sorted: reduced dims may be taken in any order (smallest stride
 * innermost); else rows follow each other in row-major order. */
mn_plan MN_KERNEL(plan)(const mn_array *in, unsigned mask, bool sorted);

/* A position in a grid of dims, stepped in row-major order. */
typedef struct mn_walker {
  int n;
  const int64_t *size, *stride;
  int64_t index[MN_MAX_DIMS], offset;
} mn_walker;

static inline mn_walker mn_walk_from(int n, const int64_t *size, const int64_t *stride, int64_t at) {
  mn_walker w = {n, size, stride, {0}, 0};
  for (int d = n - 1; d >= 0 && at > 0; d--) {
    w.index[d] = at % size[d];
    w.offset += w.index[d] * stride[d];
    at /= size[d];
  }
  return w;
}

static inline void mn_walk_next(mn_walker *w) {
  for (int d = w->n - 1; d >= 0; d--) {
    w->offset += w->stride[d];
    if (++w->index[d] < w->size[d]) return;
    w->offset -= w->stride[d] * w->size[d];
    w->index[d] = 0;
  }
}

static inline unsigned mn_mask_of(const mn_list *dims) {
  unsigned mask = 0;
  for (int i = 0; i < dims->n; i++) mask |= 1u << dims->v[i];
  return mask;
}

#endif
