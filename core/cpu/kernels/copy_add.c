/* copy_add.c: adding a row of elements to another one of the same dtype. */
#include "copy.h"
#include "add.h"

#define ADD(name, T, EXPR)                                                                                   \
  static void name(char *dst, int64_t dst_step, const char *src, int64_t src_step, int64_t n) {              \
    if (dst_step == sizeof(T) && src_step == sizeof(T)) {                                                    \
      T *restrict to = (T *)dst;                                                                             \
      const T *restrict from = (const T *)src;                                                               \
      for (int64_t i = 0; i < n; i++) to[i] = (T)EXPR(to[i], from[i]);                                       \
      return;                                                                                                \
    }                                                                                                        \
    for (int64_t i = 0; i < n; i++) {                                                                        \
      T *to = (T *)(dst + i * dst_step);                                                                     \
      *to = (T)EXPR(*to, *(const T *)(src + i * src_step));                                                  \
    }                                                                                                        \
  }
MN_EACH_ADD(ADD)

mn_row_fn MN_KERNEL(row_adder)(int dtype) {
  static const mn_row_fn adds[MN_DTYPE_COUNT] = MN_BY_ADD;
  return adds[dtype];
}
