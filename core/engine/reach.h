/* reach.h: can a node lead to one of a walk's inputs? Told by ages alone, so that a walk needn't look at what is older.
 * An input lies within an interval of ages: a tensor made by a node has that node's; a leaf has those from the first
 * node that took it to the last. A node reaches ages from its own down to that of the oldest node that it leads to. */
#ifndef MN_REACH_H
#define MN_REACH_H

#include "engine/engine.h"
#include <stdlib.h>

typedef struct interval {
  uint64_t first, last;
} interval;

typedef struct reach {
  interval *of_inputs; /* by `first`; `last` is the largest one so far */
  int n, room;
} reach;

static inline int reach_compare(const void *a, const void *b) {
  uint64_t x = ((const interval *)a)->first, y = ((const interval *)b)->first;
  return (x > y) - (x < y);
}

/* Returns -1 without memory. Leaves that no node has taken lead nowhere. */
static inline int reach_of(mn_context *ctx, reach *r, int n, mn_tensor *const *inputs) {
  r->n = 0, r->room = n + 1;
  r->of_inputs = mn_memory_get(ctx, (size_t)r->room * sizeof *r->of_inputs);
  if (!r->of_inputs) return -1;
  for (int i = 0; i < n; i++) {
    const mn_tensor *t = inputs[i];
    if (!t->node && !t->first_use) continue;
    r->of_inputs[r->n++] =
        t->node ? (interval){t->node->seq, t->node->seq} : (interval){t->first_use, t->last_use};
  }
  qsort(r->of_inputs, (size_t)r->n, sizeof *r->of_inputs, reach_compare);
  for (int i = 1; i < r->n; i++)
    if (r->of_inputs[i].last < r->of_inputs[i - 1].last) r->of_inputs[i].last = r->of_inputs[i - 1].last;
  return 0;
}

static inline void reach_free(mn_context *ctx, reach *r) {
  mn_memory_put(ctx, r->of_inputs, (size_t)r->room * sizeof *r->of_inputs);
}

static inline bool reach_leads(const reach *r, const mn_node *node) {
  int low = 0, high = r->n; /* of_inputs[0 .. low - 1] are no younger than the node */
  if (r->n == 0 || node->seq < r->of_inputs[0].first) return false;
  if (node->seq >= r->of_inputs[r->n - 1].first) low = r->n;
  while (low < high) {
    int middle = low + (high - low) / 2;
    if (r->of_inputs[middle].first <= node->seq) low = middle + 1;
    else high = middle;
  }
  return node->oldest <= r->of_inputs[low - 1].last;
}

#endif
