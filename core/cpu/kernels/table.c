/* table.c: the kernel table of one instruction set, expanded from ops.def. */
#include "variant.h"

extern const mn_backend MN_KERNEL(backend);
const mn_backend MN_KERNEL(backend) = {
    .name = "cpu",
    .kernels =
        {
#define MN_VIEW(...)
#define MN_OP(name, ...) [MN_OP_##name] = MN_KERNEL(name),
#include "ops.def"
        },
};
