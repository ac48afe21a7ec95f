-- What the specs of meta-learning share.
local metann = require 'metann'
local nn = metann.nn

local support = {}

--- The message of the error that fn raises.
function support.message(fn, ...)
  local ok, err = pcall(fn, ...)
  assert(not ok, 'no error was raised')
  return tostring(err)
end

--- What an iterator gives first, as a list.
function support.list(iterator)
  local values = {}
  for v in iterator do values[#values + 1] = v end
  return values
end

--- The names of an iterator over name, tensor; and a table by name.
function support.named(iterator)
  local names, by_name = {}, {}
  for name, t in iterator do names[#names + 1], by_name[name] = name, t end
  return names, by_name
end

--- The names joined by spaces.
function support.names(iterator) return table.concat((support.named(iterator)), ' ') end

--- True when two tensors agree to `eps` in each element.
function support.close(a, b, eps) return (a - b):abs():max():item() <= (eps or 1e-6) end

--- float64 normal numbers; sizes as one number or a table.
function support.double(size) return metann.randn(size, { dtype = 'float64' }) end

function support.labels(list) return metann.tensor(list, { dtype = 'int64' }) end

function support.mse(model, data) return ((model(data[1]) - data[2]) ^ 2):mean() end

--- A small float64 regression net, and data for it.
function support.mlp() return nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1)):double() end
function support.regression() return { support.double{ 6, 1 }, support.double{ 6, 1 } } end

--- A small float64 convnet with batch norm, and images of 4 classes for it.
function support.convnet()
  return nn.Sequential(nn.Conv2d(1, 2, 3, { padding = 1 }), nn.BatchNorm2d(2), nn.Tanh(), nn.AvgPool2d(3), nn.Flatten(),
    nn.Linear(8, 4)):double()
end
function support.images() return { support.double{ 4, 1, 6, 6 }, support.labels{ 1, 2, 3, 4 } } end

--- Copies of a module's parameters with every element replaced by a number.
function support.constants(module, value)
  local values = {}
  for p in module:parameters() do values[#values + 1] = metann.full_like(p, value) end
  return values
end

--- Compares gradients with central differences of `value()` in each element of the tensors.
function support.check_gradients(value, tensors, grads, tolerance)
  local h = 1e-5
  for k, t in ipairs(tensors) do
    local flat, g = t:detach():view(t:numel()), grads[k]:flatten():to_table()
    local scale = 0
    for i = 1, #g do scale = math.max(scale, math.abs(g[i])) end
    for i = 1, #g do
      local old = flat[i]:item()
      local function at(x)
        metann.no_grad(function() flat[i] = x end)
        return value()
      end
      -- fourth order, so that rounding and truncation are both far below the tolerance
      local slope = (8 * (at(old + h) - at(old - h)) - (at(old + 2 * h) - at(old - 2 * h))) / (12 * h)
      metann.no_grad(function() flat[i] = old end)
      assert(math.abs(slope - g[i]) <= (tolerance or 1e-6) * math.max(scale, 1e-3),
        ('tensor %d element %d: %.12g, differences give %.12g'):format(k, i, g[i], slope))
    end
  end
end

return support
