/* lapack_impl.h: what lapack.c does to one matrix, for one float type; lapack.c includes it once for each.
 * LAPACK's matrices stand by columns, ours by rows. */

/* rows x cols elements at the given steps, to adjacent rows. */
static void MN_TN(copy)(const MN_T *from, int64_t row, int64_t col, int rows, int cols, MN_T *to) {
  for (int r = 0; r < rows; r++, from += row)
    for (int c = 0; c < cols; c++) *to++ = from[c * col];
}

/* Matrix i of a, by columns. */
static void MN_TN(load)(const mn_array *a, int64_t at, MN_T *to) {
  int d = a->ndim - 2;
  MN_TN(copy)
  ((const MN_T *)a->data + at, a->stride[d + 1], a->stride[d], (int)a->size[d + 1], (int)a->size[d], to);
}

/* A matrix by columns to place i of an output. */
static void MN_TN(store)(const MN_T *from, int rows, int cols, void *out, int64_t i) {
  MN_TN(copy)(from, 1, rows, rows, cols, (MN_T *)out + i * rows * cols);
}

static int MN_TN(finite)(const MN_T *a, size_t count) {
  MN_T zero = 0; /* a sum of zeros, or NaN */
  for (size_t i = 0; i < count; i++) zero += a[i] * 0;
  return zero == 0;
}

/* Some libraries let a NaN among the elements get lost when they choose a pivot, or skip what they take for
 * zeros: so it is looked for, and the result said to be NaN. */
static int MN_TN(has_nan)(const MN_T *a, size_t count) {
  size_t found = 0;
  for (size_t i = 0; i < count; i++) found += a[i] != a[i];
  return found != 0;
}

static void MN_TN(fill_nan)(void *out, size_t first, size_t count) {
  MN_T *a = (MN_T *)out + first;
  for (size_t i = 0; i < count; i++) a[i] = NAN;
}

static void MN_TN(identity)(MN_T *a, int rows, int cols) {
  memset(a, 0, (size_t)rows * (size_t)cols * sizeof *a);
  for (int i = 0; i < rows && i < cols; i++) a[(size_t)i * (size_t)rows + (size_t)i] = 1;
}

/* What LAPACK asks for, given as a float: -1 where it is beyond its own integers. */
static int MN_TN(wanted)(MN_T work) {
  double size = (double)work * (1 + 1e-6) + 1; /* a float32 may have been rounded down */
  return size < INT32_MAX ? (int)size : -1;
}

static int MN_TN(cholesky)(const job *j, int64_t i, void *reals, int *ints) {
  (void)ints;
  MN_T *a = reals;
  int n = j->n, ld = at_least_1(n), info = 0;
  MN_TN(load)(j->a, j->a_at[i], a);
  for (int c = 0; c < n; c++)
    for (int r = j->option ? 0 : c; r < (j->option ? c + 1 : n); r++)
      if (isnan(a[(size_t)c * (size_t)n + (size_t)r])) return NOT_FINITE;
  MN_LAPACK(j, potrf)(j->option ? "U" : "L", &n, a, &ld, &info, 1);
  for (int r = 0; r < n && info == 0; r++) /* NaNs that infinities made */
    if (!(a[(size_t)r * (size_t)(n + 1)] > 0)) info = r + 1;
  for (int c = 0; c < n; c++)
    for (int r = 0; r < n; r++)
      if (j->option ? r > c : r < c) a[(size_t)c * (size_t)n + (size_t)r] = 0;
  MN_TN(store)(a, n, n, j->out[0], i);
  return info;
}

/* a by columns becomes its triangles; 1 where it has, or comes to have, a NaN. */
static int MN_TN(factorize)(const job *j, MN_T *a, int *pivots, int *info) {
  int n = j->n, ld = at_least_1(n);
  if (MN_TN(has_nan)(a, square(n))) return 1;
  MN_LAPACK(j, getrf)(&n, &n, a, &ld, pivots, info);
  return MN_TN(has_nan)(a, square(n));
}

static void MN_TN(inverse_work)(job *j) {
  int n = j->n, ld = at_least_1(n), query = -1, pivot = 1, info = 0;
  MN_T a = 0, work = 1;
  if (n > 0) MN_LAPACK(j, getri)(&n, &a, &ld, &pivot, &work, &query, &info);
  j->lwork = MN_TN(wanted)(work);
}

static int MN_TN(inverse)(const job *j, int64_t i, void *reals, int *ints) {
  MN_T *a = reals, *work = a + square(j->n);
  int n = j->n, ld = at_least_1(n), info = 0;
  MN_TN(load)(j->a, j->a_at[i], a);
  int lost = MN_TN(factorize)(j, a, ints, &info);
  if (lost) return MN_TN(fill_nan)(j->out[0], (size_t)i * square(n), square(n)), 0;
  if (info == 0 && n > 0) MN_LAPACK(j, getri)(&n, a, &ld, ints, work, &j->lwork, &info);
  MN_TN(store)(a, n, n, j->out[0], i);
  return info;
}

static int MN_TN(solve)(const job *j, int64_t i, void *reals, int *ints) {
  MN_T *a = reals, *b = a + square(j->n);
  int n = j->n, ld = at_least_1(n), info = 0;
  MN_TN(load)(j->a, j->a_at[i], a);
  MN_TN(load)(j->b, j->b_at[i], b);
  size_t rows = (size_t)n, cols = (size_t)j->k_b;
  int lost = MN_TN(factorize)(j, a, ints, &info);
  if (lost) return MN_TN(fill_nan)(j->out[0], (size_t)i * rows * cols, rows * cols), 0;
  for (size_t c = 0; c < cols; c++) /* each element of the solution depends on all of its column */
    if (MN_TN(has_nan)(b + c * rows, rows)) MN_TN(fill_nan)(b, c * rows, rows);
  if (info == 0) MN_LAPACK(j, getrs)("N", &n, &j->k_b, a, &ld, ints, b, &ld, &info, 1);
  MN_TN(store)(b, n, j->k_b, j->out[0], i);
  return info;
}

/* Is all of the triangle that is read finite? */
static int MN_TN(finite_triangle)(const job *j, const MN_T *a) {
  int n = j->n;
  MN_T zero = 0;
  for (int c = 0; c < n; c++)
    for (int r = j->option ? 0 : c + j->unit, end = j->option ? c + 1 - j->unit : n; r < end; r++)
      zero += a[(size_t)c * (size_t)n + (size_t)r] * 0;
  return zero == 0;
}

/* Solves row by row. Libraries solve several rows at once, and what is not finite spreads to rows that don't
 * depend on it, or gets lost among what they take for zeros. */
static void MN_TN(substitute)(const job *j, const MN_T *a, MN_T *x) {
  int n = j->n;
  size_t cols = (size_t)j->k_b;
  for (int place = 0; place < n; place++) {
    int r = j->option ? n - 1 - place : place;
    MN_T *row = x + (size_t)r * cols;
    for (int c = j->option ? r + 1 : 0, end = j->option ? n : r; c < end; c++) {
      MN_T factor = a[(size_t)c * (size_t)n + (size_t)r];
      for (size_t k = 0; k < cols; k++) row[k] -= factor * x[(size_t)c * cols + k];
    }
    for (size_t k = 0; k < cols && !j->unit; k++) row[k] /= a[(size_t)r * (size_t)(n + 1)];
  }
}

/* The rows of b, and so of the result, are the columns that BLAS sees: it solves x^T a^T = b^T. */
static int MN_TN(solve_triangular)(const job *j, int64_t i, void *reals, int *ints) {
  (void)ints;
  const mn_array *b = j->b;
  MN_T *a = reals, *x = (MN_T *)j->out[0] + i * j->n * j->k_b, one = 1;
  int n = j->n, ld = at_least_1(n), ld_x = at_least_1(j->k_b), d = b->ndim - 2;
  MN_TN(load)(j->a, j->a_at[i], a);
  for (int r = 0; r < n && !j->unit; r++)
    if (a[(size_t)r * (size_t)(n + 1)] == 0) return r + 1;
  MN_TN(copy)((const MN_T *)b->data + j->b_at[i], b->stride[d], b->stride[d + 1], n, j->k_b, x);
  if (!MN_TN(finite_triangle)(j, a) || !MN_TN(finite)(x, (size_t)n * (size_t)j->k_b)) {
    MN_TN(substitute)(j, a, x);
    return 0;
  }
  MN_LAPACK(j, trsm)
  ("R", j->option ? "U" : "L", "T", j->unit ? "U" : "N", &j->k_b, &n, &one, a, &ld, x, &ld_x, 1, 1, 1, 1);
  return 0;
}

/* Factorizes a by columns into permutation, lower and upper triangle; the permutation's sign, or NaN. */
static MN_T MN_TN(lu)(const job *j, MN_T *a, int *pivots) {
  int n = j->n, info = 0;
  MN_T sign = 1;
  if (MN_TN(factorize)(j, a, pivots, &info)) return NAN;
  for (int r = 0; r < n; r++)
    if (pivots[r] != r + 1) sign = -sign;
  return sign;
}

static int MN_TN(det)(const job *j, int64_t i, void *reals, int *ints) {
  MN_T *a = reals;
  MN_TN(load)(j->a, j->a_at[i], a);
  MN_T det = MN_TN(lu)(j, a, ints);
  for (int r = 0; r < j->n; r++) det *= a[(size_t)r * (size_t)(j->n + 1)];
  ((MN_T *)j->out[0])[i] = det;
  return 0;
}

/* The sign of a's determinant, 0 for 0 and NaN for NaN, and in *size the logarithm of its size; a is lost. */
static MN_T MN_TN(sign_and_size)(const job *j, MN_T *a, int *pivots, MN_T *size) {
  MN_T sign = MN_TN(lu)(j, a, pivots), sum = 0;
  for (int r = 0; r < j->n; r++) {
    MN_T x = a[(size_t)r * (size_t)(j->n + 1)];
    sign *= x > 0 ? 1 : x < 0 ? -1 : x;
    sum += (MN_T)log(fabs((double)x));
  }
  *size = isnan(sign) ? NAN : sum;
  return sign;
}

static int MN_TN(slogdet)(const job *j, int64_t i, void *reals, int *ints) {
  MN_T *a = reals;
  MN_TN(load)(j->a, j->a_at[i], a);
  ((MN_T *)j->out[0])[i] = MN_TN(sign_and_size)(j, a, ints, (MN_T *)j->out[1] + i);
  return 0;
}

static void MN_TN(eigh_work)(job *j) {
  int n = j->n, ld = at_least_1(n), query = -1, info = 0;
  MN_T a = 0, w = 0, work = 1;
  if (n > 0) MN_LAPACK(j, syevd)("V", "L", &n, &a, &ld, &w, &work, &query, &j->liwork, &query, &info, 1, 1);
  j->lwork = MN_TN(wanted)(work);
}

/* The triangle that counts is copied over the other one, which may hold anything. */
static void MN_TN(mirror)(MN_T *a, int n, int upper) {
  for (int c = 0; c < n; c++)
    for (int r = c + 1; r < n; r++) {
      MN_T *low = &a[(size_t)c * (size_t)n + (size_t)r], *high = &a[(size_t)r * (size_t)n + (size_t)c];
      if (upper) *low = *high;
      else *high = *low;
    }
}

static int MN_TN(eigh)(const job *j, int64_t i, void *reals, int *ints) {
  MN_T *a = reals, *work = a + square(j->n), *w = (MN_T *)j->out[0] + i * j->n;
  int n = j->n, ld = at_least_1(n), info = 0;
  if (n == 0) return 0;
  MN_TN(load)(j->a, j->a_at[i], a);
  MN_TN(mirror)(a, n, j->option);
  if (!MN_TN(finite)(a, square(n))) return NOT_FINITE;
  MN_LAPACK(j, syevd)
  ("V", j->option ? "U" : "L", &n, a, &ld, w, work, &j->lwork, ints, &j->liwork, &info, 1, 1);
  MN_TN(store)(a, n, n, j->out[1], i);
  return info;
}

static void MN_TN(svd_work)(job *j) {
  int m = j->m, n = j->n, query = -1, iwork = 0, info = 0, ld_u = at_least_1(m),
      ld_v = at_least_1(j->option ? n : j->k);
  MN_T a = 0, work = 1;
  if (j->k > 0) MN_LAPACK(j, gesdd)
  (j->option ? "A" : "S", &m, &n, &a, &ld_u, &a, &a, &ld_u, &a, &ld_v, &work, &query, &iwork, &info, 1);
  j->lwork = MN_TN(wanted)(work);
}

/* a = u diag(s) vt, all by columns, a being lost. */
static int MN_TN(decompose)(const job *j, MN_T *a, MN_T *u, MN_T *s, MN_T *vt, MN_T *work, int *ints) {
  int m = j->m, n = j->n, rows_v = j->option ? n : j->k, info = 0;
  if (j->k == 0) {
    MN_TN(identity)(u, m, j->option ? m : 0);
    MN_TN(identity)(vt, rows_v, n);
    return 0;
  }
  if (!MN_TN(finite)(a, (size_t)m * (size_t)n)) return NOT_FINITE;
  MN_LAPACK(j, gesdd)
  (j->option ? "A" : "S", &m, &n, a, &m, s, u, &m, vt, &rows_v, work, &j->lwork, ints, &info, 1);
  return info;
}

static int MN_TN(svd)(const job *j, int64_t i, void *reals, int *ints) {
  int cols_u = j->option ? j->m : j->k, rows_v = j->option ? j->n : j->k;
  MN_T *a = reals, *u = a + (size_t)j->m * (size_t)j->n, *vt = u + (size_t)j->m * (size_t)cols_u,
       *work = vt + (size_t)rows_v * (size_t)j->n;
  MN_TN(load)(j->a, j->a_at[i], a);
  int info = MN_TN(decompose)(j, a, u, (MN_T *)j->out[1] + i * j->k, vt, work, ints);
  if (info) return info;
  MN_TN(store)(u, j->m, cols_u, j->out[0], i);
  MN_TN(store)(vt, rows_v, j->n, j->out[2], i);
  return 0;
}

/* With a = u diag(s) v^T, the cofactors are det(u) det(v) u diag(p) v^T, p[i] being the product of all s but
 * s[i]: right for singular matrices too, where det(a) a^-T is not to be had. */
static int MN_TN(cofactor)(const job *j, int64_t i, void *reals, int *ints) {
  int n = j->n;
  size_t count = square(n);
  MN_T *a = reals, *u = a + count, *vt = u + count, *s = vt + count, *p = s + n, *work = p + n;
  MN_T size, one = 1, zero = 0, *out = (MN_T *)j->out[0] + (size_t)i * count;
  if (n == 0) return 0;
  MN_TN(load)(j->a, j->a_at[i], a);
  int info = MN_TN(decompose)(j, a, u, s, vt, work, ints);
  for (size_t e = 0; e < count && info == NOT_FINITE; e++) out[e] = NAN;
  if (info) return info == NOT_FINITE ? 0 : info;
  memcpy(a, u, count * sizeof *a);
  MN_T sign = MN_TN(sign_and_size)(j, a, ints + 8 * n, &size);
  memcpy(a, vt, count * sizeof *a);
  sign *= MN_TN(sign_and_size)(j, a, ints + 8 * n, &size);
  for (int r = 0; r < n; r++) {
    p[r] = sign;
    for (int c = 0; c < n; c++)
      if (c != r) p[r] *= s[c];
    for (int c = 0; c < n; c++) u[(size_t)r * (size_t)n + (size_t)c] *= p[r];
  }
  MN_LAPACK(j, gemm)("N", "N", &n, &n, &n, &one, u, &n, vt, &n, &zero, a, &n, 1, 1);
  MN_TN(store)(a, n, n, j->out[0], i);
  return 0;
}

/* v diag(1 / s) u^T without the singular values that count as 0. */
static int MN_TN(pinverse)(const job *j, int64_t i, void *reals, int *ints) {
  int m = j->m, n = j->n, k = j->k;
  size_t count = (size_t)m * (size_t)n;
  MN_T *a = reals, *u = a + count, *vt = u + (size_t)m * (size_t)k, *s = vt + (size_t)k * (size_t)n,
       *p = s + k, *work = p + count, one = 1, zero = 0;
  if (k == 0) return 0;
  MN_TN(load)(j->a, j->a_at[i], a);
  int info = MN_TN(decompose)(j, a, u, s, vt, work, ints);
  if (info) return info;
  for (int c = 0; c < k; c++) {
    MN_T scale = (double)s[c] > j->rtol * (double)s[0] && (double)s[c] > j->atol ? 1 / s[c] : 0;
    for (int r = 0; r < m; r++) u[(size_t)c * (size_t)m + (size_t)r] *= scale;
  }
  MN_LAPACK(j, gemm)("T", "T", &n, &m, &k, &one, vt, &k, u, &m, &zero, p, &n, 1, 1);
  MN_TN(store)(p, n, m, j->out[0], i);
  return 0;
}

static void MN_TN(qr_work)(job *j) {
  int m = j->m, n = j->n, cols = j->option ? m : j->k, ld = at_least_1(m), query = -1, info = 0;
  MN_T a = 0, first = 1, second = 1;
  if (j->k > 0) {
    MN_LAPACK(j, geqrf)(&m, &n, &a, &ld, &a, &first, &query, &info);
    MN_LAPACK(j, orgqr)(&m, &cols, &j->k, &a, &ld, &a, &second, &query, &info);
  }
  j->lwork = MN_TN(wanted)(first > second ? first : second);
}

static int MN_TN(qr)(const job *j, int64_t i, void *reals, int *ints) {
  (void)ints;
  int m = j->m, n = j->n, cols = j->option ? m : j->k, ld = at_least_1(m), info = 0;
  MN_T *a = reals, *q = a + (size_t)m * (size_t)n, *tau = q + (size_t)m * (size_t)cols, *work = tau + j->k;
  MN_T *r = (MN_T *)j->out[1] + (size_t)i * (size_t)cols * (size_t)n;
  MN_TN(load)(j->a, j->a_at[i], a);
  if (!MN_TN(finite)(a, (size_t)m * (size_t)n)) return NOT_FINITE;
  MN_TN(identity)(q, m, cols);
  if (j->k > 0) {
    MN_LAPACK(j, geqrf)(&m, &n, a, &ld, tau, work, &j->lwork, &info);
    memcpy(q, a, (size_t)m * (size_t)(n < cols ? n : cols) * sizeof *q);
    MN_LAPACK(j, orgqr)(&m, &cols, &j->k, q, &ld, tau, work, &j->lwork, &info);
  }
  for (int row = 0; row < cols; row++)
    for (int c = 0; c < n; c++) *r++ = c >= row ? a[(size_t)c * (size_t)m + (size_t)row] : 0;
  MN_TN(store)(q, m, cols, j->out[0], i);
  return 0;
}
