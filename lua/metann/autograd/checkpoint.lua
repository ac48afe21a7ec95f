--- metann.checkpoint: memory for time. A function's graph is dropped after the forward and made again in the backward.
-- The results get one node whose inputs are whatever the graph depended on: not the arguments alone, but also tensors
-- that the function captured, found by walking the graph before it is dropped. Its derivative runs the function again
-- and walks the new graph down to those same inputs, taking each as independent (MN_WALK_PARTIAL), so that the walk
-- around goes on from there. With create_graph the new graph stays, connected to the inputs, so any order is right.
-- After Chen, Xu, Zhang, Guestrin, "Training Deep Nets with Sublinear Memory Cost", 2016.
local binding = require 'metann.binding'
local tree = require 'metann.autograd.tree'
local walk = require 'metann.autograd.walk'
local handle, errors, scope, derivatives = binding.handle, binding.errors, binding.scope, binding.derivatives
local ffi, C, ctx = handle.ffi, handle.C, handle.ctx
local raise = errors.raise

local function pack(...) return { n = select('#', ...), ... } end

-- ---- random numbers as they were ----

local Random = {}
Random.__index = Random

local state = ffi.new('double[2]')

local function random_now()
  C.mn_rng_get(ctx, state, state + 1)
  return { seed = state[0], offset = state[1] }
end

function Random:enter()
  self.outer = random_now()
  C.mn_rng_set(ctx, self.own.seed, self.own.offset)
end

function Random:leave()
  self.own = random_now()
  C.mn_rng_set(ctx, self.outer.seed, self.outer.offset)
end

-- ---- backward ----

local function needs_grad(t) return t.requires_grad end

local Entry = {}
Entry.__index = Entry

--- Runs the function again, on what it had and with the random numbers that it had. Returns the outputs of the graph.
function Entry:again(w)
  local list = {}
  for i = 1, self.n_saved do list[i] = derivatives.saved(w, i) end -- leaves are read to see that they are as they were
  local arguments = tree.fill(self.arguments, list)
  local mode = setmetatable({ own = self.random }, Random)
  local outputs = tree.tensors(pack(scope.with(mode, self.fn, unpack(arguments, 1, arguments.n))), needs_grad)
  if #outputs ~= self.n_outputs then
    raise('checkpoint: run again, the function gave %d results that require grad instead of %d', #outputs,
      self.n_outputs)
  end
  return outputs
end

local function check_size(w, n_in, k, t)
  local want, got = derivatives.array(w, n_in + k - 1), handle.array(t)
  local same = want.ndim == got.ndim
  for d = 0, want.ndim - 1 do same = same and want.size[d] == got.size[d] end
  if not same then raise('checkpoint: run again, the function gave result %d another size', k) end
end

--- What is differentiated: outputs that have a cotangent, and those; inputs whose gradient is wanted.
local function ends(w, request, outputs)
  local n, m, out, cot = 0, 0, derivatives.pointers(#outputs + 1), derivatives.pointers(#outputs + 1)
  local into, of, hold = derivatives.pointers(request.n_in + 1), {}, {}
  for k, y in ipairs(outputs) do
    check_size(w, request.n_in, k, y)
    local g = derivatives.cotangent(w, k)
    if g then
      out[n], cot[n], n = y.p, g.p, n + 1
      hold[#hold + 1] = g
    end
  end
  for i = 0, request.n_in - 1 do
    if C.mn_walk_needs(w, i) ~= 0 then
      local stand_in = handle.call(C.mn_walk_input, w, i)
      hold[#hold + 1] = stand_in
      into[m], of[m], m = stand_in.p, i, m + 1
    end
  end
  return n, out, cot, m, into, of, hold
end

local function answer(self, w, request, create_graph)
  local node, tensor = derivatives.now()
  local outputs = self:again(w)
  if derivatives.frontier(outputs, node, tensor).n ~= request.n_in then
    raise('checkpoint: run again, the function depended on other tensors')
  end
  local n, out, cot, m, into, of, hold = ends(w, request, outputs)
  local flags = walk.PARTIAL + (create_graph and walk.CREATE_GRAPH or 0)
  local inner = walk.new(n, out, cot, m, into, flags, outputs)
  walk.run(inner, hold, create_graph)
  for i = 0, m - 1 do
    local g = C.mn_walk_result(inner, i)
    C.mn_walk_give(w, of[i], g)
    C.mn_tensor_release(g)
  end
  C.mn_walk_free(inner)
end

function Entry:answer(w, request)
  local create_graph = C.mn_grad_enabled(ctx) ~= 0
  scope.run(scope.with_grad, true, 'checkpoint', answer, self, w, request, create_graph)
end

-- ---- forward ----

--- Calls fn; gives the results nodes, and keeps what is needed to run fn again.
local function forward(fn, ...)
  local random = random_now()
  local node, tensor = derivatives.now()
  local arguments, results = pack(...), pack(fn(...))
  local outputs = tree.tensors(results, needs_grad)
  local found = derivatives.frontier(outputs, node, tensor)
  if found.n == 0 then return unpack(results, 1, results.n) end
  local saved = tree.tensors(arguments)
  for i = 0, found.n - 1 do -- leaves too, so that writing to one in the meantime is an error
    local t = found.tensors[i]
    if C.mn_tensor_is_leaf(t) ~= 0 then
      C.mn_tensor_retain(t)
      saved[#saved + 1] = handle.wrap(t)
    end
  end
  local entry = setmetatable({ fn = fn, random = random, arguments = tree.shape(arguments),
    n_outputs = #outputs, n_saved = #saved }, Entry)
  local attached = derivatives.attach(entry, 'checkpoint', found.n, found.tensors, outputs, #outputs, saved)
  return unpack(tree.with(results, attached, needs_grad), 1, results.n)
end

--- Calls fn(...) without keeping what its derivative needs: fn runs again in the backward.
-- Saves memory where a graph consists of several such parts: only one part's graph is there at a time. Gradients reach
-- the arguments (tensors, also in plain tables) and whatever else fn used, parameters too; they can be differentiated
-- again. Random numbers (dropout) are the same in both runs. What fn makes is released at its end, as in metann.scope;
-- its side effects happen twice. Without gradients it is a plain call.
-- Errors: an argument or a leaf that fn used was changed in place before the backward; fn gave other results when run
-- again.
-- @param fn any function of its arguments
-- @return what fn returns
return function(fn, ...)
  fn = scope.callable(fn, 'checkpoint')
  if C.mn_grad_enabled(ctx) == 0 then return fn(...) end
  return scope.run(forward, fn, ...)
end
