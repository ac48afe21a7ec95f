/* lines.c: rows that look at whole lines of their input (a dim, or several taken together): var, logsumexp,
 * softmax, argmax, max, cumsum, sort and their like. One driver brings each line together; lines.inc has what
 * is done with it. */
#include <math.h>
#include "copy.h"
#include "reduce.h"
#include "special_math.h"
#define MN_SECTION "ops/reduce.def"
#include "section.h"

enum { MOST_BLOCKS = 64 };

typedef struct lines lines;
typedef void (*line_function)(const lines *x, const void *line, int64_t o, void *scratch);

struct lines {
  mn_plan plan;
  const char *in;
  void *out, *out2;
  int n_out;
  size_t item;
  int64_t n;      /* length of a line */
  int64_t n_kept; /* of a line of the output, where it has lines */
  int64_t inner;  /* step of a line of the output */
  int64_t base, k;
  double number;
  bool flag;
  line_function function;
  mn_row_fn row; /* brings elements of a line together */
  char *scratch;
  size_t scratch_each;
  int64_t per_block;
};

/* Where line o of an output with the input's dims starts. */
static inline int64_t out_start(const lines *x, int64_t o) {
  return o / x->inner * x->n_kept * x->inner + o % x->inner;
}

#define EACH "lines.inc"
#include "each_number.inc"

/* By dtype; bool is stored as uint8. */
#define ALL(name)                                                                                            \
  {                                                                                                          \
    [MN_FLOAT32] = name##_f32, [MN_FLOAT64] = name##_f64, [MN_INT64] = name##_i64, [MN_INT32] = name##_i32,  \
    [MN_UINT8] = name##_u8, [MN_BOOL] = name##_u8                                                            \
  }
#define FLOATS(name)                                                                                         \
  { [MN_FLOAT32] = name##_f32, [MN_FLOAT64] = name##_f64 }
static const line_function arg_functions[MN_DTYPE_COUNT] = ALL(arg);
static const line_function cumulate_functions[MN_DTYPE_COUNT] = ALL(cumulate);
static const line_function sort_functions[MN_DTYPE_COUNT] = ALL(sort);
static const line_function kth_functions[MN_DTYPE_COUNT] = ALL(kth);
static const line_function median_functions[MN_DTYPE_COUNT] = ALL(median);
static const line_function mode_functions[MN_DTYPE_COUNT] = ALL(mode);
static const line_function deviation_functions[MN_DTYPE_COUNT] = FLOATS(deviation);
static const line_function norm_functions[MN_DTYPE_COUNT] = FLOATS(norm);
static const line_function variance_functions[MN_DTYPE_COUNT] = FLOATS(variance);
static const line_function logsumexp_functions[MN_DTYPE_COUNT] = FLOATS(logsumexp);
static const line_function softmax_functions[MN_DTYPE_COUNT] = FLOATS(softmax);

/* The line whose first element is at `start`: as it lies, or gathered. */
static const void *bring(const lines *x, const char *start, char *buffer) {
  const mn_plan *p = &x->plan;
  if (p->rows == 1 && (p->step == 1 || p->length == 1)) return start;
  mn_walker w = mn_walk_from(p->n_outer, p->outer_size, p->outer_stride, 0);
  int64_t item = (int64_t)x->item;
  for (int64_t r = 0; r < p->rows; r++, mn_walk_next(&w))
    x->row(buffer + r * p->length * item, item, start + w.offset * item, p->step * item, p->length);
  return buffer;
}

static void block_of_lines(void *arg, int64_t block) {
  const lines *x = arg;
  const mn_plan *p = &x->plan;
  int64_t first = block * x->per_block,
          last = first + x->per_block < p->outputs ? first + x->per_block : p->outputs;
  char *scratch = x->scratch + (size_t)block * x->scratch_each;
  char *buffer = scratch + x->scratch_each - (((size_t)x->n * x->item + 63) & ~(size_t)63);
  mn_walker w = mn_walk_from(p->n_kept, p->kept_size, p->kept_stride, first);
  for (int64_t o = first; o < last; o++, mn_walk_next(&w))
    x->function(x, bring(x, x->in + w.offset * (int64_t)x->item, buffer), o, scratch);
}

/* words: scratch of one line's function, in 8-byte words an element. */
static int run(mn_call *call, lines *x, const line_function *functions, unsigned mask, int words) {
  const mn_array *in = call->in[0];
  x->function = functions[in->dtype];
  if (!x->function) return mn_undefined_for(in->dtype, call->error), -1;
  if (call->out[0]->numel == 0) return 0;
  x->plan = MN_KERNEL(plan)(in, mask, false);
  x->in = in->data, x->out = call->out[0]->data, x->out2 = call->n_out > 1 ? call->out[1]->data : NULL;
  x->n_out = call->n_out;
  x->item = mn_dtype_size(in->dtype);
  x->row = MN_KERNEL(row_copier)(in->dtype, in->dtype);
  x->n = x->plan.rows * x->plan.length;
  if (in->numel == 0) x->n = 0;
  /* Blocks have their own scratch: few of them, or long lines would need a multiple of the input's memory. */
  x->per_block = 1 + MN_REDUCE_BLOCK / (x->n + 1);
  if (x->per_block < x->plan.outputs / MOST_BLOCKS) x->per_block = x->plan.outputs / MOST_BLOCKS;
  int64_t blocks = (x->plan.outputs + x->per_block - 1) / x->per_block;
  size_t lines_bytes = ((size_t)x->n * x->item + 63) & ~(size_t)63;
  x->scratch_each = (((size_t)x->n * 8 * (size_t)words + 63) & ~(size_t)63) + lines_bytes;
  x->scratch = mn_scratch(call, x->scratch_each * (size_t)blocks + 64);
  if (!x->scratch) return -1;
  mn_parallel(blocks, block_of_lines, x);
  return 0;
}

/* The same for rows whose output has lines along dim, too. */
static int run_along(mn_call *call, lines *x, const line_function *functions, int64_t dim, int words) {
  const mn_array *in = call->in[0];
  x->inner = 1;
  for (int d = (int)dim + 1; d < in->ndim; d++) x->inner *= in->size[d];
  x->n_kept = in->ndim == 0 ? 1 : call->out[0]->size[dim];
  return run(call, x, functions, in->ndim == 0 ? 0 : 1u << dim, words);
}

int MN_KERNEL(var)(mn_call *call) {
  const mn_var_attrs *a = mn_var_of(call);
  lines x = {.number = a->correction};
  return run(call, &x, variance_functions, mn_mask_of(&a->dim), 0);
}

int MN_KERNEL(std)(mn_call *call) {
  const mn_std_attrs *a = mn_std_of(call);
  lines x = {.number = a->correction};
  return run(call, &x, deviation_functions, mn_mask_of(&a->dim), 0);
}

int MN_KERNEL(norm)(mn_call *call) {
  const mn_norm_attrs *a = mn_norm_of(call);
  lines x = {.number = a->p};
  return run(call, &x, norm_functions, mn_mask_of(&a->dim), 0);
}

int MN_KERNEL(logsumexp)(mn_call *call) {
  lines x = {0};
  return run(call, &x, logsumexp_functions, mn_mask_of(&mn_logsumexp_of(call)->dim), 1);
}

/* One dim, or all of them where it is left out. */
static unsigned mask_of(mn_call *call, int64_t dim) {
  return dim == MN_UNSET ? ~0u : call->in[0]->ndim == 0 ? 0 : 1u << dim;
}

static int arg(mn_call *call, int64_t dim, int64_t base, bool smallest) {
  lines x = {.base = base, .flag = smallest};
  return run(call, &x, arg_functions, mask_of(call, dim), 0);
}

int MN_KERNEL(kthvalue)(mn_call *call) {
  const mn_kthvalue_attrs *a = mn_kthvalue_of(call);
  lines x = {.k = a->k, .base = a->index_base};
  return run(call, &x, kth_functions, mask_of(call, a->dim), 2);
}

int MN_KERNEL(median)(mn_call *call) {
  const mn_median_attrs *a = mn_median_of(call);
  lines x = {.base = a->index_base};
  return run(call, &x, median_functions, mask_of(call, a->dim), 2);
}

int MN_KERNEL(mode)(mn_call *call) {
  const mn_mode_attrs *a = mn_mode_of(call);
  lines x = {.base = a->index_base};
  return run(call, &x, mode_functions, mask_of(call, a->dim), 2);
}

int MN_KERNEL(argmax)(mn_call *call) {
  const mn_argmax_attrs *a = mn_argmax_of(call);
  return arg(call, a->dim, a->index_base, false);
}

int MN_KERNEL(argmin)(mn_call *call) {
  const mn_argmin_attrs *a = mn_argmin_of(call);
  return arg(call, a->dim, a->index_base, true);
}

int MN_KERNEL(max)(mn_call *call) {
  const mn_max_attrs *a = mn_max_of(call);
  return arg(call, a->dim, a->index_base, false);
}

int MN_KERNEL(min)(mn_call *call) {
  const mn_min_attrs *a = mn_min_of(call);
  return arg(call, a->dim, a->index_base, true);
}

int MN_KERNEL(cumsum)(mn_call *call) {
  lines x = {0};
  return run_along(call, &x, cumulate_functions, mn_cumsum_of(call)->dim, 0);
}

int MN_KERNEL(cumprod)(mn_call *call) {
  lines x = {.flag = true};
  return run_along(call, &x, cumulate_functions, mn_cumprod_of(call)->dim, 0);
}

int MN_KERNEL(sort)(mn_call *call) {
  const mn_sort_attrs *a = mn_sort_of(call);
  lines x = {.flag = a->descending != 0, .base = a->index_base};
  return run_along(call, &x, sort_functions, a->dim, 2);
}

int MN_KERNEL(topk)(mn_call *call) {
  const mn_topk_attrs *a = mn_topk_of(call);
  lines x = {.flag = a->largest != 0, .base = a->index_base};
  return run_along(call, &x, sort_functions, a->dim, 2);
}

int MN_KERNEL(softmax)(mn_call *call) {
  lines x = {0};
  return run_along(call, &x, softmax_functions, mn_softmax_of(call)->dim, 1);
}

int MN_KERNEL(log_softmax)(mn_call *call) {
  lines x = {.flag = true};
  return run_along(call, &x, softmax_functions, mn_log_softmax_of(call)->dim, 1);
}
