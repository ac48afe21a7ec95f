-- The devices 'guarded' and 'late' (tests/device/guarded.c), built and made known to this process's context.
local handle = require('metann.binding').handle
local scratch = require 'tests.support.scratch'
local ffi, C, ctx = handle.ffi, handle.C, handle.ctx

local folder = scratch.folder()
local library = folder .. '/guarded.so'
local compile = 'LD_PRELOAD= cc -shared -fPIC -O1 -g -std=gnu11 -Wall -Wextra -Icore -Icore/include'
local status, said = scratch.run(('%s -o %s tests/device/guarded.c'):format(compile, library))
assert(status == 0, said)
ffi.cdef 'const mn_backend *guarded_backend(mn_device *on, int (*by)(int op, mn_call *call), int late);'
local guarded = ffi.load(library)
scratch.remove(folder)
for late = 0, 1 do
  assert(C.mn_backend_add(ctx, guarded.guarded_backend(C.mn_context_device(ctx, 0), C.mn_execute, late)) == 0)
end

return { library = guarded } -- which stays loaded as long as this is
