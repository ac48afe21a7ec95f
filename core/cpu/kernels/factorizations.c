/* factorizations.c: factorizations, solutions and determinants of batches of matrices, each matrix by one call of
 * LAPACK, the matrices shared out over threads. It must not know of derivatives. */
#include "variant.h"
#include "grain.h"
#include "matrices.h"
#include "cpu/blas.h"
#define MN_SECTION "ops/factorizations.def"
#include "section.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NOT_FINITE = -1, NO_CONVERGENCE = -2 };

/* What is done to each matrix of a batch. */
typedef struct job job;
struct job {
  const mn_lapack *lapack;
  /* For matrix i of the batch; reals and ints are this block's work memory. 0, or why it failed. */
  int (*one)(const job *j, int64_t i, void *reals, int *ints);
  const mn_array *a, *b; /* inputs; b may be NULL */
  const int64_t *a_at, *b_at;
  void *out[3];
  int m, n, k, k_b; /* a is m by n, k the smaller of them, and b has k_b columns */
  int option;       /* the row's: upper, full */
  int unit;
  double rtol, atol;
  int32_t *told; /* where the rows with an info put it; NULL: a matrix that failed is an error */
  bool strict;   /* it is an error as well */
  void (*spoil)(const job *j, int64_t i); /* makes NaN of what matrix i, which failed, has left in output 0 */
  int lwork, liwork;                      /* what LAPACK wants for its own work */
  size_t reals, ints;
  int64_t batches, blocks, weight;
  size_t int_at, block_bytes;
  char *work;
  int *info;
};

static int at_least_1(int n) { return n > 0 ? n : 1; }
static size_t square(int n) { return (size_t)n * (size_t)n; }

#define BODY "factorizations.inc"
#define KIND MN_FLOATS
#include "each_dtype.inc"

static void matrices_block(void *arg, int64_t block) {
  const job *j = arg;
  char *work = j->work + (size_t)block * j->block_bytes;
  int64_t from = j->batches * block / j->blocks, to = j->batches * (block + 1) / j->blocks;
  for (int64_t i = from; i < to; i++) j->info[i] = j->one(j, i, work, (int *)(void *)(work + j->int_at));
}

/* Blocks are cut by shape alone. */
static void cut(job *j, size_t element) {
  double each = (double)j->weight * ((double)j->m * j->n * ((double)j->k + j->k_b) + LAPACK_CALL);
  double blocks = each * (double)j->batches / PRODUCT_BLOCK + 1;
  j->int_at = (j->reals * element + 63) & ~(size_t)63;
  j->block_bytes = (j->int_at + j->ints * sizeof(int) + 64) & ~(size_t)63;
  if (blocks > LAPACK_BLOCKS) blocks = LAPACK_BLOCKS;
  if (blocks > (double)j->batches) blocks = (double)j->batches;
  if (blocks > 1 && blocks * (double)j->block_bytes > LAPACK_BYTES)
    blocks = LAPACK_BYTES / (double)j->block_bytes;
  j->blocks = blocks < 1 ? 1 : (int64_t)blocks;
}

static int too_large(mn_call *call, const mn_array *a) {
  snprintf(call->error, sizeof call->error, "a matrix of %lld x %lld is too large for LAPACK",
           (long long)a->size[a->ndim - 2], (long long)a->size[a->ndim - 1]);
  return -1;
}

/* Fills in what follows from the arrays, and finds LAPACK. */
static int begin(mn_call *call, job *j) {
  const mn_array *a = call->in[0], *b = call->n_in > 1 ? call->in[1] : NULL;
  int64_t m = a->size[a->ndim - 2], n = a->size[a->ndim - 1], k_b = b ? b->size[b->ndim - 1] : 0;
  if (m > INT32_MAX || n > INT32_MAX || k_b > INT32_MAX) return too_large(call, a);
  j->a = a, j->b = b;
  j->m = (int)m, j->n = (int)n, j->k = (int)(m < n ? m : n), j->k_b = (int)k_b;
  j->lwork = j->liwork = 1;
  for (int i = 0; i < call->n_out; i++) j->out[i] = call->out[i]->data;
  j->lapack = mn_lapack_open(call->error, sizeof call->error);
  return j->lapack ? 0 : -1;
}

/* 0, or -1 with the first matrix that failed named in the error. */
static int report(mn_call *call, const job *j, const char *problem) {
  for (int64_t i = 0; i < j->batches; i++) {
    if (j->info[i] == 0) continue;
    char which[64] = "the matrix";
    if (j->a->ndim > 2 || (j->b && j->b->ndim > 2))
      snprintf(which, sizeof which, "matrix %lld of the batch", (long long)i + 1);
    if (j->info[i] == NOT_FINITE)
      snprintf(call->error, sizeof call->error, "%s has an element that is not finite", which);
    else if (j->info[i] == NO_CONVERGENCE)
      snprintf(call->error, sizeof call->error, "%s has no eigenvalues: no convergence", which);
    else snprintf(call->error, sizeof call->error, "%s %s (at row %d)", which, problem, j->info[i]);
    return -1;
  }
  return 0;
}

/* The info as an output: of a matrix that isn't finite, all of its rows. */
static void tell(const job *j) {
  for (int64_t i = 0; i < j->batches; i++) {
    j->told[i] = j->info[i] == NOT_FINITE ? j->n : j->info[i];
    if (j->info[i] && j->spoil) j->spoil(j, i);
  }
}

/* Does it to the whole batch; shape is an output whose leading dims are the batch, `dims` of them. problem:
 * what a positive number from `one` means. */
static int each_matrix(mn_call *call, job *j, const mn_array *shape, int dims, const char *problem) {
  j->batches = 1;
  for (int d = 0; d < dims; d++) j->batches *= shape->size[d];
  if (j->batches == 0) return 0;
  if (j->lwork < 0 || j->liwork < 0) return too_large(call, j->a);
  if (j->weight == 0) j->weight = 1;
  cut(j, mn_dtype_size(j->a->dtype));
  int64_t *at = mn_scratch(call, (size_t)j->batches * 2 * sizeof *at);
  j->info = at ? mn_scratch(call, (size_t)j->batches * sizeof *j->info) : NULL;
  j->work = j->info ? mn_scratch(call, (size_t)j->blocks * j->block_bytes) : NULL;
  if (!j->work) return -1;
  mn_batch_starts(j->a, shape, dims, at);
  if (j->b) mn_batch_starts(j->b, shape, dims, at + j->batches);
  j->a_at = at, j->b_at = at + j->batches;
  mn_parallel(j->blocks, matrices_block, j);
  if (j->told) tell(j);
  return j->told && !j->strict ? 0 : report(call, j, problem);
}

/* The info is output `at`. */
static void with_info(mn_call *call, job *j, int at, int64_t check_errors) {
  j->told = call->out[at]->data;
  j->strict = check_errors != 0;
}

static const double precision_f32 = FLT_EPSILON, precision_f64 = DBL_EPSILON;
#define OF(j, name) MN_OF_FLOAT((j)->a->dtype, name)

static int cholesky(mn_call *call, job *j) {
  j->one = OF(j, cholesky);
  j->reals = square(j->n);
  return each_matrix(call, j, call->out[0], call->out[0]->ndim - 2, "is not positive definite");
}

int MN_KERNEL(cholesky)(mn_call *call) {
  job j = {.option = mn_cholesky_of(call)->upper != 0};
  return begin(call, &j) ? -1 : cholesky(call, &j);
}

int MN_KERNEL(cholesky_ex)(mn_call *call) {
  job j = {.option = mn_cholesky_ex_of(call)->upper != 0};
  if (begin(call, &j)) return -1;
  with_info(call, &j, 1, mn_cholesky_ex_of(call)->check_errors);
  j.spoil = OF(&j, spoil);
  return cholesky(call, &j);
}

static int inverse(mn_call *call, job *j) {
  j->one = OF(j, inverse);
  OF(j, inverse_work)(j);
  j->reals = square(j->n) + (size_t)j->lwork;
  j->ints = (size_t)j->n;
  return each_matrix(call, j, call->out[0], call->out[0]->ndim - 2, "is singular");
}

int MN_KERNEL(inverse)(mn_call *call) {
  job j = {0};
  return begin(call, &j) ? -1 : inverse(call, &j);
}

int MN_KERNEL(inv_ex)(mn_call *call) {
  job j = {0};
  if (begin(call, &j)) return -1;
  with_info(call, &j, 1, mn_inv_ex_of(call)->check_errors);
  j.spoil = OF(&j, spoil);
  return inverse(call, &j);
}

static int solve(mn_call *call, job *j) {
  j->one = OF(j, solve);
  j->reals = square(j->n) + (size_t)j->n * (size_t)j->k_b;
  j->ints = (size_t)j->n;
  return each_matrix(call, j, call->out[0], call->out[0]->ndim - 2, "is singular");
}

int MN_KERNEL(solve)(mn_call *call) {
  job j = {0};
  return begin(call, &j) ? -1 : solve(call, &j);
}

int MN_KERNEL(solve_ex)(mn_call *call) {
  job j = {0};
  if (begin(call, &j)) return -1;
  with_info(call, &j, 1, mn_solve_ex_of(call)->check_errors);
  j.spoil = OF(&j, spoil);
  return solve(call, &j);
}

int MN_KERNEL(lu_factor_ex)(mn_call *call) {
  job j = {0};
  if (begin(call, &j)) return -1;
  with_info(call, &j, 2, mn_lu_factor_ex_of(call)->check_errors);
  j.one = OF(&j, lu_factor);
  j.reals = (size_t)j.m * (size_t)j.n;
  return each_matrix(call, &j, call->out[0], call->out[0]->ndim - 2, "is singular");
}

int MN_KERNEL(swap_rows)(mn_call *call) {
  job j = {.option = mn_swap_rows_of(call)->inverse != 0};
  if (begin(call, &j)) return -1;
  mn_array pivots = *j.b; /* as columns, of which there is one for each matrix */
  pivots.size[pivots.ndim] = 1, pivots.stride[pivots.ndim] = 0, pivots.ndim++;
  j.b = &pivots;
  j.one = OF(&j, swap_rows);
  return each_matrix(call, &j, call->out[0], call->out[0]->ndim - 2,
                     "has a pivot that is not one of its rows");
}

int MN_KERNEL(solve_triangular)(mn_call *call) {
  const mn_solve_triangular_attrs *t = mn_solve_triangular_of(call);
  job j = {.option = t->upper != 0, .unit = t->unitriangular != 0};
  if (begin(call, &j)) return -1;
  j.one = OF(&j, solve_triangular);
  j.reals = square(j.n);
  return each_matrix(call, &j, call->out[0], call->out[0]->ndim - 2, "is singular, its diagonal has a 0");
}

int MN_KERNEL(det)(mn_call *call) {
  job j = {0};
  if (begin(call, &j)) return -1;
  j.one = OF(&j, det);
  j.reals = square(j.n);
  j.ints = (size_t)j.n;
  return each_matrix(call, &j, call->out[0], call->out[0]->ndim, "");
}

int MN_KERNEL(slogdet)(mn_call *call) {
  job j = {0};
  if (begin(call, &j)) return -1;
  j.one = OF(&j, slogdet);
  j.reals = square(j.n);
  j.ints = (size_t)j.n;
  return each_matrix(call, &j, call->out[0], call->out[0]->ndim, "");
}

int MN_KERNEL(cofactor)(mn_call *call) {
  job j = {.option = 1, .weight = LAPACK_ITERATED};
  if (begin(call, &j)) return -1;
  j.one = OF(&j, cofactor);
  OF(&j, svd_work)(&j);
  j.reals = 3 * square(j.n) + 2 * (size_t)j.n + (size_t)j.lwork;
  j.ints = 9 * (size_t)j.n;
  return each_matrix(call, &j, call->out[0], call->out[0]->ndim - 2,
                     "has no singular values: no convergence");
}

int MN_KERNEL(eigh)(mn_call *call) {
  job j = {.option = mn_eigh_of(call)->UPLO != 0, .weight = LAPACK_ITERATED};
  if (begin(call, &j)) return -1;
  j.one = OF(&j, eigh);
  OF(&j, eigh_work)(&j);
  j.reals = square(j.n) + (size_t)j.lwork;
  j.ints = (size_t)j.liwork;
  return each_matrix(call, &j, call->out[1], call->out[1]->ndim - 2, "has no eigenvalues: no convergence");
}

int MN_KERNEL(eig)(mn_call *call) {
  job j = {.weight = LAPACK_ITERATED};
  if (begin(call, &j)) return -1;
  j.one = OF(&j, eig);
  OF(&j, eig_work)(&j);
  j.reals = 2 * square(j.n) + (size_t)j.n + (size_t)j.lwork;
  return each_matrix(call, &j, call->out[1], call->out[1]->ndim - 2,
                     "has eigenvalues that are not real, and there are no complex numbers");
}

int MN_KERNEL(svd)(mn_call *call) {
  job j = {.option = mn_svd_of(call)->full_matrices != 0, .weight = LAPACK_ITERATED};
  if (begin(call, &j)) return -1;
  j.one = OF(&j, svd);
  OF(&j, svd_work)(&j);
  size_t rows = (size_t)(j.option ? j.m : j.k), cols = (size_t)(j.option ? j.n : j.k);
  j.reals = (size_t)j.m * (size_t)j.n + (size_t)j.m * rows + (size_t)j.n * cols + (size_t)j.lwork;
  j.ints = 8 * (size_t)j.k;
  return each_matrix(call, &j, call->out[0], call->out[0]->ndim - 2,
                     "has no singular values: no convergence");
}

int MN_KERNEL(pinverse)(mn_call *call) {
  const mn_pinverse_attrs *t = mn_pinverse_of(call);
  job j = {.rtol = t->rtol, .atol = t->atol, .weight = LAPACK_ITERATED};
  if (begin(call, &j)) return -1;
  if (j.rtol < 0) j.rtol = (j.m > j.n ? j.m : j.n) * OF(&j, precision);
  j.one = OF(&j, pinverse);
  OF(&j, svd_work)(&j);
  size_t m = (size_t)j.m, n = (size_t)j.n, k = (size_t)j.k;
  j.reals = 2 * m * n + (m + n + 1) * k + (size_t)j.lwork;
  j.ints = 8 * k;
  return each_matrix(call, &j, call->out[0], call->out[0]->ndim - 2,
                     "has no singular values: no convergence");
}

int MN_KERNEL(qr)(mn_call *call) {
  job j = {.option = mn_qr_of(call)->mode == 1};
  if (begin(call, &j)) return -1;
  j.one = OF(&j, qr);
  OF(&j, qr_work)(&j);
  size_t cols = (size_t)(j.option ? j.m : j.k);
  j.reals = (size_t)j.m * ((size_t)j.n + cols) + (size_t)j.k + (size_t)j.lwork;
  return each_matrix(call, &j, call->out[0], call->out[0]->ndim - 2, "");
}
