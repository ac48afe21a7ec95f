/* execute.c: runs kernels; nobody else does. All that it looks at stands in the call, so the door uses it, and so may
 * a replay, on any thread. */
#include "engine/engine.h"
#include <stdio.h>

int mn_execute(int op, mn_call *call) {
  call->error[0] = 0;
  if (op < 0 || op >= MN_OP_COUNT)
    return snprintf(call->error, sizeof call->error, "no op has the number %d", op), -1;
  if (mn_rules(op)->view) return 0; /* the array says it all */
  mn_kernel kernel = call->device->kernels[op];
  if (!kernel)
    return snprintf(call->error, sizeof call->error, "no kernel on %s", call->device->backend->name), -1;
  if (kernel(call) == 0) return 0;
  if (!call->error[0]) snprintf(call->error, sizeof call->error, "no scratch memory is left");
  return -1;
}

/* ---- scratch memory that the caller owns ---- */

static void *from_memory(mn_arena *arena, size_t bytes) {
  size_t rounded = (bytes + 63) & ~(size_t)63;
  if (rounded < bytes || rounded > arena->bytes - arena->used) return NULL;
  char *p = arena->memory + arena->used;
  arena->used += rounded;
  return p;
}

void mn_arena_over(mn_arena *arena, void *memory, size_t bytes) {
  *arena = (mn_arena){.get = from_memory, .memory = memory, .bytes = bytes};
}
