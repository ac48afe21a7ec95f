/* matrices.h: batches of matrices, the last two dims of an array of any layout. */
#ifndef MN_MATRICES_H
#define MN_MATRICES_H

#include "variant.h"

/* How many matrices an array holds. */
static inline int64_t mn_matrices(const mn_array *a) {
  int64_t count = 1;
  for (int d = 0; d < a->ndim - 2; d++) count *= a->size[d];
  return count;
}

/* Where the matrices of each batch begin in an array that is broadcast over the batch dims of out, which are its
 * first `dims` ones. */
static inline void mn_batch_starts(const mn_array *a, const mn_array *out, int dims, int64_t *at) {
  int shift = dims - (a->ndim - 2);
  int64_t step[MN_MAX_DIMS], count = 1;
  for (int d = 0; d < dims; d++) {
    step[d] = d >= shift && a->size[d - shift] != 1 ? a->stride[d - shift] : 0;
    count *= out->size[d];
  }
  mn_cursor from = mn_cursor_at(dims, out->size, step, 0);
  for (int64_t i = 0; i < count; i++, mn_cursor_next(&from)) at[i] = from.offset;
}

#endif
