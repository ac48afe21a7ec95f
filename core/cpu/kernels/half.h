/* half.h: float16 and bfloat16 to and from float32, rounding to nearest even. They are storage formats:
 * everything else is computed in float32. */
#ifndef MN_HALF_H
#define MN_HALF_H

#include <stdint.h>
#include <string.h>
#ifdef __F16C__
#include <immintrin.h>
#endif

#define MN_HALF_FN static inline
#include "half.inc"

static inline float mn_bfloat16_to_float(uint16_t h) { return mn_bfloat16_value(h); }
static inline uint16_t mn_float_to_bfloat16(float f) {
  uint32_t u = mn_float_bits(f);
  if ((u & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(u >> 16 | 0x40); /* a NaN stays one */
  return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

#ifdef __F16C__
static inline float mn_float16_to_float(uint16_t h) { return _cvtsh_ss(h); }
static inline uint16_t mn_float_to_float16(float f) { return _cvtss_sh(f, _MM_FROUND_TO_NEAREST_INT); }
#else
static inline float mn_float16_to_float(uint16_t h) { return mn_float16_value(h); }
static inline uint16_t mn_float_to_float16(float f) {
  uint32_t u = mn_float_bits(f), sign = u >> 16 & 0x8000, body = u & 0x7fffffffu;
  if (body > 0x7f800000u) return (uint16_t)(sign | 0x7e00 | (body >> 13 & 0x3ff));
  if (body >= 0x477ff000u) return (uint16_t)(sign | 0x7c00); /* rounds to 65536 or more */
  if (body < 0x38800000u) {
    /* adding 0.5 makes the float adder round the subnormal result into the low bits */
    uint32_t r = mn_float_bits(mn_bits_float(body) + 0.5f) - mn_float_bits(0.5f);
    return (uint16_t)(sign | r);
  }
  return (uint16_t)(sign | (body - 0x38000000u + 0xfff + (body >> 13 & 1)) >> 13);
}
#endif

#endif
