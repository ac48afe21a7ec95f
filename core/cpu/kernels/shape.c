/* shape.c: kernels of the rows that move elements: cat, pad, flip and their like. Each of them is a few
 * strided copies (copy.c) between parts of arrays. */
#include "grain.h"
#include "index.h"
#define MN_SECTION "ops/shape.def"
#include "section.h"
#define MN_SECTION "ops/create.def"
#include "section.h"
#include <string.h>

#define copy MN_KERNEL(copy_array)
#define fill_with MN_KERNEL(fill_array)

static void fill_part(const mn_array *a, int dim, int64_t start, int64_t size, double value) {
  if (size <= 0) return;
  mn_array part = mn_part(a, dim, start, size, 1);
  fill_with(&part, value);
}

int MN_KERNEL(unslice)(mn_call *call) {
  const mn_unslice_attrs *a = mn_unslice_of(call);
  const mn_array *in = call->in[0], *out = call->out[0];
  int dim = (int)a->dim;
  int64_t length = in->size[dim];
  if (a->step == 1 && out->numel > MOVE_SMALL) {
    fill_part(out, dim, 0, a->start, 0);
    fill_part(out, dim, a->start + length, a->size - a->start - length, 0);
  } else {
    fill_with(out, 0);
  }
  mn_array part = mn_part(out, dim, a->start, length, a->step);
  copy(&part, in);
  return 0;
}

/* The diagonal of a as an array over its data; the last dim of the result runs along it. */
static mn_array diagonal_of(const mn_array *a, int64_t offset, int64_t dim1, int64_t dim2, int64_t length) {
  mn_array diagonal = *a;
  int64_t down = offset < 0 ? -offset : 0, across = offset > 0 ? offset : 0;
  int64_t first = down * a->stride[dim1] + across * a->stride[dim2];
  if (length > 0) diagonal.data = (char *)a->data + first * (int64_t)mn_dtype_size(a->dtype);
  int n = 0;
  for (int d = 0; d < a->ndim; d++) {
    if (d == dim1 || d == dim2) continue;
    diagonal.size[n] = a->size[d];
    diagonal.stride[n++] = a->stride[d];
  }
  diagonal.size[n] = length;
  diagonal.stride[n++] = a->stride[dim1] + a->stride[dim2];
  diagonal.ndim = n;
  diagonal.contiguous = 0;
  diagonal.numel = 1;
  for (int d = 0; d < n; d++) diagonal.numel *= diagonal.size[d];
  return diagonal;
}

int MN_KERNEL(undiagonal)(mn_call *call) {
  const mn_undiagonal_attrs *a = mn_undiagonal_of(call);
  const mn_array *in = call->in[0];
  fill_with(call->out[0], 0);
  mn_array diagonal = diagonal_of(call->out[0], a->offset, a->dim1, a->dim2, in->size[in->ndim - 1]);
  copy(&diagonal, in);
  return 0;
}

int MN_KERNEL(eye)(mn_call *call) {
  const mn_eye_attrs *a = mn_eye_of(call);
  fill_with(call->out[0], 0);
  mn_array diagonal = diagonal_of(call->out[0], 0, 0, 1, a->n < a->m ? a->n : a->m);
  fill_with(&diagonal, 1);
  return 0;
}

/* Windows may overlap: element k of all windows is added at once, for k in order. */
int MN_KERNEL(fold)(mn_call *call) {
  const mn_fold_attrs *a = mn_fold_of(call);
  const mn_array *in = call->in[0], *out = call->out[0];
  int last = in->ndim - 1, dim = (int)a->dim;
  mn_row_fn add = MN_KERNEL(row_adder)(in->dtype);
  fill_with(out, 0);
  for (int64_t k = 0; k < in->size[last]; k++) {
    mn_array from = mn_part(in, last, k, 1, 1), to = mn_part(out, dim, k, in->size[dim], a->step);
    from.ndim = last;
    MN_KERNEL(apply_rows)(&to, &from, add);
  }
  return 0;
}

int MN_KERNEL(cat)(mn_call *call) {
  int dim = (int)mn_cat_of(call)->dim;
  int64_t at = 0;
  for (int i = 0; i < call->n_in; i++) {
    if (call->in[i]->numel == 0) continue; /* it may have other dims */
    int64_t length = call->in[i]->size[dim];
    mn_array part = mn_part(call->out[0], dim, at, length, 1);
    copy(&part, call->in[i]);
    at += length;
  }
  return 0;
}

int MN_KERNEL(flip)(mn_call *call) {
  const mn_flip_attrs *a = mn_flip_of(call);
  mn_array from = *call->in[0];
  for (int64_t i = 0; i < a->dims.n; i++) {
    int dim = (int)a->dims.v[i];
    from = mn_part(&from, dim, from.size[dim] - 1, from.size[dim], -1);
  }
  copy(call->out[0], &from);
  return 0;
}

/* Each rolled dim cuts both arrays in two parts that change places. */
static void roll_from(const mn_roll_attrs *a, int i, const mn_array *out, const mn_array *in) {
  if (i == a->dims.n) {
    copy(out, in);
    return;
  }
  int dim = (int)a->dims.v[i];
  int64_t size = in->size[dim], shift = a->shifts.v[i];
  mn_array to = mn_part(out, dim, shift, size - shift, 1), from = mn_part(in, dim, 0, size - shift, 1);
  roll_from(a, i + 1, &to, &from);
  if (shift == 0) return;
  to = mn_part(out, dim, 0, shift, 1), from = mn_part(in, dim, size - shift, shift, 1);
  roll_from(a, i + 1, &to, &from);
}

int MN_KERNEL(roll)(mn_call *call) {
  if (call->out[0]->numel > 0) roll_from(mn_roll_of(call), 0, call->out[0], call->in[0]);
  return 0;
}

static int64_t within(int64_t i, int64_t low, int64_t high) { return i < low ? low : i > high ? high : i; }

/* Filling all of a small array before its middle is overwritten costs less than finding the margins. Those of a large
 * one are filled of one dim after the other, within what the dims before left over. */
int MN_KERNEL(pad)(mn_call *call) {
  const mn_pad_attrs *a = mn_pad_of(call);
  mn_array to = *call->out[0], from = *call->in[0];
  int small = to.numel <= MOVE_SMALL;
  if (small) fill_with(&to, a->value);
  for (int d = 0; d < to.ndim; d++) {
    int64_t size = to.size[d], before = a->before.v[d];
    int64_t first = within(before, 0, size), end = within(before + from.size[d], first, size);
    if (!small) {
      fill_part(&to, d, 0, first, a->value);
      fill_part(&to, d, end, size - end, a->value);
    }
    to = mn_part(&to, d, first, end - first, 1);
    from = mn_part(&from, d, end > first ? first - before : 0, end - first, 1);
  }
  copy(&to, &from);
  return 0;
}

typedef struct triangle {
  const mn_array *in, *out;
  mn_row_fn row;
  int64_t diagonal, rows_per_block, rows;
  int lower;
} triangle;

static void triangle_rows(void *arg, int64_t block) {
  const triangle *t = arg;
  const mn_array *in = t->in;
  int n = in->ndim - 1;
  int64_t item = (int64_t)mn_dtype_size(in->dtype), cols = in->size[n], step = in->stride[n] * item;
  int64_t first = block * t->rows_per_block, end = first + t->rows_per_block;
  for (int64_t i = first; i < end && i < t->rows; i++) {
    const char *from = in->data;
    int64_t rest = i;
    for (int d = n - 1; d >= 0; d--) {
      from += rest % in->size[d] * in->stride[d] * item;
      rest /= in->size[d];
    }
    int64_t cut = within(i % in->size[n - 1] + t->diagonal + t->lower, 0, cols);
    char *to = (char *)t->out->data + i * cols * item;
    int64_t start = t->lower ? 0 : cut, length = t->lower ? cut : cols - cut;
    memset(to + (t->lower ? cut : 0) * item, 0, (size_t)((cols - length) * item));
    t->row(to + start * item, item, from + start * step, step, length);
  }
}

static int keep_triangle(mn_call *call, int64_t diagonal, int lower) {
  const mn_array *in = call->in[0];
  int64_t cols = in->size[in->ndim - 1];
  if (in->numel == 0) return 0;
  triangle t = {.in = in, .out = call->out[0], .lower = lower, .rows = in->numel / cols};
  t.diagonal = within(diagonal, -in->numel - 1, in->numel + 1);
  t.row = MN_KERNEL(row_copier)(in->dtype, in->dtype);
  t.rows_per_block = in->numel < MOVE_PARALLEL ? t.rows : cols < MOVE_BLOCK ? MOVE_BLOCK / cols : 1;
  mn_parallel((t.rows + t.rows_per_block - 1) / t.rows_per_block, triangle_rows, &t);
  return 0;
}

int MN_KERNEL(tril)(mn_call *call) { return keep_triangle(call, mn_tril_of(call)->diagonal, 1); }

int MN_KERNEL(triu)(mn_call *call) { return keep_triangle(call, mn_triu_of(call)->diagonal, 0); }

/* Between devices: engine/copy.c. */
int MN_KERNEL(transfer)(mn_call *call) { return copy(call->out[0], call->in[0]), 0; }

int MN_KERNEL(assign)(mn_call *call) {
  mn_array room;
  const mn_array *source = MN_KERNEL(apart)(call, call->out[0], call->in[1], &room);
  if (!source) return -1;
  copy(call->out[0], source);
  return 0;
}

int MN_KERNEL(region_put)(mn_call *call) {
  const mn_region_put_attrs *a = mn_region_put_of(call);
  const mn_array *in = call->in[0], *out = call->out[0];
  mn_array box = *out, room;
  for (int d = 0; d < out->ndim; d++) box = mn_part(&box, d, a->start.v[d], a->size.v[d], a->step.v[d]);
  const mn_array *source = MN_KERNEL(apart)(call, &box, call->in[1], &room);
  if (!source) return -1;
  if (out->data != in->data) copy(out, in);
  copy(&box, source);
  return 0;
}
