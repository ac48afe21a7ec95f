-- One small module of each class of metann.nn, and some of a user's own, with inputs: what specs loop over.
-- A case is {make, input...}; an input is a size, of float64 normal numbers, or a function that makes a tensor.
local metann = require 'metann'
local nn = metann.nn

local function labels(...)
  local list = { ... }
  return function() return metann.tensor(list, { dtype = 'int64' }) end
end

local function uniform(size) return function() return metann.rand(size, { dtype = 'float64' }) * 0.8 + 0.1 end end
local function signs() return metann.tensor({ 1, -1, 1, -1 }, { dtype = 'float64' }) end

local cases = {
  Linear = { function() return nn.Linear(3, 2) end, { 4, 3 } },
  Bilinear = { function() return nn.Bilinear(3, 2, 2) end, { 4, 3 }, { 4, 2 } },
  Identity = { function() return nn.Identity() end, { 4, 3 } },
  Flatten = { function() return nn.Flatten() end, { 2, 3, 2 } },
  Unflatten = { function() return nn.Unflatten(2, { 3, 2 }) end, { 2, 6 } },
  Conv1d = { function() return nn.Conv1d(2, 3, 2) end, { 2, 2, 5 } },
  Conv2d = { function() return nn.Conv2d(2, 3, 2) end, { 2, 2, 4, 4 } },
  Conv3d = { function() return nn.Conv3d(2, 3, 2) end, { 2, 2, 3, 3, 3 } },
  ConvTranspose2d = { function() return nn.ConvTranspose2d(2, 3, 2) end, { 2, 2, 3, 3 } },
  BatchNorm1d = { function() return nn.BatchNorm1d(3) end, { 5, 3 } },
  BatchNorm2d = { function() return nn.BatchNorm2d(2) end, { 3, 2, 3, 3 } },
  LayerNorm = { function() return nn.LayerNorm(4) end, { 3, 4 } },
  GroupNorm = { function() return nn.GroupNorm(2, 4) end, { 3, 4, 2 } },
  InstanceNorm2d = {
    function() return nn.InstanceNorm2d(2, { affine = true, track_running_stats = true }) end, { 2, 2, 3, 3 },
  },
  Dropout = { function() return nn.Dropout(0.5) end, { 4, 3 } },
  Dropout2d = { function() return nn.Dropout2d(0.5) end, { 2, 3, 2, 2 } },
  Embedding = { function() return nn.Embedding(5, 3) end, labels(1, 5, 2) },
  RNN = { function() return nn.RNN(3, 4) end, { 5, 2, 3 } },
  LSTM = { function() return nn.LSTM(3, 4, { num_layers = 2, bidirectional = true }) end, { 5, 2, 3 } },
  GRU = { function() return nn.GRU(3, 4) end, { 5, 2, 3 } },
  RNNCell = { function() return nn.RNNCell(3, 4) end, { 2, 3 } },
  LSTMCell = { function() return nn.LSTMCell(3, 4) end, { 2, 3 } },
  GRUCell = { function() return nn.GRUCell(3, 4) end, { 2, 3 } },
  MultiheadAttention = { function() return nn.MultiheadAttention(4, 2) end, { 3, 2, 4 }, { 3, 2, 4 }, { 3, 2, 4 } },
  TransformerEncoderLayer = {
    function() return nn.TransformerEncoderLayer(4, 2, { dim_feedforward = 5, dropout = 0.1 }) end, { 3, 2, 4 },
  },
  MaxPool1d = { function() return nn.MaxPool1d(2) end, { 2, 2, 6 } },
  MaxPool2d = { function() return nn.MaxPool2d(2) end, { 2, 2, 4, 4 } },
  AvgPool2d = { function() return nn.AvgPool2d(2) end, { 2, 2, 4, 4 } },
  AdaptiveAvgPool2d = { function() return nn.AdaptiveAvgPool2d(2) end, { 2, 2, 4, 4 } },
  AdaptiveMaxPool2d = { function() return nn.AdaptiveMaxPool2d(2) end, { 2, 2, 4, 4 } },
  Upsample = { function() return nn.Upsample{ scale_factor = 2 } end, { 1, 2, 3, 3 } },
  PReLU = { function() return nn.PReLU() end, { 3, 4 } },
  NLLLoss = { function() return nn.NLLLoss() end, { 3, 4 }, labels(1, 4, 2) },
  CrossEntropyLoss = {
    function() return nn.CrossEntropyLoss{ weight = metann.tensor{ 1, 2, 3, 4 } } end, { 3, 4 }, labels(1, 4, 2),
  },
  BCELoss = { function() return nn.BCELoss() end, uniform{ 3, 2 }, uniform{ 3, 2 } },
  BCEWithLogitsLoss = { function() return nn.BCEWithLogitsLoss() end, { 3, 2 }, uniform{ 3, 2 } },
  CosineEmbeddingLoss = { function() return nn.CosineEmbeddingLoss() end, { 4, 3 }, { 4, 3 }, signs },
  MarginRankingLoss = { function() return nn.MarginRankingLoss() end, { 4 }, { 4 }, signs },
  TripletMarginLoss = { function() return nn.TripletMarginLoss() end, { 4, 3 }, { 4, 3 }, { 4, 3 } },
  SoftMarginLoss = { function() return nn.SoftMarginLoss() end, { 4 }, signs },
  KLDivLoss = { function() return nn.KLDivLoss{ reduction = 'batchmean' } end, { 3, 4 }, uniform{ 3, 4 } },
}
for _, name in ipairs{ 'ReLU', 'LeakyReLU', 'ELU', 'GELU', 'SiLU', 'Sigmoid', 'Tanh', 'Softplus', 'Hardtanh' } do
  cases[name] = { function() return nn[name]() end, { 3, 4 } }
end
for _, name in ipairs{ 'Softmax', 'LogSoftmax' } do cases[name] = { function() return nn[name](-1) end, { 3, 4 } } end
for _, name in ipairs{ 'MSELoss', 'L1Loss', 'SmoothL1Loss', 'HuberLoss' } do
  cases[name] = { function() return nn[name]() end, { 3, 2 }, { 3, 2 } }
end

local Mixed = nn.class('Mixed')
function Mixed:init()
  self.scales = nn.ParameterList{ nn.Parameter(metann.ones(3)), nn.Parameter(metann.ones(3)) }
  self.parts = nn.ModuleDict{ first = nn.Linear(3, 3), second = nn.Linear(3, 3, { bias = false }) }
  self.parts.second.weight = self.parts.first.weight
  self.sizes = { 1, 2 }
  self.last = metann.zeros(1)
end
function Mixed:forward(x)
  for i = 1, 2 do x = self.parts[i == 1 and 'first' or 'second'](x) * self.scales[i] * self.sizes[i] end
  self.last = x:detach()
  return x
end

local Stacked = nn.class('Stacked')
function Stacked:init() self.layers = nn.ModuleList{ nn.Linear(3, 3), nn.Linear(3, 3) } end
function Stacked:forward(x)
  for _, layer in ipairs{ self.layers[1], self.layers[2] } do x = layer(x):tanh() end
  return x
end

cases.Sequential = { function() return nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 2)) end, { 4, 3 } }
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

local layers = { cases = cases }

--- Classes that compute nothing by themselves; others' cases contain them.
layers.containers = { ModuleList = true, ModuleDict = true, ParameterList = true }

--- The module and the inputs of a case, in float64.
function layers.make(name)
  local case, inputs = cases[name], {}
  for i = 2, #case do
    local given = case[i]
    inputs[i - 1] = type(given) == 'function' and given() or metann.randn(given, { dtype = 'float64' })
  end
  return case[1]():double(), inputs
end

return layers
