/* dense.h: reads arrays of any layout as dense row-major ones; for kernels whose inner loops want that. */
#ifndef MN_DENSE_H
#define MN_DENSE_H

#include "variant.h"
#include <string.h>

static inline void mn_dense_copy(const mn_array *a, void *to) {
  size_t size = mn_dtype_size(a->dtype);
  int last = a->ndim - 1;
  int64_t index[8] = {0}, row = a->ndim ? a->size[last] : 1, step = a->ndim ? a->stride[last] : 1;
  const char *from = a->data;
  char *out = to;
  if (a->numel == 0) return;
  for (;;) {
    if (step == 1) {
      memcpy(out, from, (size_t)row * size);
    } else {
      for (int64_t i = 0; i < row; i++) memcpy(out + (size_t)i * size, from + i * step * (int64_t)size, size);
    }
    out += (size_t)row * size;
    int d = last - 1;
    for (; d >= 0; d--) {
      from += a->stride[d] * (int64_t)size;
      if (++index[d] < a->size[d]) break;
      from -= a->stride[d] * (int64_t)size * a->size[d];
      index[d] = 0;
    }
    if (d < 0) return;
  }
}

/* a's elements, dense: a's own data, or a copy in scratch memory; NULL when there is none. */
static inline const void *mn_dense(mn_call *call, const mn_array *a) {
  if (a->contiguous) return a->data;
  void *copy = mn_scratch(call, (size_t)a->numel * mn_dtype_size(a->dtype) + 1);
  if (copy) mn_dense_copy(a, copy);
  return copy;
}

#endif
