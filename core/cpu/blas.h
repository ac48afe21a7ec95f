/* blas.h: the BLAS library, opened when it is first needed. */
#ifndef MN_BLAS_H
#define MN_BLAS_H

#include <stddef.h>

/* CBLAS's calls, with the 32-bit integers of the ordinary builds. */
enum { MN_BLAS_ROW_MAJOR = 101, MN_BLAS_PLAIN = 111, MN_BLAS_TRANSPOSED = 112 };
typedef void (*mn_sgemm)(int order, int ta, int tb, int m, int n, int k, float alpha, const float *a, int lda,
                         const float *b, int ldb, float beta, float *c, int ldc);
typedef void (*mn_dgemm)(int order, int ta, int tb, int m, int n, int k, double alpha, const double *a,
                         int lda, const double *b, int ldb, double beta, double *c, int ldc);
typedef struct mn_blas {
  mn_sgemm sgemm;
  mn_dgemm dgemm;
} mn_blas;

/* The library, set to one thread, or NULL with a message in error. It may be called from several threads at
 * once. */
const mn_blas *mn_blas_open(char *error, size_t size);

#endif
