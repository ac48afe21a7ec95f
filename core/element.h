/* element.h: one element of any dtype as a number, for what looks at few of them: int64 may be rounded. */
#ifndef MN_ELEMENT_H
#define MN_ELEMENT_H

#include "kernel.h"
#include <string.h>

#define MN_HALF_FN static inline
#include "half.inc"

static inline double mn_element(int dtype, const void *p) {
  switch (dtype) {
  case MN_FLOAT32:
    return *(const float *)p;
  case MN_FLOAT64:
    return *(const double *)p;
  case MN_INT64:
    return (double)*(const int64_t *)p;
  case MN_INT32:
    return *(const int32_t *)p;
  case MN_FLOAT16:
    return mn_float16_value(*(const uint16_t *)p);
  case MN_BFLOAT16:
    return mn_bfloat16_value(*(const uint16_t *)p);
  default:
    return *(const uint8_t *)p;
  }
}

#endif
