/* metann.h: the only public header of metann's core, for C programs and for LuaJIT's ffi.cdef.
 *
 * LuaJIT reads the text between the lines "ffi: begin" and "ffi: end" as it stands, so no preprocessor is used there.
 * After it come, for C users, one attribute struct and one prototype per row of ops.def.
 *
 * Ownership. A function that returns mn_tensor* returns one new reference; give it back with mn_tensor_release.
 * Failure. A failing call returns NULL (or nonzero) and leaves a message in the context (mn_error_message). NULL as an
 * input means "an earlier call failed" and passes through, so the first error wins. An absent optional input is the
 * constant MN_NONE. A context is used by one thread at a time.
 */
/* clang-format off */
#ifndef METANN_H
#define METANN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* ffi: begin */
enum { MN_ABI = 3, MN_MAX_DIMS = 8, MN_MAX_OUT = 4, MN_MAX_SLOTS = 56 };

typedef enum mn_dtype {
  MN_FLOAT32, MN_FLOAT64, MN_INT64, MN_INT32, MN_UINT8, MN_BOOL, MN_FLOAT16, MN_BFLOAT16, MN_DTYPE_COUNT
} mn_dtype;

typedef enum mn_error {
  MN_OK, MN_ERR_ARGUMENT, MN_ERR_MEMORY, MN_ERR_INTERRUPTED, MN_ERR_LIVE_VIEWS, MN_ERR_PLACE, MN_ERR_ANOMALY,
  MN_ERR_LATE
} mn_error;

typedef struct mn_context mn_context;
typedef struct mn_tensor mn_tensor;
typedef struct mn_walk mn_walk;
typedef struct mn_program mn_program;
typedef struct mn_map mn_map;
typedef struct mn_device mn_device;
typedef struct mn_backend mn_backend;

/* What a kernel sees of a tensor, and the first member of every mn_tensor: cast mn_tensor* to const mn_array*.
 * size and stride (in elements) have ndim entries; contiguous is 1 for dense row-major layout; device is a number of
 * mn_device_find: data may be looked at where it is 0, the host. */
typedef struct mn_array {
  void *data;
  int64_t numel;
  int32_t ndim, dtype, device, contiguous;
  int64_t size[8], stride[8];
} mn_array;

/* One attribute slot: INT, BOOL, ENUM, DTYPE, DEVICE, DIM, INDEX use i; NUM uses f; a LIST, DIMS or PAIR is an mn_list, 9 slots. */
typedef union mn_slot { int64_t i; double f; } mn_slot;
typedef struct mn_list { int64_t n; int64_t v[8]; } mn_list;

/* Kinds of attributes (mn_attr_info.kind). DIM and DIMS count dimensions from 0 here (Lua: from 1), negative from the
 * end; INDEX likewise is a position; BASE is the number that the first index has in index tensors (C 0, Lua 1). A PAIR
 * is a list for the two sides of a plane, of which one number stands for both. A DEVICE is a number of mn_device_find, or
 * -1 for the default device. */
typedef enum mn_attr_kind {
  MN_ATTR_INT, MN_ATTR_NUM, MN_ATTR_BOOL, MN_ATTR_ENUM, MN_ATTR_DTYPE,
  MN_ATTR_LIST, MN_ATTR_DIM, MN_ATTR_DIMS, MN_ATTR_INDEX, MN_ATTR_BASE, MN_ATTR_PAIR, MN_ATTR_DEVICE
} mn_attr_kind;

typedef struct mn_attr_info {
  const char *name;
  int32_t kind, slot;
  const char *choices; /* ENUM: "none|mean|sum", value 0, 1, 2 */
} mn_attr_info;

/* Flags of a row. */
typedef enum mn_op_flag {
  MN_F_VIEW = 1,         /* result shares the first input's storage */
  MN_F_NODIFF = 2,       /* has no derivative: results never need gradients */
  MN_F_FIRST = 4,        /* only output 0 is differentiable */
  MN_F_BROADCAST = 8,    /* inputs are broadcast against each other */
  MN_F_PROMOTE = 16,     /* inputs are cast to their common dtype first */
  MN_F_FLOAT = 32,       /* integer and bool inputs are cast to the default float dtype first */
  MN_F_SCALAR = 64,      /* one input may be MN_NONE, standing for the number in attribute "value" */
  MN_F_INPLACE = 128,    /* the kernel may write its output 0 over its input 0 */
  MN_F_RANDOM = 256,     /* draws from the context's random stream */
  MN_F_DATA_SHAPE = 512, /* the output's shape depends on data */
  MN_F_VARIADIC = 1024,  /* takes any number of inputs */
  MN_F_VALUES = 2048     /* fails for some values of its inputs: a device may tell so later (mn_device_settle) */
} mn_op_flag;

/* A row of the op table. inputs: names parted by commas, '?' after an optional one, "..." after a variadic one.
 * defaults: n_slots slots; INT64_MIN (in a LIST: as its n) or NaN marks an attribute that must be given. */
typedef struct mn_op_info {
  const char *name, *inputs;
  int32_t n_in, n_out, flags, n_attrs, n_slots, index;
  const mn_attr_info *attrs;
  const mn_slot *defaults;
} mn_op_info;

/* Live numbers of a context, as doubles so that LuaJIT reads them without boxing. */
typedef struct mn_stats {
  double live_bytes, peak_bytes, cached_bytes, limit_bytes, live_tensors, live_storages, live_nodes;
  double dead_numbers;  /* waiting for mn_dead_number */
  double visited_nodes; /* by all walks so far */
  double list_bytes;    /* of live_bytes, what lists of the context's own take: they grow, and stay as they are */
} mn_stats;

/* A handle: what a binding keeps. mark is the binding's own (Lua: which scope released it); place is above 0 where the
 * context holds p for it. */
typedef struct mn_handle { mn_tensor *p; int32_t mark, place; } mn_handle;
typedef struct mn_counter { int32_t n; } mn_counter;

int mn_abi(void);
const char *mn_version(void);
const char *mn_cpu_path(void); /* "c", "avx2" or "avx512": the kernels chosen at load */

/* What a pointwise row does with one line of n elements: ptr[0] is the output, dense, which may be the first input;
 * ptr[1] to ptr[n_in] are the inputs, each dense or one element that is repeated (step, in bytes, 0; the first one is
 * dense if all could be repeated). mn_cpu_line says which loop, of how many inputs and with which numbers, a row with
 * these attributes runs for inputs of a dtype (of `where`: of what is chosen from), input `absent` being a number of that
 * dtype, repeated (-1: none is); attrs is not NULL. 0; -1 where the row runs no such loop, or has none for the dtype. Rows
 * that divide integers look for zeros first. */
typedef void (*mn_loop)(char *const *ptr, const int64_t *step, int64_t n, const double *number);
typedef struct mn_line { mn_loop loop; int32_t n_in; double number[2]; } mn_line;
int mn_cpu_line(int op, const mn_slot *attrs, int dtype, int absent, mn_line *line);

/* A chain of such rows over blocks of elements: what one makes is in the first cache when the next reads it, and what has
 * no output is not stored. Values have numbers: first the inputs, then what each step makes. An input lies dense, or is
 * one element that is repeated (step, in bytes, 0); a step needs one value that isn't. Outputs are dense; one may lie where
 * an input does that no later step reads, and its own step as the first operand if at all. mn_cpu_group_plan sets slot,
 * slots and portion, once for any number of runs: 0, or -1 where the chain can't be run so (a value that isn't there yet, a
 * step whose result nobody takes, too many values at once). The bits are those of the rows one by one. */
enum { MN_GROUP_INPUTS = 32, MN_GROUP_STEPS = 64, MN_GROUP_OPERANDS = 3 };
typedef struct mn_group_step {
  mn_line line;
  int32_t in[MN_GROUP_OPERANDS]; /* values */
  int32_t item;                  /* bytes of an element of the result, 1 to 8 */
  int32_t out;                   /* the output that the result is, from 0; -1: only steps read it */
  int32_t slot;
} mn_group_step;
typedef struct mn_group {
  int32_t n_in, n_steps;
  const int64_t *step; /* of the inputs, in bytes */
  mn_group_step *steps;
  int32_t slots;
  int64_t portion;
} mn_group;
int mn_cpu_group_plan(mn_group *group);
void mn_cpu_group_run(const mn_group *group, char *const *in, char *const *out, int64_t n);

mn_context *mn_context_new(void);
void mn_context_release(mn_context *ctx);
/* A context in memory of the caller's, of mn_context_size() bytes, which must stay until nothing can call any more.
 * mn_context_close gives back all that its handles hold and releases it: from then on every call fails. */
size_t mn_context_size(void);
mn_context *mn_context_at(void *memory);
void mn_context_close(mn_context *ctx);
const mn_stats *mn_context_stats(mn_context *ctx);
int mn_set_memory_limit(mn_context *ctx, double bytes);
void mn_empty_cache(mn_context *ctx);
/* For tests: of all that is asked of the context's memory and its devices' from now on, the first'th request and those
 * after it fail, `times` in all; first 0: none. Returns how many have failed since the last call. */
int mn_fail_allocation(mn_context *ctx, int first, int times);
/* Devices. mn_device_find opens the device of that name, unless it is open, and returns its number, or -1: 'cpu' is 0,
 * others are 'name' or 'name:i'. What is made without inputs is made on the default device. mn_backend_add makes the
 * devices of a backend known (backend.h), which must outlive the context. Memory is counted and limited for each device (0
 * is no limit); the host's is in mn_stats, and as its live_bytes here stands the sum of all others. mn_device_settle waits. */
typedef struct mn_device_stats { double live_bytes, peak_bytes, limit_bytes, live_storages; } mn_device_stats;
int mn_backend_add(mn_context *ctx, const mn_backend *backend);
int mn_device_find(mn_context *ctx, const char *name);
const char *mn_device_name(mn_context *ctx, int device);
const mn_device_stats *mn_device_memory(mn_context *ctx, int device);
int mn_set_device_limit(mn_context *ctx, int device, double bytes);
int mn_device_settle(mn_context *ctx, int device);
int mn_set_default_device(mn_context *ctx, int device);
int mn_default_device(mn_context *ctx);
int mn_set_num_threads(mn_context *ctx, int n);
int mn_num_threads(mn_context *ctx);
/* What counts as the first dim and index in error messages: 0 (default) or 1. */
void mn_set_message_base(mn_context *ctx, int base);
int mn_set_default_dtype(mn_context *ctx, int dtype); /* float32 or float64 */
int mn_default_dtype(mn_context *ctx);

mn_error mn_error_code(mn_context *ctx);
const char *mn_error_message(mn_context *ctx);
void mn_error_clear(mn_context *ctx);

/* Safe from a signal handler and from other threads: the next row, walk or replay fails with 'interrupted'. */
void mn_interrupt(mn_context *ctx);
/* Installs a handler that does it, for each context that asks; signum 0 takes all of this context's back, a negative
 * one that one. When the last context has done so, the signal does again what it did before. */
int mn_interrupt_on_signal(mn_context *ctx, int signum);
int mn_take_interrupt(mn_context *ctx); /* 1 if an interrupt waits, which is forgotten then */

void mn_manual_seed(mn_context *ctx, double seed);
void mn_rng_get(mn_context *ctx, double *seed, double *offset);
void mn_rng_set(mn_context *ctx, double seed, double offset);

int mn_grad_enabled(mn_context *ctx);
void mn_set_grad_enabled(mn_context *ctx, int enabled);

/* Tensors. data is copied (row-major). */
mn_tensor *mn_none(void);
mn_tensor *mn_tensor_from_data(mn_context *ctx, int dtype, int ndim, const int64_t *sizes, const void *data);
mn_tensor *mn_tensor_empty(mn_context *ctx, int dtype, int ndim, const int64_t *sizes);
/* Files in place of memory. mn_map_new maps the first bytes of an open file (which may be closed then), privately: tensors
 * may be written to, the file isn't. mn_map_release gives the caller's hold back; tensors keep theirs. mn_tensor_mapped: a
 * tensor whose elements are those at an offset, a multiple of the dtype's size. A file that is cut short while it is
 * mapped ends a process that reads what is gone (SIGBUS). */
mn_map *mn_map_new(mn_context *ctx, int fd, double bytes);
void mn_map_release(mn_map *map);
mn_tensor *mn_tensor_mapped(mn_context *ctx, mn_map *map, double offset, int dtype, int ndim, const int64_t *sizes);
/* A tensor on the storage of a dense one, without a history, at an offset and with strides (in elements, not negative)
 * that stay within it: how tensors that shared a storage are put together again. */
mn_tensor *mn_tensor_strided(mn_context *ctx, mn_tensor *t, int ndim, const int64_t *sizes, const int64_t *strides,
                             int64_t offset);
/* Must elements move before the tensor has a view of these sizes, one of which may be -1? 0 also where it can't have one:
 * the row view says why. */
int mn_reshape_copies(const mn_tensor *t, int ndim, const int64_t *sizes);
void mn_tensor_retain(mn_tensor *t);
void mn_tensor_release(mn_tensor *t);
double mn_tensor_id(const mn_tensor *t);
double mn_storage_id(const mn_tensor *t);
double mn_tensor_version(const mn_tensor *t);
int mn_tensor_requires_grad(const mn_tensor *t);
int mn_tensor_set_requires_grad(mn_context *ctx, mn_tensor *t, int b); /* leaves of a float dtype only */
int mn_tensor_is_leaf(const mn_tensor *t);
int mn_tensor_is_parameter(const mn_tensor *t);
void mn_tensor_set_parameter(mn_tensor *t, int b);
const char *mn_tensor_grad_fn(const mn_tensor *t); /* name of the op or function that made it, or NULL */
int mn_tensor_set_retain_grad(mn_context *ctx, mn_tensor *t);
mn_tensor *mn_tensor_grad(mn_tensor *t); /* new reference, or MN_NONE */
int mn_tensor_set_grad(mn_context *ctx, mn_tensor *t, mn_tensor *grad); /* MN_NONE clears */
int mn_tensor_item(mn_context *ctx, mn_tensor *t, double *out); /* of a tensor with one element */
/* The same as the result. NaN also for an error, which mn_error_code tells. */
double mn_tensor_number(mn_context *ctx, mn_tensor *t);
/* Writes numel elements, row-major and contiguous, of t's dtype, to out. mn_tensor_values is for those who look at them
 * as numbers: float32 and float64 NaNs come as the one of C's NAN, whatever bits they have (a binding may keep types in
 * the bits of NaNs, as LuaJIT does). */
int mn_tensor_read(mn_context *ctx, mn_tensor *t, void *out);
int mn_tensor_values(mn_context *ctx, mn_tensor *t, void *out);
/* Writes the n elements of t's storage that begin `before` elements in front of t's first to out. */
int mn_tensor_stretch(mn_context *ctx, mn_tensor *t, double before, double n, void *out);
/* Overwrites t's elements (any layout) from row-major data of t's dtype; bumps the version. */
int mn_tensor_write(mn_context *ctx, mn_tensor *t, const void *data);
/* Overwrites targets[i] (any layout) by sources[i], of the same size, for all i < n; when it doesn't return 0, none of
 * them: -1 for an error, 1 where a source is not of its target's dtype, not dense, or shares memory with a target (cast
 * or clone it and call again). MN_NONE stands for zeros. Bumps the versions; looks at no interruption, and only a
 * recording that is on asks for memory. name: what an error says. */
int mn_tensors_write(mn_context *ctx, const char *name, int n, mn_tensor *const *targets, mn_tensor *const *sources);

/* The one door. inputs: n_in pointers (MN_NONE for absent ones); attrs: the row's n_slots slots, or NULL for the
 * defaults; outputs: room for n_out new references. mn_apply returns 0 or -1; mn_apply1 to 3 are for rows with that
 * many inputs and one output, mn_apply0 for none. mn_apply_inplace writes output 0 over inputs[0]. */
int mn_op_count(void);
const mn_op_info *mn_op(int index);
int mn_apply(mn_context *ctx, int op, int n_in, mn_tensor *const *inputs, const mn_slot *attrs, mn_tensor **outputs);
int mn_apply_inplace(mn_context *ctx, int op, int n_in, mn_tensor *const *inputs, const mn_slot *attrs);
mn_tensor *mn_apply0(mn_context *ctx, int op, const mn_slot *attrs);
mn_tensor *mn_apply1(mn_context *ctx, int op, mn_tensor *a, const mn_slot *attrs);
mn_tensor *mn_apply2(mn_context *ctx, int op, mn_tensor *a, mn_tensor *b, const mn_slot *attrs);
mn_tensor *mn_apply3(mn_context *ctx, int op, mn_tensor *a, mn_tensor *b, mn_tensor *c, const mn_slot *attrs);

/* What stands under the door, for those who keep arrays of their own, as a replay does: no tensor is looked at or made.
 * mn_resolve checks a row's inputs (NULL: absent) and attributes and says what its outputs are: dtype, size and layout in
 * out[k], a view's data too; attributes are normalised where they stand, as kernels want them. It changes nothing else,
 * and reads elements only for rows with MN_F_DATA_SHAPE. Inputs have the dtypes that the door casts to.
 * mn_execute runs the row's kernel on arrays so resolved; out[k]->data has room for the elements. It is the only caller of
 * kernels, and looks at nothing but the call: calls with arenas of their own may run on several threads. Returns 0, or -1
 * with call->error, without the row's name. */
typedef struct mn_arena mn_arena;
struct mn_arena {
  void *(*get)(mn_arena *arena, size_t bytes); /* 64-byte aligned, or NULL */
  char *memory;
  size_t bytes, used; /* set used to 0 between two calls; after one, it says what the row needs */
};
typedef struct mn_call {
  const mn_array *const *in; /* NULL for an absent optional input */
  mn_array *const *out;      /* contiguous, except that an in-place call's out[0] has in[0]'s layout and data */
  int32_t n_in, n_out;
  const mn_slot *attrs;   /* cast to const mn_<op>_attrs* */
  uint64_t seed, counter; /* rows with MN_F_RANDOM: Philox key and first counter */
  mn_arena *arena;        /* scratch memory, on the device */
  mn_device *device;
  uint32_t place; /* where the program made the call, for a failure that is told later; 0: unknown */
  char error[200]; /* a kernel that fails writes here, without the op's name */
} mn_call;
void mn_arena_over(mn_arena *arena, void *memory, size_t bytes); /* memory: 64-byte aligned */
mn_device *mn_context_device(mn_context *ctx, int device); /* NULL where it isn't open */
int mn_resolve(mn_context *ctx, int op, int n_in, const mn_array *const *in, mn_slot *attrs, mn_array *const *out);
int mn_execute(int op, mn_call *call);

/* Handles, for bindings whose code can be stopped or entered again between any two steps. mn_make, mn_make0 to 3 are
 * mn_apply and mn_apply0 to 3 into handles. A handle with a place shares its reference with that place of the context,
 * from where a sweep gives it back after the handle has died: for (all places without a living handle)
 * mn_place_sweep(ctx, place, number of mn_sweep_begin), which is nonzero when a newer sweep has taken over.
 * mn_place_take takes an empty place, 0: there is none. mn_places_reserve makes room for chunks of 4096 places more and
 * returns the first of them, 0 on failure; mn_places_open lets them be taken. mn_places_chunk says what a chunk of places
 * holds (MN_NONE: taken, but empty), NULL behind the last. mn_handle_fill gives a handle its tensor (a reference; NULL:
 * none, and the result is -1), mn_handle_own one of a scope a place; mn_handle_free releases and clears. mn_count counts
 * one on. */
int mn_make(mn_context *ctx, int op, int n_in, mn_tensor *const *inputs, const mn_slot *attrs, mn_handle *const *out);
int mn_make0(mn_context *ctx, int op, const mn_slot *attrs, mn_handle *h);
int mn_make1(mn_context *ctx, int op, mn_tensor *a, const mn_slot *attrs, mn_handle *h);
int mn_make2(mn_context *ctx, int op, mn_tensor *a, mn_tensor *b, const mn_slot *attrs, mn_handle *h);
int mn_make3(mn_context *ctx, int op, mn_tensor *a, mn_tensor *b, mn_tensor *c, const mn_slot *attrs, mn_handle *h);
int mn_handle_fill(mn_context *ctx, mn_handle *h, mn_tensor *t);
void mn_handle_own(mn_context *ctx, mn_handle *h, int place, int mark);
void mn_handle_free(mn_handle *h);
int mn_places_reserve(mn_context *ctx, int chunks);
void mn_places_open(mn_context *ctx, int first, int n);
mn_tensor *const *mn_places_chunk(mn_context *ctx, int i);
int mn_places_empty(mn_context *ctx);
int mn_place_take(mn_context *ctx);
int mn_sweep_begin(mn_context *ctx);
int mn_place_sweep(mn_context *ctx, int place, int sweep);
int mn_count(mn_counter *counter);

/* The backward walk. outputs: what is differentiated; grad_outputs: their cotangents, MN_NONE for 1 (0-dim outputs
 * only); inputs: what for. With MN_WALK_ACCUMULATE, inputs must be empty and leaves' .grad is added to, once the
 * walk has succeeded. mn_walk_run returns MN_WALK_DONE, MN_WALK_ERROR, MN_WALK_NEED_MEMORY (free memory, run again:
 * the paused node is tried once more) or MN_WALK_NEED_LUA (do what mn_walk_request says, run again). */
/* MN_WALK_PARTIAL: the inputs are taken as independent of each other and of anything else: nothing behind them is
 * visited, and no hooks of theirs or of leaves run. since: a number of mn_now; nodes that were there before it are not
 * visited, but for those of inputs and outputs (0: all may be). Nodes older than every input never are. */
typedef enum mn_walk_flag {
  MN_WALK_CREATE_GRAPH = 1, MN_WALK_RETAIN_GRAPH = 2, MN_WALK_ACCUMULATE = 4, MN_WALK_PARTIAL = 8
} mn_walk_flag;
typedef enum mn_walk_state { MN_WALK_DONE, MN_WALK_ERROR, MN_WALK_NEED_MEMORY, MN_WALK_NEED_LUA } mn_walk_state;
mn_walk *mn_walk_new(mn_context *ctx, int n_out, mn_tensor *const *outputs, mn_tensor *const *grad_outputs, int n_in,
                     mn_tensor *const *inputs, int flags, double since);
int mn_walk_run(mn_walk *walk);
/* New reference, or MN_NONE where input i can't be reached; zeros where it can but every derivative on the way is 0. */
mn_tensor *mn_walk_result(mn_walk *walk, int i);
int mn_walk_retains(const mn_walk *walk); /* will the graph be there for another walk? */
void mn_walk_free(mn_walk *walk);
/* The derivative of outputs along tangents of inputs (a Jacobian-vector product), through the graph that a backward walk
 * with MN_WALK_PARTIAL would go: 0 with the outputs' tangents in handles; -1; 1 where a function's derivative or a hook of
 * the binding's stands between, which only backward walks can ask for. */
int mn_push_tangents(mn_context *ctx, int n_out, mn_tensor *const *outputs, int n_in, mn_tensor *const *inputs,
                     mn_tensor *const *tangents, int create_graph, mn_handle *const *results);
/* For bindings that may be stopped between any two steps: the same into a box that is there before, 0 or -1. What a box
 * held is freed first; closing it again does nothing. */
typedef struct mn_walk_box { mn_walk *walk; } mn_walk_box;
int mn_walk_open(mn_walk_box *box, mn_context *ctx, int n_out, mn_tensor *const *outputs,
                 mn_tensor *const *grad_outputs, int n_in, mn_tensor *const *inputs, int flags, double since);
void mn_walk_close(mn_walk_box *box);
/* mn_walk_result, mn_walk_saved, mn_walk_cotangent and mn_walk_input into a handle, 0 or -1. */
typedef enum mn_walk_part { MN_WALK_RESULT, MN_WALK_SAVED, MN_WALK_COTANGENT, MN_WALK_INPUT } mn_walk_part;
int mn_walk_take(mn_context *ctx, mn_walk *walk, int part, int i, mn_handle *h);

/* Derivatives and hooks of the binding's. The core knows them by numbers: a node's is above 0, a leaf's below. When
 * the node or leaf dies its number is queued; mn_dead_number takes one off the queue, 0 when it is empty.
 * mn_function_attach gives n_out results (MN_NONE stays) a node whose derivative is the binding's: attached[k] shares
 * outputs[k]'s memory. The node keeps the n_saved tensors in saved: inputs and outputs come back with their history.
 * Returns the node's number, or 0. mn_tensor_hook returns the number that stands for t (or the node that made it, of
 * which t is output mn_tensor_output) when its gradient is complete, or 0. */
double mn_function_attach(mn_context *ctx, const char *name, int n_in, mn_tensor *const *inputs, int n_out,
                          mn_tensor *const *outputs, int n_saved, mn_tensor *const *saved, mn_tensor **attached);
/* The same into handles (NULL where outputs[k] is MN_NONE). */
double mn_function_make(mn_context *ctx, const char *name, int n_in, mn_tensor *const *inputs, int n_out,
                        mn_tensor *const *outputs, int n_saved, mn_tensor *const *saved, mn_handle *const *attached);
double mn_tensor_hook(mn_context *ctx, mn_tensor *t);
int mn_tensor_output(const mn_tensor *t);
double mn_dead_number(mn_context *ctx);

/* What a paused walk asks for. MN_ASK_FUNCTION: from the cotangents of the node's outputs (MN_NONE: zero) and what it
 * saved, the gradients of its inputs; mn_walk_give(walk, i, gradient) for each that isn't zero. MN_ASK_HOOKS and
 * MN_ASK_LEAF_HOOKS: the hooks of the node's outputs, or of a leaf; mn_walk_give(walk, k, cotangent) replaces one.
 * mn_walk_saved, mn_walk_cotangent and mn_walk_input (a stand-in for input i, without data) return new references;
 * mn_walk_needs says whether the gradient of input i is wanted, mn_walk_array the dtype and size of input i, or, from
 * n_in on, of output i - n_in. */
typedef enum mn_request_kind { MN_ASK_FUNCTION, MN_ASK_HOOKS, MN_ASK_LEAF_HOOKS } mn_request_kind;
typedef struct mn_request { int32_t kind, n_in, n_out, n_saved; double number; } mn_request;
const mn_request *mn_walk_request(const mn_walk *walk);
mn_tensor *mn_walk_cotangent(mn_walk *walk, int k);
mn_tensor *mn_walk_saved(mn_walk *walk, int i);
int mn_walk_needs(mn_walk *walk, int i);
mn_tensor *mn_walk_input(mn_walk *walk, int i);
void mn_walk_array(mn_walk *walk, int i, mn_array *out);
void mn_walk_give(mn_walk *walk, int i, mn_tensor *t);

/* The frontier of a computation: what its outputs depend on that was there before it, each once, as leaves or as
 * stand-ins without data (inputs for mn_walk_new, mn_function_attach). "Before": by the two numbers of mn_now. */
typedef struct mn_frontier { mn_tensor **tensors; int32_t n, capacity; } mn_frontier;
void mn_now(mn_context *ctx, double *node, double *tensor);
int mn_frontier_find(mn_context *ctx, mn_frontier *frontier, int n_out, mn_tensor *const *outputs, double node,
                     double tensor); /* into an empty one; 0 or -1 */
void mn_frontier_clear(mn_frontier *frontier);
/* Is the frontier just what the inputs of the asked node came from, tensor by tensor? */
int mn_walk_depends_on(mn_walk *walk, const mn_frontier *frontier);
double mn_tensor_node(const mn_tensor *t); /* the number of the node that made it, 0 for a leaf */
double mn_tensor_digest(const mn_tensor *t); /* of its elements: equal ones have equal digests; NaN with the error set */

/* detect_anomaly. While on, a row called from outside fails with MN_ERR_PLACE until mn_set_place has said (as a number
 * above 0 of the caller's) where the call stands; a result with NaN, or with an infinity that no input has, is
 * MN_ERR_ANOMALY, and mn_place then is where what is named was made. */
/* mn_set_places: the caller also tells places of rows with MN_F_VALUES on devices that find failures late. Such a failure is
 * the error MN_ERR_LATE of whatever waits first, and mn_place is where the row was called, 0 within a derivative. */
void mn_set_anomaly(mn_context *ctx, int on);
void mn_set_places(mn_context *ctx, int on);
int mn_anomaly(mn_context *ctx);
void mn_set_place(mn_context *ctx, int place);
int mn_place(mn_context *ctx);

/* Recording: while on, every row that passes the door is noted. Ids name tensors and storages over time (a saved
 * output that a derivative reads has the id of the output it stands for). Of a function with a derivative of the
 * binding's, op is MN_ROW_FUNCTION, and the outputs are the inputs under ids of their own: what it computed are rows before it.
 * counter: where in the stream of random numbers a row drew, from where the recording began; -1 if it didn't. Two rows
 * may have drawn the same numbers (a checkpoint's two runs). values: of MN_ROW_CONSTANT, a tensor made from the binding's
 * numbers (in place: written with them), its elements in row-major order. MN_ROW_GRAD: the .grad of input 0 becomes input
 * 1 (none: is cleared). While on, numbers of a tensor that the recording computes can't be read, nor can a row run whose
 * result's size depends on data: a replay could not tell. */
typedef struct mn_ref { double tensor, storage; int64_t offset; int32_t none, view; mn_array array; } mn_ref;
typedef struct mn_row {
  int32_t op, inplace, n_in, n_out;
  const mn_ref *in, *out;
  const mn_slot *attrs;
  const void *values;
  double counter;
} mn_row;
enum { MN_ROW_FUNCTION = -1, MN_ROW_CONSTANT = -2, MN_ROW_GRAD = -3 };
int mn_record_begin(mn_context *ctx);
mn_program *mn_record_end(mn_context *ctx);
/* 0; -1 with an error in that name where t is computed by the recording that is on. Whatever gives elements away looks:
 * item, read, values, stretch. */
int mn_tensor_readable(mn_context *ctx, const char *name, const mn_tensor *t);
int mn_record_length(mn_context *ctx); /* rows so far; 0: none, or no recording is on */
int mn_program_length(const mn_program *program);
const mn_row *mn_program_row(const mn_program *program, int i);
/* What was there before and is taken or written by rows: one tensor for each storage, as it was met first, under its id
 * (a new reference). The program keeps the storages. */
int mn_program_bound(const mn_program *program);
mn_tensor *mn_program_bound_tensor(mn_program *program, int i);
void mn_program_free(mn_program *program);
/* ffi: end */

#define MN_NONE (mn_none())
#define MN_REQUIRED INT64_MIN       /* default of an integer or list attribute that must be given; NAN for a NUM */
#define MN_UNSET (INT64_MIN + 1)    /* default of an integer attribute that may be left out */

/* MN_EACH(M, (a, b, c)) is M(a) M(b) M(c), for up to 16 elements. */
#define MN_EACH(M, list) MN_EACH_N(MN_COUNT list, M, MN_STRIP list)
#define MN_STRIP(...) __VA_ARGS__
#define MN_COUNT(...) MN_NTH(__VA_ARGS__, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define MN_NTH(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, N, ...) N
#define MN_EACH_N(n, M, ...) MN_EACH_PASTE(n, M, __VA_ARGS__)
#define MN_EACH_PASTE(n, M, ...) MN_EACH_##n(M, __VA_ARGS__)
#define MN_EACH_1(M, a) M(a)
#define MN_EACH_2(M, a, ...) M(a) MN_EACH_1(M, __VA_ARGS__)
#define MN_EACH_3(M, a, ...) M(a) MN_EACH_2(M, __VA_ARGS__)
#define MN_EACH_4(M, a, ...) M(a) MN_EACH_3(M, __VA_ARGS__)
#define MN_EACH_5(M, a, ...) M(a) MN_EACH_4(M, __VA_ARGS__)
#define MN_EACH_6(M, a, ...) M(a) MN_EACH_5(M, __VA_ARGS__)
#define MN_EACH_7(M, a, ...) M(a) MN_EACH_6(M, __VA_ARGS__)
#define MN_EACH_8(M, a, ...) M(a) MN_EACH_7(M, __VA_ARGS__)
#define MN_EACH_9(M, a, ...) M(a) MN_EACH_8(M, __VA_ARGS__)
#define MN_EACH_10(M, a, ...) M(a) MN_EACH_9(M, __VA_ARGS__)

#include "ops/presets.def"

/* A row's attributes become struct mn_<op>_attrs, all of 8-byte members, so that it is also an array of slots.
 * Pass NULL where a prototype takes attrs for the defaults of a row without required attributes. */
#define MN_FIELD(attr) MN_FIELD_##attr
#define MN_FIELD_INT(name, ...) int64_t name;
#define MN_FIELD_NUM(name, ...) double name;
#define MN_FIELD_BOOL(name, ...) int64_t name;
#define MN_FIELD_ENUM(name, ...) int64_t name;
#define MN_FIELD_DTYPE(name, ...) int64_t name;
#define MN_FIELD_DEVICE(name, ...) int64_t name;
#define MN_FIELD_LIST(name, ...) mn_list name;
#define MN_FIELD_PAIR(name, ...) mn_list name;
#define MN_FIELD_DIM(name, ...) int64_t name;
#define MN_FIELD_DIMS(name, ...) mn_list name;
#define MN_FIELD_INDEX(name, ...) int64_t name;
#define MN_FIELD_BASE(name, ...) int64_t name;
#define MN_FIELD_NOATTR int64_t none_;
#define MN_FIELD_GROUP(group, name) union { struct { group(MN_FIELD) }; mn_##name name; };
#define MN_FIELD_WINDOWS MN_FIELD_GROUP(MN_WINDOWS, windows)
#define MN_FIELD_AVERAGING MN_FIELD_GROUP(MN_AVERAGING, averaging)
typedef struct mn_windows { MN_WINDOWS(MN_FIELD) } mn_windows;
typedef struct mn_averaging { MN_AVERAGING(MN_FIELD) } mn_averaging;
#define MN_ROW_ATTRS(op, inputs, outputs, attributes, ...)                                                   \
  typedef struct mn_##op##_attrs { MN_EACH(MN_FIELD, attributes) } mn_##op##_attrs;

/* mn_<op>(ctx, inputs..., attrs) returns the output; of a row with more outputs, 0 or -1, and writes them to out. */
#define MN_PARAM(input) MN_PARAM_##input
#define MN_PARAM_IN(name) mn_tensor *name,
#define MN_PARAM_OPT(name) mn_tensor *name,
#define MN_PARAM_VAR(name) int n_##name, mn_tensor *const *name,
#define MN_PARAM_NOIN
#define MN_PROTO_1(op, inputs) mn_tensor *mn_##op(mn_context *ctx, MN_EACH(MN_PARAM, inputs) const mn_##op##_attrs *attrs)
#define MN_PROTO_N(op, inputs)                                                                               \
  int mn_##op(mn_context *ctx, MN_EACH(MN_PARAM, inputs) const mn_##op##_attrs *attrs, mn_tensor **out)
#define MN_PROTO_2 MN_PROTO_N
#define MN_PROTO_3 MN_PROTO_N
#define MN_PROTO_4 MN_PROTO_N
#define MN_ROW_PROTOTYPE(op, inputs, outputs, ...) MN_PROTO_##outputs(op, inputs);

#ifndef MN_NO_ROWS /* the core's own files, which include the sections that they need: a new row doesn't concern others */
#define MN_OP MN_ROW_ATTRS
#include "ops.def"
#define MN_OP MN_ROW_PROTOTYPE
#include "ops.def"
#endif

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
