/* door.h: a call on its way through the door: what apply.c and inplace.c share, and nobody else. */
#ifndef MN_DOOR_H
#define MN_DOOR_H

#include "engine/engine.h"

enum { MN_FEW_INPUTS = 8 };

typedef struct mn_door {
  mn_context *ctx;
  const mn_op_info *op;
  mn_tensor **in;          /* after casts */
  const mn_array **arrays; /* of the same; NULL for absent ones */
  mn_tensor *target;       /* in place: what is written, else NULL */
  int n_in, n_out, n_temps, device;
  mn_tensor *out[MN_MAX_OUT];
  mn_array *results[MN_MAX_OUT]; /* what the shape rule fills, and the kernel */
  mn_slot attrs[MN_MAX_SLOTS];
  mn_node *node;
  mn_tensor **temps; /* casts, released at the end */
  mn_tensor *few[MN_FEW_INPUTS];
  const mn_array *few_arrays[MN_FEW_INPUTS];
} mn_door;

/* Each returns 0, or -1 with the context's error set; mn_door_close belongs after any of them. */
int mn_door_open(mn_door *d, mn_context *ctx, int op, int n_in, mn_tensor *const *inputs,
                 const mn_slot *attrs);
int mn_door_cast(mn_door *d);
int mn_door_headers(mn_door *d);  /* of the outputs, without storage; results are theirs from then on */
int mn_door_storages(mn_door *d); /* of outputs whose shapes are known */
int mn_door_node(mn_door *d);     /* if gradients are wanted */
int mn_door_execute(mn_door *d);
int mn_door_note(mn_door *d, bool inplace, int n_out,
                 mn_tensor *const *out); /* for recordings and anomalies */
void mn_door_attach(mn_door *d);         /* the node to the outputs */
void mn_door_close(mn_door *d, bool failed);

/* Room for the row in a recording that is on: nothing shall fail for want of it after the kernel. */
static inline int mn_door_prepare(mn_door *d, int n_out) {
  return d->ctx->recording ? mn_record_prepare(d->ctx, d->op->index, d->n_in, n_out) : 0;
}

static inline int mn_door_resolve(mn_door *d) {
  return mn_resolve_outputs(d->ctx, d->op, d->n_in, d->arrays, d->attrs, d->results);
}

#endif
