/* shape.h: what compose.c needs of the view's shape rule. */
#ifndef MN_OPS_SHAPE_H
#define MN_OPS_SHAPE_H

#include "engine/rules.h"

/* Sets out's strides for a view of in, of the same number of elements; false where in's layout doesn't allow
 * one. */
bool mn_view_strides(mn_array *out, const mn_array *in);

#endif
