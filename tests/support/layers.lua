-- Modules to convert and to see through views: the cases of every class (layer_cases.lua), and some of a user's own.
local metann = require 'metann'
local layer_cases = require 'tests.support.layer_cases'
local nn = metann.nn

-- By name: {make, input...}; an input is a size, of float64 normal numbers, {parts = size}, of numbers between 0 and 1,
-- or a function that makes a tensor.
local cases, classes = {}, {}
for i, case in ipairs(layer_cases) do
  cases[('%s (%d)'):format(case.class, i)] = { case.make, unpack(case.inputs) }
  classes[case.class] = true
end

local function labels(...)
  local list = { ... }
  return function() return metann.tensor(list, { dtype = 'int64' }) end
end

local Mixed = nn.class('Mixed')
function Mixed:init()
  self.scales = nn.ParameterList{ nn.Parameter(metann.ones(3)), nn.Parameter(metann.ones(3)) }
  self.shifts = nn.ParameterDict{ one = metann.zeros(3), two = metann.ones(3) }
  self.parts = nn.ModuleDict{ first = nn.Linear(3, 3), second = nn.Linear(3, 3, { bias = false }) }
  self.parts.second.weight = self.parts.first.weight
  self.sizes = { 1, 2 }
  self.last = metann.zeros(1)
end
function Mixed:forward(x)
  for i = 1, 2 do
    x = self.parts[i == 1 and 'first' or 'second'](x) * self.scales[i] * self.sizes[i] + self.shifts[i == 1 and 'one' or 'two']
  end
  self.last = x:detach()
  return x
end

local Stacked = nn.class('Stacked')
function Stacked:init() self.layers = nn.ModuleList{ nn.Linear(3, 3), nn.Linear(3, 3) } end
function Stacked:forward(x)
  for _, layer in ipairs{ self.layers[1], self.layers[2] } do x = layer(x):tanh() end
  return x
end

cases['Linear without bias'] = { function() return nn.Linear(3, 2, { bias = false }) end, { 4, 3 } }
cases['Conv2d without bias'] = { function() return nn.Conv2d(2, 3, 2, { bias = false }) end, { 2, 2, 4, 4 } }
cases['LSTM without bias'] = { function() return nn.LSTM(3, 4, { bias = false }) end, { 5, 2, 3 } }
cases['a shared module'] = {
  function()
    local shared = nn.Linear(3, 3)
    return nn.Sequential(shared, nn.Tanh(), shared)
  end, { 4, 3 },
}
cases['an embedding tied to an output layer'] = {
  function()
    local net = nn.Sequential(nn.Embedding(5, 3), nn.Tanh(), nn.Linear(3, 5))
    net[3].weight = net[1].weight
    return net
  end, labels(1, 5, 2),
}
cases['frozen parts'] = {
  function()
    local net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    net[1]:requires_grad_(false)
    net[3].bias:requires_grad_(false)
    return net
  end, { 4, 3 },
}
cases['a class with fields, a list, a dictionary and a tie'] = { function() return Mixed() end, { 4, 3 } }
cases['a class with a ModuleList'] = { function() return Stacked() end, { 4, 3 } }

local layers = { cases = cases, classes = classes }

--- Classes that compute nothing by themselves; others' cases contain them.
layers.containers = { ModuleList = true, ModuleDict = true, ParameterList = true, ParameterDict = true }

--- The module and the inputs of a case, in float64.
function layers.make(name)
  local case, inputs = cases[name], {}
  for i = 2, #case do
    local given = case[i]
    if type(given) == 'function' then
      inputs[i - 1] = given()
    elseif given.parts then
      inputs[i - 1] = metann.rand(given.parts, { dtype = 'float64' }) * 0.8 + 0.1
    else
      inputs[i - 1] = metann.randn(given, { dtype = 'float64' })
    end
  end
  local module = case[1]():double()
  -- the masks of attention are options, not inputs
  if nn.is(module, nn.MultiheadAttention) and inputs[4] then inputs[4] = { key_padding_mask = inputs[4] } end
  return module, inputs
end

return layers
