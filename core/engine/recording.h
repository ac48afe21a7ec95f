/* recording.h: what recording.c and program.c share, and nobody else. */
#ifndef MN_RECORDING_H
#define MN_RECORDING_H

#include "engine/engine.h"

typedef struct mn_bound {
  mn_storage *storage;
  mn_ref ref; /* how it was met first */
} mn_bound;

struct mn_program {
  mn_context *ctx; /* counted once the recording has ended: before, the context has it */
  mn_row *rows;
  int n, capacity;
  char *block; /* for the references of the next row, and what follows them */
  size_t block_bytes;
  mn_bound *bound;
  int n_bound, bound_capacity;
  uint32_t number; /* marks storages; 0 is none */
  uint64_t offset; /* of the random stream, at the beginning */
};

void mn_program_destroy(mn_program *p); /* recording.c; whoever calls holds the context */

#endif
