/* search.c: searchsorted, a binary search for each number. */
#include "index.h"
#include "grain.h"
#define MN_SECTION "ops/index.def"
#include "section.h"

typedef struct search {
  const char *sorted, *in;
  int64_t *out;
  int64_t n, per_row, count,
      base; /* n sorted numbers in a row, searched for per_row numbers; count of all of these */
  bool right;
} search;

#define BODY "search.inc"
#define KIND MN_NUMBERS
#include "each_dtype.inc"

int MN_KERNEL(searchsorted)(mn_call *call) {
  static void (*const functions[MN_DTYPE_COUNT])(void *, int64_t) = MN_BY_STORED(search);
  const mn_searchsorted_attrs *a = mn_searchsorted_of(call);
  if (!functions[call->in[0]->dtype]) return mn_undefined_for(call->in[0]->dtype, call->error), -1;
  mn_array room[2];
  const mn_array *sorted = MN_KERNEL(dense)(call, call->in[0], &room[0]);
  const mn_array *in = MN_KERNEL(dense)(call, call->in[1], &room[1]);
  if (!sorted || !in) return -1;
  search s = {.sorted = sorted->data,
              .in = in->data,
              .out = call->out[0]->data,
              .count = in->numel,
              .n = sorted->size[sorted->ndim - 1],
              .base = a->index_base,
              .right = a->right != 0};
  s.per_row = sorted->ndim == 1 ? in->numel : in->size[in->ndim - 1];
  mn_parallel((s.count + MOVE_BLOCK - 1) / MOVE_BLOCK, functions[in->dtype], &s);
  return 0;
}
