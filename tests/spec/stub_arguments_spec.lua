-- How rows of the op table take their arguments: by position, by name, and by tables that mix a list with names.
local metann = require 'metann'
local stub = require('metann.binding').stub

local function same(want, got)
  assert.same(want.shape, got.shape)
  assert.same(want:to_table(), got:to_table())
end

local function fails(pattern, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.truthy(message:find(pattern), message)
end

local x = metann.arange(6):view(2, 3)
local y = metann.tensor{ { 3, 1, 2 }, { 0, 5, 4 } }

describe('a row', function()
  it('takes by name whatever has a name, also the inputs', function()
    local raw = stub.public
    for _, fn in ipairs{ raw.maximum, x.maximum } do
      local want = fn(x, y)
      same(want, fn(x, { other = y }))
      same(want, fn{ input = x, other = y })
      same(want, fn{ x, other = y })
    end
    same(raw.add(x, y, 2), raw.add{ input = x, other = y, alpha = 2 })
    same(raw.add(x, y, 2), raw.add(x, { y, alpha = 2 }))
    same(raw.add(x, y, 2), x:add(y, { alpha = 2 }))
    same(raw.sum(x, 2, true), raw.sum{ x, 2, keepdim = true })
    same(raw.sum(x, 2, true), raw.sum(x, { keepdim = true, dim = { 2 } }))
    same(raw.permute(x, 2, 1), raw.permute{ input = x, dims = { 2, 1 } })
    same(raw.permute(x, 2, 1), raw.permute(x, { dims = { 2, 1 } }))
    local a = x:clone()
    raw.add_(a, { other = y, alpha = 3 })
    same(x + y * 3, a)
    a = x:clone()
    raw.maximum_{ input = a, other = y }
    same(raw.maximum(x, y), a)
  end)

  it('takes a list with names as both', function()
    local raw = stub.public
    same(raw.sum(x, { 1, 2 }, true), raw.sum(x, { 1, 2, keepdim = true }))
    same(raw.cat({ x, y }, 2), raw.cat{ x, y, dim = 2 })
    same(raw.cat({ x, y }, 2), raw.cat({ x, y }, { dim = 2 }))
    same(raw.cat({ x, y }, 2), raw.cat{ tensors = { x, y }, dim = 2 })
    same(raw.permute(x, 2, 1), raw.permute(x, { 2, 1 }))
  end)

  it("refuses what it doesn't know, and anything behind the table", function()
    local raw = stub.public
    fails("sum: unknown option 'junk'", raw.sum, x, { 1, junk = 1 })
    fails("permute: unknown option 'junk'", raw.permute, x, { 2, 1, junk = 1 })
    fails("cat: unknown option 'junk'", raw.cat, { x, y, junk = 1 })
    fails("add: 'other' is given twice, by position and by name", raw.add, x, y, { other = y })
    fails("add: 'input' is given twice, by position and by name", raw.add, x, { input = x, other = y })
    fails("add: 'alpha' must be a number, got table", raw.add, x, y, {}, {})
    fails('add: takes 3 arguments, got 5', raw.add, x, y, 1, nil, 4)
    fails('add: takes 3 arguments, got 4', raw.add, x, y, { alpha = 2 }, 4)
    fails('permute: takes 2 arguments, got 3', raw.permute, x, { 2, 1 }, 5)
    fails('relu: takes 1 argument, got 2', raw.relu, x, 4)
    fails("sum: 'dim' must be a list of integers, got a table by name", raw.sum, x, { dim = 1 }, true)
  end)

  it('each refuses an unknown name, in place as well', function()
    local t = metann.ones(2, 2)
    for _, name in ipairs(stub.order) do
      local row = stub.rows[name]
      local arguments = {}
      for i, input in ipairs(row.inputs) do arguments[i] = input.variadic and { t, t } or t end
      arguments[#arguments + 1] = { junk = 1 }
      local names = { name }
      if row.has('INPLACE') then names[2] = name .. '_' end
      for _, called in ipairs(names) do
        fails(' ' .. called:gsub('_$', '') .. "_?: unknown option 'junk'", stub.public[called], unpack(arguments))
        fails(' ' .. called:gsub('_$', '') .. "_?: unknown option 'junk'", stub.ops[called], unpack(arguments))
      end
    end
  end)

  it('says that a method is called with a colon', function()
    fails("exp: 'input' must be a tensor, got nil %(a method is called with a colon: t:exp%(%)%)", x.exp)
    fails("add: 'input' must be a tensor, got nil", x.add)
  end)
end)

describe('what tensors are not', function()
  it('is said where it is tried', function()
    local row = 'for i = 1, #t do local row = t%[i%] ... end'
    fails("a tensor can't be called: T, shape.*are fields %(t%.T%).*" .. row, function() return x.T() end)
    fails('a tensor can\'t be called.*' .. row, function() for row_of in x do print(row_of) end end)
    fails('ipairs: a tensor is no table; walk its rows by ' .. row, ipairs, x)
    fails('use a:lt%(b%), a:gt%(b%).*:item%(%)', function() return x < y end)
    fails('use a:le%(b%), a:ge%(b%).*:item%(%)', function() return x >= y end)
  end)
end)

describe('an object that shows an entry 1 without holding it', function()
  it('is no list, and nothing looks for names behind it', function()
    local objects = { metann.nn.Sequential(metann.nn.ReLU()), setmetatable({}, { __index = function() return 1 end }) }
    for _, object in ipairs(objects) do
      fails('region_put_: ', function() return metann.ones(2):region_put_(nil, nil, object) end)
      fails("flip: 'dims' must be ", function() return metann.ones(2):flip(object) end)
      fails("sum: 'dim' must be ", function() return metann.ones(2):sum(object) end)
      fails('zeros: ', function() return metann.zeros(2, object) end)
    end
  end)
end)
