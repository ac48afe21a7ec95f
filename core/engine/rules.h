/* rules.h: what a shape rule and a derivative rule may use. Rules (core/ops/) see tensors as arrays and
 * ordinary ops; they run no kernels, loop over no data and release nothing: while a rule runs, every tensor
 * that an op returns is owned by the open scope, which the engine pops. NULL passes through, so a rule needs
 * no error checks. */
#ifndef MN_RULES_H
#define MN_RULES_H

#include <stdbool.h>
#include <math.h>
#include "kernel.h"

static inline const mn_array *mn_arr(const mn_tensor *t) { return (const mn_array *)t; }

/* ---- shape rules ---- */
/* They see arrays and attributes alone, and change nothing but out and attrs, so that a row can be resolved without
 * tensors. in[i] is NULL for an absent optional input. attrs is this call's own copy: a rule writes normalised
 * values back (dims made nonnegative, defaults filled in), so that kernels and derivative rules see them so.
 * out[k] arrives zeroed with device set; the rule sets dtype, ndim and size (a view also stride and data). The engine
 * does the rest.
 * ctx is for errors, the default dtype and how messages count. */
typedef struct mn_infer {
  mn_context *ctx;
  const mn_op_info *op;
  int n_in;
  const mn_array *const *in;
  mn_slot *attrs;
  mn_array *const *out;
} mn_infer;

/* Sets the context's error to "<op>: <message>" and returns -1. */
int mn_fail(const mn_infer *x, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Checks -ndim <= *dim < ndim and makes it nonnegative; 0-dim tensors count as 1-dim. 0, or -1 with the error
 * set. The message counts dims as the context's user does (Lua: from 1). */
int mn_check_dim(const mn_infer *x, int64_t *dim, int ndim);
/* The same for a list, refusing repeated dims; n = -1 becomes all dims of ndim. */
int mn_check_dims(const mn_infer *x, mn_list *dims, int ndim);
/* Is that device open? */
int mn_check_device(const mn_infer *x, int64_t device);
/* Can a number stand beside an integer tensor? `what` names it in the message. */
int mn_check_number(const mn_infer *x, int dtype, const char *what, double value);
/* For rows with MN_F_DATA_SHAPE: how many elements are not 0; the largest element rounded down, -1 if there is none
 * larger (whether all are valid indices is for the kernel to say). */
int64_t mn_nonzero_count(const mn_infer *x, const mn_array *a);
int64_t mn_largest_index(const mn_infer *x, const mn_array *a);
/* "(2, 3)" into buf; returns buf. */
const char *mn_shape_text(const mn_array *a, char buf[128]);
const char *mn_list_text(const mn_list *l, char buf[128]);
int mn_default_float(mn_context *ctx);
int mn_index_base_of_user(mn_context *ctx); /* what to add to a 0-based position or dim in a message */
/* Common dtype of two arrays by PyTorch's rules (category first, then 0-dim tensors don't widen within a
 * category). */
int mn_promote(const mn_array *a, const mn_array *b);
/* out->size = broadcast of all arrays that are not NULL; -1 with the error set when they don't fit. */
int mn_broadcast(const mn_infer *x, const mn_array *const *arrays, int n, mn_array *out);
static inline void mn_same_shape(mn_array *out, const mn_array *a) {
  out->ndim = a->ndim;
  for (int d = 0; d < a->ndim; d++) out->size[d] = a->size[d];
}

/* ---- derivative rules ---- */
typedef struct mn_rule mn_rule;
mn_context *mn_rule_ctx(mn_rule *r);
const mn_slot *mn_rule_attrs(mn_rule *r); /* as the shape rule left them; read as mn_<op>_kept(r) */
int mn_rule_inputs(mn_rule *r);
bool mn_need(mn_rule *r, int i);            /* is the gradient of input i wanted? (false for absent inputs) */
bool mn_has_grad(mn_rule *r, int k);        /* has output k a cotangent? */
mn_tensor *mn_grad(mn_rule *r, int k);      /* cotangent of output k; zeros if it has none */
mn_tensor *mn_saved_in(mn_rule *r, int i);  /* input i, which the row saves (MN_NONE if it was absent) */
mn_tensor *mn_saved_out(mn_rule *r, int k); /* output k, which the row saves, with its history */
mn_list mn_in_shape(mn_rule *r, int i);     /* size of input i as a list */
int mn_in_dtype(mn_rule *r, int i);
int mn_in_device(mn_rule *r, int i);
/* Gives input i its gradient. One whose shape is broader than the input's (broadcasting) is summed to it by
 * the walk, and one of another dtype is cast. Give nothing, or MN_NONE, for zero. */
void mn_give(mn_rule *r, int i, mn_tensor *grad);

/* ---- tangents ---- */
/* A tangent rule gives each output its tangent, given those of the inputs, of which at least one has one. It sees the
 * same saved tensors and attributes as a derivative rule. */
bool mn_has_tangent(mn_rule *r, int i);
mn_tensor *mn_tangent(mn_rule *r, int i);            /* zeros where input i has none */
void mn_push(mn_rule *r, int k, mn_tensor *tangent); /* of output k; nothing, or MN_NONE, for zero */
mn_list mn_out_shape(mn_rule *r, int k);
int mn_out_dtype(mn_rule *r, int k);
bool mn_saves_in(mn_rule *r, int i); /* does the row save input i? */
/* What the row's derivative rule gives input i for the cotangent g of output k alone: MN_NONE for zero. */
mn_tensor *mn_pull(mn_rule *r, int i, int k, mn_tensor *g);
/* The row itself with the same attributes: its inputs, to be filled in, and its outputs for them (0, or -1 with the
 * error set). */
mn_tensor **mn_row_inputs(mn_rule *r);
int mn_row_again(mn_rule *r, mn_tensor **outputs);
/* Pushes tangents by two derivatives: the gradient is linear in its cotangents, and its derivative with respect to them
 * is the tangent. For rows whose tangent rule would be as long as that. */
void mn_push_twice(mn_rule *r);

/* Compositions that many rules need (ops/compose.c). */
mn_tensor *mn_reshape(mn_context *ctx, mn_tensor *t,
                      mn_list size); /* view, or clone and view; one -1 is inferred */
mn_tensor *mn_add_number(mn_context *ctx, mn_tensor *t, double v);
mn_tensor *mn_mul_number(mn_context *ctx, mn_tensor *t, double v);
mn_tensor *mn_pow_number(mn_context *ctx, mn_tensor *t, double v);
mn_tensor *mn_zeros(mn_context *ctx, mn_list size, int dtype);
mn_list mn_shape_list(const mn_tensor *t); /* its size as a list */

#endif
