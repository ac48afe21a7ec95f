/* add.h: how elements of each dtype are added to others of the same dtype where they lie, for copy_add.c (rows) and
 * index_rows.c (places that an index names). */
#ifndef MN_ADD_H
#define MN_ADD_H

#include "dtypes.h"
#include "half.h"

#define MN_ADD_PLUS(x, y) ((x) + (y))
#define MN_ADD_EITHER(x, y) ((x) | (y))
#define MN_ADD_F16(x, y) mn_float_to_float16(mn_float16_to_float(x) + mn_float16_to_float(y))
#define MN_ADD_BF16(x, y) mn_float_to_bfloat16(mn_bfloat16_to_float(x) + mn_bfloat16_to_float(y))

/* ADD(name, T, expression of two T), for each dtype. Integers wrap around, which C defines for unsigned ones only. */
#define MN_EACH_ADD(ADD)                                                                                     \
  ADD(add_f32, float, MN_ADD_PLUS)                                                                           \
  ADD(add_f64, double, MN_ADD_PLUS)                                                                          \
  ADD(add_i64, uint64_t, MN_ADD_PLUS)                                                                        \
  ADD(add_i32, uint32_t, MN_ADD_PLUS)                                                                        \
  ADD(add_u8, uint8_t, MN_ADD_PLUS)                                                                          \
  ADD(add_b8, uint8_t, MN_ADD_EITHER)                                                                        \
  ADD(add_f16, uint16_t, MN_ADD_F16)                                                                         \
  ADD(add_bf16, uint16_t, MN_ADD_BF16)
#define MN_BY_ADD                                                                                            \
  {                                                                                                          \
    [MN_FLOAT32] = add_f32, [MN_FLOAT64] = add_f64, [MN_INT64] = add_i64, [MN_INT32] = add_i32,              \
    [MN_UINT8] = add_u8, [MN_BOOL] = add_b8, [MN_FLOAT16] = add_f16, [MN_BFLOAT16] = add_bf16                \
  }

#endif
