-- A batch of no samples goes through every layer and loss, in both modes, forth and back: sizes as ever but for the 0,
-- gradients of 0 for the parameters. What can't be empty is an error that says so.
local metann = require 'metann'
local cases = require 'tests.support.layer_cases'
local checks = require 'tests.support.checks'
local nn = metann.nn
local message = checks.message
local F = nn.functional

local SECOND = { RNN = true, LSTM = true, GRU = true, MultiheadAttention = true, CTCLoss = true }

--- Where the batch stands in an input of a module.
local function batch_dim(case, module)
  local attention = module.self_attn or module
  return (SECOND[case.class] or case.class:find '^Transformer') and not attention.batch_first and 2 or 1
end

--- The inputs of a case, without any of their samples.
local function empty_inputs(case, dim)
  local list = {}
  for i, input in ipairs(case.inputs) do
    if type(input) == 'function' then
      -- masks of who attends to whom have no batch
      list[i] = input()
      if not case.class:find '^TransformerEncoder' then list[i] = list[i]:narrow(1, 1, 0) end
    else
      local sizes = { unpack(input.parts or input) }
      sizes[dim] = 0
      list[i] = metann.zeros(sizes, { dtype = 'float64', requires_grad = true })
    end
  end
  if case.class == 'MultiheadAttention' and list[4] then list[4] = { key_padding_mask = list[4] } end
  return list
end

local function flat(...)
  local list = {}
  for _, y in ipairs{ ... } do
    for _, t in ipairs(metann.is_tensor(y) and { y } or y) do list[#list + 1] = t end
  end
  return list
end

--- The sizes that come out: states have their batch in dim 2, attention weights in dim 1.
local function is_empty(case, got, sizes, dim, i)
  local at = (case.class:match '^[RLG]' and i > 1 and 2) or (case.class == 'MultiheadAttention' and i == 2 and 1) or dim
  local right = { unpack(sizes) }
  if case.class:find 'Cell$' or case.class == 'CTCLoss' then at = 1 end
  if #right > 0 then right[at] = 0 end
  assert.same(right, got.shape)
end

local function gradients_are_zero(outputs, inputs, module)
  local leaves, total = {}, nil
  for _, x in ipairs(inputs) do
    if metann.is_tensor(x) and x.requires_grad then leaves[#leaves + 1] = x end
  end
  local count = #leaves
  for p in module:parameters() do leaves[#leaves + 1] = p end
  for _, y in ipairs(outputs) do
    if y.requires_grad then total = total and total + y:sum() or y:sum() end
  end
  if not total then return end
  for i, g in ipairs(metann.grad(total, leaves)) do
    assert.same(leaves[i].shape, g.shape)
    if i > count then assert.equal(0, g:abs():sum():item()) end
  end
end

describe('a batch of nobody through', function()
  for k, case in ipairs(cases) do
    it(('%s (%d)'):format(case.class, k), function()
      for _, training in ipairs{ true, false } do
        local module = case.make():double():train(training)
        local buffers = {}
        for name, b in module:named_buffers() do buffers[name] = b:clone() end
        local dim = batch_dim(case, module)
        local inputs = empty_inputs(case, dim)
        local outputs = flat(module(unpack(inputs)))
        for i, sizes in ipairs(case.out) do is_empty(case, outputs[i], sizes, dim, i) end
        gradients_are_zero(outputs, inputs, module)
        for name, b in module:named_buffers() do
          -- instance norm never counts
          local counted = training and name == 'num_batches_tracked' and case.class:find '^Batch' and 1 or 0
          assert.equal(counted, (b - buffers[name]):abs():sum():item())
        end
      end
    end)
  end
end)

it('a sequence of no steps is an error that says so', function()
  for _, name in ipairs{ 'RNN', 'LSTM', 'GRU' } do
    assert.matches(name .. ": the length of 'input' must be at least 1, got size %(0, 2, 3%)",
      message(nn[name](3, 2), metann.zeros(0, 2, 3)))
    assert.matches('got size %(2, 0, 3%)', message(nn[name](3, 2, { batch_first = true }), metann.zeros(2, 0, 3)))
    assert.matches('got size %(0, 3%)', message(nn[name](3, 2), metann.zeros(0, 3)))
  end
end)

it('no channels or planes are an error where windows move', function()
  for _, pool in ipairs{ nn.MaxPool2d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.AdaptiveMaxPool2d(1) } do
    assert.matches('not empty but for N, got float32 tensor of size %(2, 0, 3, 3%)', message(pool, metann.zeros(2, 0, 3, 3)))
    assert.matches('not empty but for N', message(pool, metann.zeros(0, 3, 3)))
  end
  assert.matches('not empty but for N', message(nn.MaxPool1d(2), metann.zeros(2, 0, 3)))
  assert.matches('group_norm: .* channels that 1 divides, got size %(2, 0, 3%)', message(F.group_norm, metann.zeros(2, 0, 3), 1))
end)
