/* device.c: the devices that a context has opened: their names, their memory, how it is counted and limited, and copies
 * of adjacent bytes from and to it. The host is device 0, whose memory is allocator.c's. */
#include "engine/engine.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

int mn_backend_add(mn_context *ctx, const mn_backend *backend) {
  if (ctx->n_backends == MN_BACKENDS)
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "device: there is no room for another backend");
  ctx->backends[ctx->n_backends++] = backend;
  return 0;
}

/* Opens device i of a backend under that name; its number, or -1. */
static int open_device(mn_context *ctx, const mn_backend *backend, int i, const char *name) {
  char why[200] = "";
  if (ctx->n_devices == MN_DEVICES)
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "device: at most %d can be open", MN_DEVICES);
  if (i >= backend->count(why))
    return mn_error_set(ctx, MN_ERR_ARGUMENT, "device: there is no '%s' here%s%s", name, why[0] ? ": " : "",
                        why);
  mn_device *device = backend->open(i, why);
  if (!device) return mn_error_set(ctx, MN_ERR_ARGUMENT, "device: '%s' can't be opened: %s", name, why);
  int number = ctx->n_devices++;
  if (number > 0) device->number = number;
  ctx->devices[number] = device;
  ctx->device_stats[number] = (mn_device_stats){.limit_bytes = INFINITY};
  snprintf(ctx->device_names[number], MN_DEVICE_NAME, "%s", name);
  return number;
}

int mn_devices_open(mn_context *ctx) {
  ctx->n_devices = ctx->n_backends = 0;
  for (int i = 0; i < mn_backend_count; i++) mn_backend_add(ctx, mn_backends[i]);
  return open_device(ctx, ctx->backends[0], 0, ctx->backends[0]->name) < 0 ? -1 : 0;
}

void mn_devices_close(mn_context *ctx) {
  while (ctx->n_devices > 0) {
    mn_device *device = ctx->devices[--ctx->n_devices];
    device->backend->close(device);
  }
}

static int find_open(const mn_context *ctx, const char *name) {
  for (int i = 0; i < ctx->n_devices; i++)
    if (strcmp(ctx->device_names[i], name) == 0) return i;
  return -1;
}

int mn_device_find(mn_context *ctx, const char *name) {
  char full[MN_DEVICE_NAME], kind[MN_DEVICE_NAME];
  int index = 0, end = 0;
  int number = find_open(ctx, name);
  if (number >= 0) return number;
  int read = sscanf(name, "%31[a-z_]:%3d%n", kind, &index, &end);
  if (read == 1) end = (int)strlen(kind);
  for (int i = 0; read >= 1 && name[end] == 0 && index >= 0 && i < ctx->n_backends; i++) {
    if (strcmp(ctx->backends[i]->name, kind) != 0 || (i == 0 && index > 0)) continue;
    if (i == 0) return 0; /* cpu:0 */
    snprintf(full, sizeof full, "%.24s:%d", kind, index % 1000);
    number = find_open(ctx, full);
    return number >= 0 ? number : open_device(ctx, ctx->backends[i], index, full);
  }
  return mn_error_set(ctx, MN_ERR_ARGUMENT, "device: there is no '%s' here", name);
}

static int check_device(mn_context *ctx, int device) {
  if (device >= 0 && device < ctx->n_devices) return 0;
  return mn_error_set(ctx, MN_ERR_ARGUMENT, "device: no device has the number %d", device);
}

mn_device *mn_context_device(mn_context *ctx, int device) {
  return device >= 0 && device < ctx->n_devices ? ctx->devices[device] : NULL;
}
const char *mn_device_name(mn_context *ctx, int device) {
  return device >= 0 && device < ctx->n_devices ? ctx->device_names[device] : "no device";
}

int mn_default_device(mn_context *ctx) { return ctx->default_device; }
int mn_set_default_device(mn_context *ctx, int device) {
  if (check_device(ctx, device)) return -1;
  ctx->default_device = device;
  return 0;
}

/* ---- memory ---- */

const mn_device_stats *mn_device_memory(mn_context *ctx, int device) {
  return check_device(ctx, device) ? NULL : &ctx->device_stats[device];
}

int mn_set_device_limit(mn_context *ctx, int device, double bytes) {
  if (check_device(ctx, device)) return -1;
  if (device == 0) return mn_set_memory_limit(ctx, bytes);
  if (!(bytes >= 0)) return mn_error_set(ctx, MN_ERR_ARGUMENT, "device: expected bytes, 0 for no limit");
  ctx->device_stats[device].limit_bytes = bytes > 0 ? bytes : INFINITY;
  return 0;
}

void *mn_device_get(mn_context *ctx, int number, size_t bytes) {
  mn_device *device = ctx->devices[number];
  mn_device_stats *s = &ctx->device_stats[number];
  double size = (double)bytes;
  void *p = NULL;
  if (mn_memory_fails(ctx)) return NULL;
  if (s->live_bytes + size <= s->limit_bytes) p = device->backend->get(device, bytes > 0 ? bytes : 1);
  if (!p) {
    mn_error_set(ctx, MN_ERR_MEMORY,
                 "out of memory on %s: asked for %.0f bytes with %.0f in use and a limit of %.0f",
                 ctx->device_names[number], size, s->live_bytes, s->limit_bytes);
    return NULL;
  }
  s->live_bytes += size, ctx->device_stats[0].live_bytes += size;
  if (s->live_bytes > s->peak_bytes) s->peak_bytes = s->live_bytes;
  return p;
}

void mn_device_put(mn_context *ctx, int number, void *p, size_t bytes) {
  mn_device *device = ctx->devices[number];
  if (!p) return;
  ctx->device_stats[number].live_bytes -= (double)bytes;
  ctx->device_stats[0].live_bytes -= (double)bytes;
  device->backend->put(device, p);
}

/* ---- work and copies ---- */

int mn_device_settle(mn_context *ctx, int number) {
  mn_fault fault = {.op = -1};
  if (check_device(ctx, number)) return -1;
  mn_device *device = ctx->devices[number];
  if (device->backend->settle(device, &fault) == 0) return 0;
  const char *name = ctx->device_names[number];
  if (fault.op < 0) return mn_error_set(ctx, MN_ERR_ARGUMENT, "%s, found on %s", fault.text, name);
  if (ctx->error_code == MN_OK) ctx->place = fault.place;
  return mn_error_set(ctx, MN_ERR_LATE, "%s: %s, found later on %s", mn_op(fault.op)->name, fault.text, name);
}

/* A copy that failed: because of what was found before it, or by itself. */
static int failed(mn_context *ctx, int number) {
  if (mn_device_settle(ctx, number)) return -1;
  return mn_error_set(ctx, MN_ERR_ARGUMENT, "a copy failed on %s", ctx->device_names[number]);
}

int mn_device_upload(mn_context *ctx, int number, void *to, const void *from, size_t bytes) {
  mn_device *device = ctx->devices[number];
  return bytes > 0 && device->backend->upload(device, to, from, bytes) ? failed(ctx, number) : 0;
}
int mn_device_download(mn_context *ctx, int number, void *to, const void *from, size_t bytes) {
  mn_device *device = ctx->devices[number];
  return bytes > 0 && device->backend->download(device, to, from, bytes) ? failed(ctx, number) : 0;
}
int mn_device_within(mn_context *ctx, int number, void *to, const void *from, size_t bytes) {
  mn_device *device = ctx->devices[number];
  return bytes > 0 && device->backend->within(device, to, from, bytes) ? failed(ctx, number) : 0;
}
