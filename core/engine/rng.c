/* rng.c: the context's random stream: a seed and an offset into Philox's counters. apply draws from it. */
#include "engine/engine.h"

void mn_manual_seed(mn_context *ctx, double seed) {
  ctx->seed = (uint64_t)(int64_t)seed;
  ctx->offset = 0;
}

void mn_rng_get(mn_context *ctx, double *seed, double *offset) {
  *seed = (double)(int64_t)ctx->seed, *offset = (double)ctx->offset;
}

void mn_rng_set(mn_context *ctx, double seed, double offset) {
  ctx->seed = (uint64_t)(int64_t)seed, ctx->offset = (uint64_t)offset;
}
