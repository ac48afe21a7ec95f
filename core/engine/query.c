/* query.c: what the engine and shape rules ask about elements, answered by the backend of the device where they are. */
#include "engine/engine.h"

int64_t mn_query(mn_context *ctx, mn_question what, const mn_array *a) {
  mn_device *device = ctx->devices[a->device];
  int64_t answer = device->backend->query(device, what, a);
  if (answer < -1 && mn_device_settle(ctx, a->device) == 0)
    mn_error_set(ctx, MN_ERR_ARGUMENT, "a question about elements failed on %s",
                 mn_device_name(ctx, a->device));
  return answer;
}

int64_t mn_nonzero_count(const mn_infer *x, const mn_array *a) {
  return mn_query(x->ctx, MN_COUNT_NONZERO, a);
}
int64_t mn_largest_index(const mn_infer *x, const mn_array *a) {
  return mn_query(x->ctx, MN_LARGEST_INDEX, a);
}
