local metann = require 'metann'
local arguments = require 'metann.arguments'
local checks = require 'tests.support.checks'
local kinds = arguments.kinds
local message = checks.message

-- The message of the error that fn raises.
describe('arguments.read', function()
  local signature = arguments.signature('f', {
    { 'steps', required = true }, { 'lr', required = true, table = true }, { 'data', opaque = true },
    { 'create_graph', default = true },
  })
  local function read(...) return arguments.read(signature, ...) end

  it('reads positions, names and both', function()
    assert.same({ steps = 5, lr = 0.1, create_graph = true }, read(5, 0.1))
    assert.same({ steps = 5, lr = 0.1, create_graph = false }, read{ steps = 5, lr = 0.1, create_graph = false })
    assert.same({ steps = 5, lr = 0.1, create_graph = true }, read(5, { lr = 0.1 }))
    assert.same({ steps = 5, lr = 0.1, data = 'd', create_graph = false }, read(5, 0.1, 'd', { create_graph = false }))
    assert.same({ steps = 5, lr = 0.1, data = { x = 1 }, create_graph = true }, read(5, 0.1, { x = 1 }))
    assert.same({ steps = 5, lr = { ['1.weight'] = 0.1 }, create_graph = true }, read(5, { ['1.weight'] = 0.1 }))
    assert.same({ steps = 5, lr = { 0.1, 0.2 }, create_graph = true }, read(5, { 0.1, 0.2 }))
  end)

  it('refuses unknown, missing and doubled names', function()
    assert.matches("'lr' must be given", message(read, 5))
    assert.matches("unknown option 'step', did you mean 'steps'", message(read, { step = 5, lr = 1 }))
    assert.matches("unknown option 'creategraph', did you mean 'create_graph'", message(read, 5, { creategraph = 1 }))
    assert.matches("'steps' is given twice", message(read, 5, { steps = 5, lr = 1 }))
    assert.matches('takes 4 arguments, got 5', message(read, 1, 2, 3, 4, 5))
  end)
end)

describe('arguments.define', function()
  local t = metann.ones(2, 2)
  local f = arguments.define('flat', {
    { 'input', kinds.tensor }, { 'dims', kinds.dims }, { 'scale', kinds.number, 1 }, { 'keepdim', kinds.boolean, false, named = true },
  }, function(...) return { n = select('#', ...), ... } end)

  it('hands over all values by position, with defaults', function()
    for name, got in pairs{
      positions = f(t, 2), list = f(t, { 2 }), names = f{ input = t, dims = 2 }, both = f(t, { dims = { 2 } }),
      mixed = f{ t, 2, keepdim = false }, options = f(t, 2, {}), ['nil'] = f(t, 2, nil, nil), list_and_names = f(t, { 2, scale = 1 }),
    } do
      assert.same({ n = 4, t, { 2 }, 1, false }, got, name)
    end
    assert.same({ n = 4, t, { 1, 2 }, 3, true }, f(t, { 1, 2, scale = 3, keepdim = true }))
    assert.same({ n = 4, t, { 1, 2 }, 3, true }, f(t, { 1, 2 }, { scale = 3, keepdim = true }))
    assert.same({ n = 4, t, {}, 1, false }, f(t, {}))
  end)

  it('refuses what is unknown, missing, doubled, too much or of another kind', function()
    for text, given in pairs{
      ["flat: 'input' must be given, as in flat(input, dims, scale)"] = {},
      ["flat: 'input' must be a tensor, got number 3"] = { 3, 1 },
      ["flat: 'dims' must be given"] = { t },
      ["flat: 'dims' must be a dim or a list of dims (they count from 1, -1 is the last), got table"] = { t, { 0 } },
      ["flat: 'scale' must be a number, got string 'x'"] = { t, 1, 'x' },
      ["flat: unknown option 'dim', did you mean 'dims'?"] = { t, { dim = 1 } },
      ["flat: 'dims' is given twice, by position and by name"] = { t, 1, { dims = 1 } },
      ['flat: takes 3 arguments, got 4'] = { t, 1, 2, true },
      ["flat: unknown option 'junk'"] = { t, { 1, junk = 2 } },
      ["flat: 'keepdim' must be true or false, got number 1"] = { t, 1, { keepdim = 1 } },
    } do
      local said = message(f, unpack(given, 1, 4))
      assert.truthy(said:find(text, 1, true), said)
    end
  end)

  it('takes sizes one by one', function()
    local g = arguments.define('sized', {
      { 'size', kinds.shape, {}, rest = true }, { 'dtype', kinds.dtype, optional = true, named = true },
    }, function(...) return { ... } end)
    for _, got in ipairs{ g(2, 3), g({ 2, 3 }), g{ size = { 2, 3 } }, g(2, 3, {}), g(metann.ones(2, 3).shape) } do
      assert.same({ 2, 3 }, got[1])
      assert.is_nil(got[2])
    end
    assert.same({ { 2, 3 }, 'int64' }, g(2, 3, { dtype = 'int64' }))
    assert.same({ { 2, 3 }, 'int64' }, g({ 2, 3 }, { dtype = 'int64' }))
    assert.same({ { 2, 3 }, 'int64' }, g{ 2, 3, dtype = 'int64' })
    assert.same({ {}, 'int64' }, g{ dtype = 'int64' })
    assert.same({ {} }, g())
    assert.truthy(message(g, 2, 'x'):find("sized: 'size' must be a size or a list of sizes, got (2, string 'x')", 1, true))
    assert.truthy(message(g, 'x'):find("sized: 'size' must be a size or a list of sizes, got string 'x'", 1, true))
    assert.truthy(message(g, { 2 }, 3):find('sized: takes 1 argument, got 2', 1, true))
    assert.truthy(message(g, 2, { dtyp = 1 }):find("sized: unknown option 'dtyp', did you mean 'dtype'?", 1, true))
  end)

  it('names the function that was called, whatever it is made of, at its line', function()
    local inner = arguments.define('inner', { { 'x', kinds.tensor } }, function(x) return x end)
    local outer = arguments.define('outer', { { 'x' } }, function(x) return inner(x) end)
    local said = message(function() outer(3) end)
    assert.truthy(said:find("^tests/spec/arguments_spec.lua:%d+: outer: 'x' must be a tensor, got number 3"), said)
    local scaled = arguments.define('scaled', { { 'a', kinds.tensor }, { 'b', kinds.tensor } },
      function(a, b) return metann.mul(a, b) end)
    said = message(function() scaled(metann.ones(2), metann.ones(3)) end)
    assert.truthy(said:find("scaled: sizes don't broadcast", 1, true), said)
  end)

  it('leaves alone what a function of the user raises', function()
    local outer = arguments.define('outer_too', { { 'fn', kinds.callable } }, function(fn) return fn() end)
    local said = message(function() outer(function() local r = metann.mul(metann.ones(2), metann.ones(3)) return r end) end)
    assert.truthy(said:find("mul: sizes don't broadcast", 1, true), said)
  end)
end)
