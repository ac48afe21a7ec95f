/* products.c: matmul and linear. Products of up to medium size run here, on register tiles; large ones go to
 * BLAS, cut into parts by shape alone. It must not know of derivatives. */
#include "variant.h"
#include "dense.h"
#include "grain.h"
#include "tile.h"
#include "matrices.h"
#include "cpu/blas.h"
#define MN_SECTION "ops/products.def"
#include "section.h"
#include <string.h>

/* c = a b (+ c), for each of a batch of matrices. Steps are in elements; *_at are where each batch's matrix
 * begins. */
typedef struct gemm {
  int64_t m, n, k, batches;
  const void *a, *b;
  const int64_t *a_at, *b_at;
  void *c;
  int64_t a_row, a_col, b_row, b_col, c_row, c_col;
  int accumulate, dtype;
  int64_t tiles_per_block, parts;
  const mn_blas *blas;
} gemm;

#define BODY "products.inc"
#define KIND MN_NUMBERS
#include "each_dtype.inc"

/* BLAS knows matrices whose rows or whose columns are adjacent. */
static int leading(int64_t rows, int64_t cols, int64_t row, int64_t col, int64_t *ld) {
  if (col == 1 && row >= cols) return *ld = row, MN_BLAS_PLAIN;
  if (row == 1 && col >= rows) return *ld = col, MN_BLAS_TRANSPOSED;
  return 0;
}

static void blas_part(void *arg, int64_t i) {
  const gemm *g = arg;
  int64_t batch = i / g->parts, part = i % g->parts, lda = 0, ldb = 0;
  int by_rows = g->m >= g->n;
  int64_t whole = by_rows ? g->m : g->n, from = whole * part / g->parts,
          count = whole * (part + 1) / g->parts - from;
  int m = (int)(by_rows ? count : g->m), n = (int)(by_rows ? g->n : count), k = (int)g->k;
  int64_t a = g->a_at[batch] + (by_rows ? from * g->a_row : 0);
  int64_t b = g->b_at[batch] + (by_rows ? 0 : from * g->b_col);
  int64_t c = batch * g->m * g->n + from * (by_rows ? g->n : 1);
  int ta = leading(g->m, g->k, g->a_row, g->a_col, &lda), tb = leading(g->k, g->n, g->b_row, g->b_col, &ldb);
  if (g->dtype == MN_FLOAT32)
    g->blas->sgemm(MN_BLAS_ROW_MAJOR, ta, tb, m, n, k, 1, (const float *)g->a + a, (int)lda,
                   (const float *)g->b + b, (int)ldb, (float)g->accumulate, (float *)g->c + c, (int)g->n);
  else
    g->blas->dgemm(MN_BLAS_ROW_MAJOR, ta, tb, m, n, k, 1, (const double *)g->a + a, (int)lda,
                   (const double *)g->b + b, (int)ldb, g->accumulate, (double *)g->c + c, (int)g->n);
}

static int with_blas(mn_call *call, gemm *g) {
  g->blas = mn_blas_open(call->error, sizeof call->error);
  if (!g->blas) return -1;
  int64_t whole = g->m >= g->n ? g->m : g->n;
  g->parts = g->m * g->n * g->k / BLAS_PART + 1;
  if (g->parts > whole / 64 + 1) g->parts = whole / 64 + 1;
  mn_parallel(g->batches * g->parts, blas_part, g);
  return 0;
}

static int for_blas(const gemm *g) {
  int64_t ld, limit = INT32_MAX;
  return g->m * g->n * g->k > BLAS_LEAST && g->m > 16 && g->n > 16 && g->m < limit && g->n < limit &&
         g->k < limit && leading(g->m, g->k, g->a_row, g->a_col, &ld) && ld < limit &&
         leading(g->k, g->n, g->b_row, g->b_col, &ld) && ld < limit;
}

/* With few columns the transposed product fills the vectors better. */
static void transpose(gemm *g) {
  gemm t = *g;
  g->m = t.n, g->n = t.m;
  g->a = t.b, g->a_at = t.b_at, g->a_row = t.b_col, g->a_col = t.b_row;
  g->b = t.a, g->b_at = t.a_at, g->b_row = t.a_col, g->b_col = t.a_row;
  g->c_row = t.c_col, g->c_col = t.c_row;
}

static int multiply(mn_call *call, gemm *g) {
  if (g->m == 0 || g->n == 0 || g->batches == 0) return 0;
  if (g->dtype == MN_INT64) return mn_parallel(g->batches * g->m, rows_i64, g), 0;
  if (g->dtype == MN_INT32) return mn_parallel(g->batches * g->m, rows_i32, g), 0;
  if (g->dtype == MN_UINT8) return mn_parallel(g->batches * g->m, rows_u8, g), 0;
  if (g->k == 0) {
    if (!g->accumulate) memset(g->c, 0, (size_t)(g->batches * g->m * g->n) * mn_dtype_size(g->dtype));
    return 0;
  }
  if (for_blas(g)) return with_blas(call, g);
  if (g->n < 8 && g->m > g->n) transpose(g);
  MN_OF_FLOAT(g->dtype, tiled)(g);
  return 0;
}

/* Whether the batch dims and the rows of a can be walked as one long column of rows. */
static int rows_fold(const mn_array *a, int64_t *rows, int64_t *step) {
  *rows = 1, *step = 0;
  for (int d = a->ndim - 2; d >= 0; d--) {
    if (a->size[d] == 1) continue;
    if (*rows == 1) *step = a->stride[d];
    else if (a->stride[d] != *step * *rows) return 0;
    *rows *= a->size[d];
  }
  return 1;
}

int MN_KERNEL(matmul)(mn_call *call) {
  const mn_matmul_attrs *t = mn_matmul_of(call);
  const mn_array *a = call->in[0], *b = call->in[1], *c = call->out[0];
  int ar = a->ndim - 2 + (t->transpose_input != 0), ac = 2 * a->ndim - 3 - ar;
  int br = b->ndim - 2 + (t->transpose_other != 0), bc = 2 * b->ndim - 3 - br;
  int64_t zero = 0, rows, step, batches = mn_matrices(c);
  gemm g = {.m = a->size[ar],
            .n = b->size[bc],
            .k = a->size[ac],
            .batches = 1,
            .a = a->data,
            .b = b->data,
            .a_at = &zero,
            .b_at = &zero,
            .c = c->data,
            .a_row = a->stride[ar],
            .a_col = a->stride[ac],
            .b_row = b->stride[br],
            .b_col = b->stride[bc],
            .dtype = c->dtype,
            .c_row = b->size[bc],
            .c_col = 1};
  if (batches != 1 && b->ndim == 2 && !t->transpose_input && c->numel && rows_fold(a, &rows, &step)) {
    g.m = rows, g.a_row = step;
  } else if (batches != 1) {
    int64_t *at = mn_scratch(call, (size_t)(2 * batches + 1) * sizeof *at);
    if (!at) return -1;
    mn_batch_starts(a, c, c->ndim - 2, at);
    mn_batch_starts(b, c, c->ndim - 2, at + batches);
    g.batches = batches, g.a_at = at, g.b_at = at + batches;
  }
  return multiply(call, &g);
}

/* Puts the bias into every row of the result, for the product to be added to. */
static void fill_rows(const mn_array *bias, const gemm *g) {
  size_t size = mn_dtype_size(g->dtype);
  char *to = g->c;
  const char *from = bias->data;
  for (int64_t n = 0; n < g->n; n++)
    memcpy(to + (size_t)n * size, from + n * bias->stride[0] * (int64_t)size, size);
  for (int64_t m = 1; m < g->m; m++) memcpy(to + (size_t)(m * g->n) * size, to, (size_t)g->n * size);
}

int MN_KERNEL(linear)(mn_call *call) {
  const mn_array *x = call->in[0], *w = call->in[1], *bias = call->in[2];
  int64_t zero = 0, rows, step, in = w->size[1];
  gemm g = {.n = w->size[0],
            .k = in,
            .batches = 1,
            .a = x->data,
            .b = w->data,
            .a_at = &zero,
            .b_at = &zero,
            .c = call->out[0]->data,
            .a_col = x->stride[x->ndim - 1],
            .b_row = w->stride[1],
            .b_col = w->stride[0],
            .accumulate = bias != NULL,
            .dtype = w->dtype,
            .c_row = w->size[0],
            .c_col = 1};
  if (call->out[0]->numel == 0) return 0;
  if (!rows_fold(x, &rows, &step)) {
    g.a = mn_dense_data(call, x);
    if (!g.a) return -1;
    g.a_col = 1, step = in;
  }
  g.m = rows = call->out[0]->numel / g.n;
  g.a_row = step;
  if (bias) fill_rows(bias, &g);
  return multiply(call, &g);
}
