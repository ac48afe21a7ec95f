-- Moving elements about at sizes where copies are tiled and run on several threads, between dtypes, and onto memory
-- that they are read from. Small sizes of every row are in tests/samples/shape.lua and index.lua.
local metann = require 'metann'
local raw = require('metann.binding').stub.ops

--- i * rows_step + j * cols_step for i, j from 0: what a transposed arange must be, made without moving anything.
local function grid(rows, cols, rows_step, cols_step, dtype)
  local i = raw.expand(raw.view(raw.arange(0, rows_step, rows, dtype), { rows, 1 }), { rows, cols })
  return raw.add(i, raw.arange(0, cols_step, cols, dtype))
end

local function equal(a, b) return raw.all(raw.eq(a, b)):item() ~= false and raw.all(raw.eq(a, b)):item() ~= 0 end

describe('moving elements', function()
  for _, dtype in ipairs { 'float32', 'float64', 'int64', 'int32' } do
    it('transposes large arrays of ' .. dtype, function()
      local x = raw.view(raw.arange(0, 1, 301 * 403, dtype), { 301, 403 })
      assert.is_true(equal(raw.clone(raw.transpose(x, 1, 2)), grid(403, 301, 1, 403, dtype)))
    end)
  end

  it('permutes large arrays', function()
    local x = raw.view(raw.arange(0, 1, 37 * 41 * 53, 'int64'), { 37, 41, 53 })
    local y = raw.clone(raw.permute(x, { 3, 1, 2 })) -- (53, 37, 41)
    assert.is_true(equal(raw.view(y, { 53, 37 * 41 }), grid(53, 37 * 41, 1, 53, 'int64')))
  end)

  it('converts while it transposes', function()
    local x = raw.view(raw.arange(0, 1, 301 * 403, 'int64'), { 301, 403 })
    local to = raw.full({ 403, 301 }, 0, 'float64')
    raw.assign_(to, raw.transpose(x, 1, 2))
    assert.is_true(equal(to, grid(403, 301, 1, 403, 'float64')))
  end)

  it('broadcasts, flips and rolls large arrays', function()
    local row = raw.arange(0, 1, 403, 'float32')
    local all = raw.clone(raw.expand(row, { 301, 403 }))
    assert.is_true(equal(all, grid(301, 403, 0, 1, 'float32')))
    assert.is_true(equal(raw.flip(all, { 2 }), raw.sub(raw.full({}, 402), all)))
    assert.is_true(equal(raw.roll(all, { 400 }, { 2 }), raw.remainder(raw.add(all, 3), 403)))
  end)

  it('pads, crops and puts back slices of large arrays', function()
    local x = grid(301, 403, 1000, 1, 'float32')
    local padded = raw.pad(x, { 2, -3 }, { -1, 5 }, 7)
    local kept = grid(300, 400, 1000, 1, 'float32')
    local right = raw.cat({ raw.add(kept, 3), raw.full({ 300, 5 }, 7) }, 2)
    assert.is_true(equal(padded, raw.cat({ raw.full({ 2, 405 }, 7), right }, 1)))
    local among = raw.unslice(x, 2, 101, 700)
    local zeros = function(n) return raw.full({ 301, n }, 0) end
    assert.is_true(equal(among, raw.cat({ zeros(100), x, zeros(197) }, 2)))
  end)

  it('rounds to float16 and bfloat16, to even where it is a tie', function()
    local x = metann.tensor({ 1 + 2 ^ -11, 1 + 3 * 2 ^ -11, 65519, 65520, 2 ^ -24, 2 ^ -25, -0.1 },
      { dtype = 'float64' })
    local half = raw.cast(raw.cast(x, 'float16'), 'float64'):to_table()
    assert.same({ 1, 1 + 2 ^ -9, 65504, math.huge, 2 ^ -24, 0, -1638 / 16384 }, half)
    local y = metann.tensor({ 1 + 2 ^ -8, 1 + 3 * 2 ^ -8, 3.3895313892515355e38, 0.1 }, { dtype = 'float64' })
    local brain = raw.cast(raw.cast(y, 'bfloat16'), 'float64'):to_table()
    assert.same({ 1, 1 + 2 ^ -6, 3.3895313892515355e38, 205 / 2048 }, brain)
  end)

  it('reads everything before it writes onto the same memory', function()
    local x = raw.arange(1, 1, 6, 'float64')
    raw.assign_(raw.slice(x, 1, 2, 5), raw.slice(x, 1, 1, 5))
    assert.same({ 1, 1, 2, 3, 4, 5 }, x:to_table())
    raw.region_put_(x, x, { 0 }, { 6 }, { 1 })
    assert.same({ 1, 1, 2, 3, 4, 5 }, x:to_table())
    local m = raw.view(raw.arange(1, 1, 9, 'float64'), { 3, 3 })
    raw.assign_(m, raw.transpose(m, 1, 2))
    assert.same({ { 1, 4, 7 }, { 2, 5, 8 }, { 3, 6, 9 } }, m:to_table())
    local s = raw.arange(1, 1, 4, 'float64')
    raw.scatter_add_(s, metann.tensor({ 4, 3, 2, 1 }, { dtype = 'int64' }), s, 1)
    assert.same({ 5, 5, 5, 5 }, s:to_table())
  end)

  it('writes nothing when an index is out of range', function()
    local x = raw.arange(1, 1, 4, 'float64')
    local index = metann.tensor({ 1, 9 }, { dtype = 'int64' })
    local source = raw.full({ 2 }, 7, 'float64')
    for _, put in ipairs {
      function() raw.index_add_(x, index, source, 1) end, function() raw.scatter_(x, index, source, 1) end,
      function() raw.scatter_add_(x, index, source, 1) end, function() raw.index_put_({ x, source, index }) end,
    } do
      assert.has.error_matches(put, 'index 9 is out of range')
      assert.same({ 1, 2, 3, 4 }, x:to_table())
    end
  end)

  it('adds by index in the same order on any number of threads', function()
    local before = metann.get_num_threads()
    metann.manual_seed(4)
    local source, zeros = raw.randn({ 3, 40000 }), raw.full({ 3, 50 }, 0)
    local index, along = raw.randint({ 40000 }, 1, 51), raw.randint({ 3, 40000 }, 1, 51)
    local function sums()
      return raw.index_add(zeros, index, source, 2):to_table(), raw.scatter_add(zeros, along, source, 2):to_table()
    end
    metann.set_num_threads(1)
    local a, b = sums()
    metann.set_num_threads(2)
    local c, d = sums()
    metann.set_num_threads(before)
    assert.same(a, c)
    assert.same(b, d)
  end)

  it('takes and puts large blocks', function()
    local x = grid(400, 300, 1000, 1, 'float64')
    local order = raw.randperm(400)
    local taken = raw.index_select(x, order, 1)
    local back = raw.index_put({ raw.full({ 400, 300 }, 0, 'float64'), taken, order })
    assert.is_true(equal(back, x))
    local first = raw.select(taken, 2, 1):to_table()
    for i, v in ipairs(order:to_table()) do assert.equal((v - 1) * 1000, first[i]) end
    local columns = raw.randperm(300)
    local same = raw.gather(x, raw.expand(columns, { 400, 300 }), 2)
    assert.is_true(equal(same, raw.index_select(x, columns, 2)))
  end)
end)
