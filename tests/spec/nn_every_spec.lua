-- Every layer and loss: sizes, derivatives of order 2 (or 3) with respect to inputs and parameters, through a
-- functional view; modes; copies and states; conversion to a DependentModule.
local metann = require 'metann'
local cases = require 'tests.support.layer_cases'
local scratch = require 'tests.support.scratch'
local namespace = require 'tests.support.namespace'
local rows_of = require 'tests.support.rows'
require 'tests.support.guarded'
local nn = metann.nn

local NAMES = namespace.layers()
-- Containers that compute nothing.
local PASSIVE = { ModuleList = true, ModuleDict = true, ParameterList = true, ParameterDict = true }

local function double(size) return metann.randn(size, { dtype = 'float64' }) end

--- The inputs of a case; those that are differentiated first, with their places.
local function inputs_of(case)
  local list = {}
  for i, input in ipairs(case.inputs) do
    if type(input) == 'function' then
      list[i] = input()
    elseif input.parts then
      list[i] = (metann.rand(input.parts, { dtype = 'float64' }) * 0.8 + 0.1):requires_grad_(true)
    else
      list[i] = double(input):requires_grad_(true)
    end
  end
  return list
end

--- The masks of attention are options, not inputs.
local function call(case, module, inputs)
  if case.class == 'MultiheadAttention' and inputs[4] then
    return module(inputs[1], inputs[2], inputs[3], { key_padding_mask = inputs[4] })
  end
  return module(unpack(inputs))
end

--- What comes out, states in lists included, as one flat list.
local function outputs(case, module, inputs)
  local list = {}
  for _, y in ipairs{ call(case, module, inputs) } do
    if type(y) == 'table' then
      for _, t in ipairs(y) do list[#list + 1] = t end
    else
      list[#list + 1] = y
    end
  end
  return list
end

local function parameters_of(module)
  local list = {}
  for p in module:parameters() do list[#list + 1] = p end
  return list
end

local function close(a, b)
  assert.equal(#a, #b)
  for i = 1, #a do
    assert.same(a[i].shape, b[i].shape)
    local x, y = a[i]:detach():reshape(-1):to_table(), b[i]:detach():reshape(-1):to_table()
    for k = 1, #x do assert.near(y[k], x[k], 1e-12) end
  end
end

local function weighted(list)
  local total
  for i, y in ipairs(list) do
    if y.requires_grad then
      local factors = (metann.arange(y:numel(), { dtype = 'float64', device = y.device }):reshape(y.shape) + i):cos()
      local part = (y * factors):sum()
      total = total and total + part or part
    end
  end
  return total
end

--- A module whose derivatives can be checked: without chance.
local function checked(case)
  metann.manual_seed(5)
  local module = case.make():double()
  if case.options.drops then module:eval() end
  return module
end

describe('the contract', function()
  it('names layers and losses that are all there, and checked below', function()
    local seen = {}
    for _, case in ipairs(cases) do seen[case.class] = true end
    for _, name in ipairs(NAMES) do
      assert.is_true(nn.is(nn[name] and nn.Module(), nn.Module))
      assert.equal('class ' .. name, tostring(nn[name]))
      assert.is_true(PASSIVE[name] or seen[name] or false, name .. ' has no case')
    end
  end)
end)

describe('the guide to modules', function()
  local text = scratch.read 'docs/modules.md'
  local function has(what, names)
    for _, name in ipairs(names) do
      assert.is_truthy(text:find('%f[%w_]' .. name .. '%f[^%w_]'), ('docs/modules.md says nothing of %s %s'):format(what, name))
    end
  end

  it('names every layer and loss', function()
    has('the class', NAMES)
  end)

  it('names every initializer, helper, optimizer and schedule', function()
    for what, module in pairs{ initializer = nn.init, helper = nn.utils, schedule = metann.optim.lr_scheduler } do
      local names = {}
      for name in pairs(module) do names[#names + 1] = name end
      assert.is_true(#names >= 4)
      has('the ' .. what, names)
    end
    has('the optimizer', namespace.optimizers())
  end)

  it('names functions that are all there', function()
    local list = text:match('are in `nn%.functional`: (.-)%.\n')
    local n = 0
    for name in list:gmatch '[%w_]+' do
      if not ({ ['and'] = 1, the = 1, layers = 1, without = 1, state = 1 })[name] then
        assert.equal('function', type(nn.functional[name]))
        n = n + 1
      end
    end
    assert.is_true(n > 50)
  end)
end)

describe('wrong use', function()
  local function message(fn, ...)
    local ok, err = pcall(fn, ...)
    assert.is_false(ok)
    return tostring(err)
  end

  local seen = { Identity = true, Sequential = true }
  for _, case in ipairs(cases) do
    local class = case.class
    if not seen[class] then
      seen[class] = true
      it(class .. ' refuses an argument that it has not, by name', function()
        local text = message(function() nn[class]{ no_such_option = 1 } end)
        assert.matches('nn_every_spec.lua:%d+: ' .. class .. ': ', text)
        assert.is_truthy(text:find("unknown option 'no_such_option'", 1, true) or text:find('must be given', 1, true), text)
      end)

      it(class .. ' refuses more values than it takes', function()
        local module, given = case.make(), inputs_of(case)
        for _ = 1, 12 do given[#given + 1] = 7 end
        assert.matches('nn_every_spec.lua:%d+: ' .. class .. ': takes %d+ arguments?, got %d+',
          message(function() module(unpack(given)) end))
      end)

      it(class .. ' refuses an input that is no tensor, at the line of the call', function()
        local module = case.make()
        assert.matches('nn_every_spec.lua:%d+: ' .. class .. ": .*'[%w_]+' must be .*got string 'x'",
          message(function() module('x') end))
        local none = message(function() module() end)
        assert.matches('nn_every_spec.lua:%d+: ' .. class .. ': ', none)
        assert.is_truthy(none:find "'[%w_]+' must be .*got nil" or none:find "'[%w_]+' must be given", none)
        if #case.inputs > 1 and not class:find '^TransformerEncoder' then
          local one = message(function() module(inputs_of(case)[1]) end)
          assert.matches('nn_every_spec.lua:%d+: ' .. class .. ': ', one)
          assert.is_truthy(one:find "'[%w_]+' must be .*got nil" or one:find "'[%w_]+' must be given", one)
        end
      end)
    end
  end
end)

local count = {}
for _, case in ipairs(cases) do
  count[case.class] = (count[case.class] or 0) + 1
  local title = case.class .. (count[case.class] > 1 and ' (' .. count[case.class] .. ')' or '')
  describe(title, function()
    it('gives outputs of the right sizes and the dtype of its parameters', function()
      local module = checked(case)
      for i, y in ipairs(outputs(case, module, inputs_of(case))) do
        assert.same(case.out[i], y.shape)
        assert.equal('float64', y.dtype)
      end
      assert.equal(#case.out, #outputs(case, module, inputs_of(case)))
    end)

    it('has the derivatives that differences give, of inputs and of parameters through a view', function()
      local module = checked(case)
      local proto, inputs = metann.ProtoModule(module), inputs_of(case)
      local n, leaves = #inputs, { unpack(inputs) }
      for _, p in ipairs(parameters_of(module)) do leaves[#leaves + 1] = p:detach():clone():requires_grad_(true) end
      -- masks and labels stay as they are: gradcheck takes what requires no gradient along
      local ok = metann.gradcheck(function(...)
        local given, weights = { ... }, {}
        for i = n + 1, #leaves do weights[i - n] = given[i] end
        given = { unpack(given, 1, n) }
        local model = #weights > 0 and proto:functional(weights) or module
        return unpack(outputs(case, model, given))
      end, leaves, { order = case.options.order or 2 })
      assert.is_true(ok)
    end)

    it('keeps values through copies, states and modes', function()
      local module, inputs = checked(case), inputs_of(case)
      local want = outputs(case, module:deepcopy(), inputs)
      close(outputs(case, module:deepcopy(), inputs), want)
      local other = case.make():double():train(module.training)
      assert.same({ missing_keys = {}, unexpected_keys = {} }, other:load_state_dict(module:state_dict()))
      close(outputs(case, other, inputs), want)
      assert.equal(tostring(module), tostring(other))
      -- modes
      metann.manual_seed(1)
      local train = outputs(case, case.make():double():train(), inputs)
      metann.manual_seed(1)
      local eval = outputs(case, case.make():double():eval(), inputs)
      local same = true
      for i = 1, #train do same = same and train[i]:equal(eval[i]) end
      assert.equal(not (case.options.drops or case.options.batch), same and true or false)
    end)

    it('computes where its weights and inputs lie, derivatives too', function()
      local function run(device)
        metann.manual_seed(8)
        local module, inputs = case.make():double():to(device), inputs_of(case)
        for i, t in ipairs(inputs) do inputs[i] = t:detach():to(device):requires_grad_(t.requires_grad) end
        metann.manual_seed(8)
        local list = outputs(case, module, inputs)
        local total = weighted(list)
        if total then total:backward() end
        for _, t in ipairs(inputs) do list[#list + 1] = t.grad end
        for p in module:parameters() do list[#list + 1] = p.grad end
        for b in module:buffers() do list[#list + 1] = b end
        return list
      end
      local want, got = run 'cpu', run 'guarded:1'
      assert.equal(#want, #got)
      for i, t in ipairs(got) do
        assert.equal('guarded:1', t.device)
        assert.equal(rows_of.bytes(want[i]), rows_of.bytes(t))
      end
    end)

    it('works as a DependentModule, and gradients flow into what its weights depend on', function()
      local module, inputs = checked(case), inputs_of(case)
      local weights = parameters_of(module)
      local total = weighted(outputs(case, module:deepcopy(), inputs))
      local want, grads = outputs(case, module:deepcopy(), inputs), nil
      if #weights > 0 then
        local plain = module:deepcopy()
        grads = metann.grad(weighted(outputs(case, plain, inputs)), parameters_of(plain))
      end
      local dependent = metann.DependentModule.stateless(module)
      local s, scaled, slope = metann.tensor(1, { dtype = 'float64', requires_grad = true }), {}, 0
      for i, p in ipairs(weights) do
        scaled[i] = p:detach() * s
        slope = slope + (p * grads[i]):sum():item()
      end
      dependent:substitute_from_list(scaled)
      local got = outputs(case, dependent, inputs)
      close(got, want)
      if #weights > 0 then
        assert.near(slope, metann.grad(weighted(got), s):item(), 1e-9 * (1 + math.abs(slope)))
      elseif total then
        assert.near(total:item(), weighted(got):item(), 1e-12)
      end
    end)
  end)
end
