/* engine.h: the engine's own structures. Only files of engine/ include it; rules see rules.h, kernels
 * kernel.h.
 *
 * Ownership. A tensor owns one reference to its storage, its node and its .grad. A node owns its edges (the
 * nodes, or leaf tensors, its inputs came from) and what its row saves. Saved tensors are detached aliases (a
 * leaf that needs a gradient is kept itself), so a node never owns a tensor that owns the node. Nothing is
 * destroyed recursively: what loses its last reference joins a queue that the outermost release empties.
 * Every tensor and node holds one reference to the context. No counts are atomic: a context is used by one
 * thread at a time. */
#ifndef MN_ENGINE_H
#define MN_ENGINE_H

#include <stdatomic.h>
#include "backend.h"
#include "engine/rules.h"

typedef struct mn_node mn_node;

struct mn_map {
  mn_context *ctx; /* kept */
  char *start;
  size_t bytes;
  uint32_t refs;
};

/* What a storage is to a recording: there before, made from the binding's numbers, or written by a row. */
enum { MN_BOUND, MN_CONSTANT, MN_COMPUTED };

typedef struct mn_storage {
  void *data;  /* behind this header, or apart: on a device, or a map's */
  mn_map *map; /* whose pages the data are; NULL where they stand behind this header */
  size_t bytes;
  double id;
  uint32_t refs, version;
  int32_t device;
  int32_t
      views; /* live tensors made by view ops: an in-place write would change them behind autograd's back */
  bool written;       /* write.c: while it looks whether sources and targets are apart */
  uint8_t role;       /* in that recording */
  uint32_t recording; /* the last one that met it; see recording.c */
} mn_storage;

enum { T_REQUIRES_GRAD = 1, T_PARAMETER = 2, T_VIEW = 4, T_RETAIN_GRAD = 8, T_HOOKED = 16 };

struct mn_tensor {
  mn_array a; /* first: mn_tensor* is cast to mn_array* */
  mn_context *ctx;
  mn_storage *storage;
  mn_node *node;
  mn_tensor *grad, *next_dead;
  double id;
  uint64_t first_use, last_use; /* of a leaf: the seq of the first and last node that took it; 0: none yet */
  uint32_t refs;
  uint32_t is_grad_of; /* of how many tensors it is the .grad */
  uint16_t flags, out_nr;
};

/* Where the gradient of an input goes: an output of another node, or a leaf; neither if it needs none. */
typedef struct mn_edge {
  mn_node *node;
  mn_tensor *leaf;
  int32_t out_nr;
} mn_edge;

typedef struct mn_saved {
  mn_tensor *t;
  uint32_t version;
  int16_t which; /* input i, -1 - output k, or MN_SAVED_CONSTANT */
} mn_saved;

/* The op of a node whose derivative is Lua's (function.c): no row of the table. */
enum { MN_OP_FUNCTION = 0xffff, MN_SAVED_CONSTANT = INT16_MIN };

struct mn_node {
  mn_context *ctx;
  mn_node *next_dead;
  uint64_t seq;    /* grows with time: a node's inputs have smaller numbers */
  uint64_t oldest; /* the smallest seq among the node and those that it leads to */
  uint32_t refs, bytes;
  uint16_t op, n_in, n_out, n_saved;
  bool freed;
  bool hooked;    /* Lua has hooks for its outputs */
  uint32_t place; /* where it was made, as the binding told under detect_anomaly; 0: unknown */
  mn_edge *edges;
  mn_saved *saved;
  mn_slot *attrs;  /* of a function's node: its name */
  int64_t *shapes; /* for each input, then each output: dtype, ndim, sizes */
  mn_tensor *
      *outputs; /* NULL unless one asked to keep its gradient; not owned, cleared when the tensor dies */
};

/* What apply looks at beside its work; MN_WATCH_PLACES: the binding tells where rows are called that may fail late. */
enum { MN_WATCH_RECORDING = 1, MN_WATCH_ANOMALY = 2, MN_WATCH_PLACES = 4 };
/* Does ctx->place say where the running call was made? For that call, or while a walk runs. */
enum { MN_PLACE_UNKNOWN, MN_PLACE_ONCE, MN_PLACE_HELD };

typedef struct mn_block mn_block;

enum { MN_CLASSES = 16 + 8 * 40 };

typedef struct mn_scope {
  mn_tensor **items;
  int n, capacity, depth;
} mn_scope;

/* What a binding's handles hold; see handle.c. Chunks never move. */
enum { MN_PLACES = 4096 };
typedef struct mn_places {
  mn_tensor ***chunks;
  int32_t *empty;              /* a stack */
  int n_chunks, n_empty, room; /* in chunks, of both lists */
  unsigned sweeps;             /* how many have begun */
} mn_places;

/* What a context has room for. */
enum { MN_DEVICES = 16, MN_BACKENDS = 8, MN_DEVICE_NAME = 32 };

struct mn_context {
  mn_stats stats;
  int refs;
  bool owned, closed; /* its memory is the binding's; nothing can be made any more */
  mn_places places;
  _Atomic uint64_t signals; /* that interrupt it, a bit each */
  _Atomic(mn_context *) next_listening;
  atomic_int interrupted;
  mn_error error_code;
  char error[1024];
  int grad_enabled, default_dtype, message_base;
  uint64_t seed, offset, next_seq;
  double next_id;
  mn_device *devices[MN_DEVICES];           /* by number; the host's is 0 */
  mn_device_stats device_stats[MN_DEVICES]; /* of device 0: live_bytes of all the others together */
  const mn_backend *backends[MN_BACKENDS];
  char device_names[MN_DEVICES][MN_DEVICE_NAME];
  int n_devices, n_backends, default_device;
  int requests_left, requests_to_fail, requests_failed; /* mn_fail_allocation */
  mn_block *cache[MN_CLASSES];
  mn_scope scope;
  mn_tensor *dead_tensors;
  mn_node *dead_nodes;
  int draining;
  mn_program *recording;
  uint32_t recordings; /* begun so far */
  int watch, place_state;
  uint32_t place;
  double *dead_numbers; /* room for all that are live as well */
  int live_numbers, dead_capacity;
};

/* error.c */
int mn_error_set(mn_context *ctx, mn_error code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* interrupt.c */
void mn_forget_signals(mn_context *ctx);
int mn_interrupted(mn_context *ctx); /* clears the flag; -1 and the error 'interrupted' */
static inline int mn_check_interrupt(mn_context *ctx) {
  return atomic_load_explicit(&ctx->interrupted, memory_order_relaxed) ? mn_interrupted(ctx) : 0;
}

/* device.c: what else the engine does with devices. Errors say the device's name. */
int mn_devices_open(mn_context *ctx); /* the host's */
void mn_devices_close(mn_context *ctx);
void *mn_device_get(mn_context *ctx, int device, size_t bytes); /* counted; NULL with MN_ERR_MEMORY set */
void mn_device_put(mn_context *ctx, int device, void *p, size_t bytes);
int mn_device_upload(mn_context *ctx, int device, void *to, const void *from, size_t bytes);
int mn_device_download(mn_context *ctx, int device, void *to, const void *from, size_t bytes);
int mn_device_within(mn_context *ctx, int device, void *to, const void *from, size_t bytes);
static inline bool mn_on_host(const mn_context *ctx, int device) {
  return device == 0 || ctx->devices[device]->backend->host;
}

/* scratch.c: scratch memory of a device from the context, given back when the kernel has returned. */
enum { MN_SCRATCHES = 16 };
typedef struct mn_scratches {
  mn_arena arena; /* first: mn_arena* is cast to mn_scratches* */
  mn_context *ctx;
  int device, n;
  struct {
    void *p;
    size_t bytes;
  } blocks[MN_SCRATCHES];
} mn_scratches;
void mn_scratches_open(mn_scratches *s, mn_context *ctx, int device);
void mn_scratches_close(mn_scratches *s);

/* copy.c: elements between arrays of any layout on any device, and the host's memory. 0, or -1 with the error set. */
int mn_array_read(mn_context *ctx, const mn_array *a, void *buffer);    /* row-major and dense */
int mn_array_write(mn_context *ctx, mn_array *a, const void *buffer);   /* from the same */
int mn_array_copy(mn_context *ctx, mn_array *to, const mn_array *from); /* of one size and dtype */
int mn_array_zero(mn_context *ctx, mn_array *a);

/* query.c: asks the backend of the device that the array is on. Below -1, with the error set, where it failed. */
int64_t mn_query(mn_context *ctx, mn_question what, const mn_array *a);

/* allocator.c: NULL with MN_ERR_MEMORY set when there is none. The caller remembers the size. */
void *mn_memory_get(mn_context *ctx, size_t bytes);
void *mn_memory_zeros(mn_context *ctx, size_t bytes);
void *mn_memory_grow(mn_context *ctx, void *p, size_t had,
                     size_t wanted); /* with what p held; NULL: p stays */
void *mn_memory_lengthen(mn_context *ctx, void *p, size_t had,
                         size_t wanted); /* the same, of a list of the context's */
void mn_memory_put(mn_context *ctx, void *p, size_t bytes);
double mn_memory_default_limit(void);
bool mn_memory_is_failed(mn_context *ctx);
/* Is this request, of whatever memory, one that a test wants to fail? */
static inline bool mn_memory_fails(mn_context *ctx) { return ctx->requests_left && mn_memory_is_failed(ctx); }

/* storage.c */
mn_storage *mn_storage_new(mn_context *ctx, int device, size_t bytes);
void mn_storage_unref(mn_context *ctx, mn_storage *s);
void mn_map_unref(mn_map *map); /* whoever calls holds the context */

/* tensor.c */
mn_tensor *mn_tensor_header(mn_context *ctx); /* no storage yet */
int mn_tensor_allocate(mn_tensor *t);         /* contiguous storage for t->a's size and dtype */
mn_tensor *mn_tensor_alias(mn_tensor *t);     /* same storage, shape and id; no history */

extern mn_tensor mn_absent; /* absent.c: what mn_none returns */

/* release.c */
void mn_drain(mn_context *ctx);
void mn_node_unref(mn_node *node);                      /* queues; call mn_drain after */
void mn_node_free_saved(mn_node *node);                 /* queues, too */
void mn_tensor_unref(mn_tensor *t);                     /* queues; call mn_drain after */
void mn_tensor_put_grad(mn_tensor *t, mn_tensor *grad); /* takes a reference over; queues the old one */
static inline bool mn_is_none(const mn_tensor *t) { return t == &mn_absent; }
static inline bool mn_tensor_needs_grad(const mn_tensor *t) {
  return t->node || (t->flags & T_REQUIRES_GRAD);
}

/* scope.c: what rules make belongs to the open scope. */
int mn_scope_reserve(mn_context *ctx, int n);
void mn_scope_add(mn_context *ctx, mn_tensor *t); /* after mn_scope_reserve */
int mn_scope_open(mn_context *ctx);               /* returns a mark */
void mn_scope_close(mn_context *ctx, int mark);

/* What is put aside while the engine calls rows of its own accord, and comes back after: until then their results are
 * the caller's and no scope's, and how gradients and places stand is for the caller to say. */
typedef struct mn_quiet {
  int depth, grad_enabled, place_state, default_device;
} mn_quiet;
static inline mn_quiet mn_quiet_begin(mn_context *ctx) {
  mn_quiet saved = {ctx->scope.depth, ctx->grad_enabled, ctx->place_state, ctx->default_device};
  ctx->scope.depth = 0;
  return saved;
}
static inline void mn_quiet_end(mn_context *ctx, mn_quiet saved) {
  ctx->scope.depth = saved.depth, ctx->grad_enabled = saved.grad_enabled;
  ctx->place_state = saved.place_state, ctx->default_device = saved.default_device;
}

/* node.c: nodes. */
mn_node *mn_node_new(mn_context *ctx, int op, int n_in, mn_tensor *const *in, int n_out,
                     mn_tensor *const *out, const mn_slot *attrs, bool inplace);
/* After the kernel has run: remembers what is current. overwritten: what an in-place row wrote to, else NULL. */
void mn_node_saved_versions(mn_node *node, const mn_storage *overwritten);
int mn_node_outputs(mn_node *node); /* room for outputs that keep their gradient */
const char *mn_node_name(const mn_node *node);
mn_node *mn_node_make(mn_context *ctx, int op, int n_in, mn_tensor *const *in, int n_out,
                      mn_tensor *const *out, int n_saved, int n_slots); /* saves nothing yet, attrs unset */
int mn_node_save(mn_node *node, mn_tensor *t, int which, bool alias);
/* Shapes in words: dtype and device, ndim, sizes. */
enum { MN_SHAPE_WORDS = 2 + MN_MAX_DIMS };
int64_t *mn_shape_write(int64_t *words, const mn_array *a); /* returns where the next one goes */
void mn_shape_read(const int64_t *words, mn_array *out);
mn_tensor *mn_edge_tensor(mn_context *ctx, const mn_edge *e,
                          const int64_t *shape); /* the leaf, or a tensor without storage: a new reference */

/* numbers.c: what a node or a leaf needs of Lua. */
int mn_number_reserve(
    mn_context *ctx); /* room in the queue for one more than there are, so that dying needs none */
void mn_number_died(mn_context *ctx, double number);

/* walk.c */
const mn_node *mn_walk_node(const mn_walk *w); /* that Lua is asked about */

/* push.c: mn_push_tangents, with new references as results. */
int mn_tangents(mn_context *ctx, int n_out, mn_tensor *const *outputs, int n_in, mn_tensor *const *inputs,
                mn_tensor *const *tangents, int create_graph, mn_tensor **results);

/* anomaly.c: detect_anomaly, and where calls were made. */
/* -1 and MN_ERR_PLACE where somebody will want to know the place of a call, and it is unknown. */
int mn_place_begin(mn_context *ctx, const mn_op_info *op, int device);
void mn_place_end(mn_context *ctx); /* the place was for one call */
static inline uint32_t mn_known_place(const mn_context *ctx) {
  return ctx->place_state == MN_PLACE_UNKNOWN ? 0 : ctx->place;
}
int mn_anomaly_check(mn_context *ctx, const mn_op_info *op, const mn_slot *attrs, int n_in,
                     mn_tensor *const *in, int n_out, mn_tensor *const *out);
const char *mn_anomaly_in(const mn_tensor *t); /* "nan", "inf" or NULL */

typedef struct mn_op_rules {
  int (*infer)(mn_infer *);
  void (*vjp)(mn_rule *);
  void (*jvp)(mn_rule *);
  uint32_t saves;
  uint32_t optional; /* bit i: input i may be absent */
  int device;        /* 1 + the slot of an attribute that says the outputs' device; 0: the inputs' */
  bool required;     /* has an attribute without default */
  bool checked;      /* has attributes of which not every value makes sense */
  bool view;         /* has no kernel: the output shares the input's storage */
} mn_op_rules;
extern mn_op_rules mn_row_rules[]; /* optable.c: by op; the door looks several times a call */
static inline const mn_op_rules *mn_rules(int op) { return &mn_row_rules[op]; }

/* attrs.c */
int mn_check_attrs(mn_context *ctx, const mn_op_info *op, const mn_slot *attrs);

/* layout.c: sizes and strides of arrays. */
int mn_array_finish(mn_context *ctx, const char *name,
                    mn_array *a); /* numel and contiguous strides from size */
int mn_array_is_contiguous(const mn_array *a);
/* May two elements have one place in memory, so that the array can't be written to? */
bool mn_may_share_places(const mn_array *a);

/* resolve.c: what mn_resolve is made of, for the door, which casts in between. */
int mn_check_row(mn_context *ctx, const mn_op_info *op, int n_in, const mn_array *const *in,
                 const mn_slot *attrs); /* numbers of inputs, absent ones, kinds of attributes */
/* The dtype that inputs are cast to, or -1 for none: in place, too, where the result is cast to the target's. */
int mn_wanted_dtype(const mn_context *ctx, const mn_op_info *op, int n_in, const mn_array *const *in,
                    const mn_slot *attrs);
int mn_resolve_outputs(mn_context *ctx, const mn_op_info *op, int n_in, const mn_array *const *in,
                       mn_slot *attrs, mn_array *const *out); /* which arrive zeroed */

/* The device of a row that has no inputs: its attribute's, which is set where it was the default, or the default. */
int mn_wanted_device(const mn_context *ctx, const mn_op_info *op, mn_slot *attrs);

/* dtype.c */
int mn_promote_all(const mn_array *const *arrays, int n); /* NULL entries are skipped */
bool mn_can_hold(int dtype, int value_dtype);             /* in place: bool < integers < floats */

/* How far a random row that made `out` moves the stream. */
static inline uint64_t mn_random_count(const mn_array *out) {
  return ((uint64_t)out->numel + 3) & ~(uint64_t)3;
}

/* recording.c */
int mn_record_prepare(mn_context *ctx, int op, int n_in,
                      int n_out); /* may the row be recorded? Makes room: noting it can't fail then */
void mn_record_row(mn_context *ctx, int op, bool inplace, int n_in, mn_tensor *const *in, int n_out,
                   mn_tensor *const *out, const mn_slot *attrs);
/* Where no recording is on these two do nothing. fresh: t was made from the data, else it is to be written with them. */
int mn_record_constant(mn_context *ctx, mn_tensor *t, const void *data, bool fresh);
int mn_record_grad(mn_context *ctx, mn_tensor *t, mn_tensor *grad); /* before it is put; NULL clears */
void mn_record_cut(mn_context *ctx, int n);                         /* forgets the rows after the first n */
void mn_record_drop(mn_context *ctx);                               /* and the recording that is on */

#endif
