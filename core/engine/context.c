/* context.c: the state of one user (one Lua state): modes and lifetime. */
#include "engine/engine.h"
#include <stdlib.h>
#include <string.h>

int mn_abi(void) { return MN_ABI; }
const char *mn_version(void) { return MN_VERSION; }

static mn_context *begin(mn_context *ctx, bool owned) {
  if (!ctx) return NULL;
  memset(ctx, 0, sizeof *ctx);
  ctx->refs = 1;
  ctx->owned = owned;
  ctx->grad_enabled = 1;
  ctx->default_dtype = MN_FLOAT32;
  ctx->next_id = 1, ctx->next_seq = 1;
  ctx->seed = 5489;
  mn_devices_open(ctx);
  ctx->stats.limit_bytes = mn_memory_default_limit();
  return ctx;
}

/* The one piece of memory that no allocator hands out: the allocator stands in it. */
mn_context *mn_context_new(void) { return begin(malloc(sizeof(mn_context)), false); }
size_t mn_context_size(void) { return sizeof(mn_context); }
mn_context *mn_context_at(void *memory) { return begin(memory, true); }

void mn_context_release(mn_context *ctx) {
  if (!ctx || --ctx->refs > 0) return;
  mn_forget_signals(ctx);
  mn_record_drop(ctx);
  mn_memory_put(ctx, ctx->scope.items, (size_t)ctx->scope.capacity * sizeof *ctx->scope.items);
  mn_memory_put(ctx, ctx->dead_numbers, (size_t)ctx->dead_capacity * sizeof *ctx->dead_numbers);
  ctx->scope = (mn_scope){0};
  ctx->dead_numbers = NULL, ctx->dead_capacity = 0;
  mn_empty_cache(ctx);
  mn_devices_close(ctx);
  if (!ctx->owned) free(ctx);
}

const mn_stats *mn_context_stats(mn_context *ctx) { return &ctx->stats; }

int mn_grad_enabled(mn_context *ctx) { return ctx->grad_enabled; }
void mn_set_grad_enabled(mn_context *ctx, int enabled) { ctx->grad_enabled = enabled != 0; }
void mn_set_message_base(mn_context *ctx, int base) { ctx->message_base = base; }
int mn_index_base_of_user(mn_context *ctx) { return ctx->message_base; }

int mn_default_dtype(mn_context *ctx) { return ctx->default_dtype; }
int mn_default_float(mn_context *ctx) { return ctx->default_dtype; }
int mn_set_default_dtype(mn_context *ctx, int dtype) {
  if (dtype != MN_FLOAT32 && dtype != MN_FLOAT64)
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "set_default_dtype: expected float32 or float64, got %s",
                        dtype >= 0 && dtype < MN_DTYPE_COUNT ? mn_dtype_name(dtype) : "no dtype");
  ctx->default_dtype = dtype;
  return 0;
}

int mn_set_num_threads(mn_context *ctx, int n) {
  if (n < 1 || n > 1024)
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "set_num_threads: expected 1 to 1024 threads, got %d", n);
  ctx->devices[0]->backend->threads(n);
  return 0;
}
int mn_num_threads(mn_context *ctx) { return ctx->devices[0]->backend->threads(0); }
