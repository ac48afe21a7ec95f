/* dtypes.h: the kinds of dtypes that each_dtype.inc goes through, and tables of what it made, by dtype. */
#ifndef MN_DTYPES_H
#define MN_DTYPES_H

#include <stdbool.h>
#include "variant.h"

/* Kinds, each with the dtypes of the one before: KIND of each_dtype.inc. */
#define MN_FLOATS 1  /* float32 and float64: what is computed in */
#define MN_NUMBERS 2 /* and int64, int32, uint8 */
#define MN_ANY 3     /* and bool */

/* Tables of the functions name_f32, name_f64, ... by dtype. Where a row isn't defined they hold NULL. */
#define MN_BY_FLOAT(name)                                                                                    \
  { [MN_FLOAT32] = name##_f32, [MN_FLOAT64] = name##_f64 }
#define MN_BY_NUMBER(name)                                                                                   \
  {                                                                                                          \
    [MN_FLOAT32] = name##_f32, [MN_FLOAT64] = name##_f64, [MN_INT64] = name##_i64, [MN_INT32] = name##_i32,  \
    [MN_UINT8] = name##_u8                                                                                   \
  }
#define MN_BY_ANY(name)                                                                                      \
  {                                                                                                          \
    [MN_FLOAT32] = name##_f32, [MN_FLOAT64] = name##_f64, [MN_INT64] = name##_i64, [MN_INT32] = name##_i32,  \
    [MN_UINT8] = name##_u8, [MN_BOOL] = name##_b8                                                            \
  }
/* Of integers, and of integers and bools. */
#define MN_BY_WHOLE(name)                                                                                    \
  { [MN_INT64] = name##_i64, [MN_INT32] = name##_i32, [MN_UINT8] = name##_u8 }
#define MN_BY_BITS(name)                                                                                     \
  { [MN_INT64] = name##_i64, [MN_INT32] = name##_i32, [MN_UINT8] = name##_u8, [MN_BOOL] = name##_b8 }
/* Where a bool is as good as the uint8 that it is stored as. */
#define MN_BY_STORED(name)                                                                                   \
  {                                                                                                          \
    [MN_FLOAT32] = name##_f32, [MN_FLOAT64] = name##_f64, [MN_INT64] = name##_i64, [MN_INT32] = name##_i32,  \
    [MN_UINT8] = name##_u8, [MN_BOOL] = name##_u8                                                            \
  }

/* Chooses between name_f32 and name_f64, for rows whose shape rule lets no other dtypes in. */
#define MN_OF_FLOAT(dtype, name) ((dtype) == MN_FLOAT32 ? name##_f32 : name##_f64)

#endif
