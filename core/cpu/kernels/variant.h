/* variant.h: this folder is compiled once for each instruction set; names carry its suffix. */
#ifndef MN_VARIANT_H
#define MN_VARIANT_H

#include "cpu/threads.h"
#include "kernel.h"

#define MN_PASTE_(a, b) mn_cpu_##a##_##b
#define MN_PASTE(a, b) MN_PASTE_(a, b)
/* The kernel of a row: int MN_KERNEL(add)(mn_call *call). Use it for any function shared between files here. */
#define MN_KERNEL(name) MN_PASTE(name, MN_VARIANT)

#endif
