/* vector.h: vectors as wide as the instruction set's. In a body of each_dtype.inc they are VEC, and UVEC at any address,
 * of LANES elements of its dtype. */
#ifndef MN_VECTOR_H
#define MN_VECTOR_H

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
enum { VECTOR_BYTES = 64 };
#elif defined(__AVX2__)
enum { VECTOR_BYTES = 32 };
#else
enum { VECTOR_BYTES = 16 };
#endif
#define VECTOR_INLINE static inline __attribute__((always_inline))

#if defined(__AVX512F__)
#define VECTOR_FMA_f32(a, b, c) ((vec_f32)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define VECTOR_FMA_f64(a, b, c) ((vec_f64)_mm512_fmadd_pd((__m512d)(a), (__m512d)(b), (__m512d)(c)))
#elif defined(__AVX2__)
#define VECTOR_FMA_f32(a, b, c) ((vec_f32)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define VECTOR_FMA_f64(a, b, c) ((vec_f64)_mm256_fmadd_pd((__m256d)(a), (__m256d)(b), (__m256d)(c)))
#else
#define VECTOR_FMA_f32(a, b, c) ((a) * (b) + (c))
#define VECTOR_FMA_f64(a, b, c) ((a) * (b) + (c))
#endif

typedef float vec_f32 __attribute__((vector_size(VECTOR_BYTES)));
typedef double vec_f64 __attribute__((vector_size(VECTOR_BYTES)));
typedef float uvec_f32 __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
typedef double uvec_f64 __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));

#define VEC FN(vec)
#define UVEC FN(uvec)
#define LANES ((int)(VECTOR_BYTES / sizeof(T)))
#define FMA FN(VECTOR_FMA)

#endif
