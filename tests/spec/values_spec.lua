-- Rows that fail for some values of their inputs say so in the table (MN_F_VALUES), and no other row does: each sample is
-- called again with every input in turn full of values that may be wrong. On a device that finds failures late such a call
-- succeeds, and whatever waits next is the error, which names the line of the call.
local metann = require 'metann'
local binding = require 'metann.binding'
local rows = require 'tests.support.rows'
require 'tests.support.guarded'
local stub = binding.stub
local LATE = 'late:0'

-- Fails only where LAPACK's iteration for singular values doesn't end, which no known matrix makes it do.
local NOT_TO_BE_HAD = { cofactor = true }
local BAD = {
  float = { 0 / 0, 1 / 0, 0, -7, 0.5 }, -- 0.5: no index
  integer = { 0, -7, 10000 },
}

local samples = rows.samples()

local function without_place(message) return (tostring(message):gsub('^[^:]*:%d+: ', '')) end

--- A sample's inputs as tensors, of which number `at` is full of `value`.
local function inputs_of(sample, at, value)
  local list = {}
  for i = 1, #sample.inputs do
    list[i] = sample.inputs[i] and rows.tensor(sample.inputs[i])
    if i == at then list[i] = metann.full_like(list[i], value) end
  end
  return list
end

--- Calls see(inputs, message) for each call with bad values that fails.
local function each_failure(op, see)
  for _, sample in ipairs(samples[op]) do
    for at = 1, sample.error and 0 or #sample.inputs do
      local t = sample.inputs[at] and rows.tensor(sample.inputs[at])
      local kind = t and t.dtype ~= 'bool' and (t:is_floating_point() and 'float' or 'integer')
      for _, value in ipairs(kind and BAD[kind] or {}) do
        if not (t.dtype == 'uint8' and value ~= 0) then
          local inputs = inputs_of(sample, at, value)
          local ok, message = pcall(rows.call, op, inputs, sample.attrs)
          if not ok then see(inputs, sample.attrs, without_place(message)) end
        end
      end
    end
  end
end

local function sorted(set)
  local list = {}
  for name in pairs(set) do list[#list + 1] = name end
  table.sort(list)
  return list
end

local failing = {}
for _, op in ipairs(stub.order) do
  each_failure(op, function(inputs, attrs, message)
    assert(not message:find('out of memory', 1, true), message)
    failing[op] = failing[op] or { inputs, attrs, message }
  end)
end

describe('rows that fail for some values', function()
  it('are those with the flag', function()
    local flagged = {}
    for name, row in pairs(stub.rows) do
      if row.has 'VALUES' and not NOT_TO_BE_HAD[name] then flagged[name] = true end
    end
    assert.same(sorted(flagged), sorted(failing))
    for name in pairs(NOT_TO_BE_HAD) do assert.is_true(stub.rows[name].has 'VALUES') end
    assert.is_true(#sorted(failing) >= 22)
  end)

  for _, op in ipairs(sorted(failing)) do
    it(('are told of by the next wait, with row and line: %s'):format(op), function()
      local inputs, attrs, said = unpack(failing[op])
      local far = {}
      for i = 1, table.maxn(inputs) do far[i] = inputs[i] and inputs[i]:to(LATE) end
      local results = rows.call(op, far, attrs)
      assert.equal(LATE, results[1].device)
      local ok, message = pcall(metann.synchronize, LATE)
      assert.is_false(ok)
      local place = message:match ', called at ([^:]+:%d+)$'
      assert.equal(said .. ', found later on late:0', (without_place(message):gsub(', called at [^:]+:%d+$', '')))
      assert.is_truthy(place and place:find('tests/support/rows.lua:', 1, true), message)
      metann.synchronize(LATE) -- told once
    end)
  end
end)

describe('a failure that a device finds late', function()
  local function select(t, at) return t:index_select(1, metann.tensor({ at }, { dtype = 'int64', device = LATE })) end
  local function line() return debug.getinfo(2, 'l').currentline end

  it('lets no number out', function()
    local t = metann.tensor({ 1, 2, 3 }, { device = LATE })
    for _, read in ipairs{
      function(x) return x:item() end, function(x) return x:to_table() end, function(x) return tostring(x) end,
      function(x) return x:cpu() end, function(x) return x:nonzero() end,
    } do
      local chosen = select(t, 7)
      local ok, message = pcall(read, chosen)
      assert.is_false(ok)
      assert.is_truthy(message:find('index 7 is out of range 1..3', 1, true), message)
      assert.is_truthy(message:find(('found later on late:0, called at tests/spec/values_spec.lua:%d'):format(line() - 4), 1,
        true), message)
      assert.same({ 2 }, select(t, 2):to_table())
    end
  end)

  it('is the first of several, and writes nothing', function()
    local t = metann.zeros(3, { device = LATE })
    t:index_add_(1, metann.tensor({ 1, 9 }, { dtype = 'int64', device = LATE }), metann.ones(2, { device = LATE }))
    select(t, 8)
    local ok, message = pcall(metann.synchronize, LATE)
    assert.is_false(ok)
    assert.is_truthy(message:find('index_add: index 9 is out of range', 1, true), message)
    assert.same({ 0, 0, 0 }, t:to_table())
  end)

  it('in a derivative is told so, where the row of the forward is not known', function()
    local x = metann.ones(2, 2, { device = LATE, requires_grad = true })
    local f = metann.autograd.Function{
      name = 'Wrong',
      forward = function(_, t) return t * 2 end,
      backward = function(_, g) return g + select(g:reshape(-1), 9) end,
    }
    f(x):sum():backward()
    local ok, message = pcall(metann.synchronize, LATE)
    assert.is_false(ok)
    assert.is_truthy(message:find('index_select: index 9 is out of range 1..4 (dim 1 has size 4), found later', 1, true),
      message)
  end)

  it('is an error at once on the CPU', function()
    local t = metann.tensor({ 1, 2, 3 }, { device = 'cpu' })
    local ok, message = pcall(t.index_select, t, 1, metann.tensor({ 7 }, { dtype = 'int64', device = 'cpu' }))
    assert.is_false(ok)
    assert.is_nil(message:find 'later')
  end)
end)
