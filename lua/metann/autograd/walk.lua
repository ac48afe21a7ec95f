--- Running the core's backward walk to its end. Internal.
-- A walk that runs out of memory is run again after a collection; one that needs Lua is answered, in the grad mode that
-- derivatives have in it, and run again.
local binding = require 'metann.binding'
local handle, scope, derivatives = binding.handle, binding.scope, binding.derivatives
local ffi, C, ctx, NONE, fresh = handle.ffi, handle.C, handle.ctx, handle.NONE, handle.fresh

local walk = {}

local DONE, NEED_MEMORY, NEED_LUA =
  tonumber(C.MN_WALK_DONE), tonumber(C.MN_WALK_NEED_MEMORY), tonumber(C.MN_WALK_NEED_LUA)
walk.CREATE_GRAPH, walk.RETAIN_GRAPH = tonumber(C.MN_WALK_CREATE_GRAPH), tonumber(C.MN_WALK_RETAIN_GRAPH)
walk.ACCUMULATE, walk.PARTIAL = tonumber(C.MN_WALK_ACCUMULATE), tonumber(C.MN_WALK_PARTIAL)

local RESULT = tonumber(C.MN_WALK_RESULT)
local box_type = ffi.typeof('mn_walk_box')

-- Walks are held in boxes, which free what they hold when they die: a walk may be cut off by an error between any two
-- instructions, and a coroutine be dropped while it waits for a derivative in Lua. A box lies here while nobody uses it,
-- as making one with a finalizer costs more than a small walk's share.
local spare

local function take()
  local box = spare
  spare = nil
  return box or ffi.gc(box_type(), C.mn_walk_close)
end

--- A walk over raw pointers (see mn_walk_new), in a box; hold: handles to blame for a failure; since: 0, or a node's
-- number from which on nodes are visited.
function walk.new(n, outputs, cotangents, m, inputs, flags, hold, since)
  local box = take()
  if C.mn_walk_open(box, ctx, n, outputs, cotangents, m, inputs, flags, since) ~= 0 and (not handle.again()
      or C.mn_walk_open(box, ctx, n, outputs, cotangents, m, inputs, flags, since) ~= 0) then
    handle.fail_list(hold)
  end
  return box
end

--- Frees the walk at once; the box may be used again.
function walk.free(box)
  C.mn_walk_close(box)
  spare = box
end

--- Lua's turn. On an error the walk is freed at once.
local function answer(box, create_graph)
  local ok, message = pcall(scope.with_grad, create_graph, 'backward', derivatives.answer, box.walk)
  if ok then return end
  walk.free(box)
  error(message, 0)
end

local function continue(box, state, create_graph)
  local last
  while true do
    if state == NEED_LUA then
      answer(box, create_graph)
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
    state = C.mn_walk_run(box.walk)
  end
end

--- Runs a walk to its end; frees it and raises on failure. hold keeps handles alive meanwhile.
function walk.run(box, hold, create_graph)
  local state = C.mn_walk_run(box.walk)
  if state == DONE then return end
  if continue(box, state, create_graph) == DONE then return end
  walk.free(box)
  handle.fail_list(hold)
end

--- The gradient of input i (from 0) of a walk that is done: a handle, or false where it can't be reached.
function walk.result(box, i)
  local h = fresh()
  if C.mn_walk_take(ctx, box.walk, RESULT, i, h) ~= 0 then
    walk.free(box)
    handle.fail()
  end
  return h.p ~= NONE and h
end

return walk
