/* ask.c: what a walk asks Lua, and what Lua reads and answers while the walk is paused: hooks, and the derivatives of
 * functions of the binding's. */
#include "engine/walk.h"

/* Pauses the walk: the node at hand is run again when Lua has answered. */
static int ask(mn_walk *w, mn_request request) {
  w->request = request;
  w->stage = ASKED;
  return -1;
}

int mn_ask_hooks(mn_walk *w, const visit *x) {
  if (w->stage >= HOOKS_DONE) return 0;
  return ask(w, (mn_request){.kind = MN_ASK_HOOKS, .n_out = x->node->n_out, .number = (double)x->node->seq});
}

void mn_ask_forget(mn_walk *w) {
  for (int i = 0; i < w->n_given; i++) mn_tensor_unref(w->given[i]);
  mn_memory_put(w->ctx, w->given, ((size_t)w->n_given + 1) * sizeof *w->given);
  w->given = NULL, w->n_given = 0;
}

/* The derivative of a Function: asks for it, or takes what was given. */
int mn_ask_function(mn_walk *w, mn_node *node, mn_tensor **results) {
  if (w->stage == FUNCTION_DONE) {
    for (int i = 0; i < node->n_in; i++) results[i] = w->given[i];
    return 0;
  }
  mn_ask_forget(w);
  w->given = mn_memory_zeros(w->ctx, ((size_t)node->n_in + 1) * sizeof *w->given);
  if (!w->given) return -1;
  w->n_given = node->n_in;
  return ask(w, (mn_request){.kind = MN_ASK_FUNCTION,
                             .n_in = node->n_in,
                             .n_out = node->n_out,
                             .n_saved = node->n_saved,
                             .number = (double)node->seq});
}

/* Hooks of leaves, once all their gradients are gathered. */
int mn_ask_leaf_hooks(mn_walk *w) {
  if (w->ctx->live_numbers == 0 || w->flags & MN_WALK_PARTIAL) return 0;
  for (; w->leaf_at < w->n_leaves; w->leaf_at++) {
    mn_tensor *leaf = w->leaves[w->leaf_at];
    slot *s = &w->slots[w->leaf_slots[w->leaf_at]];
    if (leaf->flags & T_HOOKED && (s->sum || s->zero) && w->stage < HOOKS_DONE) {
      if (mn_slot_fill(w, s, &leaf->a)) return -1;
      return ask(w, (mn_request){.kind = MN_ASK_LEAF_HOOKS, .n_out = 1, .number = -leaf->id});
    }
    w->stage = NOTHING;
  }
  return 0;
}

/* ---- what Lua reads and answers while the walk is paused ---- */

const mn_request *mn_walk_request(const mn_walk *w) { return &w->request; }

static mn_node *asked_node(const mn_walk *w) { return w->visits[w->next].node; }
const mn_node *mn_walk_node(const mn_walk *w) { return asked_node(w); }

static slot *asked_slot(mn_walk *w, int k) {
  if (w->request.kind == MN_ASK_LEAF_HOOKS) return &w->slots[w->leaf_slots[w->leaf_at]];
  return &w->slots[w->visits[w->next].first_slot + k];
}

mn_tensor *mn_walk_cotangent(mn_walk *w, int k) {
  mn_tensor *sum = asked_slot(w, k)->sum;
  if (!sum) return mn_none();
  sum->refs++;
  return sum;
}

int mn_walk_needs(mn_walk *w, int i) { return mn_edge_wanted(w, &asked_node(w)->edges[i]); }

mn_tensor *mn_walk_saved(mn_walk *w, int i) {
  mn_node *node = asked_node(w);
  if (mn_saved_check(node)) return NULL; /* by a walk that Lua ran while this one waited */
  int mark = mn_scope_open(w->ctx);
  mn_tensor *t = mn_saved_unpack(node, &node->saved[i]);
  mn_tensor_retain(t);
  mn_scope_close(w->ctx, mark);
  return t;
}

mn_tensor *mn_walk_input(mn_walk *w, int i) {
  mn_node *node = asked_node(w);
  return mn_edge_tensor(w->ctx, &node->edges[i], mn_node_shape(node, i));
}

void mn_walk_array(mn_walk *w, int i, mn_array *out) { mn_shape_read(mn_node_shape(asked_node(w), i), out); }

void mn_walk_give(mn_walk *w, int i, mn_tensor *t) {
  mn_tensor **place = w->request.kind == MN_ASK_FUNCTION ? &w->given[i] : &asked_slot(w, i)->sum;
  mn_tensor *old = *place;
  mn_tensor_retain(t);
  *place = mn_is_none(t) ? NULL : t;
  mn_tensor_release(old);
}
