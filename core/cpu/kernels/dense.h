/* dense.h: dense row-major copies in scratch memory, for kernels whose inner loops want such inputs, or must not read
 * what they write. */
#ifndef MN_DENSE_H
#define MN_DENSE_H

#include "variant.h"

/* An array like a, dense, over other memory. */
static inline mn_array mn_dense_over(const mn_array *a, void *data) {
  mn_array dense = *a;
  int64_t step = 1;
  for (int d = a->ndim - 1; d >= 0; d--) dense.stride[d] = step, step *= a->size[d];
  dense.data = data, dense.contiguous = 1;
  return dense;
}

/* a itself if it is dense, else a dense copy in scratch memory described by room. NULL when there is none. */
const mn_array *MN_KERNEL(dense)(mn_call *call, const mn_array *a, mn_array *room);
/* The same if a shares memory with what is to be written, whatever its layout. */
const mn_array *MN_KERNEL(apart)(mn_call *call, const mn_array *to, const mn_array *a, mn_array *room);

/* a's elements, dense; NULL when there is no scratch memory. */
static inline const void *mn_dense_data(mn_call *call, const mn_array *a) {
  mn_array room;
  const mn_array *dense = MN_KERNEL(dense)(call, a, &room);
  return dense ? dense->data : NULL;
}

#endif
