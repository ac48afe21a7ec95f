/* copy.h: the strided copy that every row which moves elements shares. */
#ifndef MN_COPY_H
#define MN_COPY_H

#include "variant.h"

/* n elements from src to dst, steps in bytes. */
typedef void (*mn_row_fn)(char *dst, int64_t dst_step, const char *src, int64_t src_step, int64_t n);

/* The function that moves a row from one dtype to another. Floats go to integers towards zero; NaN and what
 * is beyond int64 become INT64_MIN, which narrower integers cut off. Anything but 0 is true. */
mn_row_fn MN_KERNEL(row_copier)(int dst_dtype, int src_dtype);

/* dst = src, broadcast to dst's shape and converted to its dtype. Any layouts (source strides may be 0 or
 * negative; no two elements of dst share a place); they don't overlap. */
void MN_KERNEL(copy_array)(const mn_array *dst, const mn_array *src);

/* dst = row(dst, src) for rows of any such function; src is broadcast to dst's shape. */
void MN_KERNEL(apply_rows)(const mn_array *dst, const mn_array *src, mn_row_fn row);

/* The function that adds a row to another one of the same dtype (bool: or). */
mn_row_fn MN_KERNEL(row_adder)(int dtype);

/* Every element of dst becomes value (as from a float64). */
void MN_KERNEL(fill_array)(const mn_array *dst, double value);

/* May an element of a also belong to b? (True also for interleaved but disjoint ones.) */
int MN_KERNEL(may_overlap)(const mn_array *a, const mn_array *b);

/* The part start, start + step, ... of a's dim, size elements of it, as an array over the same data. */
static inline mn_array mn_part(const mn_array *a, int dim, int64_t start, int64_t size, int64_t step) {
  mn_array part = *a;
  if (size > 0) part.data = (char *)a->data + start * a->stride[dim] * (int64_t)mn_dtype_size(a->dtype);
  part.numel = a->size[dim] ? a->numel / a->size[dim] * size : 0;
  part.size[dim] = size;
  part.stride[dim] *= step;
  part.contiguous = 0;
  return part;
}

#endif
