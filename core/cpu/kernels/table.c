/* table.c: the kernel table of one instruction set, expanded from ops.def. */
#include "variant.h"

extern const mn_kernel MN_KERNEL(kernels)[MN_OP_COUNT];
const mn_kernel MN_KERNEL(kernels)[MN_OP_COUNT] = {
#define MN_VIEW(...)
#define MN_OP(name, ...) [MN_OP_##name] = MN_KERNEL(name),
#include "ops.def"
};
