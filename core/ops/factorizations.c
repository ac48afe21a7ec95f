/* factorizations.c: shape and derivative rules of factorizations, solutions and determinants. It runs no kernels and
 * reads no data. Derivatives are made of ordinary ops, so they have derivatives again; their conventions are
 * PyTorch's. Sources: M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
 * differentiation" (2008); M. Seeger et al., "Auto-differentiating linear algebra" (arXiv 1710.08717, 2017);
 * S. Walter and L. Lehmann, "Algorithmic differentiation of linear algebra functions" (2010) for QR. */
#include "ops/algebra.h"
#include "ops/matrices.h"

/* ---- shapes ---- */

static const mn_array *input(const mn_infer *x) { return x->in[0]; }
static int64_t rows_of(const mn_array *a) { return a->size[a->ndim - 2]; }
static int64_t cols_of(const mn_array *a) { return a->size[a->ndim - 1]; }
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static int check_matrices(mn_infer *x, const mn_array *a, bool square) {
  char text[128];
  if (a->ndim < 2)
    return mn_fail(x, "expected a matrix or a batch of matrices, got %s", mn_shape_text(a, text));
  if (a->dtype != MN_FLOAT32 && a->dtype != MN_FLOAT64)
    return mn_fail(x, "expected float32 or float64, got %s", mn_dtype_name(a->dtype));
  if (square && rows_of(a) != cols_of(a))
    return mn_fail(x, "expected square matrices, got %s", mn_shape_text(a, text));
  return 0;
}

/* out: input's batch dims, then rows and cols; a negative number leaves one out. */
static void shaped(const mn_array *in, mn_array *out, int64_t rows, int64_t cols) {
  mn_same_shape(out, in);
  out->dtype = in->dtype;
  out->ndim -= 2;
  if (rows >= 0) out->size[out->ndim++] = rows;
  if (cols >= 0) out->size[out->ndim++] = cols;
}

int mn_infer_square(mn_infer *x) {
  if (check_matrices(x, input(x), true)) return -1;
  shaped(input(x), x->out[0], rows_of(input(x)), cols_of(input(x)));
  return 0;
}

int mn_infer_det(mn_infer *x) {
  if (check_matrices(x, input(x), true)) return -1;
  for (int k = 0; k < x->op->n_out; k++) shaped(input(x), x->out[k], -1, -1);
  return 0;
}

int mn_infer_eigh(mn_infer *x) {
  if (check_matrices(x, input(x), true)) return -1;
  shaped(input(x), x->out[0], rows_of(input(x)), -1);
  shaped(input(x), x->out[1], rows_of(input(x)), cols_of(input(x)));
  return 0;
}

/* An int32 for each matrix of a batch whose sizes `like` has in front of the last two. */
static void info_of(const mn_array *like, mn_array *info) {
  shaped(like, info, -1, -1);
  info->dtype = MN_INT32;
}

int mn_infer_cholesky_ex(mn_infer *x) {
  if (mn_infer_square(x)) return -1;
  info_of(x->out[0], x->out[1]);
  return 0;
}

int mn_infer_lu_factor_ex(mn_infer *x) {
  const mn_array *in = input(x);
  if (check_matrices(x, in, false)) return -1;
  shaped(in, x->out[0], rows_of(in), cols_of(in));
  shaped(in, x->out[1], least(rows_of(in), cols_of(in)), -1);
  x->out[1]->dtype = MN_INT32;
  info_of(in, x->out[2]);
  return 0;
}

int mn_infer_swap_rows(mn_infer *x) {
  const mn_array *a = input(x);
  mn_array pivots = *x->in[1]; /* as columns, whose batch dims are where those of matrices are */
  char text[128];
  if (check_matrices(x, a, false)) return -1;
  if (pivots.dtype != MN_INT32)
    return mn_fail(x, "expected pivots of int32, got %s", mn_dtype_name(pivots.dtype));
  if (pivots.ndim < 1 || pivots.ndim == MN_MAX_DIMS || pivots.size[pivots.ndim - 1] > rows_of(a))
    return mn_fail(x, "expected pivots (..., k) of up to %lld rows, got %s", (long long)rows_of(a),
                   mn_shape_text(x->in[1], text));
  pivots.size[pivots.ndim++] = 1;
  return mn_matrix_shape(x, a, &pivots, rows_of(a), cols_of(a), x->out[0]);
}

int mn_infer_svd(mn_infer *x) {
  const mn_array *in = input(x);
  if (check_matrices(x, in, false)) return -1;
  int64_t m = rows_of(in), n = cols_of(in), k = least(m, n);
  bool full = mn_svd_given(x)->full_matrices != 0;
  shaped(in, x->out[0], m, full ? m : k);
  shaped(in, x->out[1], k, -1);
  shaped(in, x->out[2], full ? n : k, n);
  return 0;
}

int mn_infer_qr(mn_infer *x) {
  const mn_array *in = input(x);
  if (check_matrices(x, in, false)) return -1;
  int64_t m = rows_of(in), n = cols_of(in), k = mn_qr_given(x)->mode == 1 ? m : least(m, n);
  shaped(in, x->out[0], m, k);
  shaped(in, x->out[1], k, n);
  return 0;
}

int mn_infer_solve(mn_infer *x) {
  const mn_array *a = input(x), *b = x->in[1];
  char left[128], right[128];
  if (check_matrices(x, a, true) || check_matrices(x, b, false)) return -1;
  if (a->dtype != b->dtype)
    return mn_fail(x, "the matrix is %s but the right-hand side is %s", mn_dtype_name(a->dtype),
                   mn_dtype_name(b->dtype));
  if (rows_of(b) != rows_of(a))
    return mn_fail(x, "size mismatch, the matrix %s and the right-hand side %s, which has not as many rows",
                   mn_shape_text(a, left), mn_shape_text(b, right));
  return mn_matrix_shape(x, a, b, rows_of(b), cols_of(b), x->out[0]);
}

int mn_infer_solve_ex(mn_infer *x) {
  if (mn_infer_solve(x)) return -1;
  info_of(x->out[0], x->out[1]);
  return 0;
}

int mn_infer_pinverse(mn_infer *x) {
  if (check_matrices(x, input(x), false)) return -1;
  shaped(input(x), x->out[0], cols_of(input(x)), rows_of(input(x)));
  return 0;
}

/* ---- what the derivatives are made of; each acts on every matrix of a batch ---- */

static mn_tensor *triangle(mn_context *ctx, mn_tensor *a, bool upper, int diagonal) {
  return upper ? mn_triu(ctx, a, &(mn_triu_attrs){diagonal}) : mn_tril(ctx, a, &(mn_tril_attrs){diagonal});
}
/* (a + a^T) / 2 and a - a^T */
static mn_tensor *symmetric(mn_context *ctx, mn_tensor *a) {
  return mn_mul_number(ctx, plus(ctx, a, transposed(ctx, a)), 0.5);
}
static mn_tensor *skew(mn_context *ctx, mn_tensor *a) { return minus(ctx, a, transposed(ctx, a)); }

/* A vector (..., k) as a column (..., k, 1), a row (..., 1, k), a diagonal matrix. */
static mn_tensor *column(mn_context *ctx, mn_tensor *v) {
  return mn_unsqueeze(ctx, v, &(mn_unsqueeze_attrs){-1});
}
static mn_tensor *row(mn_context *ctx, mn_tensor *v) {
  return mn_unsqueeze(ctx, v, &(mn_unsqueeze_attrs){-2});
}
static mn_tensor *diagonal_matrix(mn_context *ctx, mn_tensor *v) {
  if (!v) return NULL;
  mn_list size = mn_shape_list(v);
  size.v[size.n] = size.v[size.n - 1];
  size.n++;
  return mn_undiagonal(ctx, v, &(mn_undiagonal_attrs){size, 0, -2, -1});
}
static mn_tensor *diagonal_of(mn_context *ctx, mn_tensor *a) {
  return mn_diagonal(ctx, a, &(mn_diagonal_attrs){.dim1 = -2, .dim2 = -1});
}

/* 1 / a, and 0 where a is 0: so equal eigenvalues, whose vectors have no derivative, give none. */
static mn_tensor *inverted(mn_context *ctx, mn_tensor *a) { return mn_reciprocal_no_nan(ctx, a, NULL); }

/* count columns (dim -1) or rows (dim -2) of a, from `start` on. */
static mn_tensor *part(mn_context *ctx, mn_tensor *a, int dim, int64_t start, int64_t count) {
  return mn_slice(ctx, a, &(mn_slice_attrs){.dim = dim, .start = start, .length = count, .step = 1});
}
static mn_tensor *triangular(mn_context *ctx, mn_tensor *a, mn_tensor *b, bool upper, bool unit) {
  return mn_solve_triangular(ctx, a, b, &(mn_solve_triangular_attrs){upper, unit});
}

static mn_tensor *swapped(mn_context *ctx, mn_tensor *a, mn_tensor *pivots, bool inverse) {
  return mn_swap_rows(ctx, a, pivots, &(mn_swap_rows_attrs){inverse});
}

/* ---- derivatives ---- */

MN_ALIKE(cholesky, cholesky_ex, upper);

/* A = L L^T. With P the lower triangle of L^T G, its diagonal halved: L^-T P L^-1, made symmetric. */
void mn_vjp_cholesky(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  bool upper = mn_cholesky_kept(r)->upper != 0;
  mn_tensor *factor = mn_saved_out(r, 0), *g = mn_grad(r, 0);
  mn_tensor *lower = upper ? transposed(ctx, factor) : factor,
            *l_t = upper ? factor : transposed(ctx, factor);
  mn_tensor *p = product(ctx, lower, upper ? transposed(ctx, g) : g, 1, 0);
  p = mn_mul_number(ctx, plus(ctx, triangle(ctx, p, false, 0), triangle(ctx, p, false, -1)), 0.5);
  p = triangular(ctx, l_t, p, true, false);
  mn_give(r, 0, symmetric(ctx, triangular(ctx, l_t, transposed(ctx, p), true, false)));
}

/* Y = A^-1: -Y^T G Y^T */
void mn_vjp_inverse(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *y = mn_saved_out(r, 0);
  mn_give(r, 0, negative(ctx, product(ctx, product(ctx, y, mn_grad(r, 0), 1, 0), y, 0, 1)));
}

/* The pseudoinverse P (of matrices of one rank; Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear
 * least squares problems whose variables separate", 1973):
 * -P^T G P^T + (I - A P) G^T P P^T + P^T P G^T (I - P A) */
void mn_vjp_pinverse(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *a = mn_saved_in(r, 0), *p = mn_saved_out(r, 0), *g = mn_grad(r, 0);
  mn_tensor *left = product(ctx, product(ctx, g, p, 1, 0), p, 0, 1),
            *right = product(ctx, p, product(ctx, p, g, 0, 1), 1, 0);
  mn_tensor *sum = minus(ctx, left, product(ctx, a, product(ctx, p, left, 0, 0), 0, 0));
  sum = plus(ctx, sum, minus(ctx, right, product(ctx, product(ctx, right, p, 0, 0), a, 0, 0)));
  mn_give(r, 0, minus(ctx, sum, product(ctx, product(ctx, p, g, 1, 0), p, 0, 1)));
}

/* A X = B: that of B is A^-T G, that of A the same times -X^T. Batch dims that were broadcast are summed by the
 * walk. */
void mn_vjp_solve(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *gb = mn_solve(ctx, transposed(ctx, mn_saved_in(r, 0)), mn_grad(r, 0), NULL);
  if (mn_need(r, 0)) mn_give(r, 0, negative(ctx, product(ctx, gb, mn_saved_out(r, 0), 0, 1)));
  if (mn_need(r, 1)) mn_give(r, 1, gb);
}

void mn_vjp_solve_triangular(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  const mn_solve_triangular_attrs *t = mn_solve_triangular_kept(r);
  bool upper = t->upper != 0, unit = t->unitriangular != 0;
  mn_tensor *gb = triangular(ctx, transposed(ctx, mn_saved_in(r, 0)), mn_grad(r, 0), !upper, unit);
  mn_tensor *ga = negative(ctx, product(ctx, gb, mn_saved_out(r, 0), 0, 1));
  if (mn_need(r, 0)) mn_give(r, 0, triangle(ctx, ga, upper, unit ? (upper ? 1 : -1) : 0));
  if (mn_need(r, 1)) mn_give(r, 1, gb);
}

/* g as (..., 1, 1), to stand beside matrices. */
static mn_tensor *scalar(mn_context *ctx, mn_tensor *g) { return column(ctx, column(ctx, g)); }

void mn_vjp_det(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *cofactor = mn_cofactor(ctx, mn_saved_in(r, 0), NULL);
  mn_give(r, 0, times(ctx, scalar(ctx, mn_grad(r, 0)), cofactor));
}

/* C = det(A) Y^T with Y = A^-1: <G, C> Y^T - C G^T Y^T. Here a singular matrix is an error. */
void mn_vjp_cofactor(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *c = mn_saved_out(r, 0), *g = mn_grad(r, 0), *y = mn_inverse(ctx, mn_saved_in(r, 0), NULL);
  mn_tensor *inner = mn_sum(ctx, times(ctx, g, c), &(mn_sum_attrs){.dim = {2, {-2, -1}}, .keepdim = 1});
  mn_give(r, 0,
          minus(ctx, times(ctx, inner, transposed(ctx, y)), product(ctx, product(ctx, c, g, 0, 1), y, 0, 1)));
}

/* The logarithm has the derivative A^-T; the sign has none. */
void mn_vjp_slogdet(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  if (!mn_has_grad(r, 1)) return;
  mn_tensor *y = mn_inverse(ctx, mn_saved_in(r, 0), NULL);
  mn_give(r, 0, times(ctx, scalar(ctx, mn_grad(r, 1)), transposed(ctx, y)));
}

/* A = V diag(w) V^T: V (diag(gw) + sym(V^T gV / E)) V^T with E[i][j] = w[j] - w[i]. */
void mn_vjp_eigh(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *w = mn_saved_out(r, 0), *v = mn_saved_out(r, 1), *core = NULL;
  if (mn_has_grad(r, 1)) {
    mn_tensor *gaps = inverted(ctx, minus(ctx, row(ctx, w), column(ctx, w)));
    core = symmetric(ctx, times(ctx, product(ctx, v, mn_grad(r, 1), 1, 0), gaps));
  }
  if (mn_has_grad(r, 0)) {
    mn_tensor *diagonal = diagonal_matrix(ctx, mn_grad(r, 0));
    core = core ? plus(ctx, core, diagonal) : diagonal;
  }
  if (core) mn_give(r, 0, product(ctx, product(ctx, v, core, 0, 0), v, 0, 1));
}

/* A = V diag(w) V^-1: V^-T (diag(gw) + (V^T gV - V^T V diag(V^T gV)) / E) V^T, where diag(M) is M's diagonal and E as
 * above: each column of V moves across itself, since its length stays 1. */
void mn_vjp_eig(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *w = mn_saved_out(r, 0), *v = mn_saved_out(r, 1), *core = NULL;
  if (mn_has_grad(r, 1)) {
    mn_tensor *m = product(ctx, v, mn_grad(r, 1), 1, 0), *along = row(ctx, diagonal_of(ctx, m));
    core = minus(ctx, m, times(ctx, product(ctx, v, v, 1, 0), along));
    core = times(ctx, core, inverted(ctx, minus(ctx, row(ctx, w), column(ctx, w))));
  }
  if (mn_has_grad(r, 0)) core = sum_with(ctx, core, diagonal_matrix(ctx, mn_grad(r, 0)));
  if (core) mn_give(r, 0, mn_solve(ctx, transposed(ctx, v), product(ctx, core, v, 0, 1), NULL));
}

/* Row swaps are undone by the same ones backwards. */
void mn_vjp_swap_rows(mn_rule *r) {
  bool inverse = mn_swap_rows_kept(r)->inverse != 0;
  mn_give(r, 0, swapped(mn_rule_ctx(r), mn_grad(r, 0), mn_saved_in(r, 1), !inverse));
}

/* A = P [L1; L2] [U1 U2], L1 and U1 being squares of the smaller dim; what isn't there has no rows or columns. With
 * M = tril(L1^T gL1 - gU2 U2^T, -1) + triu(gU1 U1^T - L2^T gL2): P [L1^-T M U1^-T, L1^-T gU2; gL2 U1^-T]. */
void mn_vjp_lu_factor_ex(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *lu = mn_saved_out(r, 0), *g = mn_grad(r, 0);
  if (!lu || !g) return;
  int64_t m = rows_of(mn_arr(lu)), n = cols_of(mn_arr(lu)), k = least(m, n);
  mn_tensor *square = part(ctx, part(ctx, lu, -2, 0, k), -1, 0, k),
            *g1 = part(ctx, part(ctx, g, -2, 0, k), -1, 0, k), *below = NULL, *beside = NULL;
  mn_tensor *gl = triangle(ctx, g1, false, -1);
  mn_tensor *low = plus(ctx, gl, product(ctx, triangle(ctx, square, false, -1), gl, 1, 0));
  mn_tensor *high = product(ctx, triangle(ctx, g1, true, 0), triangle(ctx, square, true, 0), 0, 1);
  if (n > k) {
    beside = part(ctx, g, -1, k, n - k);
    low = minus(ctx, low, product(ctx, beside, part(ctx, lu, -1, k, n - k), 0, 1));
    beside = triangular(ctx, transposed(ctx, square), beside, true, true);
  }
  if (m > k) {
    below = part(ctx, g, -2, k, m - k);
    high = minus(ctx, high, product(ctx, part(ctx, lu, -2, k, m - k), below, 1, 0));
  }
  mn_tensor *middle = plus(ctx, triangle(ctx, low, false, -1), triangle(ctx, high, true, 0));
  mn_tensor *all[2] = {triangular(ctx, transposed(ctx, square), middle, true, true), below};
  if (below) all[0] = mn_cat(ctx, 2, all, &(mn_cat_attrs){-2});
  all[0] = transposed(ctx, triangular(ctx, square, transposed(ctx, all[0]), true, false)); /* times U1^-T */
  all[1] = beside;
  if (beside) all[0] = mn_cat(ctx, 2, all, &(mn_cat_attrs){-1});
  mn_give(r, 0, swapped(ctx, all[0], mn_saved_out(r, 1), true));
}

/* Orthonormal columns [b c] of which c only completes the basis: any c would do, so its derivative is taken to be
 * that which turns c least, dc = -b db^T c, right for whatever doesn't depend on the choice. Then c's cotangent
 * is one of b's: gb - c gc^T b. `first` columns belong to b. */
static mn_tensor *basis_grad(mn_context *ctx, mn_tensor *all, mn_tensor *g, int64_t first) {
  if (!all || !g) return NULL;
  int64_t count = cols_of(mn_arr(all));
  if (count == first) return g;
  mn_tensor *b = part(ctx, all, -1, 0, first), *c = part(ctx, all, -1, first, count - first);
  mn_tensor *gb = part(ctx, g, -1, 0, first), *gc = part(ctx, g, -1, first, count - first);
  return minus(ctx, gb, product(ctx, c, product(ctx, gc, b, 1, 0), 0, 0));
}

typedef struct svd_parts {
  int64_t m, n, k;
  mn_tensor *u, *s, *v, *gu, *gv; /* v, not its transpose; cotangents NULL where there are none */
} svd_parts;

static svd_parts svd_saved(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_list size = mn_in_shape(r, 0);
  svd_parts p = {.m = size.v[size.n - 2], .n = size.v[size.n - 1]};
  p.k = least(p.m, p.n);
  p.u = mn_saved_out(r, 0), p.s = mn_saved_out(r, 1), p.v = transposed(ctx, mn_saved_out(r, 2));
  if (mn_has_grad(r, 0)) p.gu = basis_grad(ctx, p.u, mn_grad(r, 0), p.k);
  if (mn_has_grad(r, 2)) p.gv = basis_grad(ctx, p.v, transposed(ctx, mn_grad(r, 2)), p.k);
  if (p.u && mn_arr(p.u)->size[mn_arr(p.u)->ndim - 1] != p.k) p.u = part(ctx, p.u, -1, 0, p.k);
  if (p.v && mn_arr(p.v)->size[mn_arr(p.v)->ndim - 1] != p.k) p.v = part(ctx, p.v, -1, 0, p.k);
  return p;
}

/* (I - u u^T) g, the part of g across u's columns. */
static mn_tensor *across(mn_context *ctx, mn_tensor *u, mn_tensor *g) {
  return minus(ctx, g, product(ctx, u, product(ctx, u, g, 1, 0), 0, 0));
}

/* A = U diag(s) V^T, thin. U (skew(U^T gU)/E diag(s) + diag(s) skew(V^T gV)/E + diag(gs)) V^T, with
 * E[i][j] = s[j]^2 - s[i]^2, and where A is not square the part of gU across U's columns, or of gV across V's. */
void mn_vjp_svd(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  svd_parts p = svd_saved(r);
  mn_tensor *core = NULL, *left = NULL, *right = NULL, *rows = row(ctx, p.s), *cols = column(ctx, p.s);
  mn_tensor *gaps =
      p.gu || p.gv ? inverted(ctx, times(ctx, minus(ctx, rows, cols), plus(ctx, rows, cols))) : NULL;
  if (p.gu) core = times(ctx, times(ctx, skew(ctx, product(ctx, p.u, p.gu, 1, 0)), gaps), rows);
  if (p.gv)
    core = sum_with(ctx, core, times(ctx, times(ctx, skew(ctx, product(ctx, p.v, p.gv, 1, 0)), gaps), cols));
  if (mn_has_grad(r, 1)) core = sum_with(ctx, core, diagonal_matrix(ctx, mn_grad(r, 1)));
  if (!core) return;
  left = product(ctx, p.u, core, 0, 0);
  if (p.gu && p.m > p.k) left = plus(ctx, left, times(ctx, across(ctx, p.u, p.gu), inverted(ctx, rows)));
  mn_tensor *total = product(ctx, left, p.v, 0, 1);
  if (p.gv && p.n > p.k) {
    right = times(ctx, across(ctx, p.v, p.gv), inverted(ctx, rows));
    total = plus(ctx, total, product(ctx, p.u, right, 0, 1));
  }
  mn_give(r, 0, total);
}

/* A = Q R with a square R: (gQ + Q sym(M)) R^-T, where M = R gR^T - gQ^T Q and sym copies the lower triangle up. */
static mn_tensor *square_qr(mn_context *ctx, mn_tensor *q, mn_tensor *tri, mn_tensor *gq, mn_tensor *gr) {
  mn_tensor *m = gr ? product(ctx, tri, gr, 0, 1) : NULL;
  if (gq) m = m ? minus(ctx, m, product(ctx, gq, q, 1, 0)) : negative(ctx, product(ctx, gq, q, 1, 0));
  if (!m) return NULL;
  m = plus(ctx, triangle(ctx, m, false, 0), transposed(ctx, triangle(ctx, m, false, -1)));
  mn_tensor *b = product(ctx, q, m, 0, 0);
  if (gq) b = plus(ctx, b, gq);
  return transposed(ctx, triangular(ctx, tri, transposed(ctx, b), true, false)); /* (R^-1 b^T)^T = b R^-T */
}

/* A wide A is [X Y], R [S T] with X = Q S and T = Q^T Y: gT goes to Y, and through Y to Q. */
static mn_tensor *wide_qr(mn_rule *r, mn_tensor *q, mn_tensor *tri, mn_tensor *gq, mn_tensor *gr) {
  mn_context *ctx = mn_rule_ctx(r);
  int64_t m = rows_of(mn_arr(tri)), rest = cols_of(mn_arr(tri)) - m;
  mn_tensor *gs = NULL, *y = part(ctx, mn_saved_in(r, 0), -1, m, rest), *gy = NULL;
  if (gr) {
    mn_tensor *gt = part(ctx, gr, -1, m, rest);
    gs = part(ctx, gr, -1, 0, m);
    gq = sum_with(ctx, gq, product(ctx, y, gt, 0, 1));
    gy = product(ctx, q, gt, 0, 0);
  } else if (y) {
    gy = mn_zeros(ctx, mn_shape_list(y), mn_arr(y)->dtype);
  }
  mn_tensor *both[2] = {square_qr(ctx, q, part(ctx, tri, -1, 0, m), gq, gs), gy};
  return mn_cat(ctx, 2, both, &(mn_cat_attrs){-1});
}

void mn_vjp_qr(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *q = mn_saved_out(r, 0), *tri = mn_saved_out(r, 1);
  if (!q || !tri) return;
  mn_tensor *gq = mn_has_grad(r, 0) ? mn_grad(r, 0) : NULL, *gr = mn_has_grad(r, 1) ? mn_grad(r, 1) : NULL;
  int64_t m = rows_of(mn_arr(q)), n = cols_of(mn_arr(tri)), k = least(m, n);
  mn_tensor *result;
  if (m < n) {
    result = wide_qr(r, q, tri, gq, gr);
  } else {
    if (gq) gq = basis_grad(ctx, q, gq, k);
    if (rows_of(mn_arr(tri)) != k) {
      q = part(ctx, q, -1, 0, k), tri = part(ctx, tri, -2, 0, k);
      if (gr) gr = part(ctx, gr, -2, 0, k);
    }
    result = square_qr(ctx, q, tri, gq, gr);
  }
  if (result) mn_give(r, 0, result);
}

/* ---- tangents ---- */

/* dL = L P with P the lower triangle of L^-1 dA L^-T, its diagonal halved. */
void mn_jvp_cholesky(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  bool upper = mn_cholesky_kept(r)->upper != 0;
  mn_tensor *factor = mn_saved_out(r, 0), *lower = upper ? transposed(ctx, factor) : factor;
  mn_tensor *p = triangular(ctx, lower, symmetric(ctx, mn_tangent(r, 0)), false, false);
  p = triangular(ctx, lower, transposed(ctx, p), false,
                 false); /* symmetric, so that it need not be transposed back */
  p = mn_mul_number(ctx, plus(ctx, triangle(ctx, p, false, 0), triangle(ctx, p, false, -1)), 0.5);
  mn_tensor *t = product(ctx, lower, p, 0, 0);
  mn_push(r, 0, upper ? transposed(ctx, t) : t);
}

/* dY = -Y dA Y */
void mn_jvp_inverse(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *y = mn_saved_out(r, 0);
  mn_push(r, 0, negative(ctx, product(ctx, product(ctx, y, mn_tangent(r, 0), 0, 0), y, 0, 0)));
}

/* dP = -P dA P + P P^T dA^T (I - A P) + (I - P A) dA^T P^T P */
void mn_jvp_pinverse(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *a = mn_saved_in(r, 0), *p = mn_saved_out(r, 0), *t = mn_tangent(r, 0);
  mn_tensor *left = product(ctx, p, product(ctx, p, t, 1, 1), 0, 0),
            *right = product(ctx, product(ctx, t, p, 1, 1), p, 0, 0);
  mn_tensor *sum = minus(ctx, left, product(ctx, product(ctx, left, a, 0, 0), p, 0, 0));
  sum = plus(ctx, sum, minus(ctx, right, product(ctx, p, product(ctx, a, right, 0, 0), 0, 0)));
  mn_push(r, 0, minus(ctx, sum, product(ctx, product(ctx, p, t, 0, 0), p, 0, 0)));
}

/* What A dX has to be: dB - dA X, with dA given. */
static mn_tensor *right_side(mn_rule *r, mn_tensor *ta) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *from_a = ta ? negative(ctx, product(ctx, ta, mn_saved_out(r, 0), 0, 0)) : NULL;
  if (!mn_has_tangent(r, 1)) return from_a;
  return from_a ? plus(ctx, from_a, mn_tangent(r, 1)) : mn_tangent(r, 1);
}

void mn_jvp_solve(mn_rule *r) {
  mn_tensor *b = right_side(r, mn_has_tangent(r, 0) ? mn_tangent(r, 0) : NULL);
  mn_push(r, 0, mn_solve(mn_rule_ctx(r), mn_saved_in(r, 0), b, NULL));
}

void mn_jvp_solve_triangular(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  const mn_solve_triangular_attrs *t = mn_solve_triangular_kept(r);
  bool upper = t->upper != 0, unit = t->unitriangular != 0;
  mn_tensor *ta =
      mn_has_tangent(r, 0) ? triangle(ctx, mn_tangent(r, 0), upper, unit ? (upper ? 1 : -1) : 0) : NULL;
  mn_push(r, 0, triangular(ctx, mn_saved_in(r, 0), right_side(r, ta), upper, unit));
}

/* The sum of g * dA over each matrix. */
static mn_tensor *inner(mn_rule *r, mn_tensor *g) {
  mn_context *ctx = mn_rule_ctx(r);
  return mn_sum(ctx, times(ctx, g, mn_tangent(r, 0)), &(mn_sum_attrs){.dim = {2, {-2, -1}}});
}

void mn_jvp_det(mn_rule *r) { mn_push(r, 0, inner(r, mn_cofactor(mn_rule_ctx(r), mn_saved_in(r, 0), NULL))); }

void mn_jvp_slogdet(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_push(r, 1, inner(r, transposed(ctx, mn_inverse(ctx, mn_saved_in(r, 0), NULL))));
}

/* With M = V^T dA V: dw is its diagonal, dV = V (sym(M) / E) with E[i][j] = w[j] - w[i]. */
void mn_jvp_eigh(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *w = mn_saved_out(r, 0), *v = mn_saved_out(r, 1);
  mn_tensor *m = symmetric(ctx, product(ctx, product(ctx, v, mn_tangent(r, 0), 1, 0), v, 0, 0));
  mn_tensor *gaps = inverted(ctx, minus(ctx, row(ctx, w), column(ctx, w)));
  mn_push(r, 0, diagonal_of(ctx, m));
  mn_push(r, 1, product(ctx, v, times(ctx, m, gaps), 0, 0));
}

/* With M = V^-1 dA V: dw is its diagonal, dV = V C - V diag(V^T V C) with C = M / E. */
void mn_jvp_eig(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *w = mn_saved_out(r, 0), *v = mn_saved_out(r, 1);
  mn_tensor *m = mn_solve(ctx, v, product(ctx, mn_tangent(r, 0), v, 0, 0), NULL);
  mn_tensor *gaps = inverted(ctx, minus(ctx, row(ctx, w), column(ctx, w)));
  mn_tensor *turn = product(ctx, v, times(ctx, m, gaps), 0, 0);
  mn_tensor *along = row(ctx, diagonal_of(ctx, product(ctx, v, turn, 1, 0)));
  mn_push(r, 0, diagonal_of(ctx, m));
  mn_push(r, 1, minus(ctx, turn, times(ctx, v, along)));
}

void mn_jvp_swap_rows(mn_rule *r) {
  bool inverse = mn_swap_rows_kept(r)->inverse != 0;
  mn_push(r, 0, swapped(mn_rule_ctx(r), mn_tangent(r, 0), mn_saved_in(r, 1), inverse));
}

/* The tangent of [b c] (see basis_grad), given that of its `first` columns b: dc = -b db^T c. */
static mn_tensor *basis_tangent(mn_context *ctx, mn_tensor *all, mn_tensor *db, int64_t first) {
  if (!all || !db) return NULL;
  int64_t count = cols_of(mn_arr(all));
  if (count == first) return db;
  mn_tensor *b = part(ctx, all, -1, 0, first), *c = part(ctx, all, -1, first, count - first);
  mn_tensor *both[2] = {db, negative(ctx, product(ctx, b, product(ctx, db, c, 1, 0), 0, 0))};
  return mn_cat(ctx, 2, both, &(mn_cat_attrs){-1});
}

/* With P = U^T dA V: ds is its diagonal, dU = U skew(P diag(s) / E), dV = V skew(diag(s) P / E), with E as above, and
 * where A is not square the parts across: of dA V / s across U's columns, of dA^T U / s across V's. */
void mn_jvp_svd(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  svd_parts p = svd_saved(r);
  mn_tensor *t = mn_tangent(r, 0), *rows = row(ctx, p.s), *cols = column(ctx, p.s);
  mn_tensor *tv = product(ctx, t, p.v, 0, 0), *tu = product(ctx, t, p.u, 1, 0),
            *m = product(ctx, p.u, tv, 1, 0);
  mn_tensor *gaps = inverted(ctx, times(ctx, minus(ctx, rows, cols), plus(ctx, rows, cols)));
  mn_tensor *du = product(ctx, p.u, skew(ctx, times(ctx, times(ctx, m, rows), gaps)), 0, 0);
  mn_tensor *dv = product(ctx, p.v, skew(ctx, times(ctx, times(ctx, m, cols), gaps)), 0, 0);
  if (p.m > p.k) du = plus(ctx, du, across(ctx, p.u, times(ctx, tv, inverted(ctx, rows))));
  if (p.n > p.k) dv = plus(ctx, dv, across(ctx, p.v, times(ctx, tu, inverted(ctx, rows))));
  mn_push(r, 0, basis_tangent(ctx, mn_saved_out(r, 0), du, p.k));
  mn_push(r, 1, diagonal_of(ctx, m));
  mn_push(r, 2, transposed(ctx, basis_tangent(ctx, transposed(ctx, mn_saved_out(r, 2)), dv, p.k)));
}

/* A = Q R with a square R: with T = dA R^-1, M = Q^T T and X = skew of the lower triangle of M, dQ = Q X + T - Q M and
 * dR = (M - X) R. */
static void square_qr_tangent(mn_rule *r, mn_tensor *q, mn_tensor *tri, mn_tensor *t, mn_tensor **dq,
                              mn_tensor **dr) {
  mn_context *ctx = mn_rule_ctx(r);
  t = transposed(ctx, triangular(ctx, transposed(ctx, tri), transposed(ctx, t), false, false));
  mn_tensor *m = product(ctx, q, t, 1, 0), *x = skew(ctx, triangle(ctx, m, false, -1)),
            *rest = minus(ctx, m, x);
  *dq = minus(ctx, t, product(ctx, q, rest, 0, 0));
  *dr = product(ctx, rest, tri, 0, 0);
}

void mn_jvp_qr(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *q = mn_saved_out(r, 0), *tri = mn_saved_out(r, 1), *t = mn_tangent(r, 0), *dq = NULL, *dr = NULL;
  if (!q || !tri || !t) return;
  int64_t m = rows_of(mn_arr(q)), n = cols_of(mn_arr(tri)), k = least(m, n), below = rows_of(mn_arr(tri)) - k;
  square_qr_tangent(r, part(ctx, q, -1, 0, k), part(ctx, part(ctx, tri, -2, 0, k), -1, 0, k),
                    part(ctx, t, -1, 0, k), &dq, &dr);
  if (n > k) { /* R is [S T] with T = Q^T Y, Y being the other columns of A */
    mn_tensor *y = part(ctx, mn_saved_in(r, 0), -1, k, n - k), *dy = part(ctx, t, -1, k, n - k);
    mn_tensor *both[2] = {dr, plus(ctx, product(ctx, dq, y, 1, 0), product(ctx, q, dy, 1, 0))};
    dr = mn_cat(ctx, 2, both, &(mn_cat_attrs){-1});
  }
  mn_push(r, 0, basis_tangent(ctx, q, dq, k));
  if (below > 0) {
    mn_list size = mn_out_shape(r, 1);
    size.v[size.n - 2] = below;
    mn_tensor *both[2] = {dr, mn_zeros(ctx, size, mn_out_dtype(r, 1))};
    dr = mn_cat(ctx, 2, both, &(mn_cat_attrs){-2});
  }
  mn_push(r, 1, dr);
}
