/* pointwise_driver.c: runs a loop over all elements of some arrays. Small dense calls go straight to the
 * loop; others have their dims sorted and merged, large ones are cut in blocks, and lines that are not dense
 * go through buffers, so that a formula needs no loop for them. Knows nothing of formulas. */
#include "copy.h"
#include "elementwise.h"
#include "grain.h"

typedef struct dim {
  int64_t size, step[MN_MAX_OPERANDS];
} dim;

typedef struct plan {
  mn_loop loop;
  const double *number;
  char *ptr[MN_MAX_OPERANDS];
  int operands, n_outer, staged;
  mn_row_fn
      stage[MN_MAX_OPERANDS]; /* moves lines that the loop can't take as they lie, to and from a buffer */
  int64_t item[MN_MAX_OPERANDS];
  dim outer[MN_MAX_DIMS], inner;
  int64_t cuts, cut; /* parts of the inner dim, and their size */
  int64_t units, units_per_block;
} plan;

/* Dims of the output but those of size 1, its largest steps first. */
static int list_dims(const plan *p, const mn_array *const *arrays, dim *dims) {
  const mn_array *out = arrays[0];
  int n = 0;
  for (int d = 0; d < out->ndim; d++) {
    if (out->size[d] == 1) continue;
    dim next = {.size = out->size[d]};
    for (int k = 0; k < p->operands; k++) {
      int own = d - (out->ndim - arrays[k]->ndim);
      int repeated = own < 0 || arrays[k]->size[own] == 1;
      next.step[k] = repeated ? 0 : arrays[k]->stride[own] * (int64_t)mn_dtype_size(arrays[k]->dtype);
    }
    int at = n++;
    for (; at > 0 && dims[at - 1].step[0] < next.step[0]; at--) dims[at] = dims[at - 1];
    dims[at] = next;
  }
  return n;
}

static int merge_dims(const plan *p, dim *dims, int n) {
  int kept = 0;
  for (int d = 1; d < n; d++) {
    int fits = 1;
    for (int k = 0; k < p->operands; k++) fits &= dims[kept].step[k] == dims[d].step[k] * dims[d].size;
    if (fits) {
      int64_t size = dims[kept].size * dims[d].size;
      dims[kept] = dims[d];
      dims[kept].size = size;
    } else dims[++kept] = dims[d];
  }
  return n ? kept + 1 : 0;
}

/* The loop can't take strided lines, nor repeated numbers only. */
static void plan_stages(plan *p, const mn_array *const *arrays) {
  int dense = 0;
  for (int k = 1; k < p->operands; k++) dense |= p->inner.step[k] != 0;
  p->staged = 0;
  for (int k = 0; k < p->operands; k++) {
    int64_t step = p->inner.step[k];
    p->item[k] = (int64_t)mn_dtype_size(arrays[k]->dtype);
    int takes = step == p->item[k] || (step == 0 && k > (dense ? 0 : 1));
    p->stage[k] = takes ? NULL : MN_KERNEL(row_copier)(arrays[k]->dtype, arrays[k]->dtype);
    p->staged |= !takes;
  }
}

static void make_plan(plan *p, const mn_array *const *arrays) {
  dim dims[MN_MAX_DIMS] = {{0}};
  int n = merge_dims(p, dims, list_dims(p, arrays, dims));
  p->inner = n ? dims[n - 1] : (dim){.size = 1};
  plan_stages(p, arrays);
  p->n_outer = n ? n - 1 : 0;
  for (int d = 0; d < p->n_outer; d++) p->outer[d] = dims[d];
  p->cut = p->inner.size < POINTWISE_BLOCK ? p->inner.size : POINTWISE_BLOCK;
  p->cuts = (p->inner.size + p->cut - 1) / p->cut;
  p->units = p->cuts;
  for (int d = 0; d < p->n_outer; d++) p->units *= p->outer[d].size;
  p->units_per_block = POINTWISE_BLOCK / p->cut;
}

/* Where unit `from` starts: outer indices, pointers, and the part of the inner dim. */
static int64_t seek(const plan *p, int64_t from, int64_t *index, char **ptr) {
  int64_t part = from % p->cuts, rest = from / p->cuts;
  for (int k = 0; k < p->operands; k++) ptr[k] = p->ptr[k];
  for (int d = p->n_outer - 1; d >= 0; d--) {
    index[d] = rest % p->outer[d].size;
    rest /= p->outer[d].size;
    for (int k = 0; k < p->operands; k++) ptr[k] += index[d] * p->outer[d].step[k];
  }
  return part;
}

static void next_line(const plan *p, int64_t *index, char **ptr) {
  for (int d = p->n_outer - 1; d >= 0; d--) {
    const dim *outer = &p->outer[d];
    int wraps = ++index[d] == outer->size;
    int64_t move = wraps ? 1 - outer->size : 1;
    for (int k = 0; k < p->operands; k++) ptr[k] += move * outer->step[k];
    if (!wraps) return;
    index[d] = 0;
  }
}

/* A line in portions, which go through buffers. */
static void run_staged(const plan *p, char *const *line, int64_t n) {
  uint64_t buffer[MN_MAX_OPERANDS][POINTWISE_STAGE];
  char *ptr[MN_MAX_OPERANDS];
  int64_t step[MN_MAX_OPERANDS];
  for (int64_t i = 0; i < n; i += POINTWISE_STAGE) {
    int64_t m = n - i < POINTWISE_STAGE ? n - i : POINTWISE_STAGE;
    for (int k = 0; k < p->operands; k++) {
      char *at = line[k] + i * p->inner.step[k];
      ptr[k] = p->stage[k] ? (char *)buffer[k] : at;
      step[k] = p->stage[k] ? p->item[k] : p->inner.step[k];
      if (p->stage[k] && k > 0) p->stage[k](ptr[k], step[k], at, p->inner.step[k], m);
    }
    p->loop(ptr, step, m, p->number);
    if (p->stage[0]) p->stage[0](line[0] + i * p->inner.step[0], p->inner.step[0], ptr[0], step[0], m);
  }
}

static void run_units(const plan *p, int64_t from, int64_t to) {
  int64_t index[MN_MAX_DIMS];
  char *ptr[MN_MAX_OPERANDS], *at[MN_MAX_OPERANDS];
  int64_t part = seek(p, from, index, ptr);
  for (int64_t unit = from; unit < to; unit++) {
    int64_t start = part * p->cut, left = p->inner.size - start;
    for (int k = 0; k < p->operands; k++) at[k] = ptr[k] + start * p->inner.step[k];
    int64_t n = left < p->cut ? left : p->cut;
    if (p->staged) run_staged(p, at, n);
    else p->loop(at, p->inner.step, n, p->number);
    if (++part < p->cuts) continue;
    part = 0;
    next_line(p, index, ptr);
  }
}

static void run_block(void *arg, int64_t block) {
  const plan *p = arg;
  int64_t from = block * p->units_per_block, to = from + p->units_per_block;
  run_units(p, from, to < p->units ? to : p->units);
}

/* Are all operands dense in the same order, or single numbers but for one input? Then one line does it. */
static int one_line(plan *p, const mn_array *const *arrays) {
  int64_t n = arrays[0]->numel;
  int dense = 0;
  if (!arrays[0]->contiguous) return 0;
  for (int k = 0; k < p->operands; k++) {
    const mn_array *a = arrays[k];
    /* dense, and of as many elements as the broadcast result: of its shape but for leading ones */
    if (a->contiguous && a->numel == n) p->inner.step[k] = (int64_t)mn_dtype_size(a->dtype), dense |= k;
    else if (a->numel == 1) p->inner.step[k] = 0;
    else return 0;
  }
  p->inner.size = n;
  return dense;
}

int MN_KERNEL(elementwise)(mn_call *call, mn_loop loop, int dtype, int n_in, const mn_array *const *in,
                           const double *number) {
  const mn_array *arrays[MN_MAX_OPERANDS] = {call->out[0]};
  plan p;
  p.loop = loop, p.number = number, p.operands = n_in + 1, p.n_outer = 0;
  p.ptr[0] = call->out[0]->data;
  for (int k = 0; k < n_in; k++) arrays[k + 1] = in[k], p.ptr[k + 1] = in[k]->data;
  if (!loop) return mn_undefined_for(dtype, call->error), -1;
  int64_t n = call->out[0]->numel;
  if (n == 0) return 0;
  if (n < POINTWISE_PARALLEL && one_line(&p, arrays)) {
    loop(p.ptr, p.inner.step, n, number);
    return 0;
  }
  make_plan(&p, arrays);
  if (n < POINTWISE_PARALLEL) run_units(&p, 0, p.units);
  else mn_parallel((p.units + p.units_per_block - 1) / p.units_per_block, run_block, &p);
  return 0;
}
