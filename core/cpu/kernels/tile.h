/* tile.h: the register-blocked inner loop of matmul and convolution, for one element type; a file that uses
 * it defines MN_T (float or double) and MN_TN(name) (the name with the type's suffix) and includes it once
 * for each type. */
#include "vector.h"
#include <stdint.h>

#ifndef MN_TILE_H
#define MN_TILE_H
/* A tile of the result has TILE_ROWS rows of two vectors, all in registers; panels TILE_DEPTH deep fit the
 * first cache. */
#if defined(__AVX512F__)
enum { TILE_ROWS = 12, TILE_DEPTH = 192 };
#elif defined(__AVX2__)
enum { TILE_ROWS = 6, TILE_DEPTH = 288 };
#else
enum { TILE_ROWS = 4, TILE_DEPTH = 288 };
#endif
/* TILE_SHUFFLE picks elements of two vectors by number; gcc before version 12 has its own name for it. */
#if defined(__clang__) || __GNUC__ >= 12
#define TILE_SHUFFLE(mask, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define TILE_SHUFFLE(mask, a, b, ...) __builtin_shuffle(a, b, (mask){__VA_ARGS__})
#endif
typedef float square_float __attribute__((vector_size(16)));
typedef double square_double __attribute__((vector_size(16)));
typedef float usquare_float __attribute__((vector_size(16), aligned(4), may_alias));
typedef double usquare_double __attribute__((vector_size(16), aligned(8), may_alias));
typedef int32_t mask_float __attribute__((vector_size(16)));
typedef int64_t mask_double __attribute__((vector_size(16)));

/* Transposes a square whose 16-byte rows begin at from + at[i]; SQUARE is its side. */
static inline void square_turn_float(const float *from, const int64_t *at, float *to, int64_t to_row) {
  square_float r[4], t[4];
  for (int i = 0; i < 4; i++) r[i] = *(const usquare_float *)(from + at[i]);
  t[0] = TILE_SHUFFLE(mask_float, r[0], r[1], 0, 4, 1, 5),
  t[1] = TILE_SHUFFLE(mask_float, r[2], r[3], 0, 4, 1, 5);
  t[2] = TILE_SHUFFLE(mask_float, r[0], r[1], 2, 6, 3, 7),
  t[3] = TILE_SHUFFLE(mask_float, r[2], r[3], 2, 6, 3, 7);
  for (int i = 0; i < 2; i++) {
    *(usquare_float *)(to + 2 * i * to_row) = TILE_SHUFFLE(mask_float, t[2 * i], t[2 * i + 1], 0, 1, 4, 5);
    *(usquare_float *)(to + (2 * i + 1) * to_row) =
        TILE_SHUFFLE(mask_float, t[2 * i], t[2 * i + 1], 2, 3, 6, 7);
  }
}
static inline void square_turn_double(const double *from, const int64_t *at, double *to, int64_t to_row) {
  square_double a = *(const usquare_double *)(from + at[0]), b = *(const usquare_double *)(from + at[1]);
  *(usquare_double *)to = TILE_SHUFFLE(mask_double, a, b, 0, 2);
  *(usquare_double *)(to + to_row) = TILE_SHUFFLE(mask_double, a, b, 1, 3);
}

#if defined(__clang__)
#define TILE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define TILE_UNROLL _Pragma("GCC unroll 12")
#endif
#endif

#undef WIDTH
#define WIDTH (2 * LANES)
#undef SQUARE
#undef SQUARE_TURN
#define SQUARE ((int)(16 / sizeof(MN_T)))
#define SQUARE_TURN VECTOR_JOIN(square_turn_, MN_T)

/* c (rows x WIDTH, row stride c_row) = or += a (rows x depth) b (depth x WIDTH, row stride b_row). Element
 * (r, k) of a stands at a[r * a_row + k * a_step]: it is only broadcast, so any layout will do. */
VECTOR_INLINE void MN_TN(tile_rows)(const int rows, int64_t depth, const MN_T *a, int64_t a_row,
                                    int64_t a_step, const MN_T *b, int64_t b_row, MN_T *c, int64_t c_row,
                                    int accumulate) {
  VEC left[TILE_ROWS], right[TILE_ROWS];
  TILE_UNROLL
  for (int r = 0; r < rows; r++) {
    left[r] = (VEC){0}, right[r] = (VEC){0};
  }
  for (int64_t k = 0; k < depth; k++) {
    VEC b0 = *(const UVEC *)(b + k * b_row), b1 = *(const UVEC *)(b + k * b_row + LANES);
    const MN_T *at = a + k * a_step;
    TILE_UNROLL
    for (int r = 0; r < rows; r++) {
      VEC x = at[r * a_row] - (VEC){0};
      left[r] = FMA(x, b0, left[r]);
      right[r] = FMA(x, b1, right[r]);
    }
  }
  TILE_UNROLL
  for (int r = 0; r < rows; r++) {
    UVEC *to = (UVEC *)(c + r * c_row), *next = (UVEC *)(c + r * c_row + LANES);
    if (accumulate) left[r] += *to, right[r] += *next;
    *to = left[r], *next = right[r];
  }
}

static void MN_TN(tile)(int rows, int64_t depth, const MN_T *a, int64_t a_row, int64_t a_step, const MN_T *b,
                        int64_t b_row, MN_T *c, int64_t c_row, int accumulate) {
#define ROWS(n)                                                                                              \
  case n:                                                                                                    \
    MN_TN(tile_rows)(n, depth, a, a_row, a_step, b, b_row, c, c_row, accumulate);                            \
    break;
  switch (rows) {
    ROWS(1)
    ROWS(2)
    ROWS(3)
    ROWS(4)
#if defined(__AVX2__)
    ROWS(5)
    ROWS(6)
#endif
#if defined(__AVX512F__)
    ROWS(7)
    ROWS(8)
    ROWS(9)
    ROWS(10)
    ROWS(11)
    ROWS(12)
#endif
  }
#undef ROWS
}
