/* absent.c: the tensor that stands for an absent optional input. It is never counted or freed, and owns nothing. */
#include "engine/engine.h"

mn_tensor mn_absent;
mn_tensor *mn_none(void) { return &mn_absent; }
