/* table.c: the kernel table of one instruction set, expanded from ops.def. */
#include "variant.h"

#define MN_VIEW(...)
#define MN_OP(name, ...) int MN_KERNEL(name)(mn_call * call);
#include "ops.def"

static const mn_kernel kernels[] = {
#define MN_VIEW(...) NULL,
#define MN_OP(name, ...) MN_KERNEL(name),
#include "ops.def"
};

extern const mn_backend MN_KERNEL(backend);
const mn_backend MN_KERNEL(backend) = {.name = "cpu", .kernels = kernels};
