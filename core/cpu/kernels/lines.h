/* lines.h: rows that look at whole lines of their input (a dim, or several taken together): the driver that brings each
 * line together, and hands it to a function of the dtype. */
#ifndef MN_LINES_H
#define MN_LINES_H

#include "copy.h"
#include "reduce.h"

typedef struct lines lines;
/* Makes output o, or line o of the output, of a line's elements side by side. */
typedef void (*line_function)(const lines *x, const void *line, int64_t o, void *scratch);

struct lines {
  mn_plan plan;
  const char *in;
  void *out, *out2;
  int n_out;
  size_t item;
  int64_t n;      /* length of a line */
  int64_t n_kept; /* of a line of the output, where it has lines */
  int64_t inner;  /* step of a line of the output */
  int64_t base, k;
  double number;
  bool flag;
  line_function function;
  mn_row_fn row; /* brings elements of a line together */
  char *scratch;
  size_t scratch_each;
  int64_t per_block;
};

/* Where line o of an output with the input's dims starts. */
static inline int64_t out_start(const lines *x, int64_t o) {
  return o / x->inner * x->n_kept * x->inner + o % x->inner;
}

/* Calls the function of the input's dtype with every line of the dims in mask. words: the scratch memory that it wants,
 * in 8-byte words for each element of a line. */
int MN_KERNEL(each_line)(mn_call *call, lines *x, const line_function *functions, unsigned mask, int words);

/* The same for rows whose output has lines along dim, too. */
int MN_KERNEL(each_line_along)(mn_call *call, lines *x, const line_function *functions, int64_t dim,
                               int words);

#endif
