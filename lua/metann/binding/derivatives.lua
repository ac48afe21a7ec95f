--- What the core's nodes need of Lua: derivatives written in Lua and hooks.
-- The core knows them by numbers (see core/engine/function.c). Here they stand in tables under those numbers until the
-- core says that the node, or the leaf, is dead. A walk that needs one pauses, and `answer` does what it asks for.
local pairs = require('metann.binding.traversal').pairs
local dtypes = require 'metann.binding.dtypes'
local handle = require 'metann.binding.handle'
local errors = require 'metann.binding.errors'
local ffi, C, ctx, NONE, stats = handle.ffi, handle.C, handle.ctx, handle.NONE, handle.stats
local array, fresh, is_tensor = handle.array, handle.fresh, handle.is_tensor
local raise, describe = errors.raise, errors.describe

local derivatives = {}

local pointers = ffi.typeof('mn_tensor *[?]')
derivatives.pointers = pointers
local handles = ffi.typeof('mn_handle *[?]')

-- number of a node -> {answer = function(self, walk, request)}; number of a node or leaf -> list of hooks
local functions, hooks = {}, {}

--- Drops what dead nodes and leaves needed.
function handle.forget_dead()
  while stats.dead_numbers > 0 do
    local number = C.mn_dead_number(ctx)
    functions[number], hooks[number] = nil, nil
  end
end

--- How many nodes and leaves have something here: for tests of leaks.
function derivatives.count()
  handle.forget_dead()
  local n = 0
  for _ in pairs(functions) do n = n + 1 end
  for _ in pairs(hooks) do n = n + 1 end
  return n
end

-- ---- sizes, for messages and checks ----

local function size_text(a)
  local sizes = {}
  for d = 1, a.ndim do sizes[d] = tostring(tonumber(a.size[d - 1])) end
  return '(' .. table.concat(sizes, ', ') .. ')'
end

--- Raises unless g may be the gradient of what `want` (an mn_array) describes.
function derivatives.check(g, want, what)
  if not is_tensor(g) then raise('%s must be a tensor or nil, got %s', what, describe(g)) end
  local a = array(g)
  local name = handle.dtype_names[a.dtype]
  if not dtypes.floats[name] then raise('%s must have a float dtype, got %s', what, name) end
  if not handle.same_size(a, want) then raise('%s must have size %s, got %s', what, size_text(want), size_text(a)) end
end

local array_type = ffi.typeof('mn_array')

--- The dtype and size of input i of the asked node (from 0; outputs follow the inputs).
function derivatives.array(walk, i)
  local a = array_type()
  C.mn_walk_array(walk, i, a)
  return a
end

-- ---- functions ----

--- Gives tensors a node whose derivative is entry:answer(walk, request).
-- @param name what messages and grad_fn call it
-- @param n_in, inputs how many inputs, and a cdata array of them
-- @param outputs list of tensors, n of them; false where one is not differentiable
-- @param saved list of tensors that the node keeps
-- @return list of tensors with the outputs' memory; false where outputs has false
function derivatives.attach(entry, name, n_in, inputs, outputs, n, saved)
  local out, attached, keep = pointers(n + 1), handles(n + 1), pointers(#saved + 1)
  local results = {}
  for k = 1, n do
    out[k - 1], results[k] = NONE, false
    if outputs[k] then
      out[k - 1], results[k] = outputs[k].p, fresh()
      attached[k - 1] = results[k]
    end
  end
  for i = 1, #saved do
    array(saved[i])
    keep[i - 1] = saved[i].p
  end
  local number = C.mn_function_make(ctx, name, n_in, inputs, n, out, #saved, keep, attached)
  if number == 0 and handle.again() then
    number = C.mn_function_make(ctx, name, n_in, inputs, n, out, #saved, keep, attached)
  end
  if number == 0 then handle.fail_list(saved) end
  functions[number] = entry
  return results
end

--- Makes a handle of a part of a walk (walk.lua has its results).
local function take(walk, part, i)
  local h = fresh()
  if C.mn_walk_take(ctx, walk, part, i, h) ~= 0 and (not handle.again() or C.mn_walk_take(ctx, walk, part, i, h) ~= 0) then
    handle.fail()
  end
  return h
end

--- Tensor i (from 1) that the asked node saved. With gradients on it has its history.
function derivatives.saved(walk, i) return take(walk, C.MN_WALK_SAVED, i - 1) end

--- A stand-in for input i (from 0) of the asked node.
function derivatives.input(walk, i) return take(walk, C.MN_WALK_INPUT, i) end

--- The cotangent of output k (from 1) of the asked node, or nil for zero.
function derivatives.cotangent(walk, k)
  local h = take(walk, C.MN_WALK_COTANGENT, k - 1)
  return h.p ~= NONE and h or nil
end

-- ---- hooks ----

local Removable = {}
Removable.__index = Removable

--- Takes the hook away.
function Removable:remove()
  local list = hooks[self.number]
  for i = list and #list or 0, 1, -1 do
    if list[i].handle == self then table.remove(list, i) end
  end
  if list and #list == 0 then hooks[self.number] = nil end
end

--- fn is called with the gradient of t whenever a walk has it complete.
function derivatives.hook(t, fn)
  array(t)
  local number = C.mn_tensor_hook(ctx, t.p)
  if number == 0 then handle.fail(t) end
  local list = hooks[number]
  if not list then
    list = {}
    hooks[number] = list
  end
  local removable = setmetatable({ number = number }, Removable)
  list[#list + 1] = { output = C.mn_tensor_output(t.p), fn = fn, handle = removable }
  return removable
end

local function run_hook(walk, hook, k)
  local g = derivatives.cotangent(walk, k + 1)
  if not g then return end
  local version = C.mn_tensor_version(g.p)
  local new = hook.fn(g)
  if C.mn_tensor_version(g.p) ~= version then
    raise('register_hook: a hook must not change its gradient in place; return another tensor')
  end
  if new == nil then return end
  derivatives.check(new, array(g), 'register_hook: what a hook returns')
  C.mn_walk_give(walk, k, new.p)
end

local function run_hooks(walk, request)
  local list = hooks[request.number]
  if not list then return end
  local leaf, now = request.kind == C.MN_ASK_LEAF_HOOKS, {}
  for i = 1, #list do now[i] = list[i] end -- a hook may remove itself
  for i = 1, #now do run_hook(walk, now[i], leaf and 0 or now[i].output) end
end

--- Does what a paused walk asks for.
function derivatives.answer(walk)
  local request = C.mn_walk_request(walk)
  if request.kind ~= C.MN_ASK_FUNCTION then return run_hooks(walk, request) end
  return functions[request.number]:answer(walk, request)
end

-- ---- what a computation depends on ----

local frontier = ffi.typeof('mn_frontier')

--- Two numbers that tell what is there now from what will be made.
function derivatives.now()
  local now = ffi.new('double[2]')
  C.mn_now(ctx, now, now + 1)
  return now[0], now[1]
end

--- What tensors depend on that needs gradients and was there before (by two numbers of `now`): cdata with fields
-- tensors and n, which frees itself.
function derivatives.frontier(tensors, node, tensor)
  local n = #tensors
  local list = pointers(n + 1)
  for i = 1, n do list[i - 1] = tensors[i].p end
  local found = ffi.gc(frontier(), C.mn_frontier_clear)
  if C.mn_frontier_find(ctx, found, n, list, node, tensor) ~= 0 then handle.fail_list(tensors) end
  return found
end

return derivatives
