/* copy_convert.c: moving a row of elements from each dtype to each other one. float16 and bfloat16 go by way
 * of float32. Knows nothing of shapes (copy.c). */
#include "copy.h"
#include "dtypes.h"
#include "half.h"

/* A cast that doesn't fit is undefined in C; this gives what x86 gives. */
static inline int64_t whole(double x) { return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN; }

#define KEEP(x) (x)
#define TRUTH(x) ((x) != 0)
#define TO_F16(x) mn_float_to_float16(x)
#define TO_BF16(x) mn_float_to_bfloat16(x)
#define FROM_F16(x) mn_float16_to_float(x)
#define FROM_BF16(x) mn_bfloat16_to_float(x)

/* Each conversion has loops of its own for adjacent elements, which the compiler vectorises (or makes a memcpy of), and
 * for a repeated one. */
#define ROW(name, D, S, EXPR)                                                                                \
  static void name(char *dst, int64_t dst_step, const char *src, int64_t src_step, int64_t n) {              \
    if (dst_step == sizeof(D) && src_step == sizeof(S)) {                                                    \
      D *restrict to = (D *)dst;                                                                             \
      const S *restrict from = (const S *)src;                                                               \
      for (int64_t i = 0; i < n; i++) to[i] = (D)EXPR(from[i]);                                              \
    } else if (dst_step == sizeof(D) && src_step == 0 && n > 0) {                                            \
      D *to = (D *)dst, value = (D)EXPR(*(const S *)src);                                                    \
      for (int64_t i = 0; i < n; i++) to[i] = value;                                                         \
    } else {                                                                                                 \
      for (int64_t i = 0; i < n; i++)                                                                        \
        *(D *)(dst + i * dst_step) = (D)EXPR(*(const S *)(src + i * src_step));                              \
    }                                                                                                        \
  }

#define BODY "copy_convert.inc"
#define KIND MN_NUMBERS
#include "each_dtype.inc"

ROW(f32_of_f16, float, uint16_t, FROM_F16)
ROW(f32_of_bf16, float, uint16_t, FROM_BF16)
ROW(f16_of_f32, uint16_t, float, TO_F16)
ROW(bf16_of_f32, uint16_t, float, TO_BF16)
ROW(f16_of_f16, uint16_t, uint16_t, KEEP)

/* name = second after first, through a buffer of float32. */
#define VIA_FLOAT(name, second, first)                                                                       \
  static void name(char *dst, int64_t dst_step, const char *src, int64_t src_step, int64_t n) {              \
    float buffer[256];                                                                                       \
    for (int64_t i = 0; i < n; i += 256) {                                                                   \
      int64_t m = n - i < 256 ? n - i : 256;                                                                 \
      first((char *)buffer, sizeof(float), src + i * src_step, src_step, m);                                 \
      second(dst + i * dst_step, dst_step, (const char *)buffer, sizeof(float), m);                          \
    }                                                                                                        \
  }
#define HALF(H)                                                                                              \
  VIA_FLOAT(f64_of_##H, f64_of_f32, f32_of_##H)                                                              \
  VIA_FLOAT(i64_of_##H, i64_of_f32, f32_of_##H)                                                              \
  VIA_FLOAT(i32_of_##H, i32_of_f32, f32_of_##H)                                                              \
  VIA_FLOAT(u8_of_##H, u8_of_f32, f32_of_##H)                                                                \
  VIA_FLOAT(b8_of_##H, b8_of_f32, f32_of_##H)                                                                \
  VIA_FLOAT(H##_of_f64, H##_of_f32, f32_of_f64)                                                              \
  VIA_FLOAT(H##_of_i64, H##_of_f32, f32_of_i64)                                                              \
  VIA_FLOAT(H##_of_i32, H##_of_f32, f32_of_i32)                                                              \
  VIA_FLOAT(H##_of_u8, H##_of_f32, f32_of_u8)
HALF(f16)
HALF(bf16)
VIA_FLOAT(bf16_of_f16, bf16_of_f32, f32_of_f16)
VIA_FLOAT(f16_of_bf16, f16_of_f32, f32_of_bf16)

/* The rows of a dtype to each other one; those to bool and to the two halves are given. */
#define OF(S, B8, F16, BF16)                                                                                 \
  {                                                                                                          \
    [MN_FLOAT32] = f32_of_##S, [MN_FLOAT64] = f64_of_##S, [MN_INT64] = i64_of_##S, [MN_INT32] = i32_of_##S,  \
    [MN_UINT8] = u8_of_##S, [MN_BOOL] = B8, [MN_FLOAT16] = F16, [MN_BFLOAT16] = BF16                         \
  }

mn_row_fn MN_KERNEL(row_copier)(int dst_dtype, int src_dtype) {
  /* By source. A bool reads as uint8, and is copied as one; bfloat16 is copied as float16. */
  static const mn_row_fn rows[MN_DTYPE_COUNT][MN_DTYPE_COUNT] = {
      [MN_FLOAT32] = OF(f32, b8_of_f32, f16_of_f32, bf16_of_f32),
      [MN_FLOAT64] = OF(f64, b8_of_f64, f16_of_f64, bf16_of_f64),
      [MN_INT64] = OF(i64, b8_of_i64, f16_of_i64, bf16_of_i64),
      [MN_INT32] = OF(i32, b8_of_i32, f16_of_i32, bf16_of_i32),
      [MN_UINT8] = OF(u8, b8_of_u8, f16_of_u8, bf16_of_u8),
      [MN_BOOL] = OF(u8, u8_of_u8, f16_of_u8, bf16_of_u8),
      [MN_FLOAT16] = OF(f16, b8_of_f16, f16_of_f16, bf16_of_f16),
      [MN_BFLOAT16] = OF(bf16, b8_of_bf16, f16_of_bf16, f16_of_f16)};
  return rows[src_dtype][dst_dtype];
}
