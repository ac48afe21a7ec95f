/* query.h: what the CPU's backend answers of elements, and looks them up for. */
#ifndef MN_CPU_QUERY_H
#define MN_CPU_QUERY_H

#include "backend.h"

int64_t mn_cpu_query(mn_device *device, mn_question what, const mn_array *a);

#endif
