--- nn.utils: gradients of many parameters at once, and parameters as one vector; `rnn`, packed sequences; weights that
-- are computed. What changes many tensors computes all of them before it writes the first.
local pairs = require('metann.binding.traversal').pairs
local arguments = require 'metann.arguments'
local support = require 'metann.support'
local ops, raise, kinds = support.ops, support.raise, arguments.kinds

local utils = { parametrize = require 'metann.nn.utils.parametrize', rnn = require 'metann.nn.utils.rnn' }

local function gradients(parameters, what)
  local list = support.tensors(parameters, what)
  local grads = {}
  for _, p in ipairs(list) do
    local g = support.grad(p)
    if g then grads[#grads + 1] = g end
  end
  return grads
end

local function total_norm(grads, norm_type)
  if #grads == 0 then return ops.full({}, 0) end
  local total
  for _, g in ipairs(grads) do
    local part
    if norm_type == math.huge then
      part = ops.amax(ops.abs(g))
      total = total and ops.maximum(total, part) or part
    else
      part = norm_type == 2 and ops.sum(ops.square(g)) or ops.sum(ops.pow(ops.abs(g), norm_type))
      total = total and ops.add(total, part) or part
    end
  end
  if norm_type == math.huge then return total end
  return norm_type == 2 and ops.sqrt(total) or ops.pow(total, 1 / norm_type)
end

local function clip_norm(grads, max_norm, norm_type, error_if_nonfinite)
  local norm = total_norm(grads, norm_type)
  if error_if_nonfinite and not (norm:item() < math.huge) then
    raise('clip_grad_norm_: the norm of the gradients is %s, nothing was scaled', tostring(norm:item()))
  end
  -- scaled by a tensor, so that nothing waits for the number
  local scale, scaled = ops.clamp(ops.div(max_norm, ops.add(norm, 1e-6)), -math.huge, 1), {}
  for i, g in ipairs(grads) do scaled[i] = ops.mul(g, scale) end
  support.write_all('clip_grad_norm_', grads, scaled)
  return norm
end

local PARAMETERS = { 'parameters', required = true, opaque = true }
-- How PyTorch's backends do it; there is one way here.
local FOREACH = { 'foreach', kinds.boolean, optional = true, named = true }

--- Scales the gradients of all parameters, in place, so that their norm taken together is at most max_norm.
-- @function clip_grad_norm_
-- @param parameters a list, table by name or iterator
-- @param max_norm a number of at least 0
-- @param[opt=2] norm_type a number above 0; math.huge for the largest element
-- @param[opt=false] error_if_nonfinite true: a norm that is no finite number is an error
-- @return the norm before, a 0-dim tensor
utils.clip_grad_norm_ = arguments.define('clip_grad_norm_', {
  PARAMETERS, { 'max_norm', kinds.nonnegative }, { 'norm_type', kinds.positive, 2 },
  { 'error_if_nonfinite', kinds.boolean, false }, FOREACH,
}, function(parameters, max_norm, norm_type, error_if_nonfinite)
  return support.no_grad(support.scope, clip_norm, gradients(parameters, 'clip_grad_norm_'), max_norm, norm_type,
    error_if_nonfinite)
end)

local function clip_value(grads, value)
  local clamped = {}
  for i, g in ipairs(grads) do clamped[i] = ops.clamp(g, -value, value) end
  support.write_all('clip_grad_value_', grads, clamped)
end

--- Clamps the gradients of all parameters, in place, to -clip_value .. clip_value.
-- @function clip_grad_value_
-- @param parameters a list, table by name or iterator
-- @param clip_value a number of at least 0
utils.clip_grad_value_ = arguments.define('clip_grad_value_', {
  PARAMETERS, { 'clip_value', kinds.nonnegative }, FOREACH,
}, function(parameters, value)
  support.no_grad(support.scope, clip_value, gradients(parameters, 'clip_grad_value_'), value)
end)

--- All parameters one after another, as one 1-dim tensor; gradients flow through it.
-- @function parameters_to_vector
-- @param parameters a list, table by name or iterator
utils.parameters_to_vector = arguments.define('parameters_to_vector', { PARAMETERS }, function(parameters)
  local list = support.tensors(parameters, 'parameters_to_vector')
  if #list == 0 then raise('parameters_to_vector: there are no parameters') end
  for i, p in ipairs(list) do list[i] = support.reshape(p, { support.numel(p) }) end
  return ops.cat(list, 1)
end)

local function scatter(vector, list)
  local at, parts = 1, {}
  for i, p in ipairs(list) do
    local n = support.numel(p)
    parts[i] = support.reshape(ops.slice(vector, 1, at, n), support.shape(p))
    at = at + n
  end
  support.write_all('vector_to_parameters', list, parts)
end

--- Writes a vector's elements over the parameters, in the order of parameters_to_vector.
-- @function vector_to_parameters
-- @param vector a 1-dim tensor
-- @param parameters a list, table by name or iterator
utils.vector_to_parameters = arguments.define('vector_to_parameters', {
  { 'vector', function(v) return support.is_tensor(v) and support.ndim(v) == 1 and v or nil, 'a 1-dim tensor' end },
  PARAMETERS,
}, function(vector, parameters)
  local list, total = support.tensors(parameters, 'vector_to_parameters'), 0
  for _, p in ipairs(list) do total = total + support.numel(p) end
  if total ~= support.numel(vector) then
    raise("vector_to_parameters: the parameters have %d elements, 'vector' has %d", total, support.numel(vector))
  end
  support.no_grad(support.scope, scatter, vector, list)
end)

for name, fn in pairs(require 'metann.nn.utils.reparametrize') do utils[name] = fn end

return require 'metann.binding.lazy'('nn.utils', {}, utils)
