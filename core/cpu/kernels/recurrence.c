/* recurrence.c: kernel of recurrence, the running sums whose sum so far is multiplied at each step. */
#include <stdbool.h>
#include "index.h"
#define MN_SECTION "ops/reduce.def"
#include "section.h"

enum { BLOCK = 32768 };

typedef struct recurrence {
  const mn_array *out;
  const void *in, *factor;
  int64_t n, inner, lines, per_block; /* n elements a line, `inner` apart */
} recurrence;

#define LINES(T, suffix)                                                                                     \
  static void lines_##suffix(void *arg, int64_t block) {                                                     \
    const recurrence *r = arg;                                                                               \
    const T *in = r->in, *factor = r->factor;                                                                \
    T *out = r->out->data;                                                                                   \
    int64_t first = block * r->per_block, last = first + r->per_block;                                       \
    for (int64_t line = first; line < last && line < r->lines; line++) {                                     \
      double y = 0;                                                                                          \
      int64_t at = line / r->inner * r->n * r->inner + line % r->inner;                                      \
      for (int64_t i = 0; i < r->n; i++, at += r->inner) {                                                   \
        y = i == 0 ? in[at] : in[at] + factor[at] * y;                                                       \
        out[at] = (T)y;                                                                                      \
      }                                                                                                      \
    }                                                                                                        \
  }
LINES(float, f32)
LINES(double, f64)

int MN_KERNEL(recurrence)(mn_call *call) {
  int64_t dim = mn_recurrence_of(call)->dim;
  const mn_array *out = call->out[0];
  mn_array room[2];
  const mn_array *in = MN_KERNEL(dense)(call, call->in[0], &room[0]);
  const mn_array *factor = MN_KERNEL(dense)(call, call->in[1], &room[1]);
  if (!in || !factor) return -1;
  if (out->numel == 0) return 0;
  recurrence r = {.out = out, .in = in->data, .factor = factor->data, .n = 1, .inner = 1};
  if (out->ndim > 0) r.n = out->size[dim];
  for (int d = (int)dim + 1; d < out->ndim; d++) r.inner *= out->size[d];
  r.lines = out->numel / r.n;
  r.per_block = 1 + BLOCK / r.n;
  mn_parallel((r.lines + r.per_block - 1) / r.per_block, out->dtype == MN_FLOAT32 ? lines_f32 : lines_f64,
              &r);
  return 0;
}
