/* execute.c: runs kernels; nobody else does. All that it looks at stands in the call, so the door uses it, and so may
 * a replay, on any thread. */
#include "engine/engine.h"
#include "rows.h"
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
