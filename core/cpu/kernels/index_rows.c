/* index_rows.c: reading and checking index tensors, and moving one row by an index. Knows nothing of shapes.
 */
#include "index.h"
#include "add.h"
#include <string.h>
#include <stdio.h>

/* ---- reading ---- */

static int fail_range(mn_call *call, int64_t v, int64_t base, int64_t size, int64_t dim) {
  const char *hint = v == 0 && base == 1 ? "; indices count from 1" : "";
  snprintf(call->error, sizeof call->error,
           "index %lld is out of range %lld..%lld (dim %lld has size %lld)%s", (long long)v, (long long)base,
           (long long)(size - 1 + base), (long long)(dim + base), (long long)size, hint);
  return -1;
}

/* Shifts by base, negative ones to the end where they count from there; one test for all, since a bad one is
 * rare. */
static int shift_and_check(mn_call *call, int64_t *index, int64_t n, int64_t base, int64_t size, int64_t dim,
                           int from_end) {
  uint64_t bad = 0;
  int64_t least = from_end ? -size : 0;
  for (int64_t i = 0; i < n; i++) {
    int64_t v = index[i];
    bad |= v < 0 ? v < least : (uint64_t)v - (uint64_t)base >= (uint64_t)size;
  }
  for (int64_t i = 0; i < n; i++) {
    int64_t v = index[i];
    if (bad && (v < 0 ? v < least : (uint64_t)v - (uint64_t)base >= (uint64_t)size))
      return fail_range(call, v, base, size, dim);
    index[i] = v < 0 ? v + size : v - base;
  }
  return 0;
}

/* index holds the bits of doubles, which become integers in place. */
static int from_doubles(mn_call *call, int64_t *index, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    double v;
    memcpy(&v, &index[i], sizeof v);
    int64_t whole = v >= -0x1p53 && v <= 0x1p53 ? (int64_t)v : INT64_MIN;
    if ((double)whole != v) {
      snprintf(call->error, sizeof call->error, "index %g is not an integer", v);
      return -1;
    }
    index[i] = whole;
  }
  return 0;
}

int64_t *MN_KERNEL(read_index)(mn_call *call, const mn_array *index, int64_t base, int64_t size, int64_t dim,
                               int from_end) {
  int64_t *to = mn_scratch(call, (size_t)(index->numel ? index->numel : 1) * sizeof *to);
  if (!to) return NULL;
  mn_array room = mn_dense_over(index, to);
  room.dtype = mn_dtype_is_float(index->dtype) ? MN_FLOAT64 : MN_INT64;
  MN_KERNEL(copy_array)(&room, index);
  if (room.dtype == MN_FLOAT64 && from_doubles(call, to, index->numel)) return NULL;
  return shift_and_check(call, to, index->numel, base, size, dim, from_end) ? NULL : to;
}

/* ---- rows ---- */

#define MOVE(T)                                                                                              \
  static void take_##T(char *dst, const char *src, const int64_t *index, int64_t scale, int64_t step,        \
                       int64_t other, int64_t n) {                                                           \
    for (int64_t c = 0; c < n; c++)                                                                          \
      *(T *)(dst + c * other) = *(const T *)(src + index[c] * scale + c * step);                             \
  }                                                                                                          \
  static void put_##T(char *dst, const char *src, const int64_t *index, int64_t scale, int64_t step,         \
                      int64_t other, int64_t n) {                                                            \
    for (int64_t c = 0; c < n; c++)                                                                          \
      *(T *)(dst + index[c] * scale + c * step) = *(const T *)(src + c * other);                             \
  }
MOVE(uint8_t)
MOVE(uint16_t)
MOVE(uint32_t)
MOVE(uint64_t)

#define ADD(name, T, EXPR)                                                                                   \
  static void name(char *dst, const char *src, const int64_t *index, int64_t scale, int64_t step,            \
                   int64_t other, int64_t n) {                                                               \
    for (int64_t c = 0; c < n; c++) {                                                                        \
      T *to = (T *)(dst + index[c] * scale + c * step);                                                      \
      *to = (T)EXPR(*to, *(const T *)(src + c * other));                                                     \
    }                                                                                                        \
  }
MN_EACH_ADD(ADD)

mn_indexed_fn MN_KERNEL(take_row)(int dtype) {
  size_t size = mn_dtype_size(dtype);
  return size == 1 ? take_uint8_t : size == 2 ? take_uint16_t : size == 4 ? take_uint32_t : take_uint64_t;
}
mn_indexed_fn MN_KERNEL(put_row)(int dtype) {
  size_t size = mn_dtype_size(dtype);
  return size == 1 ? put_uint8_t : size == 2 ? put_uint16_t : size == 4 ? put_uint32_t : put_uint64_t;
}
mn_indexed_fn MN_KERNEL(add_row)(int dtype) {
  static const mn_indexed_fn adds[MN_DTYPE_COUNT] = MN_BY_ADD;
  return adds[dtype];
}
