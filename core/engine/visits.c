/* visits.c: what a walk goes through: the nodes behind its outputs that may lead to something wanted, from the oldest to
 * the newest, and which of them do. */
#include "engine/walk.h"
#include <string.h>

/* ---- collecting ---- */

static int new_slots(mn_walk *w, int n) {
  while (w->n_slots + n > w->slot_capacity)
    if (grow(w->ctx, (void **)&w->slots, &w->slot_capacity, w->slot_capacity, sizeof *w->slots)) return -1;
  memset(&w->slots[w->n_slots], 0, (size_t)n * sizeof *w->slots);
  w->n_slots += n;
  return w->n_slots - n;
}

static int add_visit(mn_walk *w, mn_node *node) {
  if (table_find(&w->index, node)) return 0;
  if (grow(w->ctx, (void **)&w->visits, &w->capacity, w->n_visits, sizeof *w->visits)) return -1;
  if (table_add(w->ctx, &w->index, node, 0)) return -1;
  node->refs++;
  w->visits[w->n_visits++] = (visit){.node = node, .seq = node->seq};
  return 0;
}

static int leaf_number(mn_walk *w, mn_tensor *leaf) {
  int *found = table_find(&w->index, leaf);
  if (found) return *found;
  int n = w->n_leaves, s = new_slots(w, 1), *room = w->leaf_capacity;
  if (s < 0 || grow(w->ctx, (void **)&w->leaves, &room[0], n, sizeof *w->leaves) ||
      grow(w->ctx, (void **)&w->leaf_slots, &room[1], n, sizeof *w->leaf_slots) ||
      grow(w->ctx, (void **)&w->leaf_wanted, &room[2], n, sizeof *w->leaf_wanted) ||
      table_add(w->ctx, &w->index, leaf, n))
    return -1;
  leaf->refs++;
  w->leaves[n] = leaf, w->leaf_slots[n] = s, w->leaf_wanted[n] = false;
  return w->n_leaves++;
}

static int compare_age(const void *a, const void *b) {
  uint64_t x = ((const visit *)a)->seq, y = ((const visit *)b)->seq;
  return (x > y) - (x < y);
}

/* Collecting finds the newest first: turned round, what has no branches is sorted already. */
static void sort_visits(visit *visits, int n) {
  bool sorted = true;
  for (int i = 0, k = n - 1; i < k; i++, k--) {
    visit newer = visits[i];
    visits[i] = visits[k], visits[k] = newer;
  }
  for (int i = 1; i < n && sorted; i++) sorted = visits[i - 1].seq < visits[i].seq;
  if (!sorted) qsort(visits, (size_t)n, sizeof *visits, compare_age);
}

static bool may_lead(const mn_walk *w, const mn_node *node) {
  return w->flags & MN_WALK_ACCUMULATE || (node->seq >= w->since && reach_leads(&w->reach, node));
}

/* Breadth first: visits doubles as the queue. The flag is looked at on the way: graphs may be large. */
int mn_visits_collect(mn_walk *w, int n_out, mn_tensor *const *outputs) {
  for (int i = 0; i < w->n_in && w->flags & MN_WALK_PARTIAL; i++) {
    mn_node *node = w->inputs[i]->node;
    if (!node) continue;
    if (add_visit(w, node)) return -1;
    w->visits[w->n_visits - 1].barrier = true; /* where it was there already, the last one is an input too */
  }
  for (int i = 0; i < n_out; i++) {
    if (outputs[i]->node ? add_visit(w, outputs[i]->node) : leaf_number(w, outputs[i]) < 0) return -1;
  }
  for (int v = 0; v < w->n_visits; v++) {
    mn_node *node = w->visits[v].node;
    if (mn_check_interrupt(w->ctx)) return -1;
    for (int i = 0; i < node->n_in && !w->visits[v].barrier; i++) {
      const mn_edge *e = &node->edges[i];
      if (e->node && may_lead(w, e->node) && add_visit(w, e->node)) return -1;
      if (e->leaf && leaf_number(w, e->leaf) < 0) return -1;
    }
  }
  w->ctx->stats.visited_nodes += w->n_visits;
  sort_visits(w->visits, w->n_visits);
  for (int v = 0; v < w->n_visits; v++) {
    int s = new_slots(w, w->visits[v].node->n_out);
    if (s < 0 || mn_check_interrupt(w->ctx)) return -1;
    w->visits[v].first_slot = s;
    table_set(&w->index, w->visits[v].node, v);
  }
  return 0;
}

/* ---- what is wanted ---- */

static void want_inputs(mn_walk *w) {
  for (int i = 0; i < w->n_in; i++) {
    mn_tensor *t = w->inputs[i];
    const void *key = t->node ? (const void *)t->node : (const void *)t;
    int *found = table_find(&w->index, key);
    w->input_slots[i] = -1;
    if (!found) continue;
    if (t->node) {
      w->visits[*found].needed = true;
      w->input_slots[i] = w->visits[*found].first_slot + t->out_nr;
    } else {
      w->leaf_wanted[*found] = true;
      w->input_slots[i] = w->leaf_slots[*found];
    }
  }
}

int mn_visits_want(mn_walk *w) {
  bool all = w->flags & MN_WALK_ACCUMULATE;
  for (int i = 0; i < w->n_leaves && all; i++) w->leaf_wanted[i] = true;
  if (!all) want_inputs(w);
  for (int v = 0; v < w->n_visits; v++) {
    visit *x = &w->visits[v];
    if (mn_check_interrupt(w->ctx)) return -1;
    for (int i = 0; i < x->node->n_in && !x->needed && !x->barrier; i++)
      x->needed = mn_edge_wanted(w, &x->node->edges[i]);
    x->needed |= all && x->node->outputs;
  }
  return 0;
}
