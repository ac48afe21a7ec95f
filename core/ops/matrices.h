/* matrices.h: what the rules of matrix products and of LAPACK's rows share. */
#ifndef MN_OPS_MATRICES_H
#define MN_OPS_MATRICES_H

#include "engine/rules.h"

/* Sets out's dtype to a's and its size to rows x cols behind the batch dims of a and b (all but the last two),
 * broadcast; -1 with the error set where those don't fit. */
int mn_matrix_shape(const mn_infer *x, const mn_array *a, const mn_array *b, int64_t rows, int64_t cols,
                    mn_array *out);

#endif
