/* optable.c: the op table as data, expanded from ops.def: descriptions for introspection, rules for the engine.
 */
#include "engine/engine.h"
#include "rows.h"

#define S0 1u
#define S1 2u
#define S2 4u
#define S3 8u
#define S4 16u
#define S5 32u
#define S6 64u
#define S7 128u
#define S8 256u
#define S9 512u
#define R0 (1u << 16)
#define R1 (1u << 17)
#define R2 (1u << 18)
#define R3 (1u << 19)

#define MN_OP(op, in, n, at, infer_, vjp_, jvp_, ...)                                                        \
  int mn_infer_##infer_(mn_infer *);                                                                         \
  void mn_vjp_##vjp_(mn_rule *);                                                                             \
  void mn_jvp_##jvp_(mn_rule *);
#include "ops.def"

void mn_vjp_none(mn_rule *r) { (void)r; }
void mn_vjp_zero(mn_rule *r) { (void)r; }
void mn_jvp_none(mn_rule *r) { (void)r; }
void mn_jvp_zero(mn_rule *r) { (void)r; }

/* Attributes of a row: names, kinds and first slots. */
#define INFO(attr) INFO_##attr
#define INFO_INT(name, ...) {#name, MN_ATTR_INT, 0, 0},
#define INFO_NUM(name, ...) {#name, MN_ATTR_NUM, 0, 0},
#define INFO_BOOL(name, ...) {#name, MN_ATTR_BOOL, 0, 0},
#define INFO_ENUM(name, value, choices) {#name, MN_ATTR_ENUM, 0, choices},
#define INFO_DTYPE(name, ...) {#name, MN_ATTR_DTYPE, 0, 0},
#define INFO_DEVICE(name, ...) {#name, MN_ATTR_DEVICE, 0, 0},
#define INFO_LIST(name, ...) {#name, MN_ATTR_LIST, 0, 0},
#define INFO_PAIR(name, ...) {#name, MN_ATTR_PAIR, 0, 0},
#define INFO_DIM(name, ...) {#name, MN_ATTR_DIM, 0, 0},
#define INFO_DIMS(name, ...) {#name, MN_ATTR_DIMS, 0, 0},
#define INFO_INDEX(name, ...) {#name, MN_ATTR_INDEX, 0, 0},
#define INFO_BASE(name, ...) {#name, MN_ATTR_BASE, 0, 0},
#define INFO_NOATTR
#define INFO_WINDOWS MN_WINDOWS(INFO)
#define INFO_AVERAGING MN_AVERAGING(INFO)
#define MN_OP(op, in, n, at, ...) static mn_attr_info op##_info[] = {MN_EACH(INFO, at){0, 0, 0, 0}};
#include "ops.def"

/* Defaults. */
#define DEF(attr) DEF_##attr
#define DEF_INT(name, value) .name = value,
#define DEF_NUM(name, value) .name = value,
#define DEF_BOOL(name, value) .name = value,
#define DEF_ENUM(name, value, choices) .name = value,
#define DEF_DTYPE(name, value) .name = value,
#define DEF_DEVICE(name, value) .name = value,
#define DEF_LIST(name, ...) .name = {__VA_ARGS__},
#define DEF_PAIR(name, ...) .name = {__VA_ARGS__},
#define DEF_DIM(name, value) .name = value,
#define DEF_DIMS(name, ...) .name = {__VA_ARGS__},
#define DEF_INDEX(name, value) .name = value,
#define DEF_BASE(name, value) .name = value,
#define DEF_NOATTR .none_ = 0
#define DEF_WINDOWS MN_WINDOWS(DEF)
#define DEF_AVERAGING MN_AVERAGING(DEF)
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#define MN_OP(op, in, n, at, ...) static const mn_##op##_attrs op##_defaults = {MN_EACH(DEF, at)};
#include "ops.def"

/* Inputs: "input,weight,bias?". */
#define NAME(input) NAME_##input
#define NAME_IN(name) #name ","
#define NAME_OPT(name) #name "?,"
#define NAME_VAR(name) #name "...,"
#define NAME_NOIN
#define COUNT(input) COUNT_##input
#define COUNT_IN(name) +1
#define COUNT_OPT(name) +1
#define COUNT_VAR(name) +1
#define COUNT_NOIN +0
#define VARIADIC(input) VARIADIC_##input
#define VARIADIC_IN(name)
#define VARIADIC_OPT(name)
#define VARIADIC_VAR(name) | MN_F_VARIADIC
#define VARIADIC_NOIN

enum { LIST_SLOTS = sizeof(mn_list) / sizeof(mn_slot) };

static mn_op_info ops[MN_OP_COUNT] = {
#define MN_OP(op, in, n, at, infer_, vjp_, jvp_, batch, saves_, flags_)                                      \
  {.name = #op,                                                                                              \
   .inputs = "" MN_EACH(NAME, in),                                                                           \
   .n_in = 0 MN_EACH(COUNT, in),                                                                             \
   .n_out = n,                                                                                               \
   .flags = (flags_)MN_EACH(VARIADIC, in),                                                                   \
   .n_slots = (int32_t)(sizeof(mn_##op##_attrs) / sizeof(mn_slot)),                                          \
   .index = MN_OP_##op,                                                                                      \
   .attrs = op##_info,                                                                                       \
   .defaults = (const mn_slot *)&op##_defaults},
#include "ops.def"
};

mn_op_rules mn_row_rules[MN_OP_COUNT] = {
#define RULES(infer_, vjp_, jvp_, saves_, view_)                                                             \
  {.infer = mn_infer_##infer_, .vjp = mn_vjp_##vjp_, .jvp = mn_jvp_##jvp_, .saves = (saves_), .view = view_},
#define MN_VIEW(op, in, n, at, infer_, vjp_, jvp_, batch, saves_, flags_)                                    \
  RULES(infer_, vjp_, jvp_, saves_, true)
#define MN_OP(op, in, n, at, infer_, vjp_, jvp_, batch, saves_, flags_)                                      \
  RULES(infer_, vjp_, jvp_, saves_, false)
#include "ops.def"
};

/* What reads the number in the place of an input looks at the first slot. */
#undef MN_BINARY_WITH
#define MN_BINARY_WITH(op, ...)                                                                              \
  _Static_assert(offsetof(mn_##op##_attrs, value) == 0, #op " has its value first");
#define MN_OP(...)
#include "ops.def"

static bool is_list(int kind) { return kind == MN_ATTR_LIST || kind == MN_ATTR_DIMS || kind == MN_ATTR_PAIR; }

static bool is_required(const mn_attr_info *a, const mn_slot *defaults) {
  return a->kind == MN_ATTR_NUM ? defaults[a->slot].f != defaults[a->slot].f
                                : defaults[a->slot].i == MN_REQUIRED;
}

/* What the macros can't count: slots of attributes, optional inputs; and the flags that other columns state. Runs once,
 * when the library is loaded. */
__attribute__((constructor)) static void finish(void) {
  for (int i = 0; i < MN_OP_COUNT; i++) {
    mn_op_info *op = &ops[i];
    mn_attr_info *a = (mn_attr_info *)op->attrs;
    if (mn_row_rules[i].view) op->flags |= MN_F_VIEW;
    if (mn_row_rules[i].vjp == mn_vjp_none) op->flags |= MN_F_NODIFF;
    for (int slot = 0; a[op->n_attrs].name; op->n_attrs++) {
      mn_attr_info *attr = &a[op->n_attrs];
      attr->slot = slot;
      mn_row_rules[i].required |= is_required(attr, op->defaults);
      mn_row_rules[i].checked |= attr->kind != MN_ATTR_NUM;
      if (attr->kind == MN_ATTR_DEVICE) mn_row_rules[i].device = 1 + slot;
      slot += is_list(attr->kind) ? LIST_SLOTS : 1;
    }
    int input = 0;
    for (const char *p = op->inputs; *p; p++) {
      if (*p == '?') mn_row_rules[i].optional |= 1u << input;
      input += *p == ',';
    }
  }
}

int mn_op_count(void) { return MN_OP_COUNT; }
const mn_op_info *mn_op(int index) { return index >= 0 && index < MN_OP_COUNT ? &ops[index] : NULL; }
