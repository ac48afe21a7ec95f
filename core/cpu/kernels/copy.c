/* copy.c: the strided copy. It drops and merges dims, then cuts what is left into units of rows and columns;
 * a transposed copy is cut into tiles that stay in the first cache. Large copies run on several threads,
 * whose blocks are cut by shape alone. Knows nothing of conversions (copy_convert.c) nor of ops. */
#include "copy.h"
#include "grain.h"
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

typedef struct dim {
  int64_t size, dst, src;
} dim; /* steps in bytes */

typedef struct plan {
  char *dst;
  const char *src;
  mn_row_fn row;
  int n_outer;
  dim outer[MN_MAX_DIMS], rows, cols;
  int64_t rows_per, cols_per; /* the size of a unit */
  int64_t row_cuts, col_cuts; /* units along rows and columns */
  int64_t units, units_per_block;
} plan;

/* dims of both, without those of size 1, the largest steps of dst first. */
static int list_dims(const mn_array *dst, const mn_array *src, dim *dims) {
  int64_t dst_item = (int64_t)mn_dtype_size(dst->dtype), src_item = (int64_t)mn_dtype_size(src->dtype);
  int n = 0, lead = dst->ndim - src->ndim;
  for (int d = 0; d < dst->ndim; d++) {
    if (dst->size[d] == 1) continue;
    int64_t step = d < lead || src->size[d - lead] == 1 ? 0 : src->stride[d - lead] * src_item;
    dim next = {dst->size[d], dst->stride[d] * dst_item, step};
    int at = n++;
    for (; at > 0 && dims[at - 1].dst < next.dst; at--) dims[at] = dims[at - 1];
    dims[at] = next;
  }
  return n;
}

static int merge_dims(dim *dims, int n) {
  int kept = 0;
  for (int d = 1; d < n; d++) {
    dim *outer = &dims[kept], inner = dims[d];
    if (outer->dst == inner.dst * inner.size && outer->src == inner.src * inner.size)
      *outer = (dim){outer->size * inner.size, inner.dst, inner.src};
    else dims[++kept] = inner;
  }
  return n ? kept + 1 : 0;
}

/* The dim to run beside the columns: the one along which the source is denser than along the columns, if any.
 */
static int choose_rows(const dim *dims, int n, int *tiled) {
  int64_t cols = dims[n - 1].src < 0 ? -dims[n - 1].src : dims[n - 1].src;
  int best = -1;
  for (int d = 0; d < n - 1; d++) {
    int64_t step = dims[d].src < 0 ? -dims[d].src : dims[d].src;
    if (step > 0 && step < cols && dims[d].size > 3) best = d, cols = step;
  }
  *tiled = best >= 0;
  return best >= 0 ? best : n - 2;
}

static void cut(plan *p, int tiled) {
  p->cols_per = p->cols.size;
  if (tiled && p->cols_per > MOVE_TILE) p->cols_per = MOVE_TILE;
  if (p->cols_per > MOVE_BLOCK) p->cols_per = MOVE_BLOCK;
  p->rows_per = tiled ? MOVE_TILE : MOVE_BLOCK / p->cols_per;
  if (p->rows_per > p->rows.size) p->rows_per = p->rows.size;
  p->row_cuts = (p->rows.size + p->rows_per - 1) / p->rows_per;
  p->col_cuts = (p->cols.size + p->cols_per - 1) / p->cols_per;
  p->units = p->row_cuts * p->col_cuts;
  for (int d = 0; d < p->n_outer; d++) p->units *= p->outer[d].size;
  p->units_per_block = MOVE_BLOCK / (p->rows_per * p->cols_per);
  if (p->units_per_block < 1) p->units_per_block = 1;
}

/* Which dims are rows, columns and outer ones. Are rows and columns to be tiled? */
static int split_dims(plan *p, const dim *dims, int n) {
  int tiled = 0;
  if (n > 0) p->cols = dims[n - 1];
  if (n < 2) return 0;
  int rows = choose_rows(dims, n, &tiled);
  p->rows = dims[rows];
  for (int d = 0; d < n - 1; d++)
    if (d != rows) p->outer[p->n_outer++] = dims[d];
  return tiled;
}

/* Rows and columns of 4-byte elements, dense along the columns in dst and along the rows in src, in blocks of
 * 4 x 4. Returns how many rows it has done. */
static int64_t transpose_plane(char *dst, const char *src, dim rows, dim cols, mn_row_fn row) {
  int64_t r = 0;
#ifdef __SSE2__
  for (; r + 4 <= rows.size; r += 4) {
    for (int64_t c = 0; c + 4 <= cols.size; c += 4) {
      const char *from = src + r * rows.src + c * cols.src;
      char *to = dst + r * rows.dst + c * cols.dst;
      __m128 a0 = _mm_loadu_ps((const float *)from), a1 = _mm_loadu_ps((const float *)(from + cols.src));
      __m128 a2 = _mm_loadu_ps((const float *)(from + 2 * cols.src));
      __m128 a3 = _mm_loadu_ps((const float *)(from + 3 * cols.src));
      _MM_TRANSPOSE4_PS(a0, a1, a2, a3);
      _mm_storeu_ps((float *)to, a0), _mm_storeu_ps((float *)(to + rows.dst), a1);
      _mm_storeu_ps((float *)(to + 2 * rows.dst), a2), _mm_storeu_ps((float *)(to + 3 * rows.dst), a3);
    }
  }
  for (int64_t c = cols.size / 4 * 4; c < cols.size; c++)
    row(dst + c * cols.dst, rows.dst, src + c * cols.src, rows.src, r);
#else
  (void)dst, (void)src, (void)rows, (void)cols, (void)row;
#endif
  return r;
}

static int keeps_4_bytes(mn_row_fn row) {
  return row == MN_KERNEL(row_copier)(MN_FLOAT32, MN_FLOAT32) ||
         row == MN_KERNEL(row_copier)(MN_INT32, MN_INT32);
}

static void copy_plane(char *dst, const char *src, dim rows, dim cols, mn_row_fn row) {
  int64_t r = 0;
  if (rows.src == 4 && cols.dst == 4 && cols.size >= 4 && keeps_4_bytes(row))
    r = transpose_plane(dst, src, rows, cols, row);
  for (; r < rows.size; r++) row(dst + r * rows.dst, cols.dst, src + r * rows.src, cols.src, cols.size);
}

static void copy_unit(const plan *p, char *dst, const char *src, int64_t row_cut, int64_t col_cut) {
  int64_t row = row_cut * p->rows_per, col = col_cut * p->cols_per;
  dim rows = p->rows, cols = p->cols;
  rows.size = rows.size - row < p->rows_per ? rows.size - row : p->rows_per;
  cols.size = cols.size - col < p->cols_per ? cols.size - col : p->cols_per;
  copy_plane(dst + row * rows.dst + col * cols.dst, src + row * rows.src + col * cols.src, rows, cols,
             p->row);
}

static void copy_units(const plan *p, int64_t from, int64_t to) {
  for (int64_t unit = from; unit < to; unit++) {
    int64_t rest = unit, col_cut = rest % p->col_cuts;
    rest /= p->col_cuts;
    int64_t row_cut = rest % p->row_cuts;
    rest /= p->row_cuts;
    char *dst = p->dst;
    const char *src = p->src;
    for (int d = p->n_outer - 1; d >= 0 && rest; d--) {
      int64_t i = rest % p->outer[d].size;
      rest /= p->outer[d].size;
      dst += i * p->outer[d].dst, src += i * p->outer[d].src;
    }
    copy_unit(p, dst, src, row_cut, col_cut);
  }
}

static void copy_block(void *arg, int64_t block) {
  const plan *p = arg;
  int64_t from = block * p->units_per_block, to = from + p->units_per_block;
  copy_units(p, from, to < p->units ? to : p->units);
}

/* What fits the first cache needs no units: the outer dims are counted through. */
static void copy_small(const plan *p) {
  int64_t at[MN_MAX_DIMS] = {0};
  char *dst = p->dst;
  const char *src = p->src;
  for (;;) {
    copy_plane(dst, src, p->rows, p->cols, p->row);
    int d = p->n_outer - 1;
    for (; d >= 0; d--) {
      const dim *outer = &p->outer[d];
      dst += outer->dst, src += outer->src;
      if (++at[d] < outer->size) break;
      dst -= outer->dst * outer->size, src -= outer->src * outer->size;
      at[d] = 0;
    }
    if (d < 0) return;
  }
}

void MN_KERNEL(apply_rows)(const mn_array *dst, const mn_array *src, mn_row_fn row) {
  if (dst->numel == 0) return;
  dim dims[MN_MAX_DIMS];
  int n = merge_dims(dims, list_dims(dst, src, dims));
  plan p = {.dst = dst->data, .src = src->data, .row = row, .rows = {1, 0, 0}, .cols = {1, 0, 0}};
  int tiled = split_dims(&p, dims, n);
  if (dst->numel <= MOVE_SMALL) {
    copy_small(&p);
    return;
  }
  cut(&p, tiled);
  if (dst->numel < MOVE_PARALLEL) copy_units(&p, 0, p.units);
  else mn_parallel((p.units + p.units_per_block - 1) / p.units_per_block, copy_block, &p);
}

void MN_KERNEL(copy_array)(const mn_array *dst, const mn_array *src) {
  if (dst->contiguous && src->contiguous && dst->dtype == src->dtype && dst->numel < MOVE_PARALLEL &&
      mn_same_size(dst, src)) {
    memcpy(dst->data, src->data, (size_t)dst->numel * mn_dtype_size(dst->dtype));
    return;
  }
  MN_KERNEL(apply_rows)(dst, src, MN_KERNEL(row_copier)(dst->dtype, src->dtype));
}

void MN_KERNEL(fill_array)(const mn_array *dst, double value) {
  int64_t element = 0; /* one element of dst's dtype */
  MN_KERNEL(row_copier)(dst->dtype, MN_FLOAT64)((char *)&element, 8, (const char *)&value, 8, 1);
  if (dst->contiguous && element == 0 && dst->numel < MOVE_PARALLEL) {
    if (dst->numel) memset(dst->data, 0, (size_t)dst->numel * mn_dtype_size(dst->dtype));
    return;
  }
  mn_array one = {.data = &element, .numel = 1, .dtype = dst->dtype, .contiguous = 1};
  MN_KERNEL(copy_array)(dst, &one);
}

static void extent(const mn_array *a, const char **low, const char **high) {
  int64_t first = 0, last = 0;
  for (int d = 0; d < a->ndim; d++) {
    int64_t reach = (a->size[d] - 1) * a->stride[d];
    if (reach < 0) first += reach;
    else last += reach;
  }
  int64_t item = (int64_t)mn_dtype_size(a->dtype);
  *low = (const char *)a->data + first * item;
  *high = (const char *)a->data + (last + 1) * item;
}

int MN_KERNEL(may_overlap)(const mn_array *a, const mn_array *b) {
  if (a->numel == 0 || b->numel == 0) return 0;
  const char *a_low, *a_high, *b_low, *b_high;
  extent(a, &a_low, &a_high);
  extent(b, &b_low, &b_high);
  return (uintptr_t)a_low < (uintptr_t)b_high && (uintptr_t)b_low < (uintptr_t)a_high;
}
