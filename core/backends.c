/* backends.c: the backends that this library is built with: the one place that names them. */
#include "backend.h"

extern const mn_backend mn_cpu_backend;

const mn_backend *const mn_backends[] = {&mn_cpu_backend};
const int mn_backend_count = sizeof mn_backends / sizeof *mn_backends;
