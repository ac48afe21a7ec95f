--- Unflatten: splits a dim into the given sizes, of which one may be -1.
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local support = require 'metann.support'

local sizes = kinds.list_kind(function(v)
  if type(v) ~= 'table' or #v == 0 then return nil, 'a list of sizes' end
  for i = 1, #v do
    if type(v[i]) ~= 'number' or v[i] % 1 ~= 0 or v[i] < -1 then return nil, 'a list of sizes' end
  end
  return v
end)

return pure.class('Unflatten', { 'input' }, {
  { 'dim', kinds.dim, show = true },
  { 'unflattened_size', sizes, show = true },
}, function(o, x)
  local n = support.ndim(x)
  local dim = o.dim < 0 and n + 1 + o.dim or o.dim
  if dim < 1 or dim > n then support.raise("Unflatten: 'dim' is %d, but 'input' has %d dims", o.dim, n) end
  local shape = {}
  local given, left = 1, nil
  for d = 1, n do
    if d == dim then
      for _, s in ipairs(o.unflattened_size) do
        shape[#shape + 1] = s
        if s == -1 then left = #shape else given = given * s end
      end
    else
      shape[#shape + 1] = support.size(x, d)
    end
  end
  local total = support.size(x, dim)
  if left then
    shape[left] = given > 0 and total / given or 0
    given = given * shape[left]
  end
  if given ~= total or (left and shape[left] % 1 ~= 0) then
    support.raise("Unflatten: dim %d of size %d can't be split into %s", o.dim, total,
      support.tuple(o.unflattened_size))
  end
  return support.reshape(x, shape)
end)
