/* conv.c: shape and derivative rules of convolution and pooling, in the layout (N, C, H, W), or (C, H, W) for
 * a single picture. It runs no kernels and reads no data. */
#include "ops/prototypes.h"

/* ---- checks ---- */

static int check_float(const mn_infer *x, int i, const char *name) {
  const mn_array *a = x->in[i];
  if (a->dtype != MN_FLOAT32 && a->dtype != MN_FLOAT64)
    return mn_fail(x, "%s must be float32 or float64, got %s", name, mn_dtype_name(a->dtype));
  if (i > 0 && a->dtype != x->in[0]->dtype)
    return mn_fail(x, "%s is %s but the first input is %s", name, mn_dtype_name(a->dtype),
                   mn_dtype_name(x->in[0]->dtype));
  return 0;
}

static int check_picture(const mn_infer *x, int i, const char *name) {
  const mn_array *a = x->in[i];
  char text[128];
  if (a->ndim == 3 || a->ndim == 4) return check_float(x, i, name);
  return mn_fail(x, "%s must be (N, C, H, W) or (C, H, W), got %s", name, mn_shape_text(a, text));
}

/* What no size, stride or the like may exceed: so their products and sums don't overflow. */
static const int64_t LARGEST = INT32_MAX;

/* A list of two numbers of at least `least`; one number stands for both. */
static int check_pair(const mn_infer *x, mn_list *l, const char *name, int64_t least) {
  char text[128];
  if (l->n == 1) l->n = 2, l->v[1] = l->v[0];
  if (l->n != 2) return mn_fail(x, "%s must be a list of 2 numbers, got %s", name, mn_list_text(l, text));
  if (l->v[0] < least || l->v[1] < least)
    return mn_fail(x, "%s must be at least %d, got %s", name, (int)least, mn_list_text(l, text));
  if (l->v[0] > LARGEST || l->v[1] > LARGEST)
    return mn_fail(x, "%s must be at most %lld, got %s", name, (long long)LARGEST, mn_list_text(l, text));
  return 0;
}

/* ---- convolution ---- */

/* What the three rows share; conv2d has no size. */
typedef struct conv {
  mn_list *size;
  mn_windows *windows;
  int64_t groups;
} conv;

static int check_conv(const mn_infer *x, const conv *c) {
  mn_windows *w = c->windows;
  if (check_pair(x, &w->stride, "stride", 1) || check_pair(x, &w->padding, "padding", 0) ||
      check_pair(x, &w->dilation, "dilation", 1) || (c->size && check_pair(x, c->size, "size", 0)))
    return -1;
  if (c->groups < 1) return mn_fail(x, "groups must be at least 1, got %lld", (long long)c->groups);
  return 0;
}

/* The kernels work on a padded copy of a picture, whose last two dims have that size. */
static int check_padded(const mn_infer *x, const mn_array *picture, const int64_t *size, const conv *c) {
  double elements = 1;
  char text[128], around[128];
  for (int d = 0; d < picture->ndim - 2; d++) elements *= picture->size[d] ? (double)picture->size[d] : 1;
  for (int d = 0; d < 2; d++) elements *= (double)size[d] + 2 * (double)c->windows->padding.v[d];
  if (elements <= 0x1p44) return 0;
  return mn_fail(x, "a picture of %s padded by %s is too large",
                 mn_list_text(&(mn_list){2, {size[0], size[1]}}, text),
                 mn_list_text(&c->windows->padding, around));
}

/* Size of the result along dim d; less than 1 where the kernel doesn't fit. */
static int64_t conv_size(const conv *c, int d, int64_t size, int64_t kernel) {
  const mn_windows *w = c->windows;
  int64_t room = size + 2 * w->padding.v[d] - w->dilation.v[d] * (kernel - 1) - 1;
  return room < 0 ? 0 : room / w->stride.v[d] + 1;
}

static int check_weight(const mn_infer *x, const mn_array *w, const conv *c) {
  char text[128];
  if (w->ndim != 4 || w->size[2] < 1 || w->size[3] < 1)
    return mn_fail(x, "weight must be (out channels, in channels / groups, height, width), got %s",
                   mn_shape_text(w, text));
  if (w->size[2] > LARGEST || w->size[3] > LARGEST)
    return mn_fail(x, "weight's height and width must be at most %lld, got %s", (long long)LARGEST,
                   mn_shape_text(w, text));
  if (w->size[0] % c->groups)
    return mn_fail(x, "weight %s: out channels are not divisible by groups %lld", mn_shape_text(w, text),
                   (long long)c->groups);
  return 0;
}

int mn_infer_conv2d(mn_infer *x) {
  const mn_array *in = x->in[0], *w = x->in[1];
  mn_array *out = x->out[0];
  mn_conv2d_attrs *t = mn_conv2d_given(x);
  conv c = {NULL, &t->windows, t->groups};
  char left[128], right[128];
  if (check_picture(x, 0, "input") || check_float(x, 1, "weight") || check_conv(x, &c) ||
      check_weight(x, w, &c))
    return -1;
  int channel = in->ndim - 3;
  if (in->size[channel] != w->size[1] * c.groups)
    return mn_fail(x, "input %s has %lld channels, weight %s with groups %lld expects %lld",
                   mn_shape_text(in, left), (long long)in->size[channel], mn_shape_text(w, right),
                   (long long)c.groups, (long long)(w->size[1] * c.groups));
  if (x->in[2]) {
    const mn_array *b = x->in[2];
    if (check_float(x, 2, "bias")) return -1;
    if (b->ndim != 1 || b->size[0] != w->size[0])
      return mn_fail(x, "bias %s doesn't fit weight %s", mn_shape_text(b, left), mn_shape_text(w, right));
  }
  if (check_padded(x, in, in->size + channel + 1, &c)) return -1;
  mn_same_shape(out, in);
  out->dtype = in->dtype;
  out->size[channel] = w->size[0];
  for (int d = 0; d < 2; d++) {
    out->size[channel + 1 + d] = conv_size(&c, d, in->size[channel + 1 + d], w->size[2 + d]);
    if (out->size[channel + 1 + d] < 1)
      return mn_fail(x, "kernel of weight %s is larger than the padded input %s", mn_shape_text(w, right),
                     mn_shape_text(in, left));
  }
  return 0;
}

int mn_infer_conv2d_input_grad(mn_infer *x) {
  const mn_array *g = x->in[0], *w = x->in[1];
  mn_array *out = x->out[0];
  mn_conv2d_input_grad_attrs *t = mn_conv2d_input_grad_given(x);
  conv c = {&t->size, &t->windows, t->groups};
  char left[128], right[128];
  if (check_picture(x, 0, "grad") || check_float(x, 1, "weight") || check_conv(x, &c) ||
      check_weight(x, w, &c))
    return -1;
  int channel = g->ndim - 3;
  if (g->size[channel] != w->size[0])
    return mn_fail(x, "grad %s has %lld channels, weight %s expects %lld", mn_shape_text(g, left),
                   (long long)g->size[channel], mn_shape_text(w, right), (long long)w->size[0]);
  if (check_padded(x, g, c.size->v, &c)) return -1;
  mn_same_shape(out, g);
  out->dtype = g->dtype;
  out->size[channel] = w->size[1] * c.groups;
  for (int d = 0; d < 2; d++) {
    out->size[channel + 1 + d] = c.size->v[d];
    if (conv_size(&c, d, c.size->v[d], w->size[2 + d]) != g->size[channel + 1 + d])
      return mn_fail(x, "a convolution of size %s with weight %s doesn't have the result %s",
                     mn_list_text(c.size, (char[128]){0}), mn_shape_text(w, right), mn_shape_text(g, left));
  }
  return 0;
}

int mn_infer_conv2d_weight_grad(mn_infer *x) {
  const mn_array *g = x->in[0], *in = x->in[1];
  mn_array *out = x->out[0];
  mn_conv2d_weight_grad_attrs *t = mn_conv2d_weight_grad_given(x);
  conv c = {&t->size, &t->windows, t->groups};
  char left[128], right[128];
  if (check_picture(x, 0, "grad") || check_picture(x, 1, "input") || check_conv(x, &c)) return -1;
  int channel = g->ndim - 3;
  if (g->ndim != in->ndim || (channel && g->size[0] != in->size[0]) || g->size[channel] % c.groups ||
      in->size[channel] % c.groups)
    return mn_fail(x, "grad %s doesn't fit input %s with groups %lld", mn_shape_text(g, left),
                   mn_shape_text(in, right), (long long)c.groups);
  if (check_padded(x, in, in->size + channel + 1, &c)) return -1;
  out->dtype = g->dtype;
  out->ndim = 4;
  out->size[0] = g->size[channel], out->size[1] = in->size[channel] / c.groups;
  for (int d = 0; d < 2; d++) {
    out->size[2 + d] = c.size->v[d];
    if (conv_size(&c, d, in->size[channel + 1 + d], c.size->v[d]) != g->size[channel + 1 + d])
      return mn_fail(x, "a convolution of input %s with a kernel of size %s doesn't have the result %s",
                     mn_shape_text(in, right), mn_list_text(c.size, (char[128]){0}), mn_shape_text(g, left));
  }
  return 0;
}

/* The last two of n sizes. */
static mn_list last_two(mn_list l) { return (mn_list){2, {l.v[l.n - 2], l.v[l.n - 1]}}; }

/* conv2d, its input gradient and its weight gradient are the three derivatives of one trilinear form in
 * (input, weight, grad), so each one's rule is made of the other two. */
static mn_tensor *conv_of(mn_rule *r, const mn_windows *windows, int64_t groups, mn_tensor *input,
                          mn_tensor *weight) {
  return mn_conv2d(mn_rule_ctx(r), input, weight, MN_NONE,
                   &(mn_conv2d_attrs){.windows = *windows, .groups = groups});
}
static mn_tensor *input_grad_of(mn_rule *r, const mn_windows *windows, int64_t groups, mn_tensor *grad,
                                mn_tensor *weight, mn_list input_shape) {
  mn_conv2d_input_grad_attrs t = {.size = last_two(input_shape), .windows = *windows, .groups = groups};
  return mn_conv2d_input_grad(mn_rule_ctx(r), grad, weight, &t);
}
static mn_tensor *weight_grad_of(mn_rule *r, const mn_windows *windows, int64_t groups, mn_tensor *grad,
                                 mn_tensor *input, mn_list weight_shape) {
  mn_conv2d_weight_grad_attrs t = {.size = last_two(weight_shape), .windows = *windows, .groups = groups};
  return mn_conv2d_weight_grad(mn_rule_ctx(r), grad, input, &t);
}

void mn_vjp_conv2d(mn_rule *r) {
  const mn_conv2d_attrs *t = mn_conv2d_kept(r);
  mn_tensor *g = mn_grad(r, 0);
  mn_list in = mn_in_shape(r, 0);
  if (mn_need(r, 0)) mn_give(r, 0, input_grad_of(r, &t->windows, t->groups, g, mn_saved_in(r, 1), in));
  if (mn_need(r, 1))
    mn_give(r, 1, weight_grad_of(r, &t->windows, t->groups, g, mn_saved_in(r, 0), mn_in_shape(r, 1)));
  if (!mn_need(r, 2)) return;
  mn_list all = {3, {0, 2, 3}}, picture = {2, {1, 2}};
  mn_give(r, 2, mn_sum(mn_rule_ctx(r), g, &(mn_sum_attrs){in.n == 4 ? all : picture, 0}));
}

void mn_vjp_conv2d_input_grad(mn_rule *r) {
  const mn_conv2d_input_grad_attrs *t = mn_conv2d_input_grad_kept(r);
  mn_tensor *v = mn_grad(r, 0);
  if (mn_need(r, 0)) mn_give(r, 0, conv_of(r, &t->windows, t->groups, v, mn_saved_in(r, 1)));
  if (mn_need(r, 1))
    mn_give(r, 1, weight_grad_of(r, &t->windows, t->groups, mn_saved_in(r, 0), v, mn_in_shape(r, 1)));
}

void mn_vjp_conv2d_weight_grad(mn_rule *r) {
  const mn_conv2d_weight_grad_attrs *t = mn_conv2d_weight_grad_kept(r);
  mn_tensor *v = mn_grad(r, 0);
  if (mn_need(r, 0)) mn_give(r, 0, conv_of(r, &t->windows, t->groups, mn_saved_in(r, 1), v));
  if (mn_need(r, 1))
    mn_give(r, 1, input_grad_of(r, &t->windows, t->groups, mn_saved_in(r, 0), v, mn_in_shape(r, 1)));
}

/* ---- pooling ---- */

/* PyTorch's size of a pooled dim; in ceil_mode the last window must begin inside the input or its left
 * padding. */
static int64_t pool_size(int64_t size, int64_t kernel, int64_t stride, int64_t around, int64_t dilation,
                         int64_t up) {
  int64_t room = size + 2 * around - dilation * (kernel - 1) - 1;
  if (room < 0 && !(up && room + stride - 1 >= 0)) return 0;
  int64_t n = (room + (up ? stride - 1 : 0)) / stride + 1;
  return up && (n - 1) * stride >= size + around ? n - 1 : n;
}

/* A picture's (or, for the gradients, some picture's) pooled sizes, into the last two dims of out. */
static int infer_pooled(mn_infer *x, const int64_t *size, mn_list *kernel, mn_list *stride, mn_list *around,
                        const mn_list *dilation, int64_t up, int64_t *out) {
  char text[128];
  if (check_pair(x, kernel, "kernel_size", 1)) return -1;
  if (stride->n < 1) *stride = *kernel;
  if (check_pair(x, stride, "stride", 1) || check_pair(x, around, "padding", 0)) return -1;
  for (int d = 0; d < 2; d++) {
    if (2 * around->v[d] > kernel->v[d])
      return mn_fail(x, "padding %s is more than half the kernel size", mn_list_text(around, text));
    out[d] = pool_size(size[d], kernel->v[d], stride->v[d], around->v[d], dilation ? dilation->v[d] : 1, up);
    if (out[d] < 1)
      return mn_fail(x, "kernel_size %s is larger than the padded picture of %lld x %lld",
                     mn_list_text(kernel, text), (long long)size[0], (long long)size[1]);
  }
  return 0;
}

/* A picture to be pooled; it must have channels. */
static int check_pooled(const mn_infer *x) {
  const mn_array *a = x->in[0];
  char text[128];
  if (check_picture(x, 0, "input")) return -1;
  if (a->size[a->ndim - 3] > 0) return 0;
  return mn_fail(x, "input must have channels, got %s", mn_shape_text(a, text));
}

/* Is there a window, of `count` along a dim, whose taps step over the whole picture? */
static bool misses(int64_t size, int64_t count, int64_t stride, int64_t around, int64_t dilation) {
  for (int64_t i = 0; dilation > size && i < count && i * stride < around; i++)
    if ((dilation - (around - i * stride) % dilation) % dilation >= size) return true;
  return false;
}

int mn_infer_max_pool2d(mn_infer *x) {
  mn_max_pool2d_attrs *t = mn_max_pool2d_given(x);
  const mn_array *in = x->in[0];
  if (check_pooled(x) || check_pair(x, &t->dilation, "dilation", 1)) return -1;
  for (int k = 0; k < 2; k++) mn_same_shape(x->out[k], in);
  x->out[0]->dtype = in->dtype, x->out[1]->dtype = MN_INT64;
  int64_t pooled[2];
  const int64_t *size = in->size + in->ndim - 2;
  char text[128];
  if (infer_pooled(x, size, &t->kernel_size, &t->stride, &t->padding, &t->dilation, t->ceil_mode, pooled))
    return -1;
  for (int d = 0; d < 2; d++)
    if (misses(size[d], pooled[d], t->stride.v[d], t->padding.v[d], t->dilation.v[d]))
      return mn_fail(x, "dilation %s is too large: a window has no pixel of the picture of %lld x %lld",
                     mn_list_text(&t->dilation, text), (long long)size[0], (long long)size[1]);
  for (int k = 0; k < 2; k++)
    for (int d = 0; d < 2; d++) x->out[k]->size[in->ndim - 2 + d] = pooled[d];
  return 0;
}

static mn_tensor *scatter(mn_rule *r, mn_tensor *t, mn_tensor *index, mn_list shape, int64_t base) {
  return mn_plane_scatter(mn_rule_ctx(r), t, index, &(mn_plane_scatter_attrs){last_two(shape), base});
}

void mn_vjp_max_pool2d(mn_rule *r) {
  const mn_max_pool2d_attrs *t = mn_max_pool2d_kept(r);
  mn_give(r, 0, scatter(r, mn_grad(r, 0), mn_saved_out(r, 1), mn_in_shape(r, 0), t->index_base));
}

/* Indices are int64, and all but the last two dims are the input's. */
static int check_plane_index(const mn_infer *x, int all) {
  const mn_array *a = x->in[0], *index = x->in[1];
  char left[128], right[128];
  if (check_float(x, 0, "input")) return -1;
  if (index->dtype != MN_INT64) return mn_fail(x, "index must be int64, got %s", mn_dtype_name(index->dtype));
  int same = a->ndim == index->ndim && a->ndim >= 2;
  for (int d = 0; same && d < a->ndim - (all ? 0 : 2); d++) same = a->size[d] == index->size[d];
  if (same) return 0;
  return mn_fail(x, "index %s doesn't fit input %s", mn_shape_text(index, left), mn_shape_text(a, right));
}

int mn_infer_plane_scatter(mn_infer *x) {
  mn_plane_scatter_attrs *t = mn_plane_scatter_given(x);
  const mn_array *a = x->in[0];
  if (check_plane_index(x, 1) || check_pair(x, &t->size, "size", 0)) return -1;
  mn_same_shape(x->out[0], a);
  x->out[0]->dtype = a->dtype;
  for (int d = 0; d < 2; d++) x->out[0]->size[a->ndim - 2 + d] = t->size.v[d];
  return 0;
}

void mn_vjp_plane_scatter(mn_rule *r) {
  const mn_plane_scatter_attrs *t = mn_plane_scatter_kept(r);
  mn_plane_gather_attrs same = {t->index_base};
  if (mn_need(r, 0)) mn_give(r, 0, mn_plane_gather(mn_rule_ctx(r), mn_grad(r, 0), mn_saved_in(r, 1), &same));
}

int mn_infer_plane_gather(mn_infer *x) {
  if (check_plane_index(x, 0)) return -1;
  mn_same_shape(x->out[0], x->in[1]);
  x->out[0]->dtype = x->in[0]->dtype;
  return 0;
}

void mn_vjp_plane_gather(mn_rule *r) {
  const mn_plane_gather_attrs *t = mn_plane_gather_kept(r);
  if (mn_need(r, 0))
    mn_give(r, 0, scatter(r, mn_grad(r, 0), mn_saved_in(r, 1), mn_in_shape(r, 0), t->index_base));
}

int mn_infer_avg_pool2d(mn_infer *x) {
  mn_avg_pool2d_attrs *t = mn_avg_pool2d_given(x);
  const mn_array *in = x->in[0];
  if (check_pooled(x)) return -1;
  mn_same_shape(x->out[0], in);
  x->out[0]->dtype = in->dtype;
  return infer_pooled(x, in->size + in->ndim - 2, &t->kernel_size, &t->stride, &t->padding, NULL,
                      t->ceil_mode, x->out[0]->size + in->ndim - 2);
}

void mn_vjp_avg_pool2d(mn_rule *r) {
  const mn_avg_pool2d_attrs *t = mn_avg_pool2d_kept(r);
  mn_avg_pool2d_grad_attrs same = {.size = last_two(mn_in_shape(r, 0)), .averaging = t->averaging};
  mn_give(r, 0, mn_avg_pool2d_grad(mn_rule_ctx(r), mn_grad(r, 0), &same));
}

/* The gradient's shape: grad's, with the picture's size in the last two dims. */
static int infer_wide(mn_infer *x, const mn_list *size) {
  const mn_array *g = x->in[0];
  mn_same_shape(x->out[0], g);
  x->out[0]->dtype = g->dtype;
  for (int d = 0; d < 2; d++) x->out[0]->size[g->ndim - 2 + d] = size->v[d];
  return 0;
}

int mn_infer_avg_pool2d_grad(mn_infer *x) {
  mn_avg_pool2d_grad_attrs *t = mn_avg_pool2d_grad_given(x);
  const mn_array *g = x->in[0];
  int64_t pooled[2];
  char text[128];
  if (check_picture(x, 0, "grad") || check_pair(x, &t->size, "size", 0) ||
      infer_pooled(x, t->size.v, &t->kernel_size, &t->stride, &t->padding, NULL, t->ceil_mode, pooled))
    return -1;
  if (pooled[0] != g->size[g->ndim - 2] || pooled[1] != g->size[g->ndim - 1])
    return mn_fail(x, "grad %s is not that of a picture of size (%lld, %lld)", mn_shape_text(g, text),
                   (long long)t->size.v[0], (long long)t->size.v[1]);
  return infer_wide(x, &t->size);
}

void mn_vjp_avg_pool2d_grad(mn_rule *r) {
  const mn_avg_pool2d_grad_attrs *t = mn_avg_pool2d_grad_kept(r);
  mn_avg_pool2d_attrs same = {.averaging = t->averaging};
  mn_give(r, 0, mn_avg_pool2d(mn_rule_ctx(r), mn_grad(r, 0), &same));
}

int mn_infer_adaptive_avg_pool2d(mn_infer *x) {
  mn_adaptive_avg_pool2d_attrs *t = mn_adaptive_avg_pool2d_given(x);
  const mn_array *in = x->in[0];
  char text[128];
  if (check_picture(x, 0, "input") || check_pair(x, &t->output_size, "output_size", 1)) return -1;
  if (in->size[in->ndim - 1] < 1 || in->size[in->ndim - 2] < 1)
    return mn_fail(x, "input %s has no pixels", mn_shape_text(in, text));
  return infer_wide(x, &t->output_size);
}

void mn_vjp_adaptive_avg_pool2d(mn_rule *r) {
  mn_adaptive_avg_pool2d_grad_attrs t = {last_two(mn_in_shape(r, 0))};
  mn_give(r, 0, mn_adaptive_avg_pool2d_grad(mn_rule_ctx(r), mn_grad(r, 0), &t));
}

int mn_infer_adaptive_avg_pool2d_grad(mn_infer *x) {
  mn_adaptive_avg_pool2d_grad_attrs *t = mn_adaptive_avg_pool2d_grad_given(x);
  if (check_picture(x, 0, "grad") || check_pair(x, &t->size, "size", 1)) return -1;
  return infer_wide(x, &t->size);
}

void mn_vjp_adaptive_avg_pool2d_grad(mn_rule *r) {
  mn_adaptive_avg_pool2d_attrs t = {last_two(mn_in_shape(r, 0))};
  mn_give(r, 0, mn_adaptive_avg_pool2d(mn_rule_ctx(r), mn_grad(r, 0), &t));
}

void mn_jvp_max_pool2d(mn_rule *r) {
  mn_plane_gather_attrs a = {mn_max_pool2d_kept(r)->index_base};
  mn_push(r, 0, mn_plane_gather(mn_rule_ctx(r), mn_tangent(r, 0), mn_saved_out(r, 1), &a));
}
