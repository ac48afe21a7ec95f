/* reduce.h: how a reduction walks its input: kept dims give the outputs, reduced dims what goes into each. */
#ifndef MN_REDUCE_H
#define MN_REDUCE_H

#include "dtypes.h"
#include "grain.h"

typedef struct mn_dims {
  int n;
  int64_t size[MN_MAX_DIMS], stride[MN_MAX_DIMS];
} mn_dims;

/* Dims of each group, outermost first, merged where the strides allow. The last reduced dim is the row, and isn't among
 * the outer ones: `rows` rows of `length` elements, `step` elements apart, make one output. */
typedef struct mn_plan {
  mn_dims kept, outer;
  int64_t outputs, rows, length, step;
} mn_plan;

/* mask: bit d set when dim d is reduced. sorted: reduced dims may be taken in any order (smallest stride
 * innermost); else rows follow each other in row-major order. */
void MN_KERNEL(plan)(mn_plan *p, const mn_array *in, unsigned mask, bool sorted);

static inline mn_cursor mn_cursor_among(const mn_dims *dims, int64_t at) {
  return mn_cursor_at(dims->n, dims->size, dims->stride, at);
}

static inline unsigned mn_mask_of(const mn_list *dims) {
  unsigned mask = 0;
  for (int i = 0; i < dims->n; i++) mask |= 1u << dims->v[i];
  return mask;
}

#endif
