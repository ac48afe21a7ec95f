/* prototypes.h: declares the shape rule and the derivative rule that each row of ops.def names. */
#ifndef MN_PROTOTYPES_H
#define MN_PROTOTYPES_H

#include "engine/rules.h"

#define MN_VIEW MN_OP
#define MN_OP(name, inputs, outputs, attributes, infer, vjp, ...)                                            \
  int mn_infer_##infer(mn_infer *x);                                                                         \
  void mn_vjp_##vjp(mn_rule *r);
#include "ops.def"

#endif
