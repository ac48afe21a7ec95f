/* numbers.c: the numbers by which the binding knows nodes and leaves that have something of its own. Those of the dead
 * are queued until the binding asks. */
#include "engine/engine.h"

/* Room in the queue for one number more than live and queued ones, so that dying needs no memory. */
int mn_number_reserve(mn_context *ctx) {
  int wanted = ctx->live_numbers + (int)ctx->stats.dead_numbers + 1;
  if (wanted <= ctx->dead_capacity) return 0;
  double *queue = mn_memory_lengthen(ctx, ctx->dead_numbers, (size_t)ctx->dead_capacity * sizeof *queue,
                                     (size_t)wanted * 2 * sizeof *queue);
  if (!queue) return -1;
  ctx->dead_numbers = queue, ctx->dead_capacity = 2 * wanted;
  return 0;
}

void mn_number_died(mn_context *ctx, double number) {
  ctx->live_numbers--;
  ctx->dead_numbers[(int)ctx->stats.dead_numbers++] = number;
}

double mn_dead_number(mn_context *ctx) {
  return ctx->stats.dead_numbers > 0 ? ctx->dead_numbers[(int)--ctx->stats.dead_numbers] : 0;
}
