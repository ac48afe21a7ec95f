/* kernel_table.c: the kernels of one instruction set by row, and the loops of its pointwise rows, expanded from
 * ops.def. */
#include "variant.h"
#include "rows.h"

#define MN_VIEW(...)
#define MN_OP(name, ...) int MN_KERNEL(name)(mn_call * call);
#include "ops.def"

extern const mn_kernel MN_KERNEL(kernels)[MN_OP_COUNT];
const mn_kernel MN_KERNEL(kernels)[MN_OP_COUNT] = {
#define MN_VIEW(...)
#define MN_OP(name, ...) [MN_OP_##name] = MN_KERNEL(name),
#include "ops.def"
};

/* Leaves out what only copies (MN_PLAIN of the pointwise section): those are no loops over elements. */
#undef MN_PLAIN
#define MN_PLAIN(...)
#define MN_OP(name, ...) void MN_KERNEL(name##_line)(const mn_call *call, int dtype, mn_line *line);
#include "ops/pointwise.def"
#undef MN_OP

extern const mn_line_kernel MN_KERNEL(lines)[MN_OP_COUNT];
const mn_line_kernel MN_KERNEL(lines)[MN_OP_COUNT] = {
#define MN_OP(name, ...) [MN_OP_##name] = MN_KERNEL(name##_line),
#include "ops/pointwise.def"
#undef MN_OP
};
