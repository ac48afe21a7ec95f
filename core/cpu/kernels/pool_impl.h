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

/* The most common case, 2 x 2 windows side by side. The corners of CHUNK windows, of several rows where these
 * are short, are laid side by side first, so that the rest is vector code without branches. */
static void MN_TN(max_plane_2x2)(const pooling *p, const MN_T *x, MN_T *value, int64_t *index) {
  enum { CHUNK = 64 };
  MN_T a[CHUNK], b[CHUNK], c[CHUNK], d[CHUNK];
  MN_INT which[CHUNK];
  int64_t first[CHUNK], total = p->out_h * p->out_w, h = 0, w = 0;
  for (int64_t done = 0; done < total; done += CHUNK) {
    int count = total - done < CHUNK ? (int)(total - done) : CHUNK;
    for (int n = 0; n < count;) {
      int run = (int)least(p->out_w - w, count - n);
      int64_t at = 2 * h * p->w + 2 * w;
      for (int i = 0; i < run; i++) {
        a[n + i] = x[at + 2 * i], b[n + i] = x[at + 2 * i + 1];
        c[n + i] = x[at + p->w + 2 * i], d[n + i] = x[at + p->w + 2 * i + 1];
        first[n + i] = at + 2 * i;
      }
      n += run, w += run;
      if (w == p->out_w) w = 0, h++;
    }
    for (int i = 0; i < count; i++) {
      MN_INT take = (b[i] > a[i]) | (b[i] != b[i]), at = take;
      MN_T best = take ? b[i] : a[i];
      take = (c[i] > best) | (c[i] != c[i]), best = take ? c[i] : best, at = take ? 2 : at;
      take = (d[i] > best) | (d[i] != d[i]), a[i] = take ? d[i] : best, which[i] = take ? 3 : at;
    }
    memcpy(value + done, a, (size_t)count * sizeof(MN_T));
    for (int i = 0; i < count; i++)
      index[done + i] = p->base + first[i] + (which[i] & 1) + (which[i] >> 1) * p->w;
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
    if (even) MN_TN(max_plane_2x2)(p, x, value, index);
    else
      for (int64_t h = 0; h < p->out_h; h++)
        for (int64_t w = 0; w < p->out_w; w++) MN_TN(max_window)(p, x, h, w, value++, index++);
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
