/* index_scatter.c: kernels of gather, scatter, scatter_add and scatter_reduce: one index for each element, along one dim.
 * Work is cut along the other dims, so that whatever goes to one place is added by one thread, in order. */
#include "index.h"
#include "grain.h"
#define MN_SECTION "ops/index.def"
#include "section.h"

typedef struct scatter {
  mn_indexed_fn row;
  const int64_t *index;
  int64_t size[MN_MAX_DIMS], place[MN_MAX_DIMS], other[MN_MAX_DIMS]; /* of the index; steps in bytes */
  char *dst;
  const char *src;
  int ndim, dim, gathers;
  int64_t scale, units, units_per_block;
} scatter;

/* A unit is all elements that agree in every dim but dim and the last. */
static void run_unit(const scatter *s, int64_t unit) {
  int last = s->ndim - 1;
  int64_t place = 0, other = 0, at = 0, index_step = s->size[last];
  int64_t rows = s->dim == last ? 1 : s->size[s->dim], row_step = 0;
  for (int d = last - 1; d >= 0; d--) {
    if (d == s->dim) {
      row_step = index_step;
    } else {
      int64_t i = unit % s->size[d];
      unit /= s->size[d];
      place += i * s->place[d], other += i * s->other[d], at += i * index_step;
    }
    index_step *= s->size[d];
  }
  int64_t step = s->dim == last ? 0 : s->place[last], other_row = s->dim == last ? 0 : s->other[s->dim];
  for (int64_t r = 0; r < rows; r++) {
    char *dst = s->dst + (s->gathers ? other + r * other_row : place);
    const char *src = s->src + (s->gathers ? place : other + r * other_row);
    s->row(dst, src, s->index + at + r * row_step, s->scale, step, s->other[last], s->size[last]);
  }
}

static void run_block(void *arg, int64_t block) {
  const scatter *s = arg;
  int64_t from = block * s->units_per_block, to = from + s->units_per_block;
  for (int64_t u = from; u < to && u < s->units; u++) run_unit(s, u);
}

/* indexed: the array that index points into; other: the one that goes along with the index (0-dim: one
 * value). */
static void move_all(scatter *s, const mn_array *index, const mn_array *indexed, const mn_array *other,
                     int64_t dim) {
  if (index->numel == 0) return;
  int64_t item = (int64_t)mn_dtype_size(indexed->dtype);
  s->ndim = index->ndim, s->dim = (int)dim;
  for (int d = 0; d < s->ndim; d++) {
    s->size[d] = index->size[d];
    s->place[d] = indexed->stride[d] * item;
    s->other[d] = other->ndim ? other->stride[d] * item : 0;
  }
  s->scale = s->place[dim];
  int last = s->ndim - 1;
  int64_t unit = s->dim == last ? s->size[last] : s->size[dim] * s->size[last];
  s->units = index->numel / unit;
  s->units_per_block = index->numel < MOVE_PARALLEL ? s->units : unit < MOVE_BLOCK ? MOVE_BLOCK / unit : 1;
  mn_parallel((s->units + s->units_per_block - 1) / s->units_per_block, run_block, s);
}

int MN_KERNEL(gather)(mn_call *call) {
  const mn_gather_attrs *a = mn_gather_of(call);
  mn_array in = mn_with_dims(call->in[0]), index = mn_with_dims(call->in[1]);
  const mn_array *out = call->out[0];
  scatter s = {.gathers = 1, .row = MN_KERNEL(take_row)(in.dtype), .dst = out->data, .src = in.data};
  s.index = MN_KERNEL(read_index)(call, &index, a->index_base, in.size[a->dim], a->dim, 0);
  if (!s.index) return -1;
  move_all(&s, &index, &in, out, a->dim);
  return 0;
}

static int scatter_by(mn_call *call, int64_t dim, int64_t base, mn_indexed_fn row) {
  const mn_array *in = call->in[0], *out = call->out[0];
  if (!row) return mn_undefined_for(in->dtype, call->error), -1;
  mn_array room, index = mn_with_dims(call->in[1]), to = mn_with_dims(out);
  scatter s = {.row = row, .dst = out->data};
  s.index = MN_KERNEL(read_index)(call, &index, base, to.size[dim], dim, 0);
  if (!s.index) return -1;
  const mn_array *source = MN_KERNEL(apart)(call, out, call->in[2], &room);
  if (!source) return -1;
  if (out->data != in->data) MN_KERNEL(copy_array)(out, in);
  s.src = source->data;
  move_all(&s, &index, &to, source, dim);
  return 0;
}

int MN_KERNEL(scatter)(mn_call *call) {
  const mn_scatter_attrs *a = mn_scatter_of(call);
  return scatter_by(call, a->dim, a->index_base, MN_KERNEL(put_row)(call->in[0]->dtype));
}

int MN_KERNEL(scatter_add)(mn_call *call) {
  const mn_scatter_add_attrs *a = mn_scatter_add_of(call);
  return scatter_by(call, a->dim, a->index_base, MN_KERNEL(add_row)(call->in[0]->dtype));
}

#define BODY "index_reduce.inc"
#define KIND MN_NUMBERS
#include "each_dtype.inc"

int MN_KERNEL(scatter_reduce)(mn_call *call) {
  static const mn_indexed_fn rows[3][MN_DTYPE_COUNT] = {MN_BY_STORED(multiply_row), MN_BY_STORED(largest_row),
                                                        MN_BY_STORED(smallest_row)};
  const mn_scatter_reduce_attrs *a = mn_scatter_reduce_of(call);
  return scatter_by(call, a->dim, a->index_base, rows[a->reduce][call->in[0]->dtype]);
}
