/* index.h: what the kernels that read or write by index tensors share. */
#ifndef MN_INDEX_H
#define MN_INDEX_H

#include "copy.h"

/* a, a 0-dim one as 1-dim: it is indexed along its only, imagined dim of size 1. */
static inline mn_array mn_with_dims(const mn_array *a) {
  mn_array b = *a;
  if (b.ndim == 0) b.ndim = 1, b.size[0] = 1, b.stride[0] = 1;
  return b;
}

/* The positions that an index tensor's numbers stand for, row-major, in scratch memory; every one is checked
 * to lie in 0..size-1, the size of dim, before anything is written. from_end: negative ones count from the
 * end. NULL, with the call's error set, if one doesn't. */
int64_t *MN_KERNEL(read_index)(mn_call *call, const mn_array *index, int64_t base, int64_t size, int64_t dim,
                               int from_end);

/* Moves n elements, element c of which stands, on the side that is indexed, at index[c] * scale + c * step
 * bytes, and on the other side at c * other bytes. */
typedef void (*mn_indexed_fn)(char *dst, const char *src, const int64_t *index, int64_t scale, int64_t step,
                              int64_t other, int64_t n);
mn_indexed_fn MN_KERNEL(take_row)(int dtype); /* dst[c] = src[index[c]] */
mn_indexed_fn MN_KERNEL(put_row)(int dtype);  /* dst[index[c]] = src[c] */
mn_indexed_fn MN_KERNEL(add_row)(int dtype);  /* dst[index[c]] += src[c], bool: or */

/* a itself if it is dense, else a dense copy in scratch memory described by room. NULL when there is none. */
const mn_array *MN_KERNEL(dense)(mn_call *call, const mn_array *a, mn_array *room);
/* The same if a shares memory with what is to be written, whatever its layout. */
const mn_array *MN_KERNEL(apart)(mn_call *call, const mn_array *to, const mn_array *a, mn_array *room);

#endif
