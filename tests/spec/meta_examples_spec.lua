-- The original's examples in Lua, as they stand: they run, and print what they say.
local metann = require 'metann'
local support = require 'tests.support.meta'

local EXAMPLES = [==[
local metann = require 'metann'
local nn, meta, utils = metann.nn, metann.meta, metann.utils

-- conversion; a copy where the module itself shall stay as it is
local net = nn.Sequential(nn.Linear(10, 100), nn.Linear(100, 5))
local copy = metann.DependentModule(net:deepcopy())
print(metann.DependentModule(net))
--> DependentSequential(
-->   (1): DependentLinear(in_features=10, out_features=100, bias=true)
-->   (2): DependentLinear(in_features=100, out_features=5, bias=true)
--> )

-- MAML
local maml = meta.MAML(net, 5, 10, 0.01)
local adapted = maml({x, y})
meta.default_evaluator_classification(adapted, {xq, yq}):backward()

-- a dependent of one's own
net:register_dependent('some_tensor', metann.randn(3, 3))
print(net.some_tensor)

-- functional
local proto = metann.ProtoModule(nn.Linear(10, 5))
local output = proto:functional(proto:parameters(), true)(x)
for name, p in proto:named_parameters() do
  if name == 'bias' then print(p:size()) end
end

-- all parameters become dependents, values kept
local d = metann.DependentModule(net:deepcopy()):clear_params(true)

-- a view of some keys of a dictionary
local super = utils.OrderedDict{{'a', 1}, {'b', 2}, {'c', 3}}
local sub = utils.SubDict(super, {'a', 'b'})
]==]

--- Runs them with the names x, y, xq, yq given and `print` collecting; returns the printed text and what they made.
local function run()
  local lines = {}
  local environment = setmetatable({
    x = metann.randn(5, 10), y = support.labels{ 1, 2, 3, 4, 5 }, xq = metann.randn(5, 10),
    yq = support.labels{ 5, 4, 3, 2, 1 },
    print = function(...)
      local parts = {}
      for i = 1, select('#', ...) do parts[i] = tostring((select(i, ...))) end
      lines[#lines + 1] = table.concat(parts, '\t')
    end,
  }, { __index = _G })
  local text = EXAMPLES .. 'return { net = net, copy = copy, output = output, d = d, sub = sub }'
  local made = setfenv(assert(loadstring(text, '=examples')), environment)()
  made.x = environment.x
  return table.concat(lines, '\n'), made
end

--- What a text says it prints: the comments that begin with an arrow.
local function said(text)
  local lines = {}
  for line in text:gmatch '\n%-%-> ([^\n]*)' do lines[#lines + 1] = line end
  return table.concat(lines, '\n')
end

describe('the original\'s examples in Lua', function()
  it('run as they stand and print what they say', function()
    metann.manual_seed(1)
    local printed, made = run()
    local tree = said(EXAMPLES)
    assert.equal([[
DependentSequential(
  (1): DependentLinear(in_features=10, out_features=100, bias=true)
  (2): DependentLinear(in_features=100, out_features=5, bias=true)
)]], tree)
    assert.equal(tree, printed:sub(1, #tree))
    -- then the tensor of 3 x 3, and the size of the bias
    local tensor, size = printed:sub(#tree + 2):match '^(.*%[float32 tensor of size 3x3%])\n(.*)$'
    assert.equal('(5,)', size)
    local values = {}
    for number in tensor:match '^(.-)%[':gmatch '%S+' do values[#values + 1] = tonumber(number) end
    assert.equal(9, #values)
    for i = 1, 3 do
      for j = 1, 3 do assert.is_true(math.abs(values[3 * i - 3 + j] - made.net.some_tensor[i][j]:item()) <= 5e-5) end
    end
  end)

  it('print sizes as modules do', function()
    assert.equal('(5, 100)', tostring(metann.zeros(5, 100):size()))
    assert.equal('(5,)', tostring(metann.zeros(5).shape))
    assert.equal('()', tostring(metann.tensor(1).shape))
  end)

  it('leave behind what they describe', function()
    local _, made = run()
    assert.is_false(metann.nn.is(metann.nn.Linear(1, 1), metann.DependentModule))
    assert.is_true(metann.nn.is(made.copy, metann.DependentModule))
    assert.is_false(made.copy == made.net)
    for p in made.net:parameters() do assert.is_not_nil(p.grad) end
    assert.same({ 5, 5 }, made.output.shape)
    assert.equal(0, #support.list(made.d:parameters()))
    assert.is_true(support.close(made.d(made.x), made.net(made.x)))
    assert.same({ 'a', 'b' }, made.sub:keys())
    assert.same({ 1, 2 }, made.sub:values())
  end)
end)
