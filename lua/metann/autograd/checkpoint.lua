--- metann.checkpoint: memory for time. A function's graph is dropped after the forward and made again in the backward.
-- The results get one node whose inputs are whatever the graph depended on: not the arguments alone, but also tensors
-- that the function captured, found by walking the graph before it is dropped. Its derivative runs the function again
-- and walks the new graph down to those same inputs, taking each as independent (MN_WALK_PARTIAL), so that the walk
-- around goes on from there. With create_graph the new graph stays, connected to the inputs, so any order is right.
-- The second run must see what the first one saw. Slots of views, which learners and `substitute` fill anew, hold the
-- first run's tensors for as long (reads.lua); of anything else it is checked: the second run must depend on the same
-- tensors, one by one, and give the same values.
-- After Chen, Xu, Zhang, Guestrin, "Training Deep Nets with Sublinear Memory Cost", 2016.
local binding = require 'metann.binding'
local reads = require 'metann.autograd.reads'
local tree = require 'metann.autograd.tree'
local walk = require 'metann.autograd.walk'
local handle, errors, scope, derivatives = binding.handle, binding.errors, binding.scope, binding.derivatives
local ffi, C, ctx, NONE, is_tensor = handle.ffi, handle.C, handle.ctx, handle.NONE, handle.is_tensor
local raw = binding.stub.ops
local raise = errors.raise

local function pack(...) return { n = select('#', ...), ... } end

--- What stands for a result's elements: of one on another device, they are brought to the host for it.
local function digest_of(y)
  local digest = C.mn_tensor_digest(y.p)
  if digest ~= digest and handle.again() then digest = C.mn_tensor_digest(y.p) end
  if digest ~= digest then handle.fail(y) end
  return digest
end

-- ---- random numbers as they were ----

local Random = {}
Random.__index = Random

local function random_now()
  local state = ffi.new('double[2]')
  C.mn_rng_get(ctx, state, state + 1)
  return { seed = state[0], offset = state[1] }
end

function Random:save() self.outer = random_now() end

function Random:enter() C.mn_rng_set(ctx, self.own.seed, self.own.offset) end

function Random:leave()
  self.own = random_now()
  C.mn_rng_set(ctx, self.outer.seed, self.outer.offset)
end

-- ---- what a node keeps of tensors ----

local Saved = {}
Saved.__index = Saved

--- The outputs of nodes that gradients leave the function for: a node's number -> set of outputs.
local function origins_of(found)
  local origins = {}
  for i = 0, found.n - 1 do
    local node = C.mn_tensor_node(found.tensors[i])
    if node > 0 then
      origins[node] = origins[node] or {}
      origins[node][C.mn_tensor_output(found.tensors[i])] = true
    end
  end
  return origins
end

local function saved_of(found)
  return setmetatable({ origins = origins_of(found), tensors = {}, cut = {}, known = {} }, Saved)
end

local function address(p) return tonumber(ffi.cast('uintptr_t', p)) end

--- Adds t and returns its place. The history of one that no result depends on is cut off: the node can't keep it.
function Saved:add(t)
  handle.array(t)
  local n, node = #self.tensors + 1, C.mn_tensor_node(t.p)
  local outputs = self.origins[node]
  if node > 0 and not (outputs and outputs[C.mn_tensor_output(t.p)]) then
    self.tensors[n], self.cut[n] = raw.detach(t), true
  else
    self.tensors[n], self.known[address(t.p)] = t, true
  end
  return n
end

--- Adds the leaves that gradients go to, so that writing to one in the meantime is an error.
function Saved:add_leaves(found)
  for i = 0, found.n - 1 do
    local t = found.tensors[i]
    if C.mn_tensor_is_leaf(t) ~= 0 and not self.known[address(t)] then
      local h = handle.fresh()
      C.mn_tensor_retain(t)
      C.mn_handle_fill(ctx, h, t)
      self:add(h)
    end
  end
end

-- ---- backward ----

local function needs_grad(t) return t.requires_grad end

local Entry = {}
Entry.__index = Entry

--- The tensors that the node kept; what was cut off its history requires grad for itself.
function Entry:saved(w)
  local list = {}
  for i = 1, self.n_saved do
    local t = derivatives.saved(w, i) -- all are read, to see that they are as they were
    list[i] = self.cut[i] and raw.detach(t):requires_grad_(true) or t
  end
  return list
end

--- Runs the function again, on what it had and with the random numbers that it had. Returns the outputs of the graph.
function Entry:again(w)
  local list, places = self:saved(w), {}
  for i, place in ipairs(self.places) do
    places[i] = { store = place.store, key = place.key, value = place.value }
    if place.saved then places[i].value = list[place.saved] end
  end
  local arguments = tree.fill(self.arguments, list)
  local random = setmetatable({ own = self.random }, Random)
  local outputs = tree.tensors(pack(scope.with(reads.replay(places), scope.with, random, self.fn,
    unpack(arguments, 1, arguments.n))), needs_grad)
  if #outputs ~= #self.digests then
    raise('checkpoint: run again, the function gave %d results that require grad instead of %d', #outputs,
      #self.digests)
  end
  return outputs
end

local function check_size(w, n_in, k, t)
  local want, got = derivatives.array(w, n_in + k - 1), handle.array(t)
  local same = want.ndim == got.ndim
  for d = 0, want.ndim - 1 do same = same and want.size[d] == got.size[d] end
  if not same then raise('checkpoint: run again, the function gave result %d another size', k) end
end

--- Raises unless the second run was the first one over again.
function Entry:check(w, request, outputs, found)
  local same = C.mn_walk_depends_on(w, found)
  if same < 0 then handle.fail_list(outputs) end
  if same == 0 then
    raise('checkpoint: run again, the function depended on other tensors: something that it used, such as a weight, '
      .. 'has been replaced since')
  end
  for k, y in ipairs(outputs) do
    check_size(w, request.n_in, k, y)
    if digest_of(y) ~= self.digests[k] then
      raise('checkpoint: run again, the function gave result %d other values: something that it used has changed '
        .. 'since', k)
    end
  end
end

--- What is differentiated: outputs that have a cotangent, and those; inputs whose gradient is wanted.
local function ends(w, request, outputs)
  local n, m, out, cot = 0, 0, derivatives.pointers(#outputs + 1), derivatives.pointers(#outputs + 1)
  local into, of, hold = derivatives.pointers(request.n_in + 1), {}, {}
  for k, y in ipairs(outputs) do
    local g = derivatives.cotangent(w, k)
    if g then
      out[n], cot[n], n = y.p, g.p, n + 1
      hold[#hold + 1] = g
    end
  end
  for i = 0, request.n_in - 1 do
    if C.mn_walk_needs(w, i) ~= 0 then
      local stand_in = derivatives.input(w, i)
      hold[#hold + 1] = stand_in
      into[m], of[m], m = stand_in.p, i, m + 1
    end
  end
  return n, out, cot, m, into, of, hold
end

local function answer(self, w, request, create_graph)
  local node, tensor = derivatives.now()
  local outputs = self:again(w)
  self:check(w, request, outputs, derivatives.frontier(outputs, node, tensor))
  local n, out, cot, m, into, of, hold = ends(w, request, outputs)
  local flags = walk.PARTIAL + (create_graph and walk.CREATE_GRAPH or 0)
  local inner = walk.new(n, out, cot, m, into, flags, outputs, node)
  walk.run(inner, hold, create_graph)
  for i = 0, m - 1 do
    local g = walk.result(inner, i)
    C.mn_walk_give(w, of[i], g and g.p or NONE)
  end
  walk.free(inner)
end

--- The function may hold tensors that were made of the results: it goes with the graph, not with the last of them.
function Entry:forget() self.fn, self.arguments, self.places = nil, nil, nil end

function Entry:answer(w, request)
  if not self.fn then
    raise('backward: the graph through checkpoint has been freed by an earlier backward; ask that one for retain_graph')
  end
  local create_graph = C.mn_grad_enabled(ctx) ~= 0
  scope.run(scope.with_grad, true, 'checkpoint', answer, self, w, request, create_graph)
  if C.mn_walk_retains(w) == 0 then self:forget() end
end

-- ---- forward ----

--- The places that were read, with numbers of saved tensors for tensors.
local function places_of(notes, saved)
  local places = {}
  for i, note in ipairs(notes) do
    places[i] = { store = note.store, key = note.key, value = note.value }
    if is_tensor(note.value) then places[i].value, places[i].saved = nil, saved:add(note.value) end
  end
  return places
end

--- Calls fn; gives the results nodes, and keeps what is needed to run fn again.
local function forward(fn, ...)
  local random, notes = random_now(), {}
  local node, tensor = derivatives.now()
  local arguments, results = pack(...), pack(scope.with(reads.watch(notes), fn, ...))
  local outputs = tree.tensors(results, needs_grad)
  local found = derivatives.frontier(outputs, node, tensor)
  if found.n == 0 then return unpack(results, 1, results.n) end
  local saved, digests = saved_of(found), {}
  for _, t in ipairs(tree.tensors(arguments)) do saved:add(t) end
  local places = places_of(notes, saved)
  saved:add_leaves(found)
  for k, y in ipairs(outputs) do digests[k] = digest_of(y) end
  local entry = setmetatable({ fn = fn, random = random, arguments = tree.shape(arguments), places = places,
    digests = digests, n_saved = #saved.tensors, cut = saved.cut }, Entry)
  local attached = derivatives.attach(entry, 'checkpoint', found.n, found.tensors, outputs, #outputs, saved.tensors)
  return unpack(tree.with(results, attached, needs_grad), 1, results.n)
end

--- Calls fn(...) without keeping what its derivative needs: fn runs again in the backward.
-- Saves memory where a graph consists of several such parts: only one part's graph is there at a time. Gradients reach
-- the arguments (tensors, also in plain tables) and whatever else fn used, parameters too; they can be differentiated
-- again. Random numbers (dropout) are the same in both runs, and so are the weights of views that fn reads, whatever a
-- learner or `substitute` has put there since. What fn makes is released at its end, as in metann.scope; its side
-- effects happen twice.
-- Without gradients it is a plain call.
-- Errors: an argument, a leaf or a view's weight that fn used was changed in place before the backward; run again, fn
-- depended on other tensors or gave other values, because something else that it used has been replaced or changed.
-- @param fn any function of its arguments
-- @return what fn returns
return function(fn, ...)
  fn = scope.callable(fn, 'checkpoint')
  if C.mn_grad_enabled(ctx) == 0 then return fn(...) end
  return scope.run(forward, fn, ...)
end
