--- What a layer with parameters of its own and the function of the same name compute.
local support = require 'metann.support'
local ops, size = support.ops, support.size

local formulas = {}

--- x1^T W_k x2 + b_k for each k, of inputs that fit the weight.
function formulas.bilinear(x1, x2, weight, bias)
  local products = ops.mul(ops.unsqueeze(x1, -1), ops.unsqueeze(x2, -2))
  local shape = support.shape(products)
  local count = shape[#shape] * shape[#shape - 1]
  shape[#shape] = nil
  shape[#shape] = count
  return ops.linear(support.reshape(products, shape), support.reshape(weight, { size(weight, 1), count }), bias)
end

--- x where x > 0, else weight * x; the weight has one element, or one for each channel.
-- @param what the name for messages
function formulas.prelu(what, x, weight)
  local n, count = support.ndim(x), support.numel(weight)
  if count == 1 then
    weight = support.reshape(weight, n == 0 and {} or { 1 })
  else
    local dim = n > 1 and 2 or 1
    if n == 0 or size(x, dim) ~= count then
      support.raise("%s: 'input' must have %d channels in dim %d, got size %s", what, count, dim, support.shape_text(x))
    end
    weight = support.along_channels(weight, n)
  end
  return ops.add(ops.relu(x), ops.mul(weight, ops.clamp(x, -math.huge, 0)))
end

return formulas
