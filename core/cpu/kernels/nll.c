/* nll.c: negative log-likelihood at class indices, and its transpose. */
#include <math.h>
#include <stdio.h>
#include "reduce.h"
#define MN_SECTION "ops/reduce.def"
#include "section.h"

/* Where element (n, c, rest) of an array (N, classes, rest...) stands: target position i gives n and rest. */
typedef struct places {
  int64_t classes, rest, count;
  const mn_array *target, *weight;
  int64_t base, ignore;
} places;

static int64_t label_at(const mn_array *t, int64_t i, int *whole) {
  mn_cursor w = mn_cursor_at(t->ndim, t->size, t->stride, i);
  double v = 0;
  switch (t->dtype) {
  case MN_INT64:
    return ((const int64_t *)t->data)[w.offset];
  case MN_INT32:
    return ((const int32_t *)t->data)[w.offset];
  case MN_UINT8:
    return ((const uint8_t *)t->data)[w.offset];
  case MN_FLOAT32:
    v = ((const float *)t->data)[w.offset];
    break;
  case MN_FLOAT64:
    v = ((const double *)t->data)[w.offset];
    break;
  default:
    *whole = 0;
    return 0;
  }
  if (!(v >= -9e15 && v <= 9e15) || v != floor(v)) return *whole = 0, 0;
  return (int64_t)v;
}

/* Class of each target, counted from 0, -1 where ignored. NULL with a message for a label out of range. */
static int64_t *classes_of(mn_call *call, const places *p) {
  int64_t *c = mn_scratch(call, (size_t)p->count * sizeof *c + 64);
  for (int64_t i = 0; c && i < p->count; i++) {
    int whole = 1;
    int64_t label = label_at(p->target, i, &whole);
    if (!whole) {
      snprintf(call->error, sizeof call->error,
               "targets must be integral numbers of a float or integer dtype");
      return NULL;
    }
    c[i] = label == p->ignore ? -1 : (int64_t)((uint64_t)label - (uint64_t)p->base);
    if (c[i] < p->classes && (c[i] >= 0 || label == p->ignore)) continue;
    snprintf(call->error, sizeof call->error, "target %lld is out of range %lld..%lld%s", (long long)label,
             (long long)p->base, (long long)(p->classes - 1 + p->base),
             label == 0 && p->base == 1 ? "; labels count from 1" : "");
    return NULL;
  }
  return c;
}

static double read_float(const mn_array *a, int64_t offset) {
  return a->dtype == MN_FLOAT64 ? ((const double *)a->data)[offset]
                                : (double)((const float *)a->data)[offset];
}

static void write_float(const mn_array *a, int64_t offset, double v) {
  if (a->dtype == MN_FLOAT64) ((double *)a->data)[offset] = v;
  else ((float *)a->data)[offset] = (float)v;
}

static double weight_of(const places *p, int64_t c) {
  return p->weight ? read_float(p->weight, c * p->weight->stride[0]) : 1;
}

/* Offset of (n, c, rest) in an array of any layout. */
static int64_t offset_in(const mn_array *a, int64_t i, int64_t c, int64_t rest) {
  if (a->ndim == 1) return c * a->stride[0];
  mn_cursor w = mn_cursor_at(a->ndim - 2, a->size + 2, a->stride + 2, i % rest);
  return i / rest * a->stride[0] + c * a->stride[1] + w.offset;
}

static int64_t offset_of(const mn_array *a, int64_t i) {
  return a->ndim == 0 ? 0 : mn_cursor_at(a->ndim, a->size, a->stride, i).offset;
}

static int64_t rest_of(const mn_array *target) {
  int64_t rest = 1;
  for (int d = 1; d < target->ndim; d++) rest *= target->size[d];
  return rest;
}

int MN_KERNEL(nll_loss)(mn_call *call) {
  const mn_nll_loss_attrs *a = mn_nll_loss_of(call);
  const mn_array *in = call->in[0], *target = call->in[1];
  places p = {in->size[in->ndim > 1], rest_of(target), target->numel, target, call->in[2],
              a->index_base,          a->ignore_index};
  int64_t *c = classes_of(call, &p);
  if (!c) return -1;
  double sum = 0, total = 0;
  for (int64_t i = 0; i < p.count; i++) {
    double w = c[i] < 0 ? 0 : weight_of(&p, c[i]);
    double v = c[i] < 0 ? 0 : -w * read_float(in, offset_in(in, i, c[i], p.rest));
    if (a->reduction == 0) write_float(call->out[0], i, v);
    sum += v, total += w;
  }
  if (a->reduction != 0) write_float(call->out[0], 0, a->reduction == 1 ? sum / total : sum);
  write_float(call->out[1], 0, total);
  return 0;
}

int MN_KERNEL(nll_loss_grad)(mn_call *call) {
  const mn_nll_loss_grad_attrs *a = mn_nll_loss_grad_of(call);
  const mn_array *grad = call->in[0], *target = call->in[1], *out = call->out[0];
  places p = {a->classes,  rest_of(target), target->numel,  target,
              call->in[2], a->index_base,   a->ignore_index};
  int64_t *c = classes_of(call, &p);
  if (!c) return -1;
  for (int64_t i = 0; i < out->numel; i++) write_float(out, i, 0);
  double divisor = a->reduction == 1 ? read_float(call->in[3], 0) : 1;
  for (int64_t i = 0; i < p.count; i++) {
    if (c[i] < 0) continue;
    double g = read_float(grad, a->reduction == 0 ? offset_of(grad, i) : 0);
    write_float(out, offset_in(out, i, c[i], p.rest), -weight_of(&p, c[i]) * g / divisor);
  }
  return 0;
}
