/* rows.h: the rows of the whole table for the engine and the rules: their numbers, attributes and functions. What includes
 * this is compiled again for every new row; kernels see the rows of their own section only (cpu/kernels/section.h). */
#ifndef MN_ROWS_H
#define MN_ROWS_H

#include "kernel.h"

enum {
#define MN_OP(name, ...) MN_OP_##name,
#include "ops.def"
  MN_OP_COUNT
};

#define MN_OP MN_ROW_ATTRS
#include "ops.def"

#pragma GCC visibility push(default)
#define MN_OP MN_ROW_PROTOTYPE
#include "ops.def"
#pragma GCC visibility pop

#endif
