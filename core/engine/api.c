/* api.c: mn_<op> for C users and for rules, one per row, expanded from ops.def. */
#include "engine/engine.h"
#include "rows.h"
#include <string.h>

#define ARG(input) ARG_##input
#define ARG_IN(name) name,
#define ARG_OPT(name) name,
#define ARG_VAR(name)
#define ARG_NOIN
#define MANY(input) MANY_##input
#define MANY_IN(name)
#define MANY_OPT(name)
#define MANY_VAR(name) many = name, n = n_##name;
#define MANY_NOIN
#define RUN(op, inputs, out)                                                                                 \
  mn_tensor *in[] = {MN_EACH(ARG, inputs) NULL}, *const *many = in;                                          \
  int n = (int)(sizeof in / sizeof *in) - 1;                                                                 \
  MN_EACH(MANY, inputs)                                                                                      \
  int failed = mn_apply(ctx, MN_OP_##op, n, many, (const mn_slot *)attrs, out);
#define DEFINE_1(op, inputs)                                                                                 \
  MN_PROTO_1(op, inputs) {                                                                                   \
    mn_tensor *out[MN_MAX_OUT];                                                                              \
    RUN(op, inputs, out)                                                                                     \
    return failed ? NULL : out[0];                                                                           \
  }
#define DEFINE_N(op, inputs)                                                                                 \
  MN_PROTO_N(op, inputs) {                                                                                   \
    RUN(op, inputs, out)                                                                                     \
    return failed;                                                                                           \
  }
#define DEFINE_2 DEFINE_N
#define DEFINE_3 DEFINE_N
#define DEFINE_4 DEFINE_N
#define MN_OP(op, inputs, outputs, ...) DEFINE_##outputs(op, inputs)
#include "ops.def"
