/* copy_convert.c: moving a row of elements from each dtype to each other one. float16 and bfloat16 go by way
 * of float32. Knows nothing of shapes (copy.c). */
#include "copy.h"
#include "half.h"
#include <stdbool.h>

typedef float float32;
typedef double float64;
typedef int64_t int64;
typedef int32_t int32;
typedef uint8_t uint8;

/* A cast that doesn't fit is undefined in C; this gives what x86 gives. */
static inline int64_t whole(double x) { return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN; }

#define KEEP(x) (x)
#define TRUTH(x) ((x) != 0)
#define WHOLE(x) whole(x)
#define TO_F16(x) mn_float_to_float16(x)
#define TO_BF16(x) mn_float_to_bfloat16(x)
#define FROM_F16(x) mn_float16_to_float(x)
#define FROM_BF16(x) mn_bfloat16_to_float(x)

/* Contiguous rows have a loop of their own, which the compiler vectorises. */
#define ROW(name, D, S, EXPR)                                                                                \
  static void name(char *dst, int64_t dst_step, const char *src, int64_t src_step, int64_t n) {              \
    if (dst_step == sizeof(D) && src_step == sizeof(S)) {                                                    \
      D *restrict to = (D *)dst;                                                                             \
      const S *restrict from = (const S *)src;                                                               \
      for (int64_t i = 0; i < n; i++) to[i] = (D)EXPR(from[i]);                                              \
      return;                                                                                                \
    }                                                                                                        \
    for (int64_t i = 0; i < n; i++) *(D *)(dst + i * dst_step) = (D)EXPR(*(const S *)(src + i * src_step));  \
  }

/* The same dtype: only its width matters. A repeated element has a loop of its own. */
#define SAME(T)                                                                                              \
  static void same_##T(char *dst, int64_t dst_step, const char *src, int64_t src_step, int64_t n) {          \
    if (dst_step == sizeof(T) && src_step == sizeof(T)) {                                                    \
      memcpy(dst, src, (size_t)n * sizeof(T));                                                               \
    } else if (dst_step == sizeof(T) && src_step == 0) {                                                     \
      T *to = (T *)dst, value = *(const T *)src;                                                             \
      for (int64_t i = 0; i < n; i++) to[i] = value;                                                         \
    } else {                                                                                                 \
      for (int64_t i = 0; i < n; i++) *(T *)(dst + i * dst_step) = *(const T *)(src + i * src_step);         \
    }                                                                                                        \
  }
SAME(uint8_t)
SAME(uint16_t)
SAME(uint32_t)
SAME(uint64_t)

ROW(float64_float32, float64, float32, KEEP)
ROW(int64_float32, int64, float32, WHOLE)
ROW(int32_float32, int32, float32, WHOLE)
ROW(uint8_float32, uint8, float32, WHOLE)
ROW(bool_float32, bool, float32, TRUTH)
ROW(float32_float64, float32, float64, KEEP)
ROW(int64_float64, int64, float64, WHOLE)
ROW(int32_float64, int32, float64, WHOLE)
ROW(uint8_float64, uint8, float64, WHOLE)
ROW(bool_float64, bool, float64, TRUTH)
ROW(float32_int64, float32, int64, KEEP)
ROW(float64_int64, float64, int64, KEEP)
ROW(int32_int64, int32, int64, KEEP)
ROW(uint8_int64, uint8, int64, KEEP)
ROW(bool_int64, bool, int64, TRUTH)
ROW(float32_int32, float32, int32, KEEP)
ROW(float64_int32, float64, int32, KEEP)
ROW(int64_int32, int64, int32, KEEP)
ROW(uint8_int32, uint8, int32, KEEP)
ROW(bool_int32, bool, int32, TRUTH)
ROW(float32_uint8, float32, uint8, KEEP)
ROW(float64_uint8, float64, uint8, KEEP)
ROW(int64_uint8, int64, uint8, KEEP)
ROW(int32_uint8, int32, uint8, KEEP)
ROW(bool_uint8, bool, uint8, TRUTH)
ROW(float32_float16, float32, uint16_t, FROM_F16)
ROW(float32_bfloat16, float32, uint16_t, FROM_BF16)
ROW(float16_float32, uint16_t, float32, TO_F16)
ROW(bfloat16_float32, uint16_t, float32, TO_BF16)

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
#define FROM_HALF(H)                                                                                         \
  VIA_FLOAT(float64_##H, float64_float32, float32_##H)                                                       \
  VIA_FLOAT(int64_##H, int64_float32, float32_##H)                                                           \
  VIA_FLOAT(int32_##H, int32_float32, float32_##H)                                                           \
  VIA_FLOAT(uint8_##H, uint8_float32, float32_##H)                                                           \
  VIA_FLOAT(bool_##H, bool_float32, float32_##H)
FROM_HALF(float16)
FROM_HALF(bfloat16)
#define TO_HALF(H)                                                                                           \
  VIA_FLOAT(H##_float64, H##_float32, float32_float64)                                                       \
  VIA_FLOAT(H##_int64, H##_float32, float32_int64)                                                           \
  VIA_FLOAT(H##_int32, H##_float32, float32_int32)                                                           \
  VIA_FLOAT(H##_uint8, H##_float32, float32_uint8)
TO_HALF(float16)
TO_HALF(bfloat16)
VIA_FLOAT(bfloat16_float16, bfloat16_float32, float32_float16)
VIA_FLOAT(float16_bfloat16, float16_float32, float32_bfloat16)

mn_row_fn MN_KERNEL(row_copier)(int dst_dtype, int src_dtype) {
  /* by dst, then by src in the order of mn_dtype; a bool reads as uint8 */
  static const mn_row_fn table[MN_DTYPE_COUNT][MN_DTYPE_COUNT] = {
      {same_uint32_t, float32_float64, float32_int64, float32_int32, float32_uint8, float32_uint8,
       float32_float16, float32_bfloat16},
      {float64_float32, same_uint64_t, float64_int64, float64_int32, float64_uint8, float64_uint8,
       float64_float16, float64_bfloat16},
      {int64_float32, int64_float64, same_uint64_t, int64_int32, int64_uint8, int64_uint8, int64_float16,
       int64_bfloat16},
      {int32_float32, int32_float64, int32_int64, same_uint32_t, int32_uint8, int32_uint8, int32_float16,
       int32_bfloat16},
      {uint8_float32, uint8_float64, uint8_int64, uint8_int32, same_uint8_t, same_uint8_t, uint8_float16,
       uint8_bfloat16},
      {bool_float32, bool_float64, bool_int64, bool_int32, bool_uint8, same_uint8_t, bool_float16,
       bool_bfloat16},
      {float16_float32, float16_float64, float16_int64, float16_int32, float16_uint8, float16_uint8,
       same_uint16_t, float16_bfloat16},
      {bfloat16_float32, bfloat16_float64, bfloat16_int64, bfloat16_int32, bfloat16_uint8, bfloat16_uint8,
       bfloat16_float16, same_uint16_t}};
  return table[dst_dtype][src_dtype];
}
