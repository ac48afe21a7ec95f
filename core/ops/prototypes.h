/* prototypes.h: declares the rules that each row of ops.def names (shape, derivative, tangent), and how rules see the
 * attributes: mn_<op>_given(x) as they came, for shape rules, which may write normalised values back, and
 * mn_<op>_kept(r) as the node keeps them, for derivative rules. */
#ifndef MN_PROTOTYPES_H
#define MN_PROTOTYPES_H

#include "engine/rules.h"
#include "rows.h"

#define MN_OP(name, inputs, outputs, attributes, infer, vjp, jvp, ...)                                       \
  int mn_infer_##infer(mn_infer *x);                                                                         \
  void mn_vjp_##vjp(mn_rule *r);                                                                             \
  void mn_jvp_##jvp(mn_rule *r);                                                                             \
  static inline mn_##name##_attrs *mn_##name##_given(const mn_infer *x) {                                    \
    return (mn_##name##_attrs *)x->attrs;                                                                    \
  }                                                                                                          \
  static inline const mn_##name##_attrs *mn_##name##_kept(mn_rule *r) {                                      \
    return (const mn_##name##_attrs *)mn_rule_attrs(r);                                                      \
  }
#include "ops.def"

/* Rows that share a rule which reads this attribute must have it in the same place: MN_ALIKE(mean, amax, dim). */
#define MN_ALIKE(a, b, field)                                                                                \
  _Static_assert(offsetof(mn_##a##_attrs, field) == offsetof(mn_##b##_attrs, field) &&                       \
                     sizeof(((mn_##a##_attrs *)0)->field) == sizeof(((mn_##b##_attrs *)0)->field),           \
                 #a " and " #b " share a rule that reads " #field)

/* The number in the place of an input: the first attribute of every row that allows one, which
 * engine/optable.c asserts. */
static inline double mn_value_given(const mn_infer *x) { return mn_mul_given(x)->value; }
static inline double mn_value_kept(mn_rule *r) { return mn_mul_kept(r)->value; }

#endif
