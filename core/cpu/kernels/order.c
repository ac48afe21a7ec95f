/* order.c: the rows that compare the elements of a line: extremes with their places, and what sorting gives. */
#include <math.h>
#include "lines.h"
#define MN_SECTION "ops/reduce.def"
#include "section.h"

#define BODY "order.inc"
#define KIND MN_NUMBERS
#include "each_dtype.inc"

static const line_function arg_functions[MN_DTYPE_COUNT] = MN_BY_STORED(arg);
static const line_function extremes_functions[MN_DTYPE_COUNT] = MN_BY_STORED(extremes);
static const line_function sort_functions[MN_DTYPE_COUNT] = MN_BY_STORED(sort);
static const line_function kth_functions[MN_DTYPE_COUNT] = MN_BY_STORED(kth);
static const line_function median_functions[MN_DTYPE_COUNT] = MN_BY_STORED(median);
static const line_function mode_functions[MN_DTYPE_COUNT] = MN_BY_STORED(mode);

/* One dim, or all of them where it is left out. */
static unsigned mask_of(mn_call *call, int64_t dim) {
  return dim == MN_UNSET ? ~0u : call->in[0]->ndim == 0 ? 0 : 1u << dim;
}

static int extreme(mn_call *call, int64_t dim, int64_t base, bool smallest) {
  lines x = {.base = base, .flag = smallest};
  return MN_KERNEL(each_line)(call, &x, arg_functions, mask_of(call, dim), 0);
}

int MN_KERNEL(max)(mn_call *call) {
  const mn_max_attrs *a = mn_max_of(call);
  return extreme(call, a->dim, a->index_base, false);
}

int MN_KERNEL(min)(mn_call *call) {
  const mn_min_attrs *a = mn_min_of(call);
  return extreme(call, a->dim, a->index_base, true);
}

int MN_KERNEL(argmax)(mn_call *call) {
  const mn_argmax_attrs *a = mn_argmax_of(call);
  return extreme(call, a->dim, a->index_base, false);
}

int MN_KERNEL(argmin)(mn_call *call) {
  const mn_argmin_attrs *a = mn_argmin_of(call);
  return extreme(call, a->dim, a->index_base, true);
}

int MN_KERNEL(cummax)(mn_call *call) {
  const mn_cummax_attrs *a = mn_cummax_of(call);
  lines x = {.base = a->index_base};
  return MN_KERNEL(each_line_along)(call, &x, extremes_functions, a->dim, 0);
}

int MN_KERNEL(cummin)(mn_call *call) {
  const mn_cummin_attrs *a = mn_cummin_of(call);
  lines x = {.base = a->index_base, .flag = true};
  return MN_KERNEL(each_line_along)(call, &x, extremes_functions, a->dim, 0);
}

int MN_KERNEL(sort)(mn_call *call) {
  const mn_sort_attrs *a = mn_sort_of(call);
  lines x = {.flag = a->descending != 0, .base = a->index_base};
  return MN_KERNEL(each_line_along)(call, &x, sort_functions, a->dim, 2);
}

int MN_KERNEL(topk)(mn_call *call) {
  const mn_topk_attrs *a = mn_topk_of(call);
  lines x = {.flag = a->largest != 0, .base = a->index_base};
  return MN_KERNEL(each_line_along)(call, &x, sort_functions, a->dim, 2);
}

int MN_KERNEL(kthvalue)(mn_call *call) {
  const mn_kthvalue_attrs *a = mn_kthvalue_of(call);
  lines x = {.k = a->k, .base = a->index_base};
  return MN_KERNEL(each_line)(call, &x, kth_functions, mask_of(call, a->dim), 2);
}

int MN_KERNEL(median)(mn_call *call) {
  const mn_median_attrs *a = mn_median_of(call);
  lines x = {.base = a->index_base};
  return MN_KERNEL(each_line)(call, &x, median_functions, mask_of(call, a->dim), 2);
}

int MN_KERNEL(mode)(mn_call *call) {
  const mn_mode_attrs *a = mn_mode_of(call);
  lines x = {.base = a->index_base};
  return MN_KERNEL(each_line)(call, &x, mode_functions, mask_of(call, a->dim), 2);
}
