-- Every class of metann.nn, and classes of a user's own, converted in place and seen through views: outputs, gradients
-- into the history of the weights, buffers, modes, hooks, printing, ties, frozen parts.
local metann = require 'metann'
local layers = require 'tests.support.layers'
local support = require 'tests.support.meta'
local namespace = require 'tests.support.namespace'
local nn, DependentModule, ProtoModule = metann.nn, metann.DependentModule, metann.ProtoModule
local list, named, names, close = support.list, support.named, support.names, support.close

-- The weighted sum of the (first) output: a plain sum would be constant for a normalisation.
local function loss_of(module, inputs)
  metann.manual_seed(23) -- dropout draws the same in each
  local y = module(unpack(inputs))
  return (y * (y:detach() + 0.5):cos()):sum()
end

local function near(a, b) return math.abs(a - b) <= 1e-9 * (1 + math.abs(b)) end

local function buffers_of(module)
  local _, by_name = named(module:named_buffers())
  return by_name
end

--- What `module` computes and leaves in its buffers is what `net`, a copy of the original, computes and leaves.
local function check_alike(module, net, inputs, buffer_names)
  for _, training in ipairs{ true, false } do
    module:train(training)
    net:train(training)
    assert.is_true(near(loss_of(module, inputs):item(), loss_of(net, inputs):item()))
    local got, expected = buffers_of(module), buffers_of(net)
    for _, name in ipairs(buffer_names) do
      assert.is_true(close(got[name]:double(), expected[name]:double(), 1e-12), name)
    end
  end
end

--- Weights w * s of a net, s a parameter that is 1, and the derivative by s that the chain rule gives.
local function scaled(net, inputs)
  net = net:deepcopy():requires_grad_(true)
  local order, weights = named(net:named_parameters())
  local floats = list(net:parameters())
  local loss = loss_of(net, inputs)
  local s, by_name, slope = metann.tensor(1, { dtype = 'float64', requires_grad = true }), {}, 0
  local grads = loss.requires_grad and metann.grad(loss, floats, { allow_unused = true }) or {}
  for k, name in ipairs(order) do
    by_name[name] = weights[name]:detach() * s
    if grads[k] then slope = slope + (weights[name] * grads[k]):sum():item() end
  end
  return by_name, s, slope
end

describe('conversion', function()
  it('has a case for every class', function()
    for _, name in ipairs(namespace.layers()) do
      assert.is_truthy(layers.classes[name] or layers.containers[name],
        'add a case for ' .. name .. ' to tests/support/layer_cases.lua')
    end
  end)

  for name in pairs(layers.cases) do
    describe('of ' .. name .. ':', function()
      local net, inputs, copy, buffer_names
      before_each(function()
        metann.manual_seed(11)
        net, inputs = layers.make(name)
        copy = net:deepcopy()
        buffer_names = named(net:named_buffers())
      end)

      it('in place', function()
        local frozen = {}
        for parameter, p in net:named_parameters() do frozen[parameter] = not p.requires_grad end
        local order, before = names(net:named_parameters()), tostring(net)
        local d = DependentModule(net)
        assert.equal(net, d)
        for m in d:modules() do assert.is_true(nn.is(m, DependentModule)) end
        assert.equal(before, (tostring(d):gsub('Dependent', '')))
        check_alike(d, copy, inputs, buffer_names)
        d:clear_params(true)
        assert.equal(order, names(d:named_dependents()))
        assert.equal('', names(d:named_parameters()))
        check_alike(d, copy, inputs, buffer_names)
        for dependent, t in d:named_dependents() do assert.equal(not frozen[dependent], t.requires_grad) end
        d:clear_params()
        assert.equal(before, (tostring(d):gsub('Dependent', '')))
        d:substitute(copy:named_parameters())
        check_alike(d, copy, inputs, buffer_names)
        check_alike(d:deepcopy(), copy, inputs, buffer_names)
      end)

      it('as a view', function()
        local zeros = {}
        local before = net:deepcopy():state_dict()
        for parameter, p in copy:named_parameters() do zeros[parameter] = metann.zeros_like(p) end
        local proto = ProtoModule(net)
        local other, view = proto:functional(zeros), proto:functional(copy:parameters())
        check_alike(view, copy, inputs, buffer_names)
        check_alike(view:deepcopy(), copy, inputs, buffer_names)
        loss_of(other, inputs)
        assert.equal(tostring(net), tostring(view))
        for slot, t in net:state_dict():pairs() do assert.is_true(t:eq(before[slot]):all():item() ~= 0, slot) end
        assert.is_true(net.training)
      end)

      it('gradients flow into the weights\' history', function()
        local weights, s, slope = scaled(copy, inputs)
        if next(weights) == nil then return end
        local d = DependentModule.stateless(net)
        d:substitute(weights)
        local dependents = ProtoModule(DependentModule.stateless(net))
        for _, module in ipairs{ d, ProtoModule(net):functional(weights), dependents:functional(weights) } do
          local grad = metann.grad(loss_of(module, inputs), s, { allow_unused = true, retain_graph = true })
          assert.is_true(near(grad and grad:item() or 0, slope))
        end
      end)

      it('hooks stay', function()
        local calls = {}
        for path, module in net:named_modules() do
          module:register_forward_pre_hook(function() calls[path .. ' before'] = (calls[path .. ' before'] or 0) + 1 end)
          module:register_forward_hook(function(self) calls[path .. ' after ' .. tostring(nn.is(self, nn.Module))] = true end)
        end
        loss_of(net, inputs)
        local expected
        expected, calls = calls, {}
        loss_of(ProtoModule(net):functional(copy:parameters()), inputs)
        assert.same(expected, calls)
        calls = {}
        loss_of(DependentModule(net):clear_params(true), inputs)
        assert.same(expected, calls)
        calls = {}
        loss_of(net:deepcopy(), inputs)
        assert.same(expected, calls)
      end)
    end)
  end
end)
