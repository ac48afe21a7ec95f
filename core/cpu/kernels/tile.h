/* tile.h: how large the tiles of matmul and convolution are, and transposing small squares; tile.inc has the loop. */
#ifndef MN_TILE_H
#define MN_TILE_H

#include "vector.h"
#include <stdint.h>

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
typedef float square_f32 __attribute__((vector_size(16)));
typedef double square_f64 __attribute__((vector_size(16)));
typedef float usquare_f32 __attribute__((vector_size(16), aligned(4), may_alias));
typedef double usquare_f64 __attribute__((vector_size(16), aligned(8), may_alias));
typedef int32_t mask_f32 __attribute__((vector_size(16)));
typedef int64_t mask_f64 __attribute__((vector_size(16)));

/* Transposes a square whose 16-byte rows begin at from + at[i]; SQUARE is its side. */
static inline void square_transpose_f32(const float *from, const int64_t *at, float *to, int64_t to_row) {
  square_f32 r[4], t[4];
  for (int i = 0; i < 4; i++) r[i] = *(const usquare_f32 *)(from + at[i]);
  t[0] = TILE_SHUFFLE(mask_f32, r[0], r[1], 0, 4, 1, 5),
  t[1] = TILE_SHUFFLE(mask_f32, r[2], r[3], 0, 4, 1, 5);
  t[2] = TILE_SHUFFLE(mask_f32, r[0], r[1], 2, 6, 3, 7),
  t[3] = TILE_SHUFFLE(mask_f32, r[2], r[3], 2, 6, 3, 7);
  for (int i = 0; i < 2; i++) {
    *(usquare_f32 *)(to + 2 * i * to_row) = TILE_SHUFFLE(mask_f32, t[2 * i], t[2 * i + 1], 0, 1, 4, 5);
    *(usquare_f32 *)(to + (2 * i + 1) * to_row) = TILE_SHUFFLE(mask_f32, t[2 * i], t[2 * i + 1], 2, 3, 6, 7);
  }
}
static inline void square_transpose_f64(const double *from, const int64_t *at, double *to, int64_t to_row) {
  square_f64 a = *(const usquare_f64 *)(from + at[0]), b = *(const usquare_f64 *)(from + at[1]);
  *(usquare_f64 *)to = TILE_SHUFFLE(mask_f64, a, b, 0, 2);
  *(usquare_f64 *)(to + to_row) = TILE_SHUFFLE(mask_f64, a, b, 1, 3);
}

#if defined(__clang__)
#define TILE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define TILE_UNROLL _Pragma("GCC unroll 12")
#endif

#define WIDTH (2 * LANES)
#define SQUARE ((int)(16 / sizeof(T)))
#define SQUARE_TRANSPOSE FN(square_transpose)

#endif
