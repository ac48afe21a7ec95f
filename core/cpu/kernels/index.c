/* index.c: kernels of index_select, index_add, index and index_put: all elements that agree in the indexed
 * dims move together. The indices become one list of offsets; what an offset leads to is a block of the other
 * dims. Adding goes through the list in order, so that sums don't depend on threads. */
#include "index.h"
#include "grain.h"
#define MN_SECTION "ops/index.def"
#include "section.h"
#include <string.h>

typedef struct dim {
  int64_t size, step;
} dim; /* step in the indexed array, in bytes */

/* One side is the indexed array: place = outer dims, then offset, then inner dims. The other side is dense in
 * the same order, or one value repeated (item 0). */
typedef struct block_moves {
  char *indexed;
  const char *dense;      /* written where `takes` */
  const int64_t *offsets; /* in bytes */
  int64_t count;
  int n_outer, n_inner;
  dim outer[MN_MAX_DIMS], inner[MN_MAX_DIMS], run; /* run: the last inner dim, after merging */
  int64_t n_blocks, inner_blocks, item;
  mn_row_fn row;     /* for runs */
  mn_indexed_fn one; /* where the run is one element */
  int takes;
  int64_t units_per_task;
} block_moves;

static void add_dim(dim *dims, int *n, int64_t size, int64_t step) {
  if (size == 1) return;
  if (*n > 0 && dims[*n - 1].step == step * size) dims[*n - 1] = (dim){dims[*n - 1].size * size, step};
  else dims[(*n)++] = (dim){size, step};
}

static int64_t place_of(const dim *dims, int n, int64_t i) {
  int64_t place = 0;
  for (int d = n - 1; d >= 0 && i; d--) place += i % dims[d].size * dims[d].step, i /= dims[d].size;
  return place;
}

static int64_t count_of(const dim *dims, int n) {
  int64_t count = 1;
  for (int d = 0; d < n; d++) count *= dims[d].size;
  return count;
}

/* The runs of one block of the indexed array. */
static void move_block(const block_moves *m, char *indexed, char *dense, int64_t item) {
  int64_t size = m->run.size;
  for (int64_t i = 0; i < m->inner_blocks; i++, dense += size * item) {
    char *place = indexed + place_of(m->inner, m->n_inner, i);
    if (m->takes) m->row(dense, item, place, m->run.step, size);
    else m->row(place, m->run.step, dense, item, size);
  }
}

/* Offsets from..to-1 of one outer position. */
static void move_offsets(const block_moves *m, int64_t outer, int64_t from, int64_t to) {
  int64_t block = m->run.size * m->inner_blocks;
  char *indexed = m->indexed + place_of(m->outer, m->n_outer, outer);
  char *dense = (char *)m->dense + (outer * m->count + from) * block * m->item;
  if (block == 1) {
    char *dst = m->takes ? dense : indexed;
    const char *src = m->takes ? indexed : dense;
    m->one(dst, src, m->offsets + from, 1, 0, m->item, to - from);
    return;
  }
  for (int64_t j = from; j < to; j++, dense += block * m->item)
    move_block(m, indexed + m->offsets[j], dense, m->item);
}

static void run_task(void *arg, int64_t task) {
  const block_moves *m = arg;
  if (!m->takes) { /* what may meet in one place stays in one task */
    move_offsets(m, task, 0, m->count);
    return;
  }
  int64_t from = task * m->units_per_task, end = from + m->units_per_task, all = m->n_blocks * m->count;
  if (end > all) end = all;
  while (from < end) {
    int64_t outer = from / m->count, first = from % m->count;
    int64_t n = m->count - first < end - from ? m->count - first : end - from;
    move_offsets(m, outer, first, first + n);
    from += n;
  }
}

static void move_all(block_moves *m) {
  m->run = m->n_inner ? m->inner[--m->n_inner] : (dim){1, 0};
  m->n_blocks = count_of(m->outer, m->n_outer);
  m->inner_blocks = count_of(m->inner, m->n_inner);
  int64_t block = m->run.size * m->inner_blocks, all = m->n_blocks * m->count;
  if (all * block == 0) return;
  int64_t tasks = m->n_blocks;
  m->units_per_task = all * block < MOVE_PARALLEL ? all : block < MOVE_BLOCK ? MOVE_BLOCK / block : 1;
  if (m->takes) tasks = (all + m->units_per_task - 1) / m->units_per_task;
  if (all * block >= MOVE_PARALLEL) mn_parallel(tasks, run_task, m);
  else
    for (int64_t t = 0; t < tasks; t++) run_task(m, t);
}

static void set_rows(block_moves *m, int dtype, int takes, int adds) {
  m->takes = takes;
  m->item = (int64_t)mn_dtype_size(dtype);
  m->row = adds ? MN_KERNEL(row_adder)(dtype) : MN_KERNEL(row_copier)(dtype, dtype);
  m->one = takes ? MN_KERNEL(take_row)(dtype) : adds ? MN_KERNEL(add_row)(dtype) : MN_KERNEL(put_row)(dtype);
}

/* ---- along one dim ---- */

/* Reads the index and cuts the dims of the indexed array around dim; -1 with the error set. */
static int cut_along(block_moves *m, mn_call *call, const mn_array *array, int64_t along, int64_t base) {
  const mn_array *index = call->in[1];
  mn_array a = mn_with_dims(array);
  int64_t item = (int64_t)mn_dtype_size(a.dtype);
  int64_t *offsets = MN_KERNEL(read_index)(call, index, base, a.size[along], along, 0);
  if (!offsets) return -1;
  m->count = index->numel;
  for (int64_t j = 0; j < m->count; j++) offsets[j] *= a.stride[along] * item;
  m->offsets = offsets;
  for (int d = 0; d < a.ndim; d++) {
    if (d < along) add_dim(m->outer, &m->n_outer, a.size[d], a.stride[d] * item);
    if (d > along) add_dim(m->inner, &m->n_inner, a.size[d], a.stride[d] * item);
  }
  return 0;
}

int MN_KERNEL(index_select)(mn_call *call) {
  const mn_index_select_attrs *a = mn_index_select_of(call);
  const mn_array *in = call->in[0];
  block_moves m = {.indexed = in->data, .dense = call->out[0]->data};
  if (cut_along(&m, call, in, a->dim, a->index_base)) return -1;
  set_rows(&m, in->dtype, 1, 0);
  move_all(&m);
  return 0;
}

/* alpha times a, dense, in scratch memory, computed in float64 or, of integers, int64, which wraps around. */
static const mn_array *scaled(mn_call *call, const mn_array *a, double alpha, mn_array *room) {
  union {
    double f[CREATE_CHUNK];
    uint64_t i[CREATE_CHUNK];
  } buffer;
  int is_float = mn_dtype_is_float(a->dtype), wide = is_float ? MN_FLOAT64 : MN_INT64;
  uint64_t whole = is_float ? 0 : (uint64_t)(int64_t)alpha;
  const mn_array *from = MN_KERNEL(dense)(call, a, room);
  int64_t item = (int64_t)mn_dtype_size(a->dtype);
  char *to = mn_scratch(call, (size_t)(a->numel * item + 1));
  if (!from || !to) return NULL;
  mn_row_fn in = MN_KERNEL(row_copier)(wide, a->dtype), out = MN_KERNEL(row_copier)(a->dtype, wide);
  for (int64_t i = 0; i < a->numel; i += CREATE_CHUNK) {
    int64_t n = a->numel - i < CREATE_CHUNK ? a->numel - i : CREATE_CHUNK;
    in((char *)&buffer, 8, (const char *)from->data + i * item, item, n);
    for (int64_t k = 0; k < n; k++)
      if (is_float) buffer.f[k] *= alpha;
      else buffer.i[k] *= whole;
    out(to + i * item, item, (const char *)&buffer, 8, n);
  }
  *room = *from;
  room->data = to;
  return room;
}

int MN_KERNEL(index_add)(mn_call *call) {
  const mn_index_add_attrs *a = mn_index_add_of(call);
  const mn_array *in = call->in[0], *out = call->out[0], *source = call->in[2];
  mn_array room, copied;
  block_moves m = {.indexed = out->data};
  if (cut_along(&m, call, out, a->dim, a->index_base)) return -1;
  source = MN_KERNEL(apart)(call, out, source, &copied);
  if (source)
    source = a->alpha == 1 ? MN_KERNEL(dense)(call, source, &room) : scaled(call, source, a->alpha, &room);
  if (!source) return -1;
  if (out->data != in->data) MN_KERNEL(copy_array)(out, in);
  m.dense = source->data;
  set_rows(&m, out->dtype, 0, 1);
  move_all(&m);
  return 0;
}

/* ---- along several dims ---- */

/* The shape that the index tensors broadcast to, which the shape rule has checked. */
static void broadcast_shape(mn_call *call, int first, mn_array *shape) {
  shape->ndim = 0;
  for (int i = first; i < call->n_in; i++)
    if (call->in[i] && call->in[i]->ndim > shape->ndim) shape->ndim = call->in[i]->ndim;
  for (int d = 0; d < shape->ndim; d++) shape->size[d] = 1;
  for (int i = first; i < call->n_in; i++) {
    const mn_array *index = call->in[i];
    for (int d = 0; index && d < index->ndim; d++)
      if (index->size[d] != 1) shape->size[d + shape->ndim - index->ndim] = index->size[d];
  }
  shape->numel = 1;
  for (int d = shape->ndim - 1; d >= 0; d--) shape->stride[d] = shape->numel, shape->numel *= shape->size[d];
}

/* offsets += positions, broadcast to shape. */
static void add_offsets(int64_t *offsets, const mn_array *shape, const mn_array *index, int64_t *positions) {
  mn_array to = *shape,
           from = {.dtype = MN_INT64, .ndim = index->ndim, .numel = index->numel, .data = positions};
  int64_t dense = 1;
  to.dtype = MN_INT64, to.data = offsets;
  for (int d = from.ndim - 1; d >= 0; d--)
    from.size[d] = index->size[d], from.stride[d] = dense, dense *= from.size[d];
  MN_KERNEL(apply_rows)(&to, &from, MN_KERNEL(row_adder)(MN_INT64));
}

/* Where the index tensors, from input `first` on, lead to in a, in bytes, broadcast; *count of them. NULL
 * with the error set if one is out of range. */
static int64_t *read_offsets(mn_call *call, const mn_array *a, int first, int64_t base, int64_t *count) {
  mn_array shape = {0};
  int64_t item = (int64_t)mn_dtype_size(a->dtype), *offsets = NULL;
  int indices = 0;
  for (int i = first; i < call->n_in; i++) indices += call->in[i] != NULL;
  broadcast_shape(call, first, &shape);
  *count = shape.numel;
  if (indices > 1) {
    offsets = mn_scratch(call, (size_t)(shape.numel + 1) * sizeof *offsets);
    if (!offsets) return NULL;
    memset(offsets, 0, (size_t)shape.numel * sizeof *offsets);
  }
  for (int d = 0; d < call->n_in - first; d++) {
    const mn_array *index = call->in[first + d];
    if (!index) continue;
    int64_t *positions = MN_KERNEL(read_index)(call, index, base, a->size[d], d, 1);
    if (!positions) return NULL;
    for (int64_t i = 0; i < index->numel; i++) positions[i] *= a->stride[d] * item;
    if (indices == 1) return positions;
    add_offsets(offsets, &shape, index, positions);
  }
  return offsets;
}

/* Reads all index tensors, from input `first` on, and cuts a's dims around them; -1 with the error set. */
static int cut_around(block_moves *m, mn_call *call, const mn_array *a, int first, int64_t base) {
  int64_t item = (int64_t)mn_dtype_size(a->dtype);
  m->offsets = read_offsets(call, a, first, base, &m->count);
  if (!m->offsets) return -1;
  int n = call->n_in - first, low = n, high = 0, count = 0;
  for (int d = 0; d < n; d++)
    if (call->in[first + d]) low = low < d ? low : d, high = d, count++;
  int adjacent = high - low + 1 == count;
  for (int d = 0; d < a->ndim; d++) {
    if (d < n && call->in[first + d]) continue;
    if (adjacent && d < low) add_dim(m->outer, &m->n_outer, a->size[d], a->stride[d] * item);
    else add_dim(m->inner, &m->n_inner, a->size[d], a->stride[d] * item);
  }
  return 0;
}

int MN_KERNEL(index)(mn_call *call) {
  const mn_index_attrs *a = mn_index_of(call);
  const mn_array *in = call->in[0];
  block_moves m = {.indexed = in->data, .dense = call->out[0]->data};
  if (cut_around(&m, call, in, 1, a->index_base)) return -1;
  set_rows(&m, in->dtype, 1, 0);
  move_all(&m);
  return 0;
}

/* values broadcast over what the indices lead to: the outer dims, the indices' own, the inner dims. Gives a
 * dense copy in scratch memory; NULL when there is none. */
static const char *spread_values(mn_call *call, const mn_array *a, const mn_array *values) {
  mn_array shape = {0}, all = {.dtype = a->dtype, .numel = 1};
  broadcast_shape(call, 2, &shape);
  int n = call->n_in - 2, low = n, high = 0, count = 0;
  for (int d = 0; d < n; d++)
    if (call->in[2 + d]) low = low < d ? low : d, high = d, count++;
  int at = high - low + 1 == count ? low : 0;
  for (int d = 0; d < a->ndim + 1; d++) {
    for (int k = 0; all.ndim == at && k < shape.ndim; k++) all.size[at + k] = shape.size[k];
    if (all.ndim == at) all.ndim += shape.ndim, at = -1;
    if (d < a->ndim && !(d < n && call->in[2 + d])) all.size[all.ndim++] = a->size[d];
  }
  for (int d = all.ndim - 1; d >= 0; d--) all.stride[d] = all.numel, all.numel *= all.size[d];
  all.contiguous = 1;
  all.data = mn_scratch(call, (size_t)(all.numel + 1) * mn_dtype_size(a->dtype));
  if (all.data) MN_KERNEL(copy_array)(&all, values);
  return all.data;
}

int MN_KERNEL(index_put)(mn_call *call) {
  const mn_index_put_attrs *a = mn_index_put_of(call);
  const mn_array *in = call->in[0], *out = call->out[0], *values = call->in[1];
  block_moves m = {.indexed = out->data};
  mn_array room;
  if (cut_around(&m, call, out, 2, a->index_base)) return -1;
  int64_t wanted = m.count * count_of(m.outer, m.n_outer) * count_of(m.inner, m.n_inner);
  values = MN_KERNEL(apart)(call, out, values, &room);
  if (!values) return -1;
  set_rows(&m, out->dtype, 0, a->accumulate != 0);
  m.dense = values->data;
  if (values->numel == 1) m.item = 0; /* the same one for every place */
  else if (!values->contiguous || values->numel != wanted) m.dense = spread_values(call, out, values);
  if (!m.dense && wanted > 0) return -1;
  if (out->data != in->data) MN_KERNEL(copy_array)(out, in);
  move_all(&m);
  return 0;
}
