/* walk.h: walks over the graph, as the files that make them up see them: visits.c, cotangents.c, rule.c, ask.c, walk.c
 * (backward) and push.c (forward). Each calls those before it alone. */
#ifndef MN_WALK_H
#define MN_WALK_H

#include "engine/engine.h"
#include "engine/pointers.h"
#include "engine/reach.h"
#include "rows.h"

/* What derivatives give for one output of a node, or for a leaf. */
typedef struct cotangent {
  mn_tensor *sum;
  mn_tensor *next; /* what sum becomes when all that a node delivers could be added; the scope's */
  bool zero;       /* a derivative that is 0 throughout leads here: without a sum, the cotangent is zeros */
} cotangent;

typedef struct visit {
  mn_node *node;
  uint64_t seq;        /* the node's; sorting would read all nodes many times */
  int first_cotangent; /* of the n_out that it has */
  bool needed;
  bool barrier; /* an input of a walk with MN_WALK_PARTIAL: nothing behind it is visited */
} visit;

struct mn_walk {
  mn_context *ctx;
  int flags, n_in, n_visits, n_cotangents, n_leaves, capacity, next;
  uint64_t since; /* nodes before it are not visited */
  reach reach;    /* of the inputs */
  visit *visits;  /* ascending in age: visits[n-1] is the newest */
  cotangent *cotangents;
  int cotangent_capacity, leaf_capacity[3]; /* of leaves, leaf_cotangents, leaf_wanted */
  mn_tensor **leaves;                       /* the cotangent of leaf i is cotangents[leaf_cotangents[i]] */
  int *leaf_cotangents;
  bool *leaf_wanted;
  dict index;          /* node -> visit, leaf -> leaf number */
  int room;            /* of inputs, results and input_cotangents: n_in + 1 */
  mn_tensor **inputs;  /* retained */
  mn_tensor **results; /* for each input, or NULL */
  int *input_cotangents;
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
  cotangent *cotangents;
  mn_tensor **results;
  /* In a forward walk (push.c): the tangents of inputs and of outputs, NULL for zero; room for as many inputs; the input
   * whose gradient is wanted, or -1 for those with a tangent. NULL in a backward one. */
  mn_tensor **tangents, **pushed, **row;
  int only;
};

/* The rows that a walk asks for, by their numbers: it knows no rule. */
static inline mn_tensor *row_add(mn_context *ctx, mn_tensor *a, mn_tensor *b) {
  return mn_apply2(ctx, MN_OP_add, a, b, NULL);
}
static inline mn_tensor *row_cast(mn_context *ctx, mn_tensor *t, int dtype) {
  const mn_cast_attrs attrs = {.dtype = dtype};
  return mn_apply1(ctx, MN_OP_cast, t, (const mn_slot *)&attrs);
}
static inline mn_tensor *row_full(mn_context *ctx, const mn_array *like, double value) {
  mn_full_attrs attrs = {
      .size = {.n = like->ndim}, .value = value, .dtype = like->dtype, .device = like->device};
  for (int d = 0; d < like->ndim; d++) attrs.size.v[d] = like->size[d];
  return mn_apply0(ctx, MN_OP_full, (const mn_slot *)&attrs);
}

/* visits.c: which nodes are visited, and what is wanted of them. */
int mn_visits_collect(mn_walk *w, int n_out, mn_tensor *const *outputs);
int mn_visits_want(mn_walk *w);
static inline bool mn_edge_wanted(mn_walk *w, const mn_edge *e) {
  if (e->node) {
    const int *found = dict_find(&w->index, e->node);
    return found && w->visits[*found].needed;
  }
  return e->leaf && w->leaf_wanted[*dict_find(&w->index, e->leaf)];
}

/* The number of a wanted edge's cotangent. */
static inline int mn_cotangent_of(mn_walk *w, const mn_edge *e) {
  int found = *dict_find(&w->index, e->node ? (void *)e->node : (void *)e->leaf);
  return e->node ? w->visits[found].first_cotangent + e->out_nr : w->leaf_cotangents[found];
}

/* cotangents.c */
int mn_cotangent_add(mn_walk *w, cotangent *s, mn_tensor *t); /* adds t */
int mn_cotangent_offer(mn_walk *w, cotangent *s,
                       mn_tensor *t); /* into next, which sum becomes by mn_cotangent_keep */
void mn_cotangent_keep(cotangent *s);
int mn_cotangent_fill(mn_walk *w, cotangent *s,
                      const mn_array *like); /* zeros, where that is all that is known */
void mn_cotangent_free(cotangent *s);

/* rule.c: what rules read and give. */
const int64_t *mn_node_shape(const mn_node *node,
                             int i);     /* of input i, or, from n_in on, of output i - n_in */
int mn_saved_check(const mn_node *node); /* are the node's saved tensors still there? */
mn_tensor *mn_saved_unpack(mn_node *node, mn_saved *s);
mn_tensor *mn_rule_unbroadcast(mn_rule *r, int i, mn_tensor *g);

/* ask.c: what Lua is asked. Those that ask return -1 and leave the walk paused. */
int mn_ask_hooks(mn_walk *w, const visit *x);
int mn_ask_function(mn_walk *w, mn_node *node, mn_tensor **results);
int mn_ask_leaf_hooks(mn_walk *w);
void mn_ask_forget(mn_walk *w); /* gives back what was answered */

int mn_walk_inputs(mn_walk *w, int n_in, mn_tensor *const *inputs); /* walk.c: what the walk is for */

#endif
