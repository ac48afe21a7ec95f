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
-- A mode is a table with methods: save, where it has one, notes what is there before (and changes nothing), enter changes
-- it, leave puts back what was there; leave may be called twice. In a coroutine, fn runs in one of its own, so that when it
-- yields the mode is left before the host goes on, and entered again when the host resumes.
--
-- An error may come between any two instructions (Ctrl-C at LuaJIT's prompt, a debug hook that raises). So all of it
-- runs in a protected call, and what is still to be done after that is done then. Only a second such error within the
-- few instructions after a first one can leave a mode on.

local function in_coroutine()
  local co, is_main = running()
  return co ~= nil and not is_main
end

local function enter(mode)
  if mode.save then mode:save() end
  mode.entered = true
  mode:enter()
end

local function leave(mode)
  if not mode.entered then return end
  mode:leave()
  mode.entered = false
end

--- The end of a mode: puts back what is not yet, and lets the mode finish.
local function finish(mode, ok, ...)
  leave(mode)
  if not ok then C.mn_error_clear(ctx) end -- the error may have come before a failed call's message was read
  if mode.finish and not mode.finished then mode:finish(ok, ...) end
end

local function left(mode, ...)
  finish(mode, true, ...)
  return ...
end

local function inside(mode, fn, ...)
  enter(mode)
  return left(mode, fn(...))
end

--- Behind the protected call: there is something left to do only after an error.
local function settle(mode, ok, ...)
  if ok then return ... end
  if not pcall(finish, mode, false) then finish(mode, false) end
  error((select(1, ...)), 0)
end

local continue

-- One resumption of fn's coroutine, in a protected call.

local function resumed(mode, co, ok, ...)
  leave(mode)
  if not ok or status(co) ~= 'suspended' then finish(mode, ok, ...) end
  return ok, ...
end

local function turn(mode, co, ...)
  enter(mode)
  errors.resuming(co)
  return resumed(mode, co, resume(co, ...))
end

local function after(mode, co, whole, ok, ...)
  if not whole then return settle(mode, false, ok) end
  if ok and status(co) == 'suspended' then return continue(mode, co, yield(...)) end
  return settle(mode, ok, ...)
end

function continue(mode, co, ...) return after(mode, co, pcall(turn, mode, co, ...)) end

--- Calls fn(...) in a mode and returns what it returns.
function scope.with(mode, fn, ...)
  if in_coroutine() then return continue(mode, create(fn), ...) end
  return settle(mode, pcall(inside, mode, fn, ...))
end

local GradMode = {}
GradMode.__index = GradMode
function GradMode:save() self.outer = C.mn_grad_enabled(ctx) end
function GradMode:enter() C.mn_set_grad_enabled(ctx, self.enabled) end
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
local counter_type = ffi.typeof('mn_counter')

function Scope:save() self.outer = handle.open_scope() end
function Scope:enter() handle.set_scope(self) end
function Scope:leave() handle.set_scope(self.outer) end

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
-- An error may end it early: then it is called again, so an entry is cleared after its handle has been dealt with.
local function release(list, count, mark, outer)
  for i = 1, count do
    local h = list[i]
    if h then
      local state = h.mark
      if state == IN_SCOPE then
        handle.free(h)
        h.mark = mark
      elseif state == MOVED then
        if outer then
          outer.list[C.mn_count(outer.counter)] = h
          h.mark = IN_SCOPE
        else
          handle.own(h)
        end
      end
      list[i] = false
    end
  end
end

function Scope:finish(ok, ...)
  local n = select('#', ...)
  if ok and n > 0 and self.counter.n > 0 then
    local seen = {}
    for i = 1, n do move_results((select(i, ...)), seen) end
  end
  if self.counter.n > 0 then release(self.list, self.counter.n, handle.mark_of(self.place), self.outer) end
  if self.counter.n > LARGEST_POOLED then self.list = {} end
  self.counter.n = 0
  if self.state then self.state.done = true end
  self.finished, self.busy = true, false
end

--- A coroutine may be dropped in the middle of a scope: then its guard releases what the scope holds.
local function guard(list)
  local state = { done = false }
  local object = ffi.gc(ffi.new('char[1]'), function()
    if state.done then return end
    for i = 1, table.maxn(list) do
      local h = list[i]
      if h and (h.mark == IN_SCOPE or h.mark == MOVED) then handle.free(h) end
    end
  end)
  return object, state
end

local function new_scope() return setmetatable({ list = {}, counter = counter_type() }, Scope) end

-- Outside of coroutines a scope is used again by the next one inside the same one. One that is in use, or that an error
-- left unfinished, is replaced; a finalizer that opens scopes between two of these lines is through with them here.
local outermost = {}

local function next_scope()
  local around = handle.open_scope() or outermost
  local self = around.inner
  if not self or self.busy then
    self = new_scope()
    around.inner = self
  end
  self.busy = true -- before the rest, which another use in between would change
  self.finished, self.entered = false, false
  return self
end

local function open(place, fn, ...)
  local self
  if in_coroutine() then
    self = new_scope()
    self.guard, self.state = guard(self.list)
  else
    self = next_scope()
  end
  self.place = place
  return scope.with(self, fn, ...)
end

--- Calls fn(...); then releases every handle made inside, except those in the results and those kept.
function scope.run(fn, ...)
  fn = callable(fn, 'scope')
  return open(errors.where_called(), fn, ...) -- asked here, where the caller is near
end

--- The same for functions of the library's own that show nobody what they make: it need not be known where that was.
function scope.run_unseen(fn, ...) return open('?', fn, ...) end

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
