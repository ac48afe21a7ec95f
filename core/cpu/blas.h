/* blas.h: the BLAS and LAPACK libraries, opened when they are first needed. */
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

/* Fortran's calls: everything by address, matrices by columns, and behind each text's place in the arguments
 * its length at their end. ROUTINE(name, arguments) for a float type T. */
#define MN_LAPACK_ROUTINES(ROUTINE, T)                                                                       \
  ROUTINE(trsm, (const char *side, const char *uplo, const char *trans, const char *diag, const int *m,      \
                 const int *n, const T *alpha, const T *a, const int *lda, T *b, const int *ldb, size_t,     \
                 size_t, size_t, size_t))                                                                    \
  ROUTINE(gemm, (const char *ta, const char *tb, const int *m, const int *n, const int *k, const T *alpha,   \
                 const T *a, const int *lda, const T *b, const int *ldb, const T *beta, T *c,                \
                 const int *ldc, size_t, size_t))                                                            \
  ROUTINE(potrf, (const char *uplo, const int *n, T *a, const int *lda, int *info, size_t))                  \
  ROUTINE(getrf, (const int *m, const int *n, T *a, const int *lda, int *pivots, int *info))                 \
  ROUTINE(getri,                                                                                             \
          (const int *n, T *a, const int *lda, const int *pivots, T *work, const int *lwork, int *info))     \
  ROUTINE(getrs, (const char *trans, const int *n, const int *nrhs, const T *a, const int *lda,              \
                  const int *pivots, T *b, const int *ldb, int *info, size_t))                               \
  ROUTINE(syevd, (const char *job, const char *uplo, const int *n, T *a, const int *lda, T *w, T *work,      \
                  const int *lwork, int *iwork, const int *liwork, int *info, size_t, size_t))               \
  ROUTINE(geev,                                                                                              \
          (const char *left, const char *right, const int *n, T *a, const int *lda, T *wr, T *wi, T *vl,     \
           const int *ldvl, T *vr, const int *ldvr, T *work, const int *lwork, int *info, size_t, size_t))   \
  ROUTINE(gesdd,                                                                                             \
          (const char *job, const int *m, const int *n, T *a, const int *lda, T *s, T *u, const int *ldu,    \
           T *vt, const int *ldvt, T *work, const int *lwork, int *iwork, int *info, size_t))                \
  ROUTINE(geqrf,                                                                                             \
          (const int *m, const int *n, T *a, const int *lda, T *tau, T *work, const int *lwork, int *info))  \
  ROUTINE(orgqr, (const int *m, const int *n, const int *k, T *a, const int *lda, const T *tau, T *work,     \
                  const int *lwork, int *info))

#define MN_LAPACK_MEMBER(name, arguments) void(*name) arguments;
typedef struct mn_lapack_f32 {
  MN_LAPACK_ROUTINES(MN_LAPACK_MEMBER, float)
} mn_lapack_f32;
typedef struct mn_lapack_f64 {
  MN_LAPACK_ROUTINES(MN_LAPACK_MEMBER, double)
} mn_lapack_f64;
typedef struct mn_lapack {
  mn_lapack_f32 f32;
  mn_lapack_f64 f64;
} mn_lapack;

/* As mn_blas_open: LAPACK from the BLAS library where that has it (OpenBLAS does), else from one of its own. */
const mn_lapack *mn_lapack_open(char *error, size_t size);

#endif
