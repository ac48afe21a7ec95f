/* scalar_math.h: the functions that the formulas of scalar.inc call, one set for each dtype:
 * mn_<function>_<f32, f64, i64, i32, u8 or b8>. Those for float32 are without branches and calls, so that
 * loops over them are vectorised; the elements of a loop's tail go through the same code and so give the same
 * bits. Functions that are the C library's for both float dtypes aren't here: formulas call them as C(f).
 *
 * Sources. exp, expm1, sin, cos: Cody and Waite's argument reduction ("Software Manual for the Elementary
 * Functions", 1980) and Taylor series as long as float32 needs. log, log1p: the reduction of Sun's fdlibm
 * (e_log.c), the series of atanh. tanh, sigmoid by way of them. erf: its series below 1; above, 1 -
 * exp(-g(x)) with g a polynomial of degree 6 fitted to -log(erfc(x)) by reweighted least squares (relative
 * error of erf 1e-9 before rounding). */
#ifndef MN_SCALAR_MATH_H
#define MN_SCALAR_MATH_H

/* One macro serves signed and unsigned dtypes and bool. */
#pragma GCC diagnostic ignored "-Wtype-limits"
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wint-in-bool-context"
#endif

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#ifdef __FMA__
#define MN_FMAF(a, b, c) __builtin_fmaf(a, b, c)
#define MN_FMA(a, b, c) __builtin_fma(a, b, c)
#else
#define MN_FMAF(a, b, c) ((a) * (b) + (c))
#define MN_FMA(a, b, c) ((a) * (b) + (c))
#endif

static inline float mn_from_bits_f32(uint32_t u) {
  float f;
  memcpy(&f, &u, sizeof f);
  return f;
}
static inline uint32_t mn_bits_f32(float f) {
  uint32_t u;
  memcpy(&u, &f, sizeof u);
  return u;
}
static inline double mn_from_bits_f64(uint64_t u) {
  double f;
  memcpy(&f, &u, sizeof f);
  return f;
}
static inline uint64_t mn_bits_f64(double f) {
  uint64_t u;
  memcpy(&u, &f, sizeof u);
  return u;
}

/* ---- float32 ---- */
#define MN_MAGIC_F32                                                                                         \
  12582912.0f /* 1.5 * 2^23: adding it rounds to an integer, which its low bits then hold */

/* 2^n for an n that 127 + n makes a normal exponent. */
static inline float mn_power_of_2_f32(int32_t n) { return mn_from_bits_f32((uint32_t)(n + 127) << 23); }

/* (e^r - 1) for |r| <= 0.35, relative error below float32's rounding. */
static inline float mn_expm1_core_f32(float r) {
  float s = 1.0f / 5040;
  s = MN_FMAF(s, r, 1.0f / 720);
  s = MN_FMAF(s, r, 1.0f / 120);
  s = MN_FMAF(s, r, 1.0f / 24);
  s = MN_FMAF(s, r, 1.0f / 6);
  s = MN_FMAF(s, r, 0.5f);
  return MN_FMAF(s * r, r, r);
}

/* x = n ln 2 + r. The result is r; *n its integer. NaN gives r = NaN and some n. */
static inline float mn_reduce_exp_f32(float x, int32_t *n) {
  float shifted = MN_FMAF(x, 1.44269504089f, MN_MAGIC_F32), k = shifted - MN_MAGIC_F32;
  *n = (int32_t)(mn_bits_f32(shifted) << 10) >> 10;
  return MN_FMAF(k, -1.42860677e-6f,
                 MN_FMAF(k, -0.693145752f, x)); /* the first part has 8 zeros at its end */
}

static inline float mn_exp_f32(float x) {
  float c = x > 89.0f ? 89.0f : x;
  c = c < -104.0f ? -104.0f : c;
  int32_t n, half;
  float r = mn_reduce_exp_f32(c, &n);
  half = n >> 1; /* two factors: 2^n alone may be out of range where the result is not */
  return (1.0f + mn_expm1_core_f32(r)) * mn_power_of_2_f32(half) * mn_power_of_2_f32(n - half);
}

static inline float mn_expm1_f32(float x) {
  float c = x > 89.0f ? 89.0f : x;
  c = c < -18.0f ? -18.0f : c;
  int32_t n;
  float r = mn_reduce_exp_f32(c, &n), power = mn_power_of_2_f32(n - 1);
  float y = 2.0f * MN_FMAF(power, mn_expm1_core_f32(r), power - 0.5f);
  return c == 0.0f ? x : y;
}

/* log(m) = f - (f^2/2 - s (f^2/2 + R(s))) with f = m - 1, s = f / (2 + f), and 2^k m = x. */
static inline float mn_log_core_f32(float x, float *k) {
  int tiny = x < FLT_MIN;
  uint32_t bits = mn_bits_f32(tiny ? x * 8388608.0f : x);
  uint32_t above = bits - 0x3f3504f3u; /* so that m is in [sqrt(1/2), sqrt(2)) */
  *k = (float)((int32_t)above >> 23) - (tiny ? 23.0f : 0.0f);
  float f = mn_from_bits_f32((above & 0x7fffffu) + 0x3f3504f3u) - 1.0f, s = f / (2.0f + f), z = s * s;
  float series = MN_FMAF(z, MN_FMAF(z, MN_FMAF(z, 2.0f / 9, 2.0f / 7), 2.0f / 5), 2.0f / 3) * z;
  float half = 0.5f * f * f;
  return f - (half - s * (half + series));
}

/* What a logarithm is at 0, below it, at infinity and at NaN. */
static inline float mn_log_ends_f32(float x, float y) {
  y = x == 0.0f ? -INFINITY : y;
  y = x < 0.0f ? NAN : y;
  return x == INFINITY || x != x ? x : y;
}

static inline float mn_log_f32(float x) {
  float k, y = mn_log_core_f32(x, &k);
  return mn_log_ends_f32(x, MN_FMAF(k, 0.693145752f, MN_FMAF(k, 1.42860677e-6f, y)));
}

static inline float mn_log2_f32(float x) {
  float k, y = mn_log_core_f32(x, &k);
  return mn_log_ends_f32(x, k + MN_FMAF(y, 1.44269502f, y * 1.92596299e-8f));
}

/* log(u) with u = 1 + x rounded, and what the rounding lost, over u. */
static inline float mn_log1p_f32(float x) {
  float u = 1.0f + x, lost = x >= 1.0f ? 1.0f - (u - x) : x - (u - 1.0f), k, y = mn_log_core_f32(u, &k);
  y = MN_FMAF(k, 0.693145752f, MN_FMAF(k, 1.42860677e-6f, y) + lost / u);
  y = mn_log_ends_f32(u, y);
  return u == 1.0f ? x : y;
}

static inline float mn_abs_f32(float x) { return fabsf(x); }
static inline float mn_sign_f32(float x) { return (float)((x > 0) - (x < 0)); }
static inline float mn_sqrt_f32(float x) { return __builtin_sqrtf(x); }
static inline float mn_floor_f32(float x) { return __builtin_floorf(x); }
static inline float mn_ceil_f32(float x) { return __builtin_ceilf(x); }
static inline float mn_trunc_f32(float x) { return __builtin_truncf(x); }
static inline float mn_rint_f32(float x) { return __builtin_rintf(x); }
static inline float mn_normal_f32(float x) { return fabsf(x) < FLT_MIN ? 0 : x; }
static inline int mn_isnan_f32(float x) { return x != x; }
static inline int mn_isinf_f32(float x) { return fabsf(x) == INFINITY; }
static inline float mn_clamp_f32(float x, float low, float high) {
  float y = ((x < low) | (low != low)) ? low : x; /* a limit of NaN gives NaN */
  return ((y > high) | (high != high)) ? high : y;
}

static inline float mn_tanh_f32(float x) {
  float a = fabsf(x), e = mn_expm1_f32(a > 10.0f ? 20.0f : 2.0f * a);
  return copysignf(e / (e + 2.0f), x);
}

static inline float mn_sigmoid_f32(float x) {
  float e = mn_exp_f32(-fabsf(x));
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

static inline float mn_erf_f32(float x) {
  float a = fabsf(x), z = x * x, s = 1.4807192815879218e-08f;
  /* (2/sqrt(pi)) (-1)^n / (n! (2n + 1)), n = 10 .. 0; x times the sum */
  s = MN_FMAF(s, z, -1.6365844691234924e-07f);
  s = MN_FMAF(s, z, 1.6462114365889246e-06f);
  s = MN_FMAF(s, z, -1.4925650358406251e-05f);
  s = MN_FMAF(s, z, 0.00012055332981789664f);
  s = MN_FMAF(s, z, -0.00085483270234508528f);
  s = MN_FMAF(s, z, 0.0052239776254421878f);
  s = MN_FMAF(s, z, -0.026866170645131252f);
  s = MN_FMAF(s, z, 0.11283791670955126f);
  s = MN_FMAF(s, z, -0.37612638903183752f);
  s = MN_FMAF(s, z, 0.12837916709551257f);
  float t = (a > 4.0f ? 4.0f : a) - 2.5f, g = -0.000186273631032f;
  g = MN_FMAF(g, t, 0.000152580536583f);
  g = MN_FMAF(g, t, -0.00246400447103f);
  g = MN_FMAF(g, t, 0.0107127816509f);
  g = MN_FMAF(g, t, 0.943883956084f);
  g = MN_FMAF(g, t, 5.35269412235f);
  g = MN_FMAF(g, t, 7.80681789043f);
  float far = copysignf(1.0f - mn_exp_f32(-g), x);
  return a < 1.0f ? MN_FMAF(s, x, x) : (a != a ? x : far);
}

/* ---- float64 series that float32 functions are computed through ---- */

/* x = n pi/2 + r, |r| <= pi/4, for |x| up to 1e6 (those beyond are for libm, see MN_HUGE). */
#define MN_HUGE 1e6f
static inline double mn_reduce_sin(float x, int64_t *n) {
  double shifted = MN_FMA((double)x, 0.63661977236758134308, 0x1.8p52), k = shifted - 0x1.8p52;
  *n = (int64_t)mn_bits_f64(shifted);
  return ((double)x - k * 0x1.921fb544p+0) - k * 0x1.0b4611a626331p-34;
}
static inline double mn_sin_series(double r) {
  double z = r * r, s = -1.0 / 39916800;
  s = MN_FMA(s, z, 1.0 / 362880);
  s = MN_FMA(s, z, -1.0 / 5040);
  s = MN_FMA(s, z, 1.0 / 120);
  s = MN_FMA(s, z, -1.0 / 6);
  return MN_FMA(s * z, r, r);
}
static inline double mn_cos_series(double r) {
  double z = r * r, s = -1.0 / 3628800;
  s = MN_FMA(s, z, 1.0 / 40320);
  s = MN_FMA(s, z, -1.0 / 720);
  s = MN_FMA(s, z, 1.0 / 24);
  s = MN_FMA(s, z, -0.5);
  return MN_FMA(s, z, 1.0);
}
/* sin(x + turn pi/2) */
static inline double mn_sin_turned(float x, int64_t turn) {
  int64_t n;
  double r = mn_reduce_sin(x, &n);
  n += turn;
  double y = n & 1 ? mn_cos_series(r) : mn_sin_series(r);
  return n & 2 ? -y : y;
}
static inline float mn_sin_f32(float x) { return (float)mn_sin_turned(x, 0); }
static inline float mn_cos_f32(float x) { return (float)mn_sin_turned(x, 1); }

static inline double mn_exp_series(double x) {
  double c = x > 709.0 ? 709.0 : x;
  c = c < -708.0 ? -708.0 : c;
  double shifted = MN_FMA(c, 1.4426950408889634074, 0x1.8p52), k = shifted - 0x1.8p52;
  uint64_t n = mn_bits_f64(shifted) << 52;
  double r = (c - k * 0x1.62e42feep-1) - k * 0x1.a39ef35793c76p-33, s = 1.0 / 39916800;
  s = MN_FMA(s, r, 1.0 / 3628800);
  s = MN_FMA(s, r, 1.0 / 362880);
  s = MN_FMA(s, r, 1.0 / 40320);
  s = MN_FMA(s, r, 1.0 / 5040);
  s = MN_FMA(s, r, 1.0 / 720);
  s = MN_FMA(s, r, 1.0 / 120);
  s = MN_FMA(s, r, 1.0 / 24);
  s = MN_FMA(s, r, 1.0 / 6);
  s = MN_FMA(s, r, 0.5);
  s = MN_FMA(s * r, r, r);
  return (1.0 + s) * mn_from_bits_f64(n + 0x3ff0000000000000u);
}

/* log of a normal positive number */
static inline double mn_log_series(double x) {
  uint64_t above = mn_bits_f64(x) - 0x3fe6a09e667f3bcdu;
  /* the exponent as a double, by way of 2^52: there is no vector conversion of int64 before AVX-512 */
  double k = mn_from_bits_f64((above + 0x4000000000000000u) >> 52 | 0x4330000000000000u) - (0x1p52 + 1024);
  double f = mn_from_bits_f64((above & 0xfffffffffffffu) + 0x3fe6a09e667f3bcdu) - 1.0;
  double s = f / (2.0 + f), z = s * s, series = 2.0 / 19;
  series = MN_FMA(series, z, 2.0 / 17);
  series = MN_FMA(series, z, 2.0 / 15);
  series = MN_FMA(series, z, 2.0 / 13);
  series = MN_FMA(series, z, 2.0 / 11);
  series = MN_FMA(series, z, 2.0 / 9);
  series = MN_FMA(series, z, 2.0 / 7);
  series = MN_FMA(series, z, 2.0 / 5);
  series = MN_FMA(series, z, 2.0 / 3);
  series *= z;
  double half = 0.5 * f * f;
  return MN_FMA(k, 0.69314718055994530942, f - (half - s * (half + series)));
}

/* By way of float64, or powers of ten would not give whole numbers. */
static inline float mn_log10_f32(float x) {
  return mn_log_ends_f32(x, (float)(mn_log_series((double)x) * 0.43429448190325182765));
}

static inline float mn_cosh_f32(float x) {
  double e = mn_exp_series(fabs((double)x));
  return fabsf(x) == INFINITY ? INFINITY : (float)(0.5 * e + 0.5 / e);
}
static inline float mn_sinh_f32(float x) {
  double d = x, e = mn_exp_series(fabs(d)), y = 0.5 * e - 0.5 / e;
  y = fabs(d) < 0.01 ? fabs(d) * (1.0 + d * d * (1.0 / 6 + d * d * (1.0 / 120))) : y;
  return fabsf(x) == INFINITY ? x : copysignf((float)y, x);
}
static inline float mn_tan_f32(float x) {
  int64_t n;
  double r = mn_reduce_sin(x, &n), s = mn_sin_series(r), c = mn_cos_series(r);
  return (float)((n & 1 ? -c : s) / (n & 1 ? s : c));
}
static inline float mn_hypot_f32(float a, float b) {
  float y = (float)__builtin_sqrt((double)a * a + (double)b * b);
  return fabsf(a) == INFINITY || fabsf(b) == INFINITY ? INFINITY : y;
}
static inline float mn_logaddexp_f32(float a, float b) {
  float high = a > b ? a : b, low = a > b ? b : a;
  float y = high + mn_log1p_f32(mn_exp_f32(low - high));
  return a == b ? a + 0.693147181f : y;
}

/* pow by way of float64: |a|^b, and the sign of a where b is odd. One width throughout, or it isn't
 * vectorised. */
static inline float mn_pow_f32(float a, float b) {
  double x = a, n = b, size = fabs(x), bound = fabs(n), y = mn_exp_series(n * mn_log_series(size));
  double whole = __builtin_trunc(n), even = 2.0 * __builtin_trunc(0.5 * n), inf = (double)INFINITY;
  double up = n > 0.0 ? inf : 0.0, down = n > 0.0 ? 0.0 : inf;
  y = size == 0.0 ? down : y;
  y = size == inf ? up : y;
  y = bound == inf ? (size > 1.0 ? up : down) : y;
  y = ((bound == inf) & (size == 1.0)) ? 1.0 : y;
  y = ((whole == n) & (even != n)) ? __builtin_copysign(y, x) : y;
  y = ((x < 0.0) & (size != inf) & (whole != n)) ? (double)NAN : y;
  y = ((x != x) | (n != n)) ? (double)NAN : y;
  y = ((n == 0.0) | (x == 1.0)) ? 1.0 : y;
  return (float)y;
}
static inline float mn_fmod_f32(float a, float b) { return fmodf(a, b); }
static inline float mn_number_f32(double x) { return (float)x; }

/* ---- float64 ---- */
#define MN_LIBM(f)                                                                                           \
  static inline double mn_##f##_f64(double x) { return f(x); }
MN_LIBM(exp)
MN_LIBM(expm1)
MN_LIBM(log)
MN_LIBM(log1p)
MN_LIBM(log2)
MN_LIBM(log10)
MN_LIBM(sqrt)
MN_LIBM(sin)
MN_LIBM(cos)
MN_LIBM(tan)
MN_LIBM(sinh)
MN_LIBM(cosh)
MN_LIBM(tanh)
MN_LIBM(erf)
MN_LIBM(floor)
MN_LIBM(ceil)
MN_LIBM(trunc)
MN_LIBM(rint)
static inline double mn_abs_f64(double x) { return fabs(x); }
static inline double mn_sign_f64(double x) { return (x > 0) - (x < 0); }
static inline double mn_normal_f64(double x) { return fabs(x) < DBL_MIN ? 0 : x; }
static inline int mn_isnan_f64(double x) { return x != x; }
static inline int mn_isinf_f64(double x) { return fabs(x) == (double)INFINITY; }
static inline double mn_clamp_f64(double x, double low, double high) {
  double y = ((x < low) | (low != low)) ? low : x; /* a limit of NaN gives NaN */
  return ((y > high) | (high != high)) ? high : y;
}
static inline double mn_sigmoid_f64(double x) {
  double e = exp(-fabs(x));
  return (x < 0.0 ? e : 1.0) / (1.0 + e);
}
static inline double mn_hypot_f64(double a, double b) { return hypot(a, b); }
static inline double mn_logaddexp_f64(double a, double b) {
  double high = a > b ? a : b, low = a > b ? b : a;
  return a == b ? a + 0.69314718055994530942 : high + log1p(exp(low - high));
}
static inline double mn_pow_f64(double a, double b) { return pow(a, b); }
static inline double mn_fmod_f64(double a, double b) { return fmod(a, b); }
static inline double mn_number_f64(double x) { return x; }

/* Python's modulo: the result has the sign of b. */
static inline float mn_remainder_f32(float a, float b) {
  float r = fmodf(a, b);
  return r != 0.0f && (r < 0.0f) != (b < 0.0f) ? r + b : r;
}
static inline double mn_remainder_f64(double a, double b) {
  double r = fmod(a, b);
  return r != 0.0 && (r < 0.0) != (b < 0.0) ? r + b : r;
}

/* The whole number q of Python's division, q b + remainder(a, b) being a: what is left is taken off before dividing, as
 * a rounded quotient may be one too high. Division by 0 gives what a / b does. */
#define MN_FLOOR_DIVIDE(S, T)                                                                                \
  static inline T mn_floor_divide_##S(T a, T b) {                                                            \
    if (b == 0) return a / b;                                                                                \
    T left = mn_fmod_##S(a, b), q = (a - left) / b;                                                          \
    if (left != 0 && (left < 0) != (b < 0)) q -= 1;                                                          \
    T whole = mn_floor_##S(q);                                                                               \
    return q == 0 ? (T)copysign(0, a / b) : q - whole > (T)0.5 ? whole + 1 : whole;                          \
  }                                                                                                          \
  static inline T mn_trunc_divide_##S(T a, T b) { return mn_trunc_##S(a / b); }
MN_FLOOR_DIVIDE(f32, float)
MN_FLOOR_DIVIDE(f64, double)

/* The bits of a float, as an integer, count the numbers from 0 on. */
#define MN_NEXTAFTER(S, T, WORD)                                                                             \
  static inline T mn_nextafter_##S(T a, T b) {                                                               \
    union {                                                                                                  \
      T number;                                                                                              \
      WORD word;                                                                                             \
    } next = {.number = a}, least = {.word = 1};                                                             \
    next.word += (b > a) == (a > 0) ? 1 : (WORD)-1;                                                          \
    T moved = a == 0 ? (b < 0 ? -least.number : least.number) : next.number;                                 \
    return a != a || b != b ? a + b : a == b ? b : moved;                                                    \
  }
MN_NEXTAFTER(f32, float, uint32_t)
MN_NEXTAFTER(f64, double, uint64_t)

/* ---- integers: W the unsigned type that wraps. A divisor of 0 is refused before these are called. ---- */
#define MN_INTEGER(S, T, W, LOW, HIGH)                                                                       \
  static inline T mn_abs_##S(T x) { return LOW < 0 && x <= 0 ? (T)(0 - (W)x) : x; }                          \
  static inline T mn_sign_##S(T x) { return (T)((x > 0) - (x < 0)); }                                        \
  static inline T mn_floor_##S(T x) { return x; }                                                            \
  static inline T mn_ceil_##S(T x) { return x; }                                                             \
  static inline T mn_trunc_##S(T x) { return x; }                                                            \
  static inline T mn_rint_##S(T x) { return x; }                                                             \
  static inline int mn_isnan_##S(T x) { return (void)x, 0; }                                                 \
  static inline int mn_isinf_##S(T x) { return (void)x, 0; }                                                 \
  static inline T mn_clamp_##S(T x, T low, T high) {                                                         \
    T y = x < low ? low : x;                                                                                 \
    return y > high ? high : y;                                                                              \
  }                                                                                                          \
  static inline T mn_number_##S(double x) {                                                                  \
    return x >= (double)HIGH ? HIGH : x <= (double)LOW ? LOW : x != x ? 0 : (T)x;                            \
  }                                                                                                          \
  static inline T mn_fmod_##S(T a, T b) { return b == (T)-1 ? (LOW < 0 ? 0 : a % b) : a % b; }               \
  static inline T mn_remainder_##S(T a, T b) {                                                               \
    T r = mn_fmod_##S(a, b);                                                                                 \
    return r != 0 && LOW < 0 && (r ^ b) < 0 ? (T)(r + b) : r;                                                \
  }                                                                                                          \
  static inline T mn_trunc_divide_##S(T a, T b) {                                                            \
    return LOW < 0 && b == (T)-1 ? (T)(0 - (W)a) : (T)(a / b);                                               \
  }                                                                                                          \
  static inline T mn_floor_divide_##S(T a, T b) {                                                            \
    return (T)((W)mn_trunc_divide_##S(a, b) - (LOW < 0 && mn_fmod_##S(a, b) != 0 && (a ^ b) < 0));           \
  }                                                                                                          \
  /* A negative power is 0, but for bases 1 and -1. */                                                       \
  static inline T mn_pow_##S(T a, T b) {                                                                     \
    if (LOW < 0 && b < 0) return a == 1 ? 1 : a == (T)-1 ? (b & 1 ? a : 1) : 0;                              \
    W y = 1, base = (W)a;                                                                                    \
    for (uint64_t n = (uint64_t)b; n; n >>= 1, base *= base)                                                 \
      if (n & 1) y *= base;                                                                                  \
    return (T)y;                                                                                             \
  }
/* Euclid's algorithm; shifts by a number of bits that there isn't shift all out, those to the right leaving the sign. */
#define MN_BITS(S, T, W)                                                                                     \
  static inline T mn_gcd_##S(T a, T b) {                                                                     \
    W x = (W)mn_abs_##S(a), y = (W)mn_abs_##S(b);                                                            \
    while (y) {                                                                                              \
      W rest = x % y;                                                                                        \
      x = y, y = rest;                                                                                       \
    }                                                                                                        \
    return (T)x;                                                                                             \
  }                                                                                                          \
  static inline T mn_shift_left_##S(T a, T b) { return (uint64_t)b < 8 * sizeof(T) ? (T)((W)a << b) : 0; }   \
  static inline T mn_shift_right_##S(T a, T b) {                                                             \
    return (uint64_t)b < 8 * sizeof(T) ? (T)(a >> b) : (T)(a >> (8 * sizeof(T) - 1) >> 1);                   \
  }
MN_INTEGER(i64, int64_t, uint64_t, INT64_MIN, INT64_MAX)
MN_INTEGER(i32, int32_t, uint32_t, INT32_MIN, INT32_MAX)
MN_INTEGER(u8, uint8_t, unsigned, 0, UINT8_MAX)
MN_BITS(i64, int64_t, uint64_t)
MN_BITS(i32, int32_t, uint32_t)
MN_BITS(u8, uint8_t, unsigned)

static inline bool mn_sign_b8(bool x) { return x; }
static inline int mn_isnan_b8(bool x) { return (void)x, 0; }
static inline int mn_isinf_b8(bool x) { return (void)x, 0; }
static inline bool mn_number_b8(double x) { return x != 0.0; }

#endif
