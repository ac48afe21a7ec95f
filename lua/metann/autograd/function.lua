--- metann.autograd.Function: an operation whose derivative is written in Lua.
-- The forward runs without gradients; its results get a node of the core's whose derivative a walk asks Lua for
-- (binding/derivatives.lua). What the backward computes is made of ordinary operations, so it is differentiable itself.
local pairs = require('metann.binding.traversal').pairs
local binding = require 'metann.binding'
local handle, errors, scope, derivatives = binding.handle, binding.errors, binding.scope, binding.derivatives
local C, ctx, is_tensor = handle.C, handle.ctx, handle.is_tensor
local devices = require 'metann.binding.devices'
local raw = binding.stub.ops
local raise, describe = errors.raise, errors.describe

-- ---- what forward and backward get as their first argument ----
-- Its fields are free for anything but tensors: a tensor in here would keep the graph, and so this table, for ever.

local methods = {}
local states = setmetatable({}, { __mode = 'k' }) -- context -> what belongs to the machinery
-- state -> the walk that waits for its backward. Weak: a coroutine may be dropped in there, and the walk holds the node
-- that holds the state.
local walks = setmetatable({}, { __mode = 'kv' })

--- Keeps tensors (inputs, outputs, or made in the forward) for the backward. In forward, once.
function methods:save_for_backward(...)
  local state = states[self]
  if not state.open then raise('%s: save_for_backward belongs in forward', state.name) end
  local list = { ... }
  for i = 1, select('#', ...) do
    if not is_tensor(list[i]) then
      raise('%s: save_for_backward: argument %d must be a tensor, got %s', state.name, i, describe(list[i]))
    end
  end
  state.saved = list
end

--- The tensors that were saved, each with its history where the walk records one. In backward.
function methods:saved_tensors()
  local state = states[self]
  local walk = walks[state]
  if not walk then raise('%s: saved_tensors belongs in backward', state.name) end
  local list = {}
  for i = 1, state.n_saved do list[i] = derivatives.saved(walk, i) end
  return unpack(list, 1, state.n_saved)
end

--- Results that have no derivative. In forward.
function methods:mark_non_differentiable(...)
  local state = states[self]
  if not state.open then raise('%s: mark_non_differentiable belongs in forward', state.name) end
  for i = 1, select('#', ...) do
    local t = select(i, ...)
    if not is_tensor(t) then
      raise('%s: mark_non_differentiable: argument %d must be a tensor, got %s', state.name, i, describe(t))
    end
    state.constant[t:id()] = true
  end
end

--- false: backward gets nil, not zeros, for a result whose gradient is zero. In forward.
function methods:set_materialize_grads(b) states[self].zeros = b and true or false end

local metatable = { __index = methods }
function metatable.__newindex(self, key, value)
  if is_tensor(value) then
    raise("%s: keep tensors by save_for_backward, not in a field ('%s')", states[self].name, tostring(key))
  end
  rawset(self, key, value)
end

-- ---- forward ----

--- The tensors among the arguments: list, positions, and which arguments need gradients.
local function inputs_of(arguments, n)
  local list, positions, needs, any = {}, {}, {}, false
  for i = 1, n do
    local t = arguments[i]
    needs[i] = is_tensor(t) and t.requires_grad
    if is_tensor(t) then
      list[#list + 1], positions[#positions + 1] = t, i
      any = any or needs[i]
    end
  end
  return list, positions, needs, any
end

local function versions_of(list)
  local versions = {}
  for i, t in ipairs(list) do versions[i] = t:version() end
  return versions
end

local function check_versions(name, list, positions, versions)
  for i, t in ipairs(list) do
    if t:version() ~= versions[i] then
      raise('%s: forward changed argument %d in place; work on a clone() of it', name, positions[i])
    end
  end
end

--- Results with a node where they are differentiable.
local function attach(state, entry, list, results, n)
  local inputs, outputs, any = derivatives.pointers(#list + 1), {}, false
  for i, t in ipairs(list) do inputs[i - 1] = t.p end
  for k = 1, n do
    local y = results[k]
    outputs[k] = is_tensor(y) and y:is_floating_point() and not state.constant[y:id()] and y
    any = any or outputs[k]
    if is_tensor(y) and not outputs[k] and y.requires_grad then results[k] = raw.detach(y) end
  end
  if not any then return end
  local attached = derivatives.attach(entry, state.name, #list, inputs, outputs, n, state.saved)
  for k = 1, n do results[k] = attached[k] or results[k] end
end

-- ---- backward ----

local Entry = {}
Entry.__index = Entry

local function cotangents(self, walk, request)
  local list, versions = {}, {}
  for k = 1, request.n_out do
    local g = derivatives.cotangent(walk, k)
    local want = derivatives.array(walk, request.n_in + k - 1)
    if g then
      versions[k] = g:version()
    elseif self.state.zeros and self.differentiable[k] then
      local size = {}
      for d = 1, want.ndim do size[d] = tonumber(want.size[d - 1]) end
      g = raw.full(size, 0, handle.dtype_names[want.dtype], devices.name(want.device))
    end
    list[k] = g
  end
  return list, versions
end

local function give(self, walk, n, ...)
  local name, of_argument = self.state.name, {}
  for i, position in ipairs(self.positions) do
    of_argument[position] = i
    if position > n and C.mn_walk_needs(walk, i - 1) ~= 0 then
      raise('%s: backward must return a gradient (or nil) for each of the %d arguments, got %d', name, self.n, n)
    end
  end
  for position = 1, n do
    local g, i = select(position, ...), of_argument[position]
    if g ~= nil and g ~= false then
      local what = ('%s: gradient %d of backward'):format(name, position)
      if position > self.n then
        raise('%s: backward returned %d gradients for %d arguments', name, n, self.n)
      end
      if not i then raise('%s must be nil, as argument %d is not a tensor', what, position) end
      derivatives.check(g, derivatives.array(walk, i - 1), what)
      if C.mn_walk_needs(walk, i - 1) ~= 0 then C.mn_walk_give(walk, i - 1, g.p) end
    end
  end
end

local function finish(self, walk, given, versions, outer, ok, ...)
  walks[self.state] = outer
  if not ok then error((select(1, ...)), 0) end
  for k in pairs(versions) do
    if given[k]:version() ~= versions[k] then
      raise('%s: backward changed the gradient of result %d in place; work on a clone() of it', self.state.name, k)
    end
  end
  return give(self, walk, select('#', ...), ...)
end

function Entry:answer(walk, request)
  local context, state = self.context, self.state
  local outer = walks[state]
  walks[state], state.n_saved = walk, request.n_saved
  local needs = {}
  for i = 1, self.n do needs[i] = false end
  for i, position in ipairs(self.positions) do needs[position] = C.mn_walk_needs(walk, i - 1) ~= 0 end
  rawset(context, 'needs_input_grad', needs)
  local given, versions = cotangents(self, walk, request)
  return finish(self, walk, given, versions, outer,
    pcall(devices.during, derivatives.array(walk, 0).device, self.backward, context, unpack(given, 1, request.n_out)))
end

-- ---- the public face ----

local function call(self, ...)
  local n, arguments = select('#', ...), { ... }
  local list, positions, needs, any = inputs_of(arguments, n)
  local context = setmetatable({ needs_input_grad = needs }, metatable)
  local state = { name = self.name, open = true, saved = {}, constant = {}, zeros = true }
  states[context] = state
  local versions = versions_of(list)
  local function pack(...) return select('#', ...), { ... } end
  local n_out, results = pack(scope.with_grad(false, self.name, self.forward, context, ...))
  state.open = false
  check_versions(self.name, list, positions, versions)
  if any and C.mn_grad_enabled(ctx) ~= 0 then
    local entry = setmetatable({ backward = self.backward, context = context, state = state, positions = positions,
      n = n, differentiable = {} }, Entry)
    attach(state, entry, list, results, n_out)
    for k = 1, n_out do entry.differentiable[k] = is_tensor(results[k]) and results[k].requires_grad end
  end
  state.saved, state.constant = nil, nil
  return unpack(results, 1, n_out)
end

local OPTIONS = { 'forward', 'backward', 'name' }
local Function = { __call = call }
Function.__index = Function
function Function:__tostring() return ('Function(%s)'):format(self.name) end

--- Makes an operation out of a forward and a backward; call what is returned, or its apply.
-- forward(context, ...) computes without gradients; what it returns are the results. backward(context, ...) gets the
-- gradient of each result and returns that of each argument of forward, nil for none. context:save_for_backward(...)
-- keeps tensors, context:saved_tensors() returns them; context.needs_input_grad says which arguments need gradients;
-- other fields of context are free for anything but tensors; context:mark_non_differentiable(...) and
-- context:set_materialize_grads(false) are PyTorch's.
-- Errors name the function: a wrong number, size or dtype of gradients, an argument or a gradient changed in place.
-- @param spec a table {forward=, backward=, name='Function'}
return function(spec)
  if type(spec) ~= 'table' then raise('Function: expected a table {forward=, backward=}, got %s', describe(spec)) end
  errors.check_options('Function', spec, OPTIONS)
  for _, name in ipairs{ 'forward', 'backward' } do
    if not scope.is_callable(spec[name]) then
      raise("Function: '%s' must be a function, got %s", name, describe(spec[name]))
    end
  end
  local name = spec.name or 'Function'
  if type(name) ~= 'string' then raise("Function: 'name' must be a string, got %s", describe(name)) end
  local self = setmetatable({ forward = spec.forward, backward = spec.backward, name = name }, Function)
  function self.apply(first, ...) -- called by '.' as in PyTorch, or by ':'
    if rawequal(first, self) then return call(self, ...) end
    return call(self, first, ...)
  end
  return self
end
