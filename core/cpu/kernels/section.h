/* section.h: a section of the op table as kernels see it. Its rows' attributes are mn_<op>_of(call), and its kernels are
 * declared. Include it once for each section that a file computes, with MN_SECTION the name of its file: so a new row
 * compiles its section's kernels again, and no others. */
#include "variant.h"

#define MN_VIEW(...)
#define MN_OP MN_ROW_ATTRS
#include MN_SECTION
#undef MN_OP

#define MN_OP(name, ...)                                                                                     \
  int MN_KERNEL(name)(mn_call * call);                                                                       \
  static inline const mn_##name##_attrs *mn_##name##_of(const mn_call *call) {                               \
    return (const mn_##name##_attrs *)call->attrs;                                                           \
  }
#include MN_SECTION
#undef MN_OP
#undef MN_VIEW
#undef MN_SECTION
