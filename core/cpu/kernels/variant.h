/* variant.h: this folder is compiled once for each instruction set; names carry its suffix. The attributes of a row are
 * mn_<op>_of(call). */
#ifndef MN_VARIANT_H
#define MN_VARIANT_H

#include "kernel.h"

#define MN_PASTE_(a, b) mn_cpu_##a##_##b
#define MN_PASTE(a, b) MN_PASTE_(a, b)
/* The kernel of a row: int MN_KERNEL(add)(mn_call *call). Use it for any function shared between files here. */
#define MN_KERNEL(name) MN_PASTE(name, MN_VARIANT)

#define MN_VIEW(...)
#define MN_OP(name, ...)                                                                                     \
  int MN_KERNEL(name)(mn_call * call);                                                                       \
  static inline const mn_##name##_attrs *mn_##name##_of(const mn_call *call) {                               \
    return (const mn_##name##_attrs *)call->attrs;                                                           \
  }
#include "ops.def"

#endif
