-- Random numbers: Philox's published words, and that neither threads nor dtypes nor how draws are portioned matter.
-- What single rows promise is in tests/samples/random.lua.
local metann = require 'metann'
local raw = require('metann.binding').stub.ops

--- Raw 32-bit words: the high half of the product with 2^32 is the word itself.
local function words(n) return raw.randint({ n }, 0, 2 ^ 32):to_table() end

local function joined(a, b)
  for _, v in ipairs(b) do a[#a + 1] = v end
  return a
end

describe('random numbers', function()
  it('begin with the known answer of Philox4x32-10 for counter 0 and key 0', function()
    metann.manual_seed(0)
    -- from Random123's list of known answers
    assert.same({ 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 }, words(4))
  end)

  it('go on where the draw before ended, rounded up to a block of 4', function()
    metann.manual_seed(7)
    local all = words(24)
    metann.manual_seed(7)
    local first = words(4)
    local second = words(11) -- uses 12
    local third = words(8)
    local portions = joined(joined(first, second), { all[16] })
    assert.same(all, joined(portions, third))
  end)

  it('differ from seed to seed and repeat for the same one', function()
    metann.manual_seed(1)
    local one = words(8)
    metann.manual_seed(2)
    assert.not_same(one, words(8))
    metann.manual_seed(1)
    assert.same(one, words(8))
  end)

  it("don't depend on the number of threads", function()
    local before = metann.get_num_threads()
    local function draws()
      metann.manual_seed(5)
      local x = raw.randn({ 50001 })
      local y, mask = raw.dropout(x, 0.4)
      return { x:to_table(), y:to_table(), mask:to_table(), raw.rand({ 40003 }, 0, 1, 'float64'):to_table(),
        raw.randint({ 40001 }, -9, 9):to_table(), raw.bernoulli(raw.full({ 40001 }, 0.3)):to_table(),
        raw.standard_gamma(raw.rand({ 40001 }, 0.1, 3, 'float64')):to_table() }
    end
    metann.set_num_threads(1)
    local one = draws()
    metann.set_num_threads(2)
    local two = draws()
    metann.set_num_threads(before)
    for k = 1, #one do assert.same(one[k], two[k]) end
  end)

  it('are the same in float32 and float64 up to rounding', function()
    metann.manual_seed(11)
    local single = raw.rand({ 1001 }):to_table()
    metann.manual_seed(11)
    local double = raw.rand({ 1001 }, 0, 1, 'float64'):to_table()
    for i = 1, #single do
      assert.equal(single[i], math.floor(double[i] * 2 ^ 24) / 2 ^ 24) -- 24 of the 53 digits
    end
    metann.manual_seed(11)
    single = raw.randn({ 1001 }):to_table()
    metann.manual_seed(11)
    double = raw.randn({ 1001 }, 0, 1, 'float64'):to_table()
    for i = 1, #single do assert.near(double[i], single[i], 1e-6 * (1 + math.abs(double[i]))) end
  end)

  it('make normals by the formula of Box and Muller', function()
    metann.manual_seed(3)
    local w = words(600)
    metann.manual_seed(3)
    local normals = raw.randn({ 600 }):to_table()
    for i = 1, 600, 2 do
      local radius = math.sqrt(-2 * math.log((w[i] + 1) / 2 ^ 32))
      local angle = 2 * math.pi * w[i + 1] / 2 ^ 32
      assert.near(radius * math.cos(angle), normals[i], 1e-6)
      assert.near(radius * math.sin(angle), normals[i + 1], 1e-6)
    end
  end)

  it('give dropout a derivative that is its mask', function()
    local x = raw.randn({ 4, 5 })
    x:requires_grad_(true)
    local y, mask = raw.dropout(x, 0.5)
    raw.sum(y):backward()
    assert.same(mask:to_table(), x.grad:to_table())
  end)
end)
