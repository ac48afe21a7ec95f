/* lines.c: the driver of rows that look at whole lines. It brings the elements of each line together, shares lines out in
 * blocks by shape alone, and knows nothing of what is done with them. */
#include "lines.h"

/* The line whose first element is at `start`: as it lies, or copied together. */
static const void *adjacent(const lines *x, const char *start, char *buffer) {
  const mn_plan *p = &x->plan;
  if (p->rows == 1 && (p->step == 1 || p->length == 1)) return start;
  mn_cursor w = mn_cursor_among(&p->outer, 0);
  int64_t item = (int64_t)x->item;
  for (int64_t r = 0; r < p->rows; r++, mn_cursor_next(&w))
    x->row(buffer + r * p->length * item, item, start + w.offset * item, p->step * item, p->length);
  return buffer;
}

static void block_of_lines(void *arg, int64_t block) {
  const lines *x = arg;
  const mn_plan *p = &x->plan;
  int64_t first = block * x->per_block,
          last = first + x->per_block < p->outputs ? first + x->per_block : p->outputs;
  char *scratch = x->scratch + (size_t)block * x->scratch_each;
  char *buffer = scratch + x->scratch_each - (((size_t)x->n * x->item + 63) & ~(size_t)63);
  mn_cursor w = mn_cursor_among(&p->kept, first);
  for (int64_t o = first; o < last; o++, mn_cursor_next(&w))
    x->function(x, adjacent(x, x->in + w.offset * (int64_t)x->item, buffer), o, scratch);
}

int MN_KERNEL(each_line)(mn_call *call, lines *x, const line_function *functions, unsigned mask, int words) {
  const mn_array *in = call->in[0];
  x->function = functions[in->dtype];
  if (!x->function) return mn_undefined_for(in->dtype, call->error), -1;
  if (call->out[0]->numel == 0) return 0;
  MN_KERNEL(plan)(&x->plan, in, mask, false);
  x->in = in->data, x->out = call->out[0]->data, x->out2 = call->n_out > 1 ? call->out[1]->data : NULL;
  x->n_out = call->n_out;
  x->item = mn_dtype_size(in->dtype);
  x->row = MN_KERNEL(row_copier)(in->dtype, in->dtype);
  x->n = x->plan.rows * x->plan.length;
  if (in->numel == 0) x->n = 0;
  /* Blocks have their own scratch: few of them, or long lines would need a multiple of the input's memory. */
  x->per_block = 1 + REDUCE_BLOCK / (x->n + 1);
  if (x->per_block < x->plan.outputs / LINE_BLOCKS) x->per_block = x->plan.outputs / LINE_BLOCKS;
  int64_t blocks = (x->plan.outputs + x->per_block - 1) / x->per_block;
  size_t lines_bytes = ((size_t)x->n * x->item + 63) & ~(size_t)63;
  x->scratch_each = (((size_t)x->n * 8 * (size_t)words + 63) & ~(size_t)63) + lines_bytes;
  x->scratch = mn_scratch(call, x->scratch_each * (size_t)blocks + 64);
  if (!x->scratch) return -1;
  mn_parallel(blocks, block_of_lines, x);
  return 0;
}

int MN_KERNEL(each_line_along)(mn_call *call, lines *x, const line_function *functions, int64_t dim,
                               int words) {
  const mn_array *in = call->in[0];
  x->inner = 1;
  for (int d = (int)dim + 1; d < in->ndim; d++) x->inner *= in->size[d];
  x->n_kept = in->ndim == 0 ? 1 : call->out[0]->size[dim];
  return MN_KERNEL(each_line)(call, x, functions, in->ndim == 0 ? 0 : 1u << dim, words);
}
