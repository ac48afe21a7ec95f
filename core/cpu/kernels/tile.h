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
#endif

#undef WIDTH
#define WIDTH (2 * LANES)

/* c (rows x WIDTH, row stride c_row) = or += a (rows x depth) b (depth x WIDTH, row stride b_row). Element
 * (r, k) of a stands at a[r * a_row + k * a_step]: it is only broadcast, so any layout will do. */
VECTOR_INLINE void MN_TN(tile_rows)(const int rows, int64_t depth, const MN_T *a, int64_t a_row,
                                    int64_t a_step, const MN_T *b, int64_t b_row, MN_T *c, int64_t c_row,
                                    int accumulate) {
  VEC left[TILE_ROWS], right[TILE_ROWS];
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++) {
    left[r] = (VEC){0}, right[r] = (VEC){0};
  }
  for (int64_t k = 0; k < depth; k++) {
    VEC b0 = *(const UVEC *)(b + k * b_row), b1 = *(const UVEC *)(b + k * b_row + LANES);
    const MN_T *at = a + k * a_step;
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
      VEC x = at[r * a_row] - (VEC){0};
      left[r] = FMA(x, b0, left[r]);
      right[r] = FMA(x, b1, right[r]);
    }
  }
#pragma GCC unroll 12
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
