/* dtype.c: which dtype several make together, and which can hold another's numbers. */
#include "engine/engine.h"

_Static_assert(MN_FLOAT32 == 0 && MN_FLOAT64 == 1 && MN_INT64 == 2 && MN_INT32 == 3 && MN_UINT8 == 4 &&
                   MN_BOOL == 5 && MN_FLOAT16 == 6 && MN_BFLOAT16 == 7,
               "names, sizes (kernel.h) and ranks of dtypes stand in this order");

static int category(int dtype) { return dtype == MN_BOOL ? 0 : mn_dtype_is_float(dtype) ? 2 : 1; }

/* Rank within a category; float16 and bfloat16 meet in float32. */
static int wider(int a, int b) {
  static const unsigned char rank[MN_DTYPE_COUNT] = {3, 4, 3, 2, 1, 0, 1, 2};
  if (a == b) return a;
  if (category(a) != category(b)) return category(a) > category(b) ? a : b;
  if ((a == MN_FLOAT16 && b == MN_BFLOAT16) || (a == MN_BFLOAT16 && b == MN_FLOAT16)) return MN_FLOAT32;
  return rank[a] > rank[b] ? a : b;
}

int mn_promote_all(const mn_array *const *arrays, int n) {
  int with_dims = -1, without = -1;
  for (int i = 0; i < n; i++) {
    if (!arrays[i]) continue;
    int *slot = arrays[i]->ndim > 0 ? &with_dims : &without;
    *slot = *slot < 0 ? arrays[i]->dtype : wider(*slot, arrays[i]->dtype);
  }
  if (with_dims < 0) return without;
  if (without < 0 || category(with_dims) >= category(without)) return with_dims;
  return wider(with_dims, without);
}

int mn_promote(const mn_array *a, const mn_array *b) {
  const mn_array *both[2] = {a, b};
  return mn_promote_all(both, 2);
}

bool mn_can_hold(int dtype, int value_dtype) { return category(dtype) >= category(value_dtype); }
