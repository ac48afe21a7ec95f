/* walk.h: walks over the graph as the files that make them up see them: walk.c (backward) and push.c (forward). */
#ifndef MN_WALK_H
#define MN_WALK_H

#include "engine/engine.h"
#include "engine/pointers.h"
#include "engine/reach.h"

/* A place that gathers cotangents. `more` holds, from `first` on, what could not be added yet. */
typedef struct slot {
  mn_tensor *sum;
  mn_tensor **more;
  int first, n_more;
  bool zero; /* a derivative that is 0 throughout leads here: without a sum, the cotangent is zeros */
} slot;

typedef struct visit {
  mn_node *node;
  uint64_t seq;   /* the node's; sorting would read all nodes many times */
  int first_slot; /* of n_out slots */
  bool needed;
  bool barrier; /* an input of a walk with MN_WALK_PARTIAL: nothing behind it is visited */
} visit;

struct mn_walk {
  mn_context *ctx;
  int flags, n_in, n_visits, n_slots, n_leaves, capacity, next;
  uint64_t since; /* nodes before it are not visited */
  reach reach;    /* of the inputs */
  visit *visits;  /* ascending in age: visits[n-1] is the newest */
  slot *slots;
  int slot_capacity, leaf_capacity;
  mn_tensor **leaves; /* leaf i gathers in slots[leaf_slots[i]] */
  int *leaf_slots;
  bool *leaf_wanted;
  table index;         /* node -> visit, leaf -> leaf number */
  mn_tensor **inputs;  /* retained */
  mn_tensor **results; /* for each input, or NULL */
  int *input_slots;
  bool failed;
  /* What Lua is asked, and how far the present node (or leaf) has got: hooks first, then the derivative. */
  mn_request request;
  enum { NOTHING, ASKED, HOOKS_DONE, FUNCTION_DONE } stage;
  int leaf_at;       /* leaves before it have had their hooks */
  mn_tensor **given; /* gradients of the present node's inputs, by Lua */
  int n_given;
};

struct mn_rule {
  mn_context *ctx;
  mn_node *node;
  mn_walk *walk;
  slot *slots;
  mn_tensor **results;
  /* In a forward walk (push.c): the tangents of inputs and of outputs, NULL for zero; room for as many inputs; the input
   * whose gradient is wanted, or -1 for those with a tangent. NULL in a backward one. */
  mn_tensor **tangents, **pushed, **row;
  int only;
};

static inline int mn_walk_no_memory(mn_walk *w) {
  return mn_error_set(w->ctx, MN_ERR_MEMORY, "out of memory in the backward walk");
}

static inline bool mn_edge_wanted(mn_walk *w, const mn_edge *e) {
  if (e->node) {
    const int *found = table_find(&w->index, e->node);
    return found && w->visits[*found].needed;
  }
  return e->leaf && w->leaf_wanted[*table_find(&w->index, e->leaf)];
}

/* The slot of a wanted edge. */
static inline int mn_slot_of(mn_walk *w, const mn_edge *e) {
  int found = *table_find(&w->index, e->node ? (void *)e->node : (void *)e->leaf);
  return e->node ? w->visits[found].first_slot + e->out_nr : w->leaf_slots[found];
}

int mn_walk_inputs(mn_walk *w, int n_in, mn_tensor *const *inputs);      /* what the walk is for */
int mn_visits_collect(mn_walk *w, int n_out, mn_tensor *const *outputs); /* which nodes are visited */
int mn_visits_want(mn_walk *w);                                          /* which of them lead to an input */
const int64_t *mn_node_shape(const mn_node *node, int i); /* of input i; from n_in on, of an output */
int mn_saved_check(const mn_node *node);                  /* are the saved tensors still there? */

#endif
