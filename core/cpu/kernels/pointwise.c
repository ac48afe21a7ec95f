/* pointwise.c: kernels of the pointwise rows, instantiated from scalar.inc for each dtype. Layouts and
 * threads are pointwise_driver.c's; functions are scalar_math.h's and special_math.h's. */
#include "copy.h"
#include "elementwise.h"
#include "special_math.h"
#define MN_SECTION "ops/pointwise.def"
#include "section.h"
#include <stdio.h>

#define BODY "pointwise_loops.inc"
#define KIND MN_ANY
#include "each_dtype.inc"

/* The line of a row of n_in inputs. The numbers of its formula are its attributes: ROW asserts that there are no
 * others. */
static void set_line(mn_line *line, mn_loop loop, int n_in, const mn_call *call, int numbers) {
  *line = (mn_line){.loop = loop, .n_in = n_in};
  for (int i = 0; i < numbers; i++) line->number[i] = call->attrs[i].f;
}

static int apply1(mn_call *call, const mn_line *line) {
  return MN_KERNEL(elementwise)(call, line->loop, call->in[0]->dtype, 1, call->in, line->number);
}

/* The two inputs of a row; a number in the place of one becomes an array of one element. */
typedef struct operands {
  const mn_array *in[2];
  mn_array number;
  union {
    float f32;
    double f64;
    int64_t i64;
  } element;
} operands;

static int operands_of(operands *o, mn_call *call) {
  o->in[0] = call->in[0], o->in[1] = call->in[1];
  int absent = !o->in[0] ? 0 : !o->in[1] ? 1 : -1;
  if (absent < 0) return o->in[0]->dtype;
  double value = mn_mul_of(call)->value; /* where every row that allows a number has it */
  int dtype = o->in[1 - absent]->dtype;
  o->number.data = &o->element, o->number.numel = 1, o->number.ndim = 0;
  o->number.dtype = dtype, o->number.contiguous = 1;
  if (dtype == MN_FLOAT32) o->element.f32 = (float)value;
  else if (dtype == MN_FLOAT64) o->element.f64 = value;
  else MN_KERNEL(fill_array)(&o->number, value);
  o->in[absent] = &o->number;
  return dtype;
}

static int apply2(mn_call *call, const mn_line *line) {
  operands o;
  int dtype = operands_of(&o, call);
  return MN_KERNEL(elementwise)(call, line->loop, dtype, line->n_in, o.in, line->number);
}

/* A row's loops, which the table of lines (kernel_table.c) points to, and its kernel, which runs them. */
#define LINES(name, n, numbers, ...)                                                                         \
  void MN_KERNEL(name##_line)(const mn_call *call, int dtype, mn_line *line) {                               \
    static const mn_loop loops[MN_DTYPE_COUNT] = __VA_ARGS__;                                                \
    set_line(line, loops[dtype], n, call, numbers);                                                          \
  }
#define KERNEL(name, apply)                                                                                  \
  int MN_KERNEL(name)(mn_call * call) {                                                                      \
    mn_line line;                                                                                            \
    MN_KERNEL(name##_line)(call, (call->in[0] ? call->in[0] : call->in[1])->dtype, &line);                   \
    return apply(call, &line);                                                                               \
  }
#define ROW(name, n, numbers, ...)                                                                           \
  _Static_assert((numbers) == 0 || sizeof(mn_##name##_attrs) == (numbers) * sizeof(mn_slot),                 \
                 "the attributes of " #name " are the numbers of its formula");                              \
  LINES(name, n, numbers, __VA_ARGS__)                                                                       \
  KERNEL(name, apply##n)
#define MN_SCALAR1(name, numbers, formula) ROW(name, 1, numbers, MN_BY_FLOAT(name))
#define MN_SCALAR1_NUMBER(name, numbers, formula) ROW(name, 1, numbers, MN_BY_NUMBER(name))
#define MN_SCALAR1_ANY(name, numbers, formula) ROW(name, 1, numbers, MN_BY_ANY(name))
#define MN_SCALAR1_TEST(name, numbers, formula) ROW(name, 1, numbers, MN_BY_ANY(name))
#define MN_SCALAR1_PART(...)
#define MN_SCALAR1_PART_NUMBER(...)
#define MN_SCALAR2(name, numbers, formula) ROW(name, 2, numbers, MN_BY_FLOAT(name))
#define MN_SCALAR2_NUMBER(name, numbers, formula) ROW(name, 2, numbers, MN_BY_NUMBER(name))
#define MN_SCALAR2_WHOLE(name, numbers, formula) ROW(name, 2, numbers, MN_BY_WHOLE(name))
#define MN_SCALAR2_BITS(name, numbers, formula) ROW(name, 2, numbers, MN_BY_BITS(name))
#define MN_SCALAR2_ANY(name, numbers, formula) ROW(name, 2, numbers, MN_BY_ANY(name))
#define MN_SCALAR2_TEST(name, numbers, formula) ROW(name, 2, numbers, MN_BY_ANY(name))
#define MN_SCALAR2_PART(...)
#define MN_SCALAR2_PART_NUMBER(...)
#define MN_SCALAR2_PART_ANY(...)
#include "scalar.inc"

/* ---- rows that choose among formulas ---- */

static int any_huge(const float *x, int64_t n) {
  int huge = 0;
  for (int64_t i = 0; i < n; i++) huge |= fabsf(x[i]) > MN_HUGE;
  return huge;
}

#define GUARDED(name)                                                                                        \
  { [MN_FLOAT32] = name##_guarded, [MN_FLOAT64] = name##_f64 }

/* The float32 sine and its like; lines with arguments too large for their reduction take those from libm. */
#define CIRCULAR(name)                                                                                       \
  static void name##_guarded(char *const *ptr, const int64_t *step, int64_t n, const double *number) {       \
    const float *in = (const float *)ptr[1];                                                                 \
    float *out = (float *)ptr[0];                                                                            \
    if (!any_huge(in, n)) {                                                                                  \
      name##_f32(ptr, step, n, number);                                                                      \
      return;                                                                                                \
    }                                                                                                        \
    for (int64_t i = 0; i < n; i++)                                                                          \
      out[i] = fabsf(in[i]) > MN_HUGE ? name##f(in[i]) : mn_##name##_f32(in[i]);                             \
  }                                                                                                          \
  ROW(name, 1, 0, GUARDED(name))
CIRCULAR(sin)
CIRCULAR(cos)
CIRCULAR(tan)

void MN_KERNEL(gelu_line)(const mn_call *call, int dtype, mn_line *line) {
  static const mn_loop loops[2][MN_DTYPE_COUNT] = {MN_BY_FLOAT(gelu_exact), MN_BY_FLOAT(gelu_tanh)};
  set_line(line, loops[mn_gelu_of(call)->approximate != 0][dtype], 1, call, 0);
}
KERNEL(gelu, apply1)

/* a + alpha b, by the plain loop where the factor need not be multiplied by. */
static void add_line(mn_line *line, mn_loop plain, int dtype, double alpha, int plainly) {
  static const mn_loop scaled[MN_DTYPE_COUNT] = MN_BY_ANY(add_scaled);
  /* what subtracts a factor that fits the dtype */
  if (dtype == MN_UINT8 && alpha < 0) alpha += 256;
  if ((dtype == MN_INT32 && alpha == 0x1p31) || (dtype == MN_INT64 && alpha == 0x1p63)) alpha = -alpha;
  *line = (mn_line){.loop = plainly || !plain ? plain : scaled[dtype], .n_in = 2, .number = {alpha, 0}};
}

void MN_KERNEL(add_line)(const mn_call *call, int dtype, mn_line *line) {
  static const mn_loop plain[MN_DTYPE_COUNT] = MN_BY_ANY(add);
  double alpha = mn_add_of(call)->alpha;
  add_line(line, plain[dtype], dtype, alpha, alpha == 1.0);
}
KERNEL(add, apply2)

void MN_KERNEL(sub_line)(const mn_call *call, int dtype, mn_line *line) {
  static const mn_loop plain[MN_DTYPE_COUNT] = MN_BY_NUMBER(sub);
  double alpha = mn_sub_of(call)->alpha;
  add_line(line, plain[dtype], dtype, -alpha, alpha == 1.0);
}
KERNEL(sub, apply2)

/* The square of a bool is an integer, as a sum of bools is. */
static void square_b8(char *const *ptr, const int64_t *step, int64_t n, const double *number) {
  int64_t *out = (int64_t *)ptr[0];
  const bool *in = (const bool *)ptr[1];
  (void)step, (void)number;
  MN_EACH_LANE for (int64_t i = 0; i < n; i++) out[i] = in[i];
}

ROW(square, 1, 0, MN_BY_ANY(square))

/* a^b for one b that needs no logarithm: NULL if there is no such loop. */
static mn_loop simple_power(double b, int dtype) {
  static const mn_loop squares[MN_DTYPE_COUNT] = MN_BY_NUMBER(square),
                       roots[MN_DTYPE_COUNT] = MN_BY_FLOAT(sqrt),
                       inverses[MN_DTYPE_COUNT] = MN_BY_FLOAT(reciprocal);
  return b == 2.0 ? squares[dtype] : b == 0.5 ? roots[dtype] : b == -1.0 ? inverses[dtype] : NULL;
}

void MN_KERNEL(pow_line)(const mn_call *call, int dtype, mn_line *line) {
  static const mn_loop loops[MN_DTYPE_COUNT] = MN_BY_NUMBER(pow);
  mn_loop simple = call->in[1] ? NULL : simple_power(mn_pow_of(call)->value, dtype);
  set_line(line, simple ? simple : loops[dtype], simple ? 1 : 2, call, 0);
}
KERNEL(pow, apply2)

/* Is any element of an integer array 0? */
static int has_zero(const mn_array *a) {
  mn_row_fn row = MN_KERNEL(row_copier)(MN_BOOL, a->dtype);
  int64_t item = (int64_t)mn_dtype_size(a->dtype);
  mn_cursor at = mn_cursor_at(a->ndim, a->size, a->stride, 0);
  for (int64_t i = 0; i < a->numel; i++, mn_cursor_next(&at)) {
    char nonzero;
    row(&nonzero, 1, (const char *)a->data + at.offset * item, item, 1);
    if (!nonzero) return 1;
  }
  return 0;
}

/* Rows that divide: of integers they look for a divisor of 0 before they write. */
static int divide(mn_call *call, const mn_line *line) {
  operands o;
  int dtype = operands_of(&o, call);
  if (!mn_dtype_is_float(dtype) && line->loop && has_zero(o.in[1])) {
    snprintf(call->error, sizeof call->error, "division of an integer by zero");
    return -1;
  }
  return MN_KERNEL(elementwise)(call, line->loop, dtype, 2, o.in, line->number);
}

#define DIVIDES(name)                                                                                        \
  LINES(name, 2, 0, MN_BY_NUMBER(name))                                                                      \
  KERNEL(name, divide)
DIVIDES(fmod)
DIVIDES(remainder)
DIVIDES(floor_divide)
DIVIDES(trunc_divide)

/* ---- rows that move elements ---- */

int MN_KERNEL(cast)(mn_call *call) { return MN_KERNEL(copy_array)(call->out[0], call->in[0]), 0; }
int MN_KERNEL(clone)(mn_call *call) { return MN_KERNEL(copy_array)(call->out[0], call->in[0]), 0; }

/* Only the width of what is chosen matters. */
#define WHERE(T)                                                                                             \
  static void where_##T(char *const *ptr, const int64_t *step, int64_t n, const double *number) {            \
    T *out = (T *)ptr[0];                                                                                    \
    const uint8_t *by = (const uint8_t *)ptr[1];                                                             \
    const T *a = (const T *)ptr[2], *b = (const T *)ptr[3];                                                  \
    (void)number;                                                                                            \
    if (step[1] && step[2] && step[3]) {                                                                     \
      MN_EACH_LANE for (int64_t i = 0; i < n; i++) {                                                         \
        T left = a[i], right = b[i];                                                                         \
        out[i] = by[i] ? left : right;                                                                       \
      }                                                                                                      \
      return;                                                                                                \
    }                                                                                                        \
    int64_t move = step[1] != 0, move_a = step[2] != 0, move_b = step[3] != 0;                               \
    for (int64_t i = 0; i < n; i++) out[i] = by[i * move] ? a[i * move_a] : b[i * move_b];                   \
  }
WHERE(uint8_t)
WHERE(uint16_t)
WHERE(uint32_t)
WHERE(uint64_t)

void MN_KERNEL(where_line)(const mn_call *call, int dtype, mn_line *line) {
  static const mn_loop loops[9] = {
      [1] = where_uint8_t, [2] = where_uint16_t, [4] = where_uint32_t, [8] = where_uint64_t};
  set_line(line, loops[mn_dtype_size(dtype)], 3, call, 0);
}

int MN_KERNEL(where)(mn_call *call) {
  mn_line line;
  int dtype = call->in[1]->dtype;
  MN_KERNEL(where_line)(call, dtype, &line);
  return MN_KERNEL(elementwise)(call, line.loop, dtype, 3, call->in, line.number);
}
