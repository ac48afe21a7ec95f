--- Running the core's backward walk to its end. Internal.
-- A walk that runs out of memory is run again after a collection; one that needs Lua is answered, in the grad mode that
-- derivatives have in it, and run again.
local binding = require 'metann.binding'
local handle, scope, derivatives = binding.handle, binding.scope, binding.derivatives
local ffi, C, ctx = handle.ffi, handle.C, handle.ctx

local walk = {}

local DONE, NEED_MEMORY, NEED_LUA =
  tonumber(C.MN_WALK_DONE), tonumber(C.MN_WALK_NEED_MEMORY), tonumber(C.MN_WALK_NEED_LUA)
walk.CREATE_GRAPH, walk.RETAIN_GRAPH = tonumber(C.MN_WALK_CREATE_GRAPH), tonumber(C.MN_WALK_RETAIN_GRAPH)
walk.ACCUMULATE, walk.PARTIAL = tonumber(C.MN_WALK_ACCUMULATE), tonumber(C.MN_WALK_PARTIAL)

--- A walk over raw pointers (see mn_walk_new); hold: handles to blame for a failure; since: 0, or a node's number from
-- which on nodes are visited.
function walk.new(n, outputs, cotangents, m, inputs, flags, hold, since)
  local w = C.mn_walk_new(ctx, n, outputs, cotangents, m, inputs, flags, since)
  if w == nil then
    if handle.again() then w = C.mn_walk_new(ctx, n, outputs, cotangents, m, inputs, flags, since) end
    if w == nil then handle.fail_list(hold) end
  end
  return w
end

--- Lua's turn. On an error the walk is freed at once.
local function answer(w, create_graph)
  ffi.gc(w, C.mn_walk_free) -- a coroutine may be dropped while it waits in there
  local ok, message = pcall(scope.with_grad, create_graph, 'backward', derivatives.answer, w)
  ffi.gc(w, nil)
  if ok then return end
  C.mn_walk_free(w)
  error(message, 0)
end

local function continue(w, state, create_graph)
  local last
  while true do
    if state == NEED_LUA then
      answer(w, create_graph)
    elseif state == NEED_MEMORY then
      -- a node that asks twice without anything having been freed will not get it
      local live = handle.stats.live_bytes
      if last and live >= last then return state end
      last = live
      handle.collect()
      C.mn_empty_cache(ctx)
      C.mn_error_clear(ctx)
    else
      return state
    end
    state = C.mn_walk_run(w)
  end
end

--- Runs a walk to its end; frees it and raises on failure. hold keeps handles alive meanwhile.
function walk.run(w, hold, create_graph)
  local state = C.mn_walk_run(w)
  if state == DONE then return end
  if continue(w, state, create_graph) == DONE then return end
  C.mn_walk_free(w)
  handle.fail_list(hold)
end

return walk
