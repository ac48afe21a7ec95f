/* vector.h: vectors as wide as the instruction set's, for one element type; a file that uses it defines MN_T
 * (float or double) and includes it once for each type. */
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#ifndef MN_VECTOR_H
#define MN_VECTOR_H
#if defined(__AVX512F__)
enum { VECTOR_BYTES = 64 };
#elif defined(__AVX2__)
enum { VECTOR_BYTES = 32 };
#else
enum { VECTOR_BYTES = 16 };
#endif
#define VECTOR_INLINE static inline __attribute__((always_inline))

#if defined(__AVX512F__)
#define VECTOR_FMA_float(a, b, c) ((vec_float)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define VECTOR_FMA_double(a, b, c) ((vec_double)_mm512_fmadd_pd((__m512d)(a), (__m512d)(b), (__m512d)(c)))
#elif defined(__AVX2__)
#define VECTOR_FMA_float(a, b, c) ((vec_float)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define VECTOR_FMA_double(a, b, c) ((vec_double)_mm256_fmadd_pd((__m256d)(a), (__m256d)(b), (__m256d)(c)))
#else
#define VECTOR_FMA_float(a, b, c) ((a) * (b) + (c))
#define VECTOR_FMA_double(a, b, c) ((a) * (b) + (c))
#endif
#define VECTOR_JOIN_(a, b) a##b
#define VECTOR_JOIN(a, b) VECTOR_JOIN_(a, b)

typedef float vec_float __attribute__((vector_size(VECTOR_BYTES)));
typedef double vec_double __attribute__((vector_size(VECTOR_BYTES)));
typedef float uvec_float __attribute__((vector_size(VECTOR_BYTES), aligned(4), may_alias));
typedef double uvec_double __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));
#endif

#undef VEC
#undef UVEC
#undef LANES
#undef FMA
#define VEC VECTOR_JOIN(vec_, MN_T)
#define UVEC VECTOR_JOIN(uvec_, MN_T)
#define LANES ((int)(VECTOR_BYTES / sizeof(MN_T)))
#define FMA VECTOR_JOIN(VECTOR_FMA_, MN_T)
