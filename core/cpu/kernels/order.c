/* order.c: the rows that compare the elements of a line: extremes with their places, and what sorting gives. */
#include <math.h>
#include "lines.h"
#define MN_SECTION "ops/reduce.def"
#include "section.h"

/* An element as an unsigned number that stands in its order, and where it was. */
typedef struct keyed {
  uint64_t key;
  int64_t at;
} keyed;

enum {
  RADIX_LEAST = 256, /* from here on going through the bytes of keys is quicker than merging */
  /* Up to this part of a line, and so many, a heap of the leading ones is quicker than sorting all, even where every
   * element is better than those before it. */
  LEADING_PART = 8,
  LEADING_MOST = 64,
  ORDER_WORDS = 4, /* of scratch for each element: two lists of keyed ones */
};

/* The positions of n keyed elements in order, those of equal ones as they come: sorted byte by byte from the lowest, but
 * for bytes in which all are the same. Both lists are overwritten. */
static const int64_t *by_bytes(keyed *a, keyed *b, int64_t n) {
  uint64_t least = a[0].key, used = 0;
  for (int64_t i = 1; i < n; i++) least = a[i].key < least ? a[i].key : least;
  for (int64_t i = 0; i < n; i++) a[i].key -= least, used |= a[i].key;
  for (int shift = 0; shift < 64; shift += 8) {
    if (!(used >> shift & 255)) continue;
    int64_t start[256] = {0}, sum = 0;
    for (int64_t i = 0; i < n; i++) start[a[i].key >> shift & 255]++;
    for (int digit = 0; digit < 256; digit++) {
      int64_t count = start[digit];
      start[digit] = sum, sum += count;
    }
    for (int64_t i = 0; i < n; i++) b[start[a[i].key >> shift & 255]++] = a[i];
    keyed *swap = a;
    a = b, b = swap;
  }
  int64_t *positions = (int64_t *)b;
  for (int64_t i = 0; i < n; i++) positions[i] = a[i].at;
  return positions;
}

static inline bool is_after(keyed a, keyed b) { return a.key != b.key ? a.key > b.key : a.at > b.at; }

/* Moves the element at `at` of a heap of n down to its place: no element comes after the one above it. */
static void sink(keyed *heap, int64_t n, int64_t at) {
  if (at >= n) return;
  keyed moved = heap[at];
  for (int64_t below = 2 * at + 1; below < n; below = 2 * at + 1) {
    if (below + 1 < n && is_after(heap[below + 1], heap[below])) below++;
    if (!is_after(heap[below], moved)) break;
    heap[at] = heap[below], at = below;
  }
  heap[at] = moved;
}

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
  return MN_KERNEL(each_line_along)(call, &x, sort_functions, a->dim, ORDER_WORDS);
}

int MN_KERNEL(topk)(mn_call *call) {
  const mn_topk_attrs *a = mn_topk_of(call);
  lines x = {.flag = a->largest != 0, .base = a->index_base};
  return MN_KERNEL(each_line_along)(call, &x, sort_functions, a->dim, ORDER_WORDS);
}

int MN_KERNEL(kthvalue)(mn_call *call) {
  const mn_kthvalue_attrs *a = mn_kthvalue_of(call);
  lines x = {.k = a->k, .base = a->index_base};
  return MN_KERNEL(each_line)(call, &x, kth_functions, mask_of(call, a->dim), ORDER_WORDS);
}

int MN_KERNEL(median)(mn_call *call) {
  const mn_median_attrs *a = mn_median_of(call);
  lines x = {.base = a->index_base};
  return MN_KERNEL(each_line)(call, &x, median_functions, mask_of(call, a->dim), ORDER_WORDS);
}

int MN_KERNEL(mode)(mn_call *call) {
  const mn_mode_attrs *a = mn_mode_of(call);
  lines x = {.base = a->index_base};
  return MN_KERNEL(each_line)(call, &x, mode_functions, mask_of(call, a->dim), ORDER_WORDS);
}
