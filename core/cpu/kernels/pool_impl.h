/* pool_impl.h: pooling of one float type for pool.c, which includes it once for each. */

/* A window's maximum. A NaN counts as larger than everything, as does the last of several. */
static void MN_TN(max_window)(const pooling *p, const MN_T *x, int64_t h, int64_t w, MN_T *value,
                              int64_t *index) {
  int64_t h0 = h * p->stride_h - p->pad_h, w0 = w * p->stride_w - p->pad_w;
  int64_t h1 = least(h0 + (p->kernel_h - 1) * p->dilation_h + 1, p->h);
  int64_t w1 = least(w0 + (p->kernel_w - 1) * p->dilation_w + 1, p->w);
  if (h0 < 0) h0 += (-h0 + p->dilation_h - 1) / p->dilation_h * p->dilation_h;
  if (w0 < 0) w0 += (-w0 + p->dilation_w - 1) / p->dilation_w * p->dilation_w;
  MN_T best = -(MN_T)INFINITY;
  int64_t at = h0 * p->w + w0;
  for (int64_t i = h0; i < h1; i += p->dilation_h)
    for (int64_t j = w0; j < w1; j += p->dilation_w) {
      MN_T y = x[i * p->w + j];
      if (y > best || y != y) best = y, at = i * p->w + j;
    }
  *value = best, *index = at + p->base;
}

/* A row of 2 x 2 windows side by side: no branches, so that it becomes vector code. */
static void MN_TN(max_row_2x2)(const MN_T *restrict x, int64_t w, int64_t first, int64_t count,
                               MN_T *restrict value, int64_t *restrict index) {
  enum { CHUNK = 64 };
  int32_t which[CHUNK];
  for (int64_t from = 0; from < count; from += CHUNK) {
    int n = count - from < CHUNK ? (int)(count - from) : CHUNK;
    const MN_T *a = x + 2 * from, *b = a + w;
    for (int i = 0; i < n; i++) {
      MN_T best = a[2 * i], y = a[2 * i + 1];
      int32_t at = 0, take = (y > best) | (y != y);
      best = take ? y : best, at = take ? 1 : at;
      y = b[2 * i], take = (y > best) | (y != y);
      best = take ? y : best, at = take ? 2 : at;
      y = b[2 * i + 1], take = (y > best) | (y != y);
      value[from + i] = take ? y : best, which[i] = take ? 3 : at;
    }
    for (int i = 0; i < n; i++)
      index[from + i] = first + 2 * (from + i) + (which[i] & 1) + (which[i] >> 1) * w;
  }
}

static void MN_TN(max_planes)(void *arg, int64_t block) {
  const pooling *p = arg;
  int64_t last = least((block + 1) * p->per_block, p->planes);
  int even = p->kernel_h == 2 && p->kernel_w == 2 && p->stride_h == 2 && p->stride_w == 2 &&
             p->dilation_h == 1 && p->dilation_w == 1 && !p->pad_h && !p->pad_w && 2 * p->out_h <= p->h &&
             2 * p->out_w <= p->w;
  for (int64_t i = block * p->per_block; i < last; i++) {
    const MN_T *x = (const MN_T *)p->in + i * p->h * p->w;
    MN_T *value = (MN_T *)p->out + i * p->out_h * p->out_w;
    int64_t *index = (int64_t *)p->index + i * p->out_h * p->out_w;
    for (int64_t h = 0; h < p->out_h; h++, value += p->out_w, index += p->out_w) {
      if (even) MN_TN(max_row_2x2)(x + 2 * h * p->w, p->w, 2 * h * p->w + p->base, p->out_w, value, index);
      else
        for (int64_t w = 0; w < p->out_w; w++) MN_TN(max_window)(p, x, h, w, value + w, index + w);
    }
  }
}

static void MN_TN(scatter_planes)(void *arg, int64_t block) {
  const pooling *p = arg;
  int64_t last = least((block + 1) * p->per_block, p->planes), from = p->out_h * p->out_w, size = p->h * p->w;
  for (int64_t i = block * p->per_block; i < last; i++) {
    MN_T *to = (MN_T *)p->out + i * size;
    const MN_T *x = (const MN_T *)p->in + i * from;
    const int64_t *index = (const int64_t *)p->index + i * from;
    memset(to, 0, (size_t)size * sizeof(MN_T));
    for (int64_t j = 0; j < from; j++) to[index[j] - p->base] += x[j];
  }
}

static void MN_TN(gather_planes)(void *arg, int64_t block) {
  const pooling *p = arg;
  int64_t last = least((block + 1) * p->per_block, p->planes), count = p->out_h * p->out_w;
  for (int64_t i = block * p->per_block; i < last; i++) {
    const MN_T *x = (const MN_T *)p->in + i * p->h * p->w;
    MN_T *to = (MN_T *)p->out + i * count;
    const int64_t *index = (const int64_t *)p->index + i * count;
    for (int64_t j = 0; j < count; j++) to[j] = x[index[j] - p->base];
  }
}

/* Means over windows: the rows of a window are added up first, along the row's memory. */
static void MN_TN(mean_planes)(void *arg, int64_t block) {
  const pooling *p = arg;
  int64_t last = least((block + 1) * p->per_block, p->planes);
  MN_T *row = (MN_T *)p->rows + block * p->w;
  for (int64_t i = block * p->per_block; i < last; i++) {
    const MN_T *x = (const MN_T *)p->in + i * p->h * p->w;
    MN_T *to = (MN_T *)p->out + i * p->out_h * p->out_w;
    for (int64_t h = 0; h < p->out_h; h++) {
      const window *v = &p->window_h[h];
      memset(row, 0, (size_t)p->w * sizeof(MN_T));
      for (int64_t y = v->from; y < v->to; y++)
        for (int64_t w = 0; w < p->w; w++) row[w] += x[y * p->w + w];
      for (int64_t w = 0; w < p->out_w; w++) {
        const window *u = &p->window_w[w];
        MN_T sum = 0;
        for (int64_t j = u->from; j < u->to; j++) sum += row[j];
        *to++ = sum / (MN_T)(v->count * u->count);
      }
    }
  }
}

static void MN_TN(spread_planes)(void *arg, int64_t block) {
  const pooling *p = arg;
  int64_t last = least((block + 1) * p->per_block, p->planes);
  MN_T *row = (MN_T *)p->rows + block * p->w;
  for (int64_t i = block * p->per_block; i < last; i++) {
    const MN_T *g = (const MN_T *)p->in + i * p->out_h * p->out_w;
    MN_T *to = (MN_T *)p->out + i * p->h * p->w;
    memset(to, 0, (size_t)(p->h * p->w) * sizeof(MN_T));
    for (int64_t h = 0; h < p->out_h; h++) {
      const window *v = &p->window_h[h];
      memset(row, 0, (size_t)p->w * sizeof(MN_T));
      for (int64_t w = 0; w < p->out_w; w++) {
        const window *u = &p->window_w[w];
        MN_T share = *g++ / (MN_T)(v->count * u->count);
        for (int64_t j = u->from; j < u->to; j++) row[j] += share;
      }
      for (int64_t y = v->from; y < v->to; y++)
        for (int64_t w = 0; w < p->w; w++) to[y * p->w + w] += row[w];
    }
  }
}
