/* error.c: the error that a context holds. The first one wins, until it is cleared. */
#include "engine/engine.h"
#include <stdarg.h>
#include <stdio.h>

int mn_error_set(mn_context *ctx, mn_error code, const char *format, ...) {
  if (ctx->error_code != MN_OK) return -1; /* the first error wins */
  ctx->error_code = code;
  va_list args;
  va_start(args, format);
  vsnprintf(ctx->error, sizeof ctx->error, format, args);
  va_end(args);
  return -1;
}

mn_error mn_error_code(mn_context *ctx) { return ctx->error_code; }
const char *mn_error_message(mn_context *ctx) { return ctx->error; }
void mn_error_clear(mn_context *ctx) { ctx->error_code = MN_OK, ctx->error[0] = 0; }
