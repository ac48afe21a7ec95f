/* lapack.c: shape and derivative rules of factorizations, solutions and determinants. It runs no kernels and
 * reads no data. Derivatives are made of ordinary ops, so they have derivatives again; their conventions are
 * PyTorch's. Sources: M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
 * differentiation" (2008); M. Seeger et al., "Auto-differentiating linear algebra" (arXiv 1710.08717, 2017);
 * S. Walter and L. Lehmann, "Algorithmic differentiation of linear algebra functions" (2010) for QR. */
#include "ops/matrices.h"
#include "ops/prototypes.h"

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

int mn_infer_pinverse(mn_infer *x) {
  if (check_matrices(x, input(x), false)) return -1;
  shaped(input(x), x->out[0], cols_of(input(x)), rows_of(input(x)));
  return 0;
}

/* ---- what the derivatives are made of; each acts on every matrix of a batch ---- */

/* op(a) op(b), op transposing where its flag is set. */
static mn_tensor *product(mn_rule *r, mn_tensor *a, mn_tensor *b, int ta, int tb) {
  return mn_matmul(mn_rule_ctx(r), a, b, &(mn_matmul_attrs){ta, tb});
}
static mn_tensor *turned(mn_rule *r, mn_tensor *a) {
  return mn_transpose(mn_rule_ctx(r), a, &(mn_transpose_attrs){-2, -1});
}
static mn_tensor *add(mn_rule *r, mn_tensor *a, mn_tensor *b) { return mn_add(mn_rule_ctx(r), a, b, NULL); }
static mn_tensor *sub(mn_rule *r, mn_tensor *a, mn_tensor *b) { return mn_sub(mn_rule_ctx(r), a, b, NULL); }
static mn_tensor *mul(mn_rule *r, mn_tensor *a, mn_tensor *b) { return mn_mul(mn_rule_ctx(r), a, b, NULL); }
static mn_tensor *neg(mn_rule *r, mn_tensor *a) { return mn_neg(mn_rule_ctx(r), a, NULL); }

static mn_tensor *triangle(mn_rule *r, mn_tensor *a, bool upper, int diagonal) {
  return upper ? mn_triu(mn_rule_ctx(r), a, &(mn_triu_attrs){diagonal})
               : mn_tril(mn_rule_ctx(r), a, &(mn_tril_attrs){diagonal});
}
/* (a + a^T) / 2 and a - a^T */
static mn_tensor *symmetric(mn_rule *r, mn_tensor *a) {
  return mn_mul_number(mn_rule_ctx(r), add(r, a, turned(r, a)), 0.5);
}
static mn_tensor *skew(mn_rule *r, mn_tensor *a) { return sub(r, a, turned(r, a)); }

/* A vector (..., k) as a column (..., k, 1), a row (..., 1, k), a diagonal matrix. */
static mn_tensor *column(mn_rule *r, mn_tensor *v) {
  return mn_unsqueeze(mn_rule_ctx(r), v, &(mn_unsqueeze_attrs){-1});
}
static mn_tensor *row(mn_rule *r, mn_tensor *v) {
  return mn_unsqueeze(mn_rule_ctx(r), v, &(mn_unsqueeze_attrs){-2});
}
static mn_tensor *diagonal_matrix(mn_rule *r, mn_tensor *v) {
  if (!v) return NULL;
  mn_list size = mn_shape_list(v);
  size.v[size.n] = size.v[size.n - 1];
  size.n++;
  return mn_undiagonal(mn_rule_ctx(r), v, &(mn_undiagonal_attrs){size, 0, -2, -1});
}
/* 1 / a, and 0 where a is 0: so equal eigenvalues, whose vectors have no derivative, give none. */
static mn_tensor *inverted(mn_rule *r, mn_tensor *a) { return mn_reciprocal_no_nan(mn_rule_ctx(r), a, NULL); }

/* count columns (dim -1) or rows (dim -2) of a, from `start` on. */
static mn_tensor *part(mn_rule *r, mn_tensor *a, int dim, int64_t start, int64_t count) {
  return mn_slice(mn_rule_ctx(r), a,
                  &(mn_slice_attrs){.dim = dim, .start = start, .length = count, .step = 1});
}
static mn_tensor *triangular(mn_rule *r, mn_tensor *a, mn_tensor *b, bool upper, bool unit) {
  return mn_solve_triangular(mn_rule_ctx(r), a, b, &(mn_solve_triangular_attrs){upper, unit});
}

/* ---- derivatives ---- */

/* A = L L^T. With P the lower triangle of L^T G, its diagonal halved: L^-T P L^-1, made symmetric. */
void mn_vjp_cholesky(mn_rule *r) {
  bool upper = mn_cholesky_kept(r)->upper != 0;
  mn_tensor *factor = mn_saved_out(r, 0), *g = mn_grad(r, 0);
  mn_tensor *lower = upper ? turned(r, factor) : factor, *l_t = upper ? factor : turned(r, factor);
  mn_tensor *p = product(r, lower, upper ? turned(r, g) : g, 1, 0);
  p = mn_mul_number(mn_rule_ctx(r), add(r, triangle(r, p, false, 0), triangle(r, p, false, -1)), 0.5);
  p = triangular(r, l_t, p, true, false);
  mn_give(r, 0, symmetric(r, triangular(r, l_t, turned(r, p), true, false)));
}

/* Y = A^-1: -Y^T G Y^T */
void mn_vjp_inverse(mn_rule *r) {
  mn_tensor *y = mn_saved_out(r, 0);
  mn_give(r, 0, neg(r, product(r, product(r, y, mn_grad(r, 0), 1, 0), y, 0, 1)));
}

/* The pseudoinverse P (of matrices of one rank; Golub and Pereyra, "The differentiation of pseudo-inverses and nonlinear
 * least squares problems whose variables separate", 1973):
 * -P^T G P^T + (I - A P) G^T P P^T + P^T P G^T (I - P A) */
void mn_vjp_pinverse(mn_rule *r) {
  mn_tensor *a = mn_saved_in(r, 0), *p = mn_saved_out(r, 0), *g = mn_grad(r, 0);
  mn_tensor *left = product(r, product(r, g, p, 1, 0), p, 0, 1),
            *right = product(r, p, product(r, p, g, 0, 1), 1, 0);
  mn_tensor *sum = sub(r, left, product(r, a, product(r, p, left, 0, 0), 0, 0));
  sum = add(r, sum, sub(r, right, product(r, product(r, right, p, 0, 0), a, 0, 0)));
  mn_give(r, 0, sub(r, sum, product(r, product(r, p, g, 1, 0), p, 0, 1)));
}

/* A X = B: that of B is A^-T G, that of A the same times -X^T. Batch dims that were broadcast are summed by the
 * walk. */
void mn_vjp_solve(mn_rule *r) {
  mn_tensor *gb = mn_solve(mn_rule_ctx(r), turned(r, mn_saved_in(r, 0)), mn_grad(r, 0), NULL);
  if (mn_need(r, 0)) mn_give(r, 0, neg(r, product(r, gb, mn_saved_out(r, 0), 0, 1)));
  if (mn_need(r, 1)) mn_give(r, 1, gb);
}

void mn_vjp_solve_triangular(mn_rule *r) {
  const mn_solve_triangular_attrs *t = mn_solve_triangular_kept(r);
  bool upper = t->upper != 0, unit = t->unitriangular != 0;
  mn_tensor *gb = triangular(r, turned(r, mn_saved_in(r, 0)), mn_grad(r, 0), !upper, unit);
  mn_tensor *ga = neg(r, product(r, gb, mn_saved_out(r, 0), 0, 1));
  if (mn_need(r, 0)) mn_give(r, 0, triangle(r, ga, upper, unit ? (upper ? 1 : -1) : 0));
  if (mn_need(r, 1)) mn_give(r, 1, gb);
}

/* g as (..., 1, 1), to stand beside matrices. */
static mn_tensor *scalar(mn_rule *r, mn_tensor *g) { return column(r, column(r, g)); }

void mn_vjp_det(mn_rule *r) {
  mn_tensor *cofactor = mn_cofactor(mn_rule_ctx(r), mn_saved_in(r, 0), NULL);
  mn_give(r, 0, mul(r, scalar(r, mn_grad(r, 0)), cofactor));
}

/* C = det(A) Y^T with Y = A^-1: <G, C> Y^T - C G^T Y^T. Here a singular matrix is an error. */
void mn_vjp_cofactor(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *c = mn_saved_out(r, 0), *g = mn_grad(r, 0), *y = mn_inverse(ctx, mn_saved_in(r, 0), NULL);
  mn_tensor *inner = mn_sum(ctx, mul(r, g, c), &(mn_sum_attrs){.dim = {2, {-2, -1}}, .keepdim = 1});
  mn_give(r, 0, sub(r, mul(r, inner, turned(r, y)), product(r, product(r, c, g, 0, 1), y, 0, 1)));
}

/* The logarithm has the derivative A^-T; the sign has none. */
void mn_vjp_slogdet(mn_rule *r) {
  if (!mn_has_grad(r, 1)) return;
  mn_tensor *y = mn_inverse(mn_rule_ctx(r), mn_saved_in(r, 0), NULL);
  mn_give(r, 0, mul(r, scalar(r, mn_grad(r, 1)), turned(r, y)));
}

/* A = V diag(w) V^T: V (diag(gw) + sym(V^T gV / E)) V^T with E[i][j] = w[j] - w[i]. */
void mn_vjp_eigh(mn_rule *r) {
  mn_tensor *w = mn_saved_out(r, 0), *v = mn_saved_out(r, 1), *core = NULL;
  if (mn_has_grad(r, 1)) {
    mn_tensor *gaps = inverted(r, sub(r, row(r, w), column(r, w)));
    core = symmetric(r, mul(r, product(r, v, mn_grad(r, 1), 1, 0), gaps));
  }
  if (mn_has_grad(r, 0)) {
    mn_tensor *diagonal = diagonal_matrix(r, mn_grad(r, 0));
    core = core ? add(r, core, diagonal) : diagonal;
  }
  if (core) mn_give(r, 0, product(r, product(r, v, core, 0, 0), v, 0, 1));
}

/* Orthonormal columns [b c] of which c only completes the basis: any c would do, so its derivative is taken to be
 * that which turns c least, dc = -b db^T c, right for whatever doesn't depend on the choice. Then c's cotangent
 * is one of b's: gb - c gc^T b. `first` columns belong to b. */
static mn_tensor *basis_grad(mn_rule *r, mn_tensor *all, mn_tensor *g, int64_t first) {
  if (!all || !g) return NULL;
  int64_t count = cols_of(mn_arr(all));
  if (count == first) return g;
  mn_tensor *b = part(r, all, -1, 0, first), *c = part(r, all, -1, first, count - first);
  mn_tensor *gb = part(r, g, -1, 0, first), *gc = part(r, g, -1, first, count - first);
  return sub(r, gb, product(r, c, product(r, gc, b, 1, 0), 0, 0));
}

typedef struct svd_parts {
  int64_t m, n, k;
  mn_tensor *u, *s, *v, *gu, *gv; /* v, not its transpose; cotangents NULL where there are none */
} svd_parts;

static svd_parts svd_saved(mn_rule *r) {
  mn_list size = mn_in_shape(r, 0);
  svd_parts p = {.m = size.v[size.n - 2], .n = size.v[size.n - 1]};
  p.k = least(p.m, p.n);
  p.u = mn_saved_out(r, 0), p.s = mn_saved_out(r, 1), p.v = turned(r, mn_saved_out(r, 2));
  if (mn_has_grad(r, 0)) p.gu = basis_grad(r, p.u, mn_grad(r, 0), p.k);
  if (mn_has_grad(r, 2)) p.gv = basis_grad(r, p.v, turned(r, mn_grad(r, 2)), p.k);
  if (p.u && mn_arr(p.u)->size[mn_arr(p.u)->ndim - 1] != p.k) p.u = part(r, p.u, -1, 0, p.k);
  if (p.v && mn_arr(p.v)->size[mn_arr(p.v)->ndim - 1] != p.k) p.v = part(r, p.v, -1, 0, p.k);
  return p;
}

static mn_tensor *plus(mn_rule *r, mn_tensor *sum, mn_tensor *term) { return sum ? add(r, sum, term) : term; }

/* (I - u u^T) g, the part of g across u's columns. */
static mn_tensor *across(mn_rule *r, mn_tensor *u, mn_tensor *g) {
  return sub(r, g, product(r, u, product(r, u, g, 1, 0), 0, 0));
}

/* A = U diag(s) V^T, thin. U (skew(U^T gU)/E diag(s) + diag(s) skew(V^T gV)/E + diag(gs)) V^T, with
 * E[i][j] = s[j]^2 - s[i]^2, and where A is not square the part of gU across U's columns, or of gV across V's. */
void mn_vjp_svd(mn_rule *r) {
  svd_parts p = svd_saved(r);
  mn_tensor *core = NULL, *left = NULL, *right = NULL, *rows = row(r, p.s), *cols = column(r, p.s);
  mn_tensor *gaps = p.gu || p.gv ? inverted(r, mul(r, sub(r, rows, cols), add(r, rows, cols))) : NULL;
  if (p.gu) core = mul(r, mul(r, skew(r, product(r, p.u, p.gu, 1, 0)), gaps), rows);
  if (p.gv) core = plus(r, core, mul(r, mul(r, skew(r, product(r, p.v, p.gv, 1, 0)), gaps), cols));
  if (mn_has_grad(r, 1)) core = plus(r, core, diagonal_matrix(r, mn_grad(r, 1)));
  if (!core) return;
  left = product(r, p.u, core, 0, 0);
  if (p.gu && p.m > p.k) left = add(r, left, mul(r, across(r, p.u, p.gu), inverted(r, rows)));
  mn_tensor *total = product(r, left, p.v, 0, 1);
  if (p.gv && p.n > p.k) {
    right = mul(r, across(r, p.v, p.gv), inverted(r, rows));
    total = add(r, total, product(r, p.u, right, 0, 1));
  }
  mn_give(r, 0, total);
}

/* A = Q R with a square R: (gQ + Q sym(M)) R^-T, where M = R gR^T - gQ^T Q and sym copies the lower triangle up. */
static mn_tensor *square_qr(mn_rule *r, mn_tensor *q, mn_tensor *tri, mn_tensor *gq, mn_tensor *gr) {
  mn_tensor *m = gr ? product(r, tri, gr, 0, 1) : NULL;
  if (gq) m = m ? sub(r, m, product(r, gq, q, 1, 0)) : neg(r, product(r, gq, q, 1, 0));
  if (!m) return NULL;
  m = add(r, triangle(r, m, false, 0), turned(r, triangle(r, m, false, -1)));
  mn_tensor *b = product(r, q, m, 0, 0);
  if (gq) b = add(r, b, gq);
  return turned(r, triangular(r, tri, turned(r, b), true, false)); /* (R^-1 b^T)^T = b R^-T */
}

/* A wide A is [X Y], R [S T] with X = Q S and T = Q^T Y: gT goes to Y, and through Y to Q. */
static mn_tensor *wide_qr(mn_rule *r, mn_tensor *q, mn_tensor *tri, mn_tensor *gq, mn_tensor *gr) {
  int64_t m = rows_of(mn_arr(tri)), rest = cols_of(mn_arr(tri)) - m;
  mn_tensor *gs = NULL, *y = part(r, mn_saved_in(r, 0), -1, m, rest), *gy = NULL;
  if (gr) {
    mn_tensor *gt = part(r, gr, -1, m, rest);
    gs = part(r, gr, -1, 0, m);
    gq = plus(r, gq, product(r, y, gt, 0, 1));
    gy = product(r, q, gt, 0, 0);
  } else if (y) {
    gy = mn_zeros(mn_rule_ctx(r), mn_shape_list(y), mn_arr(y)->dtype);
  }
  mn_tensor *both[2] = {square_qr(r, q, part(r, tri, -1, 0, m), gq, gs), gy};
  return mn_cat(mn_rule_ctx(r), 2, both, &(mn_cat_attrs){-1});
}

void mn_vjp_qr(mn_rule *r) {
  mn_tensor *q = mn_saved_out(r, 0), *tri = mn_saved_out(r, 1);
  if (!q || !tri) return;
  mn_tensor *gq = mn_has_grad(r, 0) ? mn_grad(r, 0) : NULL, *gr = mn_has_grad(r, 1) ? mn_grad(r, 1) : NULL;
  int64_t m = rows_of(mn_arr(q)), n = cols_of(mn_arr(tri)), k = least(m, n);
  mn_tensor *result;
  if (m < n) {
    result = wide_qr(r, q, tri, gq, gr);
  } else {
    if (gq) gq = basis_grad(r, q, gq, k);
    if (rows_of(mn_arr(tri)) != k) {
      q = part(r, q, -1, 0, k), tri = part(r, tri, -2, 0, k);
      if (gr) gr = part(r, gr, -2, 0, k);
    }
    result = square_qr(r, q, tri, gq, gr);
  }
  if (result) mn_give(r, 0, result);
}

/* ---- tangents ---- */

/* dL = L P with P the lower triangle of L^-1 dA L^-T, its diagonal halved. */
void mn_jvp_cholesky(mn_rule *r) {
  bool upper = mn_cholesky_kept(r)->upper != 0;
  mn_tensor *factor = mn_saved_out(r, 0), *lower = upper ? turned(r, factor) : factor;
  mn_tensor *p = triangular(r, lower, symmetric(r, mn_tangent(r, 0)), false, false);
  p = triangular(r, lower, turned(r, p), false, false); /* symmetric, so that it need not be turned back */
  p = mn_mul_number(mn_rule_ctx(r), add(r, triangle(r, p, false, 0), triangle(r, p, false, -1)), 0.5);
  mn_tensor *t = product(r, lower, p, 0, 0);
  mn_push(r, 0, upper ? turned(r, t) : t);
}

/* dY = -Y dA Y */
void mn_jvp_inverse(mn_rule *r) {
  mn_tensor *y = mn_saved_out(r, 0);
  mn_push(r, 0, neg(r, product(r, product(r, y, mn_tangent(r, 0), 0, 0), y, 0, 0)));
}

/* dP = -P dA P + P P^T dA^T (I - A P) + (I - P A) dA^T P^T P */
void mn_jvp_pinverse(mn_rule *r) {
  mn_tensor *a = mn_saved_in(r, 0), *p = mn_saved_out(r, 0), *t = mn_tangent(r, 0);
  mn_tensor *left = product(r, p, product(r, p, t, 1, 1), 0, 0),
            *right = product(r, product(r, t, p, 1, 1), p, 0, 0);
  mn_tensor *sum = sub(r, left, product(r, product(r, left, a, 0, 0), p, 0, 0));
  sum = add(r, sum, sub(r, right, product(r, p, product(r, a, right, 0, 0), 0, 0)));
  mn_push(r, 0, sub(r, sum, product(r, product(r, p, t, 0, 0), p, 0, 0)));
}

/* What A dX has to be: dB - dA X, with dA given. */
static mn_tensor *right_side(mn_rule *r, mn_tensor *ta) {
  mn_tensor *from_a = ta ? neg(r, product(r, ta, mn_saved_out(r, 0), 0, 0)) : NULL;
  if (!mn_has_tangent(r, 1)) return from_a;
  return from_a ? add(r, from_a, mn_tangent(r, 1)) : mn_tangent(r, 1);
}

void mn_jvp_solve(mn_rule *r) {
  mn_tensor *b = right_side(r, mn_has_tangent(r, 0) ? mn_tangent(r, 0) : NULL);
  mn_push(r, 0, mn_solve(mn_rule_ctx(r), mn_saved_in(r, 0), b, NULL));
}

void mn_jvp_solve_triangular(mn_rule *r) {
  const mn_solve_triangular_attrs *t = mn_solve_triangular_kept(r);
  bool upper = t->upper != 0, unit = t->unitriangular != 0;
  mn_tensor *ta =
      mn_has_tangent(r, 0) ? triangle(r, mn_tangent(r, 0), upper, unit ? (upper ? 1 : -1) : 0) : NULL;
  mn_push(r, 0, triangular(r, mn_saved_in(r, 0), right_side(r, ta), upper, unit));
}

/* The sum of g * dA over each matrix. */
static mn_tensor *inner(mn_rule *r, mn_tensor *g) {
  return mn_sum(mn_rule_ctx(r), mul(r, g, mn_tangent(r, 0)), &(mn_sum_attrs){.dim = {2, {-2, -1}}});
}

void mn_jvp_det(mn_rule *r) { mn_push(r, 0, inner(r, mn_cofactor(mn_rule_ctx(r), mn_saved_in(r, 0), NULL))); }

void mn_jvp_slogdet(mn_rule *r) {
  mn_push(r, 1, inner(r, turned(r, mn_inverse(mn_rule_ctx(r), mn_saved_in(r, 0), NULL))));
}

/* With M = V^T dA V: dw is its diagonal, dV = V (sym(M) / E) with E[i][j] = w[j] - w[i]. */
void mn_jvp_eigh(mn_rule *r) {
  mn_tensor *w = mn_saved_out(r, 0), *v = mn_saved_out(r, 1);
  mn_tensor *m = symmetric(r, product(r, product(r, v, mn_tangent(r, 0), 1, 0), v, 0, 0));
  mn_tensor *gaps = inverted(r, sub(r, row(r, w), column(r, w)));
  mn_push(r, 0, mn_diagonal(mn_rule_ctx(r), m, &(mn_diagonal_attrs){.dim1 = -2, .dim2 = -1}));
  mn_push(r, 1, product(r, v, mul(r, m, gaps), 0, 0));
}

/* The tangent of [b c] (see basis_grad), given that of its `first` columns b: dc = -b db^T c. */
static mn_tensor *basis_tangent(mn_rule *r, mn_tensor *all, mn_tensor *db, int64_t first) {
  if (!all || !db) return NULL;
  int64_t count = cols_of(mn_arr(all));
  if (count == first) return db;
  mn_tensor *b = part(r, all, -1, 0, first), *c = part(r, all, -1, first, count - first);
  mn_tensor *both[2] = {db, neg(r, product(r, b, product(r, db, c, 1, 0), 0, 0))};
  return mn_cat(mn_rule_ctx(r), 2, both, &(mn_cat_attrs){-1});
}

/* With P = U^T dA V: ds is its diagonal, dU = U skew(P diag(s) / E), dV = V skew(diag(s) P / E), with E as above, and
 * where A is not square the parts across: of dA V / s across U's columns, of dA^T U / s across V's. */
void mn_jvp_svd(mn_rule *r) {
  svd_parts p = svd_saved(r);
  mn_tensor *t = mn_tangent(r, 0), *rows = row(r, p.s), *cols = column(r, p.s);
  mn_tensor *tv = product(r, t, p.v, 0, 0), *tu = product(r, t, p.u, 1, 0), *m = product(r, p.u, tv, 1, 0);
  mn_tensor *gaps = inverted(r, mul(r, sub(r, rows, cols), add(r, rows, cols)));
  mn_tensor *du = product(r, p.u, skew(r, mul(r, mul(r, m, rows), gaps)), 0, 0);
  mn_tensor *dv = product(r, p.v, skew(r, mul(r, mul(r, m, cols), gaps)), 0, 0);
  if (p.m > p.k) du = add(r, du, across(r, p.u, mul(r, tv, inverted(r, rows))));
  if (p.n > p.k) dv = add(r, dv, across(r, p.v, mul(r, tu, inverted(r, rows))));
  mn_push(r, 0, basis_tangent(r, mn_saved_out(r, 0), du, p.k));
  mn_push(r, 1, mn_diagonal(mn_rule_ctx(r), m, &(mn_diagonal_attrs){.dim1 = -2, .dim2 = -1}));
  mn_push(r, 2, turned(r, basis_tangent(r, turned(r, mn_saved_out(r, 2)), dv, p.k)));
}

/* A = Q R with a square R: with T = dA R^-1, M = Q^T T and X = skew of the lower triangle of M, dQ = Q X + T - Q M and
 * dR = (M - X) R. */
static void square_qr_tangent(mn_rule *r, mn_tensor *q, mn_tensor *tri, mn_tensor *t, mn_tensor **dq,
                              mn_tensor **dr) {
  t = turned(r, triangular(r, turned(r, tri), turned(r, t), false, false));
  mn_tensor *m = product(r, q, t, 1, 0), *x = skew(r, triangle(r, m, false, -1)), *rest = sub(r, m, x);
  *dq = sub(r, t, product(r, q, rest, 0, 0));
  *dr = product(r, rest, tri, 0, 0);
}

void mn_jvp_qr(mn_rule *r) {
  mn_context *ctx = mn_rule_ctx(r);
  mn_tensor *q = mn_saved_out(r, 0), *tri = mn_saved_out(r, 1), *t = mn_tangent(r, 0), *dq = NULL, *dr = NULL;
  if (!q || !tri || !t) return;
  int64_t m = rows_of(mn_arr(q)), n = cols_of(mn_arr(tri)), k = least(m, n), below = rows_of(mn_arr(tri)) - k;
  square_qr_tangent(r, part(r, q, -1, 0, k), part(r, part(r, tri, -2, 0, k), -1, 0, k), part(r, t, -1, 0, k),
                    &dq, &dr);
  if (n > k) { /* R is [S T] with T = Q^T Y, Y being the other columns of A */
    mn_tensor *y = part(r, mn_saved_in(r, 0), -1, k, n - k), *dy = part(r, t, -1, k, n - k);
    mn_tensor *both[2] = {dr, add(r, product(r, dq, y, 1, 0), product(r, q, dy, 1, 0))};
    dr = mn_cat(ctx, 2, both, &(mn_cat_attrs){-1});
  }
  mn_push(r, 0, basis_tangent(r, q, dq, k));
  if (below > 0) {
    mn_list size = mn_out_shape(r, 1);
    size.v[size.n - 2] = below;
    mn_tensor *both[2] = {dr, mn_zeros(ctx, size, mn_out_dtype(r, 1))};
    dr = mn_cat(ctx, 2, both, &(mn_cat_attrs){-2});
  }
  mn_push(r, 1, dr);
}
