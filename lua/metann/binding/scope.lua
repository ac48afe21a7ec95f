--- Modes that hold while a function runs, and scopes, which release what was made inside.
-- Owns how a mode is put back on return, error and yield, and the lists of handles of open scopes.
local next = require('metann.binding.traversal').next
local ffi = require 'ffi'
local handle = require 'metann.binding.handle'
local errors = require 'metann.binding.errors'
local C, ctx = handle.C, handle.ctx
local is_tensor = handle.is_tensor
local create, resume, status, yield, running =
  coroutine.create, coroutine.resume, coroutine.status, coroutine.yield, coroutine.running

local scope = {}

-- ---- modes ----
-- A mode is {enter = f(mode), leave = f(mode)}. In a coroutine, fn runs in one of its own, so that when it yields the
-- mode is left before the host goes on, and entered again when the host resumes.

local function in_coroutine()
  local co, is_main = running()
  return co ~= nil and not is_main
end

local function finish(mode, ok, ...)
  mode:leave()
  if mode.finish then mode:finish(ok, ...) end
  if not ok then error((...), 0) end
  return ...
end

local continue

local function step(mode, co, ok, ...)
  if ok and status(co) == 'suspended' then
    mode:leave()
    return continue(mode, co, yield(...))
  end
  return finish(mode, ok, ...)
end

function continue(mode, co, ...)
  mode:enter()
  errors.resuming(co)
  return step(mode, co, resume(co, ...))
end

--- Calls fn(...) in a mode and returns what it returns.
function scope.with(mode, fn, ...)
  if in_coroutine() then return continue(mode, create(fn), ...) end
  mode:enter()
  return finish(mode, pcall(fn, ...))
end

local GradMode = {}
GradMode.__index = GradMode
function GradMode:enter()
  self.outer = C.mn_grad_enabled(ctx)
  C.mn_set_grad_enabled(ctx, self.enabled)
end
function GradMode:leave() C.mn_set_grad_enabled(ctx, self.outer) end

-- Apart, as a function that makes closures is not compiled.
local function function_of(object)
  return function(...) return object(...) end
end

scope.is_callable = require 'metann.binding.callable'

local function callable(fn, what)
  if type(fn) == 'function' then return fn end
  if scope.is_callable(fn) then return function_of(fn) end
  return errors.raise('%s: expected a function, got %s', what, errors.describe(fn))
end

scope.callable = callable

--- Calls fn(...) with recording on or off.
function scope.with_grad(enabled, what, fn, ...)
  return scope.with(setmetatable({ enabled = enabled and 1 or 0 }, GradMode), callable(fn, what), ...)
end

-- ---- scopes ----
local IN_SCOPE, MOVED = handle.IN_SCOPE, handle.MOVED

local Scope = {}
Scope.__index = Scope
local LARGEST_POOLED = 65536
local pool, pooled = {}, 0

function Scope:enter() self.outer, self.outer_count = handle.set_scope(self.list, self.count) end

function Scope:leave()
  local _
  _, self.count = handle.set_scope(self.outer, self.outer_count)
end

--- Marks every tensor in value, or in the tables below it, to be moved to the outer scope.
local function move_results(value, seen)
  if is_tensor(value) then
    if value.mark == IN_SCOPE then value.mark = MOVED end
  elseif type(value) == 'table' and not seen[value] then
    seen[value] = true
    for k, v in next, value do
      move_results(k, seen)
      move_results(v, seen)
    end
  end
end

--- Releases the list's handles but those that are kept; the moved ones go to the scope around, or to the collector.
local function release(list, count, mark, outer, outer_count)
  for i = 1, count do
    local h = list[i]
    list[i] = false
    local state = h.mark
    if state == IN_SCOPE then
      handle.free(h)
      h.mark = mark
    elseif state == MOVED then
      if outer then
        h.mark = IN_SCOPE
        outer_count = outer_count + 1
        outer[outer_count] = h
      else
        handle.own(h)
      end
    end
  end
  return outer_count
end

function Scope:finish(ok, ...)
  if self.count == 0 and select('#', ...) == 0 then return end
  if ok then
    local seen = {}
    for i = 1, select('#', ...) do move_results((select(i, ...)), seen) end
  end
  local list, count = self.list, self.count
  self.guard, self.count = nil, 0
  local outer_count = release(list, count, handle.mark_of(errors.where()), self.outer, self.outer_count)
  handle.set_scope(self.outer, outer_count)
  if self.state then self.state.done = true end
  if count <= LARGEST_POOLED then
    pooled = pooled + 1
    pool[pooled] = list
  end
end

--- A coroutine may be dropped in the middle of a scope: then its guard releases what the scope holds.
local function guard(list)
  local state = { done = false }
  local object = ffi.gc(ffi.new('char[1]'), function()
    if state.done then return end
    for i = 1, #list do
      local h = list[i]
      if h and (h.mark == IN_SCOPE or h.mark == MOVED) then handle.free(h) end
    end
  end)
  return object, state
end

--- Calls fn(...); then releases every handle made inside, except those in the results and those kept.
function scope.run(fn, ...)
  fn = callable(fn, 'scope')
  local list = {}
  if pooled > 0 then
    list = pool[pooled]
    pool[pooled] = nil
    pooled = pooled - 1
  end
  local self = setmetatable({ list = list, count = 0 }, Scope)
  if in_coroutine() then self.guard, self.state = guard(list) end
  return scope.with(self, fn, ...)
end

--- The hook for whatever files a tensor for good (a module's field, an optimizer's state, .grad): no scope releases it.
function scope.keep(h)
  if is_tensor(h) and (h.mark == IN_SCOPE or h.mark == MOVED) then handle.own(h) end
  return h
end

--- metann.keep: the innermost scope hands h to the one around it.
function scope.move(h)
  if not is_tensor(h) then errors.raise('keep: expected a tensor, got %s', errors.describe(h)) end
  if h.mark == IN_SCOPE then h.mark = MOVED end
  return h
end

return scope
