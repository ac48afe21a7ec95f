-- Every kind of layer runs with the weights of a view or of a dependent module, and gradients flow into their history.
local metann = require 'metann'
local nn = metann.nn

local function double(...) return metann.randn(..., { dtype = 'float64' }) end

local Mixed = nn.class('Mixed')
function Mixed:init()
  self.scales = nn.ParameterList{ nn.Parameter(metann.ones(3)), nn.Parameter(metann.ones(3)) }
  self.parts = nn.ModuleDict{ first = nn.Linear(3, 3), second = nn.Linear(3, 3, { bias = false }) }
  self.parts.second.weight = self.parts.first.weight
  self.sizes = { 1, 2 }
end
function Mixed:forward(x)
  for i = 1, 2 do x = self.parts[i == 1 and 'first' or 'second'](x) * self.scales[i] * self.sizes[i] end
  return x
end

local cases = {
  Linear = { function() return nn.Linear(3, 2) end, { 4, 3 } },
  ['Linear without bias'] = { function() return nn.Linear(3, 2, { bias = false }) end, { 4, 3 } },
  Bilinear = { function() return nn.Bilinear(3, 2, 2) end, { 4, 3 }, { 4, 2 } },
  Conv1d = { function() return nn.Conv1d(2, 3, 2) end, { 2, 2, 5 } },
  Conv2d = { function() return nn.Conv2d(2, 3, 2) end, { 2, 2, 4, 4 } },
  ConvTranspose2d = { function() return nn.ConvTranspose2d(2, 3, 2) end, { 2, 2, 3, 3 } },
  BatchNorm1d = { function() return nn.BatchNorm1d(3) end, { 5, 3 } },
  BatchNorm2d = { function() return nn.BatchNorm2d(2) end, { 3, 2, 3, 3 } },
  LayerNorm = { function() return nn.LayerNorm(4) end, { 3, 4 } },
  GroupNorm = { function() return nn.GroupNorm(2, 4) end, { 3, 4, 2 } },
  InstanceNorm2d = { function() return nn.InstanceNorm2d(2, { affine = true }) end, { 2, 2, 3, 3 } },
  PReLU = { function() return nn.PReLU() end, { 3, 4 } },
  RNN = { function() return nn.RNN(3, 4) end, { 5, 2, 3 } },
  LSTM = { function() return nn.LSTM(3, 4, { num_layers = 2, bidirectional = true }) end, { 5, 2, 3 } },
  GRU = { function() return nn.GRU(3, 4) end, { 5, 2, 3 } },
  RNNCell = { function() return nn.RNNCell(3, 4) end, { 2, 3 } },
  LSTMCell = { function() return nn.LSTMCell(3, 4) end, { 2, 3 } },
  GRUCell = { function() return nn.GRUCell(3, 4) end, { 2, 3 } },
  MultiheadAttention = { function() return nn.MultiheadAttention(4, 2) end, { 3, 2, 4 }, { 3, 2, 4 }, { 3, 2, 4 } },
  TransformerEncoderLayer = {
    function() return nn.TransformerEncoderLayer(4, 2, { dim_feedforward = 5, dropout = 0 }) end, { 3, 2, 4 },
  },
  ['a shared module'] = {
    function()
      local shared = nn.Linear(3, 3)
      return nn.Sequential(shared, nn.Tanh(), shared)
    end, { 4, 3 },
  },
  ['a class with fields, a list, a dictionary and a tie'] = { function() return Mixed() end, { 4, 3 } },
}

local function lists(module)
  local values = {}
  for p in module:parameters() do values[#values + 1] = p end
  return values
end

-- The weighted sum of the (first) output: a plain sum would be constant for a normalisation.
local function loss_of(module, inputs)
  local y = module(unpack(inputs))
  return (y * y:detach():cos()):sum()
end

describe('layers with other weights', function()
  for name, case in pairs(cases) do
    it(name, function()
      metann.manual_seed(11)
      local net = case[1]():double()
      local inputs = {}
      for i = 2, #case do inputs[i - 1] = double(case[i]) end
      local weights = lists(net)
      local loss = loss_of(net, inputs)
      local grads = metann.grad(loss, weights)
      -- by the chain rule, along w * s at s = 1
      local expected = 0
      for k = 1, #weights do expected = expected + (weights[k] * grads[k]):sum():item() end

      local s = metann.tensor(1, { dtype = 'float64', requires_grad = true })
      local scaled = {}
      for k = 1, #weights do scaled[k] = weights[k]:detach() * s end
      local view = metann.ProtoModule(net):functional(scaled)
      local d = metann.DependentModule.stateless(net)
      d:substitute_from_list(scaled)
      local copies = { view, d, metann.DependentModule(net:deepcopy()):clear_params(true) }
      for k, module in ipairs(copies) do
        local other = loss_of(module, inputs)
        assert.is_true(math.abs(other:item() - loss:item()) < 1e-9 * (1 + math.abs(loss:item())))
        if k < 3 then
          local slope = metann.grad(other, s, { retain_graph = true }):item()
          assert.is_true(math.abs(slope - expected) < 1e-9 * (1 + math.abs(expected)))
        end
      end
      assert.equal(tostring(net), tostring(view))
      assert.equal(tostring(view:deepcopy()), tostring(net))
      for k, p in ipairs(lists(net)) do assert.is_true(p == weights[k]) end
    end)
  end
end)
