/* elementwise.h: the one driver that every pointwise row runs through. Kernels give it a loop over one line
 * of elements; it finds the lines for any layouts and cuts large work in blocks, by shape alone. */
#ifndef MN_ELEMENTWISE_H
#define MN_ELEMENTWISE_H

#include "variant.h"

enum { MN_MAX_OPERANDS = 4 };

/* out = loop over n_in (up to 3) inputs, broadcast to out's shape. Fails, with a message in the call, when
 * loop is NULL: dtype, which the message names, has none. */
int MN_KERNEL(elementwise)(mn_call *call, mn_loop loop, int dtype, int n_in, const mn_array *const *in,
                           const double *number);

/* Let a loop whose output may be its input be vectorised. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed"
#define MN_EACH_LANE _Pragma("clang loop vectorize(assume_safety)")
#define MN_EACH_LANE_BRIEF MN_EACH_LANE
#else
#define MN_EACH_LANE _Pragma("GCC ivdep")
/* Of formulas so short that counting costs as much as they do. */
#define MN_EACH_LANE_BRIEF _Pragma("GCC ivdep") _Pragma("GCC unroll 4")
#endif

#endif
