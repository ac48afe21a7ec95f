--- metann.func: derivatives of functions, as functions.
-- The functions are Lua functions of tensors, or of plain tables of tensors, nested as you like; tables hold the answers
-- in the same shape, with false where something is no float tensor. Gradients flow on: into arguments that require grad
-- and into tensors that the function captured, so these transforms nest and mix with metann.grad and backward. What
-- depends on none of those comes back without a history.
local reader = require 'metann.arguments'
local binding = require 'metann.binding'
local autograd = require 'metann.autograd'
local forward = require 'metann.autograd.forward'
local tree = require 'metann.autograd.tree'
local ops = require 'metann.tensor.ops'
local handle, errors, scope, derivatives = binding.handle, binding.errors, binding.scope, binding.derivatives
local is_tensor, raw = handle.is_tensor, binding.stub.ops
local raise, describe = errors.raise, errors.describe

local func = {}

local function is_input(t) return t:is_floating_point() end
local function size_text(t) return '(' .. table.concat(t.shape, ', ') .. ')' end
local function zeros(like) return like:new_zeros(like.shape) end
local function enabled(fn, ...) return scope.with_grad(true, 'func', fn, ...) end

-- ---- options ----

local function check_numbers(what, argnums)
  for _, k in ipairs(argnums) do
    if type(k) ~= 'number' or k % 1 ~= 0 then raise("%s: 'argnums' must be whole numbers, got %s", what, describe(k)) end
    if k < 1 then raise("%s: 'argnums' has %d, but arguments count from 1", what, k) end
  end
end

local function any_list(v) return v, 'a number or a list of numbers' end

-- What each function takes after those that stand for themselves.
local ARGNUMS = { 'argnums', reader.kinds.list_kind(any_list), 1 }
local HAS_AUX = { 'has_aux', reader.kinds.boolean, false }
local signatures = {}
for _, what in ipairs{ 'grad', 'value_and_grad', 'jacobian', 'jacrev', 'jacfwd' } do
  signatures[what] = reader.signature(what, { ARGNUMS, HAS_AUX })
end
for _, what in ipairs{ 'vjp', 'jvp', 'hvp' } do signatures[what] = reader.signature(what, { HAS_AUX }) end
signatures.hessian = reader.signature('hessian', { ARGNUMS })
-- and after the point, where that is given
local AT_POINT = { hessian = reader.signature('hessian', {}) }
for _, what in ipairs{ 'jacobian', 'jacrev', 'jacfwd' } do AT_POINT[what] = reader.signature(what, { HAS_AUX }) end

--- argnums as a list, whether it was one number, and has_aux.
local function read_options(what, ...)
  local o = reader.read(signatures[what], ...)
  local argnums, single = o.argnums, false
  if type(argnums) ~= 'table' then argnums, single = { argnums }, true end
  check_numbers(what, argnums)
  return { what = what, argnums = argnums, single = single, has_aux = o.has_aux }
end

local function function_of(what, fn)
  if not scope.is_callable(fn) then raise('%s: expected a function, got %s', what, describe(fn)) end
  return fn
end

-- ---- running a function on inputs of its own ----

--- What fn gave for fresh inputs: a tensor that requires grad goes on as a copy with a history, any other as a leaf.
-- @field inputs list of the float tensors among the arguments in argnums, as fn saw them
-- @field output, aux what fn returned
-- @field outputs list of the float tensors in output
-- @field record whether derivatives must have a history
local function evaluate(o, fn, n, arguments)
  local recording = autograd.is_grad_enabled()
  local node, tensor = derivatives.now()
  local run = { inputs = {} }
  local function fresh(t)
    if not is_input(t) then return t end
    local x = recording and t.requires_grad and enabled(raw.clone, t) or raw.detach(t):requires_grad_(true)
    run.inputs[#run.inputs + 1] = x
    return x
  end
  local given = {}
  for i = 1, n do given[i] = arguments[i] end
  for _, k in ipairs(o.argnums) do
    if k > n then raise('%s: argument %d is to be differentiated, but there are %d', o.what, k, n) end
    local before = #run.inputs
    given[k] = tree.map(fresh, arguments[k])
    if #run.inputs == before then
      raise('%s: argument %d must be a float tensor or a table of them, got %s', o.what, k,
        is_tensor(arguments[k]) and arguments[k].dtype .. ' tensor' or describe(arguments[k]))
    end
  end
  local function take(...)
    local results, allowed = { ... }, o.has_aux and 2 or 1
    if select('#', ...) > allowed then
      raise('%s: the function returned %d values, expected %d (a table holds several; has_aux=true allows a second)',
        o.what, select('#', ...), allowed)
    end
    run.output, run.aux = results[1], results[2]
  end
  take(enabled(fn, unpack(given, 1, n)))
  run.outputs = tree.tensors(run.output, is_input)
  if #run.outputs == 0 then
    raise('%s: the function must return a float tensor%s, got %s', o.what, o.scalar and '' or ' or a table of them',
      is_tensor(run.output) and run.output.dtype .. ' tensor' or describe(run.output))
  end
  if o.scalar and (not is_tensor(run.output) or run.output:dim() ~= 0) then
    raise('%s: the function must return a 0-dim tensor, got %s', o.what,
      is_tensor(run.output) and 'size ' .. size_text(run.output) or 'a table')
  end
  run.record = recording and derivatives.frontier(run.outputs, node, tensor).n > 0
  return run
end

--- x without the history that leads to the fresh inputs only.
local function settle(run, x)
  if run.record then return x end
  return tree.map(function(t) return t.requires_grad and raw.detach(t) or t end, x)
end

--- Gradients of tensors, which may be independent of the inputs: zeros then.
local function gradients(outputs, cotangents, inputs, create, retain)
  local list, with = {}, {}
  for k, y in ipairs(outputs) do
    if y.requires_grad then list[#list + 1], with[#with + 1] = y, cotangents[k] end
  end
  local grads = {}
  if #list > 0 then
    grads = autograd.grad(list, inputs, with, retain, create, true)
  end
  for i, x in ipairs(inputs) do grads[i] = grads[i] or zeros(x) end
  return grads
end

--- A list of gradients as what was asked for: for one argument its tree, for a list of arguments a list.
local function shaped(o, arguments, list)
  local results, at = {}, 0
  for i, k in ipairs(o.argnums) do
    local n, part = #tree.tensors(arguments[k], is_input), {}
    for j = 1, n do part[j] = list[at + j] end
    at = at + n
    results[i] = tree.only(arguments[k], part, is_input)
  end
  if o.single then return results[1] end
  return results
end

-- ---- grad ----

local function value_and_grad(o, fn, ...)
  local arguments = { ... }
  local run = evaluate(o, fn, select('#', ...), arguments)
  local grads = gradients(run.outputs, { false }, run.inputs, run.record, run.record)
  return settle(run, run.output), shaped(o, arguments, grads), settle(run, run.aux)
end

--- The function that gives fn's value and its gradient.
-- @param fn a function that returns a 0-dim tensor (with has_aux: and something else, which is passed on)
-- @param options argnums=1: which argument, counted from 1, or a list of them; has_aux=false. A number or a list stands
--   for argnums
-- @return a function of fn's arguments; it returns the value, the gradient (for a list argnums, a list), and, with
--   has_aux, what fn returned beside the value
function func.value_and_grad(fn, ...)
  local o = read_options('value_and_grad', ...)
  o.scalar = true
  function_of(o.what, fn)
  return function(...) return value_and_grad(o, fn, ...) end
end

--- The function that gives fn's gradient; see value_and_grad.
-- @return a function of fn's arguments; it returns the gradient and, with has_aux, what fn returned beside the value
function func.grad(fn, ...)
  local o = read_options('grad', ...)
  o.scalar = true
  function_of(o.what, fn)
  return function(...)
    local _, gradient, aux = value_and_grad(o, fn, ...)
    if o.has_aux then return gradient, aux end
    return gradient
  end
end

-- ---- products ----

--- Primals as arguments: a list is one for each; a tensor, or a table by name, is the only one.
local function arguments_of(what, primals)
  local list = primals
  if is_tensor(primals) or (tree.is_branch(primals) and #primals == 0) then list = { primals } end
  if not tree.is_branch(list) then
    raise("%s: 'primals' must be a tensor or a list of arguments, got %s", what, describe(primals))
  end
  local o = { what = what, argnums = {}, single = list ~= primals }
  for i = 1, #list do
    if #tree.tensors(list[i], is_input) > 0 then o.argnums[#o.argnums + 1] = i end
  end
  if #o.argnums == 0 then raise("%s: 'primals' holds no float tensor", what) end
  return o, list
end

--- Gradients in the shape of primals; false for an argument without float tensors.
local function like_primals(o, arguments, list)
  local results = shaped({ argnums = o.argnums }, arguments, list)
  local whole = {}
  for i = 1, #arguments do whole[i] = false end
  for i, k in ipairs(o.argnums) do whole[k] = results[i] end
  return o.single and whole[1] or whole
end

--- Checks that y has tensors where x has; returns them as a list, zeros for nil and false.
local function match(what, x, y, name)
  return tree.pairs_of(x, y, name, is_input, function(t, v, path)
    if v == nil or v == false then return zeros(t) end
    if not is_tensor(v) then raise('%s: %s must be a tensor, got %s', what, path, describe(v)) end
    if not v:is_floating_point() then raise('%s: %s must have a float dtype, got %s', what, path, v.dtype) end
    if size_text(v) ~= size_text(t) then
      raise('%s: %s must have size %s, got %s', what, path, size_text(t), size_text(v))
    end
    return v:to(t.dtype)
  end)
end

local function check_given(what, name, x, o)
  if not is_tensor(x) and not tree.is_branch(x) then
    raise("%s: '%s' must be a tensor or a table in the shape of what it belongs to, got %s", what, name, describe(x))
  end
  return o and o.single and { x } or x
end

local function any_needs_grad(list)
  for _, t in ipairs(list) do
    if t.requires_grad then return true end
  end
  return false
end

--- fn's value, and the function that takes cotangents back through it (vector-Jacobian products).
-- @param fn a function of tensors or tables of them that returns a tensor or a table of them
-- @param primals a list of fn's arguments; a tensor, or a table by name, stands for the only one
-- @param options has_aux=false: fn returns a second value, which is passed on
-- @return the value; a function of cotangents (in the value's shape; false for zero) that gives gradients in the shape
--   of primals and may be called again; what fn returned beside the value
function func.vjp(fn, primals, ...)
  function_of('vjp', fn)
  local o, arguments = arguments_of('vjp', primals)
  o.has_aux = reader.read(signatures[o.what], ...).has_aux
  local run = evaluate(o, fn, #arguments, arguments)
  local function pull(cotangents)
    if is_tensor(run.output) and not is_tensor(cotangents) then
      raise('vjp: the cotangent must be a tensor, got %s', describe(cotangents))
    end
    local list = match('vjp', run.output, check_given('vjp', 'cotangents', cotangents), 'cotangents')
    local create = autograd.is_grad_enabled() and (run.record or any_needs_grad(list))
    return like_primals(o, arguments, gradients(run.outputs, list, run.inputs, create, true))
  end
  return settle(run, run.output), pull, settle(run, run.aux)
end

--- Tangents of the run's outputs by two gradients: the first is linear in its cotangents u, and its derivative with
-- respect to them is what is sought.
local function push_by_gradients(run, along, create)
  return enabled(function()
    local u = {}
    for k, y in ipairs(run.outputs) do u[k] = zeros(y):requires_grad_(true) end
    return gradients(gradients(run.outputs, u, run.inputs, true, true), along, u, create, create)
  end)
end

--- Tangents of the run's outputs, by the rows' tangent rules where all that was computed has them.
local function push(run, along, create)
  local outputs, pushed = {}, {}
  for _, y in ipairs(run.outputs) do
    if y.requires_grad then outputs[#outputs + 1] = y end
  end
  local list = #outputs == 0 and {} or forward.push(outputs, run.inputs, along, create)
  if not list then return push_by_gradients(run, along, create) end
  local at = 0
  for k, y in ipairs(run.outputs) do
    if y.requires_grad then at = at + 1 end
    pushed[k] = y.requires_grad and list[at] or zeros(y)
  end
  return pushed
end

--- fn's value and its derivative along tangents (a Jacobian-vector product): the tangents go forward through what fn
-- computes, or, where a Function, a checkpoint or a hook stands in between, by two vector-Jacobian products.
-- @param fn as for vjp
-- @param primals as for vjp
-- @param tangents in the shape of primals; false for zero
-- @param options has_aux=false
-- @return the value; its derivative, in the value's shape; what fn returned beside the value
function func.jvp(fn, primals, tangents, ...)
  function_of('jvp', fn)
  local o, arguments = arguments_of('jvp', primals)
  o.has_aux = reader.read(signatures[o.what], ...).has_aux
  local along = match('jvp', arguments, check_given('jvp', 'tangents', tangents, o), 'tangents')
  local run = evaluate(o, fn, #arguments, arguments)
  local create = run.record or (autograd.is_grad_enabled() and any_needs_grad(along))
  local pushed = push(run, along, create)
  local value = settle(run, run.output)
  return value, tree.only(run.output, pushed, is_input), settle(run, run.aux)
end

--- The product of fn's Hessian with vectors, without the Hessian.
-- @param fn a function that returns a 0-dim tensor
-- @param primals as for vjp
-- @param vectors in the shape of primals; false for zero
-- @param options has_aux=false
-- @return the product, in the shape of primals; fn's value; what fn returned beside it
function func.hvp(fn, primals, vectors, ...)
  function_of('hvp', fn)
  local o, arguments = arguments_of('hvp', primals)
  o.has_aux = reader.read(signatures[o.what], ...).has_aux
  o.scalar = true
  local along = match('hvp', arguments, check_given('hvp', 'vectors', vectors, o), 'vectors')
  local run = evaluate(o, fn, #arguments, arguments)
  local create = run.record or (autograd.is_grad_enabled() and any_needs_grad(along))
  local products = enabled(function()
    local first = gradients(run.outputs, { false }, run.inputs, true, true)
    return gradients(first, along, run.inputs, create, create)
  end)
  return like_primals(o, arguments, products), settle(run, run.output), settle(run, run.aux)
end

-- ---- matrices ----

--- Rows of the Jacobian of one output: for each input a tensor of size output x input.
local function jacobian_of(y, run)
  local n, size, rows = y:numel(), y.shape, {}
  for i = 1, #run.inputs do rows[i] = {} end
  for k = 1, n do
    local one = y:new_zeros(n)
    one[k] = 1
    local grads = gradients({ y }, { one:reshape(size) }, run.inputs, run.record, true)
    for i, g in ipairs(grads) do rows[i][k] = g end
  end
  local list = {}
  for i, x in ipairs(run.inputs) do
    local whole = y.shape
    for _, s in ipairs(x.shape) do whole[#whole + 1] = s end
    list[i] = n > 0 and ops.stack(rows[i], 1):reshape(whole) or x:new_zeros(whole)
  end
  return list
end

--- The Jacobian of all outputs row by row: a list of jacobian_of each.
local function by_rows(run)
  local list = {}
  for k, y in ipairs(run.outputs) do list[k] = jacobian_of(y, run) end
  return list
end

--- The same column by column: each element of the inputs is moved alone.
local function by_columns(run)
  local columns = {}
  for k in ipairs(run.outputs) do columns[k] = {} end
  for i, x in ipairs(run.inputs) do
    local n, along, found = x:numel(), {}, {}
    for j, other in ipairs(run.inputs) do along[j] = zeros(other) end
    for k in ipairs(run.outputs) do found[k] = {} end
    for place = 1, n do
      local one = x:new_zeros(n)
      one[place] = 1
      along[i] = one:reshape(x.shape)
      for k, tangent in ipairs(push(run, along, run.record)) do found[k][place] = tangent end
    end
    for k, y in ipairs(run.outputs) do
      local whole = y.shape
      for _, s in ipairs(x.shape) do whole[#whole + 1] = s end
      columns[k][i] = n > 0 and ops.stack(found[k], -1):reshape(whole) or x:new_zeros(whole)
    end
  end
  return columns
end

local function jacobian(o, shape, fn, n, arguments)
  local run = evaluate(o, fn, n, arguments)
  local parts = {}
  for k, list in ipairs((o.walk or by_rows)(run)) do parts[k] = shape(o, arguments, list) end
  local result = tree.only(run.output, parts, is_input)
  if o.has_aux then return result, settle(run, run.aux) end
  return result
end

local function is_primals(x) return is_tensor(x) or (tree.is_branch(x) and #tree.tensors(x) > 0) end

--- The function that gives fn's Jacobian; or, given primals, the Jacobian there.
-- @param fn a function of tensors or tables of them that returns a tensor or a table of them
-- @param options argnums=1, has_aux=false, as for grad; or primals, as for vjp: the Jacobian for all of them
-- @return a function of fn's arguments; it returns, in the shape of fn's value, for each of its tensors the gradient of
--   each element: a tensor of the value's size followed by the argument's, in the shape of the argument
-- @function jacobian
local function define_jacobian(what, walk)
  func[what] = function(fn, options, ...)
    function_of(what, fn)
    if is_primals(options) then
      local o, arguments = arguments_of(what, options)
      o.has_aux, o.walk = reader.read(AT_POINT[what], ...).has_aux, walk
      return jacobian(o, like_primals, fn, #arguments, arguments)
    end
    local o = read_options(what, options, ...)
    o.walk = walk
    return function(...) return jacobian(o, shaped, fn, select('#', ...), { ... }) end
  end
end
define_jacobian('jacobian', by_rows)
--- jacobian, by PyTorch's name: one way back for each element of the value.
-- @function jacrev
define_jacobian('jacrev', by_rows)
--- jacobian by one way forward for each element of the arguments: for few of those and large values.
-- @function jacfwd
define_jacobian('jacfwd', by_columns)

--- The function that gives fn's Hessian: the Jacobian of its gradient; or, given primals, the Hessian there.
-- @param fn a function that returns a 0-dim tensor
-- @param options argnums=1; or primals, as for vjp: for all of them
-- @return a function of fn's arguments; of one tensor, it returns a tensor of its size twice over; of a table, for each
--   tensor in it a table with the mixed derivatives
function func.hessian(fn, options, ...)
  function_of('hessian', fn)
  if is_primals(options) then
    local o, arguments = arguments_of('hessian', options)
    reader.read(AT_POINT.hessian, ...)
    local gradient = func.grad(fn, o.single and o.argnums[1] or o.argnums)
    return jacobian(o, like_primals, gradient, #arguments, arguments)
  end
  local o = read_options('hessian', options, ...)
  local gradient = func.grad(fn, o.single and o.argnums[1] or o.argnums)
  return function(...) return jacobian(o, shaped, gradient, select('#', ...), { ... }) end
end

-- ---- modules ----

--- What a module gives with other parameters in place of its own, which stay as they are, and so do its buffers.
-- @param module a module
-- @param params a table by name, what is not named being the module's own; or a list in the order of named_parameters
-- @param ... the module's arguments
function func.functional_call(module, params, ...)
  if not require('metann.nn').is(module, require('metann.nn').Module) then
    raise("functional_call: 'module' must be a module, got %s", describe(module))
  end
  return require 'metann.views.proto'.ProtoModule(module):functional(params)(...)
end

return require 'metann.binding.lazy'('metann.func', {}, func)
