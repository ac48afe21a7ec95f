-- State dicts of PyTorch networks (tests/golden/io, made by make.py there): the same outputs here, and the names back.
local scratch = require 'tests.support.scratch'
local metann = require 'metann'
local nn, safetensors = metann.nn, metann.io.safetensors

local GOLDEN = 'tests/golden/io/'

local function convnet()
  return nn.Sequential(nn.Conv2d(1, 4, 3, { stride = 2 }), nn.BatchNorm2d(4), nn.ReLU(),
    nn.Sequential(nn.Conv2d(4, 3, 3, { bias = false }), nn.GELU()), nn.Flatten(), nn.Linear(12, 5))
end

local Net = nn.class 'Net'

function Net:init()
  self.features = nn.Sequential(nn.Conv2d(2, 4, 3, { padding = 1 }), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
    nn.Sequential(nn.Conv2d(4, 3, 3), nn.ReLU()), nn.Flatten())
  self.heads = nn.ModuleDict { { '0', nn.Linear(12, 3) }, { 'b', nn.Linear(12, 2) } }
  self.rest = nn.ModuleList { nn.Linear(3, 2), nn.Linear(2, 2) }
  self.scales = nn.ParameterList { metann.zeros(2), metann.zeros(2) }
end

function Net:forward(x)
  local h = self.features(x)
  return self.rest[2](self.rest[1](self.heads:get '0'(h))) * self.scales[1] + self.heads:get 'b'(h) * self.scales[2]
end

local Recurrent = nn.class 'Recurrent'

function Recurrent:init()
  self.lstm = nn.LSTM(3, 4, { num_layers = 2, bidirectional = true, batch_first = true })
  self.head = nn.Sequential(nn.Tanh(), nn.Linear(8, 2))
end

function Recurrent:forward(x) return self.head((self.lstm(x))) end

local networks = { convnet = convnet, containers = Net, lstm = Recurrent }

local function check(name, net)
  local io = safetensors.load(GOLDEN .. name .. '_output.safetensors')
  local difference = (net(io.x) - io.y):abs():max():item()
  assert.is_true(difference < 1e-12, name .. ': ' .. difference)
end

describe('a network of PyTorch', function()
  for name, make in pairs(networks) do
    local path = GOLDEN .. name .. '.safetensors'
    it(name .. ' gives the same outputs after load_state_dict', function()
      local net = make():double():eval()
      local report = net:load_state_dict(safetensors.load(path), { from = 'pytorch' })
      assert.are.same({ missing_keys = {}, unexpected_keys = {} }, report)
      check(name, net)
    end)

    it(name .. ' gives its names back', function()
      local net = make():double()
      local state = safetensors.load(path)
      net:load_state_dict(state, { from = 'pytorch' })
      local back = net:state_dict { to = 'pytorch' }
      local n = 0
      for key, t in back:pairs() do
        assert.are.same(state[key]:to_table(), t:to_table(), key)
        n = n + 1
      end
      for _ in pairs(state) do n = n - 1 end
      assert.are.equal(0, n)
    end)
  end

  it('loads by shifted names where all numbers are positions', function()
    for _, name in ipairs { 'convnet', 'lstm' } do
      local net = networks[name]():double():eval()
      net:load_state_dict(safetensors.load(GOLDEN .. name .. '.safetensors', { from = 'pytorch' }))
      check(name, net)
    end
  end)

  it('loads into dependent modules, functional views and adapted models', function()
    local state = safetensors.load(GOLDEN .. 'convnet.safetensors')
    local dependent = metann.DependentModule(convnet():double()):eval()
    dependent:clear_params(true)
    dependent:load_state_dict(state, { from = 'pytorch' })
    check('convnet', dependent)
    local base = convnet():double():eval()
    local proto = metann.ProtoModule(base)
    local view = proto:functional(proto:parameters())
    view:load_state_dict(state, { from = 'pytorch' })
    check('convnet', view)
    assert.are.same(state['5.weight']:to_table(), view:state_dict { to = 'pytorch' } ['5.weight']:to_table())
    proto:load_state_dict(state, { from = 'pytorch' })
    check('convnet', base)
  end)

  it("reports what doesn't fit under the names here", function()
    local net = nn.Sequential(nn.Linear(2, 2))
    for pattern, call in pairs {
      ['missing 1.bias; unexpected 2.weight'] = function()
        net:load_state_dict({ ['0.weight'] = metann.zeros(2, 2), ['1.weight'] = metann.zeros(2, 2) }, { from = 'pytorch' })
      end,
      ["Sequential:load_state_dict: 'from' must be 'pytorch', got string 'torch'"] = function()
        net:load_state_dict({}, { from = 'torch' })
      end,
      ["Sequential:load_state_dict: unknown option 'strct', did you mean 'strict'"] = function()
        net:load_state_dict({}, { strct = false })
      end,
      ["Sequential:load_state_dict: 'strict' must be true or false, got number 1"] = function()
        net:load_state_dict({}, 1)
      end,
      ["Sequential:load_state_dict: expected a table of tensors by name, got number 3"] = function()
        net:load_state_dict(3, { from = 'pytorch' })
      end,
      ["Sequential:state_dict: 'to' must be 'pytorch', got string 'x'"] = function() net:state_dict { to = 'x' } end,
      ["Sequential:state_dict: options must be a table, got string 'pytorch'"] = function() net:state_dict 'pytorch' end,
    } do
      local ok, message = pcall(call)
      assert.is_false(ok)
      assert.truthy(message:find(pattern, 1, true), message)
      assert.truthy(message:find 'io_pytorch_spec', message)
    end
  end)

  it('shifts whole numbers between dots only', function()
    local folder = scratch.folder()
    local path = folder .. '/a'
    local zero = metann.zeros(1)
    safetensors.save(path, { ['0.9.weight_l0'] = zero, ['01.x'] = zero, ['10'] = zero, ['a..0'] = zero })
    local names = safetensors.open(path, { from = 'pytorch' }):names()
    table.sort(names)
    assert.are.same({ '01.x', '1.10.weight_l0', '11', 'a..1' }, names)
    scratch.remove(folder)
  end)
end)
