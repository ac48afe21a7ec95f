/* copy_add.c: adding a row of elements to another one of the same dtype. */
#include "copy.h"
#include "half.h"
#include <stdbool.h>

#define PLUS(x, y) ((x) + (y))
#define EITHER(x, y) ((x) | (y))
#define PLUS_F16(x, y) mn_float_to_float16(mn_float16_to_float(x) + mn_float16_to_float(y))
#define PLUS_BF16(x, y) mn_float_to_bfloat16(mn_bfloat16_to_float(x) + mn_bfloat16_to_float(y))

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
/* Integers wrap around, which C defines for unsigned ones only. */
ADD(add_float, float, PLUS)
ADD(add_double, double, PLUS)
ADD(add_int64, uint64_t, PLUS)
ADD(add_int32, uint32_t, PLUS)
ADD(add_uint8, uint8_t, PLUS)
ADD(add_bool, uint8_t, EITHER)
ADD(add_float16, uint16_t, PLUS_F16)
ADD(add_bfloat16, uint16_t, PLUS_BF16)

mn_row_fn MN_KERNEL(row_adder)(int dtype) {
  static const mn_row_fn table[MN_DTYPE_COUNT] = {add_float, add_double, add_int64,   add_int32,
                                                  add_uint8, add_bool,   add_float16, add_bfloat16};
  return table[dtype];
}
