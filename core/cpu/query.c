/* query.c: what the engine itself asks of elements: what shape rules of rows with a data-dependent shape must know of
 * their input before anything is allocated, and what detect_anomaly looks for. */
#include "cpu/query.h"
#include "element.h"
#include <math.h>

/* The address of element i in row-major order. */
static const char *place(const mn_array *a, int64_t i) {
  int64_t offset = 0;
  if (a->contiguous) offset = i;
  else
    for (int d = a->ndim - 1; d >= 0; d--) offset += i % a->size[d] * a->stride[d], i /= a->size[d];
  return (const char *)a->data + offset * (int64_t)mn_dtype_size(a->dtype);
}

static int64_t count_nonzero(const mn_array *a) {
  int64_t count = 0;
  for (int64_t i = 0; i < a->numel; i++) count += mn_element(a->dtype, place(a, i)) != 0;
  return count;
}

static int64_t largest_index(const mn_array *a) {
  double largest = -1;
  for (int64_t i = 0; i < a->numel; i++) {
    double v = mn_element(a->dtype, place(a, i));
    if (v > largest) largest = v;
  }
  return largest < 0x1p47 ? (int64_t)floor(largest) : INT64_C(1) << 47;
}

static int find_nonfinite(const mn_array *a) {
  int found = 0;
  if (!mn_dtype_is_float(a->dtype)) return 0;
  for (int64_t i = 0; i < a->numel; i++) {
    double v = mn_element(a->dtype, place(a, i));
    if (isnan(v)) return 2;
    found |= isinf(v) != 0;
  }
  return found;
}

int64_t mn_cpu_query(mn_device *device, mn_question what, const mn_array *a) {
  (void)device;
  switch (what) {
  case MN_COUNT_NONZERO:
    return count_nonzero(a);
  case MN_LARGEST_INDEX:
    return largest_index(a);
  default:
    return find_nonfinite(a);
  }
}
