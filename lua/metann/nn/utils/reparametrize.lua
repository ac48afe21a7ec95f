--- Weights that are computed from other parameters: weight_norm (Salimans and Kingma 2016) and spectral_norm (Miyato et
-- al. 2018). They are made anew whenever the module reads them, out of what it has then, so views and learners see them
-- as the results of computation that they are.
local arguments = require 'metann.arguments'
local class = require 'metann.nn.machinery.class'
local computed = require 'metann.nn.machinery.computed'
local support = require 'metann.support'
local define, kinds, ops, ndim = arguments.define, arguments.kinds, support.ops, support.ndim
local norm, raise = support.functions.norm, support.raise

local reparametrize = {}

local MODULE = { 'module', required = true, opaque = true }
local NAME = { 'name', kinds.name, 'weight' }

--- dim of t from 1, or an error.
local function dim_of(what, dim, t)
  local n = ndim(t)
  if dim > n or dim < -n then raise("%s: 'dim' is %d, but the weight has %d dims", what, dim, n) end
  return dim < 0 and n + 1 + dim or dim
end

-- ---- weight_norm ----

--- The norm of t over all dims but one, which is kept; with dim false over all.
local function norm_but(t, dim)
  if not dim then return norm(t, 2) end
  local dims = {}
  for d = 1, ndim(t) do
    if d ~= dim then dims[#dims + 1] = d end
  end
  return #dims == 0 and ops.abs(t) or norm(t, 2, dims, true)
end

local function dim_or_none(v)
  if v == false then return false end
  return kinds.dim(v)
end

--- Has the weight of a module be g * v / |v|, with parameters NAME_g, the norms, and NAME_v, the directions.
-- @function weight_norm
-- @param module a module
-- @param[opt='weight'] name of the parameter
-- @param[opt=1] dim along which norms are kept; false for one norm of all
-- @return the module
reparametrize.weight_norm = define('weight_norm', {
  MODULE, NAME, { 'dim', dim_or_none, 1 },
}, function(module, name, dim)
  local weight = computed.parameter('weight_norm', module, name)
  dim = dim and dim_of('weight_norm', dim, weight)
  local g, v, trained = name .. '_g', name .. '_v', support.requires_grad(weight)
  computed.install(module, name, function(self)
    local direction = self[v]
    return ops.mul(direction, ops.div(self[g], norm_but(direction, dim)))
  end)
  module:register_parameter(g, support.parameter(support.no_grad(norm_but, weight, dim), trained))
  module:register_parameter(v, support.parameter(ops.clone(ops.detach(weight)), trained))
  return module
end)

--- Makes the weight a parameter again, with the values that it has.
-- @function remove_weight_norm
reparametrize.remove_weight_norm = define('remove_weight_norm', { MODULE, NAME }, function(module, name)
  if not class.class_of(module) then raise('remove_weight_norm: expected a module, got %s', support.describe(module)) end
  computed.remove('remove_weight_norm', module, name, { name .. '_g', name .. '_v' })
  return module
end)

-- ---- spectral_norm ----

local function unit(t, eps) return ops.div(t, ops.clamp(norm(t, 2), eps, math.huge)) end

--- The weight as a matrix with a row for each place of `dim`.
local function matrix_of(weight, dim)
  local dims = { dim }
  for d = 1, ndim(weight) do
    if d ~= dim then dims[#dims + 1] = d end
  end
  local rows = support.size(weight, dim)
  return support.reshape(dim == 1 and weight or ops.permute(weight, dims), { rows, support.numel(weight) / rows })
end

local function times(matrix, vector) return ops.squeeze(ops.matmul(matrix, ops.unsqueeze(vector, 2)), 2) end

--- Better singular vectors for the largest singular value, by as many steps of the power iteration; writes them down.
local function iterate(matrix, u, v, steps, eps)
  local new_u, new_v, transposed = u, v, ops.transpose(matrix, 1, 2)
  for _ = 1, steps do
    new_v = unit(times(transposed, new_u), eps)
    new_u = unit(times(matrix, new_v), eps)
  end
  support.write_all('spectral_norm', { u, v }, { new_u, new_v })
  return new_u, new_v
end

--- Where a layer's outputs stand in its weight: of transposed convolutions in the second dim, else in the first.
local function outputs_dim(module)
  return class.class_of(module)._name:find 'ConvTranspose' and 2 or 1
end

--- Has the weight of a module be NAME_orig over its largest singular value, which buffers NAME_u and NAME_v estimate: in
-- training mode, each time that it is read, a step of the power iteration makes them better. Derivatives take the
-- singular vectors as constants.
-- @function spectral_norm
-- @param module a module
-- @param[opt='weight'] name of the parameter
-- @param[opt=1] n_power_iterations
-- @param[opt=1e-12] eps below which a vector's norm doesn't go
-- @param[opt] dim the outputs' dim: 1, of transposed convolutions 2
-- @return the module
reparametrize.spectral_norm = define('spectral_norm', {
  MODULE, NAME, { 'n_power_iterations', kinds.count, 1 }, { 'eps', kinds.nonnegative, 1e-12 },
  { 'dim', kinds.dim, optional = true },
}, function(module, name, steps, eps, dim)
  local weight = computed.parameter('spectral_norm', module, name)
  dim = dim_of('spectral_norm', dim or outputs_dim(module), weight)
  local original, u, v = name .. '_orig', name .. '_u', name .. '_v'
  local matrix, dtype = matrix_of(ops.detach(weight), dim), support.dtype(weight)
  local first = {}
  for i = 1, 2 do first[i] = unit(support.beside(matrix, ops.randn, { support.size(matrix, i) }, 0, 1, dtype), eps) end
  computed.install(module, name, function(self)
    local own, left, right = self[original], self[u], self[v]
    local rows = matrix_of(own, dim)
    if self.training then
      left, right = support.no_grad(iterate, ops.detach(rows), left, right, steps, eps)
    else
      left, right = ops.clone(ops.detach(left)), ops.clone(ops.detach(right))
    end
    return ops.div(own, ops.sum(ops.mul(left, times(rows, right))))
  end)
  module:register_parameter(original, support.parameter(ops.clone(ops.detach(weight)), support.requires_grad(weight)))
  module:register_buffer(u, first[1])
  module:register_buffer(v, first[2])
  return module
end)

--- Makes the weight a parameter again, with the values that it has.
-- @function remove_spectral_norm
reparametrize.remove_spectral_norm = define('remove_spectral_norm', { MODULE, NAME }, function(module, name)
  if not class.class_of(module) then raise('remove_spectral_norm: expected a module, got %s', support.describe(module)) end
  local training = module.training
  module.training = false -- what it has, without another step
  local ok, said = pcall(computed.remove, 'remove_spectral_norm', module, name, { name .. '_orig', name .. '_u', name .. '_v' })
  module.training = training
  if not ok then error(said, 0) end
  return module
end)

return reparametrize
