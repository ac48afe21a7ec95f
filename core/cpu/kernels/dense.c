/* dense.c: copies inputs into scratch memory. */
#include "copy.h"
#include "dense.h"

static const mn_array *scratch_copy(mn_call *call, const mn_array *a, mn_array *room) {
  void *data = mn_scratch(call, (size_t)(a->numel ? a->numel : 1) * mn_dtype_size(a->dtype));
  if (!data) return NULL;
  *room = mn_dense_over(a, data);
  MN_KERNEL(copy_array)(room, a);
  return room;
}

const mn_array *MN_KERNEL(dense)(mn_call *call, const mn_array *a, mn_array *room) {
  return a->contiguous ? a : scratch_copy(call, a, room);
}

const mn_array *MN_KERNEL(apart)(mn_call *call, const mn_array *to, const mn_array *a, mn_array *room) {
  return MN_KERNEL(may_overlap)(to, a) ? scratch_copy(call, a, room) : a;
}
