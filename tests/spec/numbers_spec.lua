-- Numbers that plain formulas get wrong: integers beyond 2^53, quotients and logarithms that are almost whole, squares
-- out of range, 0 times infinity in derivatives far out, NaN among ordered numbers. Right values are closed forms,
-- integer arithmetic in Lua, or Python's and PyTorch's rules as they are said beside them.
local metann = require 'metann'

local nan, huge = 0 / 0, math.huge
local LARGEST, SMALLEST = 0x7fffffffffffffffLL, -0x7fffffffffffffffLL - 1

local function double(x) return metann.tensor(x, { dtype = 'float64' }) end
local function single(x) return metann.tensor(x) end
local function long(x) return metann.tensor(x, { dtype = 'int64' }) end
local function fails(pattern, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.truthy(message:find(pattern), message)
  assert.truthy(message:find('numbers_spec%.lua:%d+:'), message)
end

--- The 64-bit integers of a tensor, one by one.
local function integers(t)
  local handle = require('metann.binding').handle
  local data, n = handle.read(t:contiguous())
  local list = {}
  for i = 1, n do list[i] = data[i - 1] end
  return list
end

local function same_integers(want, t)
  local got = integers(t)
  assert.equal(#want, #got)
  for i = 1, #want do
    assert.is_true(0LL + want[i] == got[i], ('%s, not %s'):format(tostring(got[i]), tostring(want[i])))
  end
end

describe('division of integers', function()
  local a = { 9007199254740993LL, LARGEST, LARGEST, SMALLEST, SMALLEST, -7LL, 7LL, -7LL, -6LL, 0LL }
  local b = { 1LL, 1LL, 2LL, -1LL, 2LL, 2LL, -2LL, -2LL, 3LL, -5LL }
  -- cdata divides as C does, towards 0; the smallest by -1 wraps
  local function quotient(x, y) return y == -1LL and -x or x / y end
  local function floored(x, y)
    local q = quotient(x, y)
    return q * y ~= x and (x < 0) ~= (y < 0) and q - 1 or q
  end

  it('is exact over all of int64, in place too', function()
    local down, towards = {}, {}
    for i = 1, #a do down[i], towards[i] = floored(a[i], b[i]), quotient(a[i], b[i]) end
    local x, y = long(a), long(b)
    same_integers(down, x:floor_divide(y))
    same_integers(down, x:div(y, { rounding_mode = 'floor' }))
    same_integers(towards, x:div(y, 'trunc'))
    same_integers(down, x:clone():floor_divide_(y))
    same_integers(down, x:clone():div_(y, { rounding_mode = 'floor' }))
    same_integers(towards, x:clone():div_(y, { rounding_mode = 'trunc' }))
    same_integers({ 9007199254740993LL }, metann.tensor{ 9007199254740993LL }:floor_divide(1))
  end)

  it('leaves what the remainders say', function()
    local x, y = long(a), long(b)
    same_integers(a, x:floor_divide(y) * y + x % y)
    same_integers(a, x:div(y, { rounding_mode = 'trunc' }) * y + x:fmod(y))
  end)

  it('is of the narrower dtypes, too', function()
    for _, dtype in ipairs{ 'int32', 'uint8' } do
      local x = metann.tensor({ 200, 7, 0 }, { dtype = dtype })
      assert.equal(dtype, x:floor_divide(3).dtype)
      assert.same({ 66, 2, 0 }, x:floor_divide(3):to_table())
    end
    assert.same({ -2147483648 }, metann.tensor({ -2147483648 }, { dtype = 'int32' }):floor_divide(-1):to_table())
    assert.same({ 2, -3 }, long{ 7, -7 }:floor_divide(2.5):to_table()) -- beside a fraction they are floats
  end)

  it('in place leaves no history of what it overwrites', function()
    local x = double{ 5, -7 }:requires_grad_()
    for _, write in ipairs{ function(y) y:floor_divide_(2) end, function(y) y:div_(2, { rounding_mode = 'trunc' }) end } do
      local y = x * 3
      write(y)
      assert.same({ 1, 1 }, metann.grad((y + x):sum(), x):to_table())
    end
  end)

  it('by zero is an error in all of them, and nothing is written', function()
    for _, zero in ipairs{ 0, long{ 3, 0 } } do
      local x = long{ 5, 6 }
      for _, name in ipairs{ 'floor_divide', 'remainder', 'fmod', 'floor_divide_', 'remainder_', 'fmod_' } do
        fails(name .. ': division of an integer by zero', function() x[name](x, zero) end)
      end
      for _, mode in ipairs{ 'floor', 'trunc' } do
        fails('div: division of an integer by zero', function() x:div(zero, { rounding_mode = mode }) end)
        fails('division of an integer by zero', function() x:div_(zero, { rounding_mode = mode }) end)
      end
      assert.same({ 5, 6 }, x:to_table())
    end
  end)
end)

describe('floor division of floats', function()
  -- as Python's //, of the exact quotient of the stored numbers
  local a, b, q = { 1, 4.7, 6, 6, -0.25, 2, -2, 2, 7, -7 }, { 0.1, 0.1, 0.1, 0.2, -0.001, -huge, huge, huge, -2, 2 },
    { 9, 46, 59, 29, 249, -1, -1, 0, -4, -4 }

  it('goes with the remainder', function()
    assert.same(q, double(a):floor_divide(double(b)):to_table())
    assert.same(q, double(a):div(double(b), { rounding_mode = 'floor' }):to_table())
    for i = 1, #a do
      if math.abs(b[i]) < huge then
        local x, y = double(a[i]), double(b[i])
        assert.is_near(a[i], (x:floor_divide(y) * y + x % y):item(), 1e-12)
      end
    end
  end)

  it('by zero is what the quotient is', function()
    assert.same({ huge, -huge }, double{ 1, -1 }:floor_divide(0):to_table())
    assert.is_true(double{ 0 }:floor_divide(0):isnan():item() == 1)
  end)

  it('has a derivative, which is 0', function()
    local x = double(a):requires_grad_()
    for _, g in ipairs{ metann.grad(x:floor_divide(2):sum(), x), metann.grad(x:div(2, 'trunc'):sum(), x) } do
      assert.same({ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, g:to_table())
    end
  end)

  it("gives the remainder's derivative", function()
    local x, y = double(a), double(b):requires_grad_()
    local got = metann.grad((x % y):sum(), y):to_table()
    for i = 1, #q do assert.equal(-q[i], got[i] + 0) end
  end)
end)

describe('the logarithm to base 10', function()
  it('of powers of ten is whole', function()
    for k = -20, 300 do
      local power = tonumber('1e' .. k)
      assert.equal(k, double{ power }:log10():item())
      if k < 38 then assert.equal(k, single{ power }:log10():item()) end
    end
    assert.same({ -huge, huge }, double{ 0, huge }:log10():to_table())
  end)
end)

describe('softplus', function()
  it("doesn't overflow below a large threshold", function()
    assert.same({ 500, 0 }, single{ 500, -500 }:softplus(1, 1000):to_table())
    assert.equal(1, double(30):softplus(1, 100):item() / (30 + math.exp(-30)))
  end)
end)

describe('lerp', function()
  it('ends at its ends, with numbers and tensors for weights', function()
    for _, make in ipairs{ single, double } do
      local a, b = make{ 1e8, 1e17, 0.1, -3 }, make{ 1, 1, 0.7, 1e-9 }
      assert.is_true(a:lerp(b, 1):equal(b))
      assert.is_true(a:lerp(b, 0):equal(a))
      assert.is_true(a:lerp(b, make(1)):equal(b))
      assert.is_true(a:lerp(b, make{ 1, 0, 1, 0 }):equal(metann.where(metann.tensor{ true, false, true, false }, b, a)))
    end
  end)
  it('has derivatives on both sides of the middle', function()
    local a, b = double{ 1, -2, 3 }:requires_grad_(), double{ 0.5, 4, -1 }:requires_grad_()
    local w = double{ 0.2, 0.7, -0.9 }:requires_grad_()
    assert.is_true(metann.gradcheck(function(...) return (metann.lerp(...) ^ 2):sum() end, { a, b, w }, { order = 2 }))
  end)
end)

describe('isclose', function()
  it('is exact for integers and takes booleans', function()
    assert.is_true(metann.allclose(long{ 1, 2 }, long{ 1, 2 }))
    assert.is_true(metann.allclose(metann.tensor{ true, false }, metann.tensor{ true, false }))
    assert.is_false(metann.allclose(metann.tensor{ true }, metann.tensor{ false }))
    local bytes = { dtype = 'uint8' }
    assert.is_false(metann.allclose(metann.tensor({ 3 }, bytes), metann.tensor({ 255 }, bytes), { atol = 10 }))
    local x, y = metann.tensor{ 9007199254740993LL }, metann.tensor{ 9007199254740992LL }
    assert.is_false(metann.allclose(x, y, { rtol = 0, atol = 0.5 }))
    assert.is_true(metann.allclose(x, y, { rtol = 0, atol = 1 }))
    assert.is_false(metann.allclose(metann.tensor{ LARGEST }, metann.tensor{ SMALLEST }, { rtol = 0.5 }))
  end)
  it('takes a number, mixed dtypes and half floats', function()
    assert.is_true(metann.allclose(metann.ones(2):half(), metann.ones(2):half()))
    assert.is_true(metann.allclose(long{ 2, 2 }, 2))
    assert.is_true(metann.allclose(long{ 2 }, double{ 2.000001 }))
  end)
  it('refuses negative tolerances', function()
    fails("isclose: 'rtol' must be a number of at least 0, got number %-1", metann.isclose, long{ 1 }, long{ 1 }, -1)
    fails("allclose: 'atol' must be a number of at least 0", metann.allclose, long{ 1 }, long{ 1 }, { atol = nan })
  end)
end)

describe('derivatives far out', function()
  -- the first derivative at +x and -x; those of higher order are 0 there
  local slopes = {
    silu = { 1, 0 }, gelu = { 1, 0 }, softplus = { 1, 0 }, logsigmoid = { 0, 1 }, elu = { 1, 0 }, sigmoid = { 0, 0 },
    tanh = { 0, 0 }, erf = { 0, 0 }, relu = { 1, 0 },
  }
  local function check(name, fn, want, x, dtype)
    local leaf = metann.tensor(x, { dtype = dtype, requires_grad = true })
    local y = fn(leaf):sum()
    for order = 1, 4 do
      if not y.requires_grad then return end
      local g = metann.grad(y, leaf, { create_graph = true, allow_unused = true })
      if not g then return end
      assert.equal(order == 1 and want or 0, g:item() + 0, ('%s, order %d at %g'):format(name, order, x))
      y = g:sum()
    end
  end
  it('are those of the line that the function has become', function()
    for name, slope in pairs(slopes) do
      for _, dtype in ipairs{ 'float32', 'float64' } do
        for _, x in ipairs{ 1e4, 3e7, 1e20, 1e38 } do
          check(name, metann[name], slope[1], x, dtype)
          check(name, metann[name], slope[2], -x, dtype)
        end
      end
    end
    for _, x in ipairs{ 50, 1e7, 3e19, 1e38 } do
      check('gelu tanh', function(t) return t:gelu('tanh') end, 1, x, 'float32')
      check('gelu tanh', function(t) return t:gelu('tanh') end, 0, -x, 'float32')
    end
  end)

  it('of atan2 neither overflow nor vanish with the squares', function()
    for _, scale in ipairs{ 1e20, 1e-25 } do
      local a, b = single(3 * scale):requires_grad_(), single(4 * scale):requires_grad_()
      local da, db = unpack(metann.grad(a:atan2(b), { a, b }))
      assert.is_near(4 / 25, da:item() * scale, 1e-6)
      assert.is_near(-3 / 25, db:item() * scale, 1e-6)
    end
  end)

  it("of atan don't vanish with the square", function()
    local x = single(1e20):requires_grad_()
    assert.is_near(1, metann.grad(x:atan(), x, { grad_outputs = { single(1e30) } }):item() / 1e-10, 1e-6)
  end)

  it('of asin keep their digits near 1', function()
    local x = single(1 - 2 ^ -23):requires_grad_() -- 1 - x is exact: the slope is 1 / sqrt((1 - x) (1 + x))
    local want = 1 / math.sqrt(2 ^ -23 * (2 - 2 ^ -23))
    assert.is_near(1, metann.grad(x:asin(), x):item() / want, 1e-6)
    assert.is_near(-1, metann.grad(x:acos(), x):item() / want, 1e-6)
  end)

  it('of the log-sigmoid are exact where its exponential is small', function()
    -- log(sigmoid(-x)) = -x - log(1 + exp(-x))
    assert.equal(-25 - math.exp(-25), double(-25):logsigmoid():item())
  end)
end)

describe('std and norm', function()
  it('keep to the range of the results, not of their squares', function()
    local x = single{ 1e20, 3e20 }:requires_grad_()
    local s = x:std()
    s:backward()
    assert.is_near(math.sqrt(2), s:item() / 1e20, 1e-6)
    assert.is_near(-math.sqrt(0.5), x.grad[1]:item(), 1e-6)
    assert.is_near(math.sqrt(0.5), x.grad[2]:item(), 1e-6)
    assert.is_near(math.sqrt(2), single{ 1e-25, 3e-25 }:std():item() / 1e-25, 1e-6)
    for _, scale in ipairs{ 1e20, 1e-25 } do
      local v = single{ 3 * scale, -4 * scale }:requires_grad_()
      local n = v:norm()
      n:backward()
      assert.is_near(5, n:item() / scale, 1e-5)
      assert.is_near(0.6, v.grad[1]:item(), 1e-6)
      assert.is_near(-0.8, v.grad[2]:item(), 1e-6)
      assert.is_near(91 ^ (1 / 3), single{ 3 * scale, 4 * scale }:norm(3):item() / scale, 1e-5)
    end
  end)

  it('of equal numbers have derivatives 0, at every order', function()
    for _, x0 in ipairs{ 0.1, 0.3, 1e10 + 1 / 3, 0 } do
      for n = 2, 9 do
        local x = metann.full({ n }, x0, { dtype = 'float64', requires_grad = true })
        local y = x:std()
        assert.equal(0, y:item())
        for _ = 1, 3 do
          local g = metann.grad(y:sum(), x, { create_graph = true })
          for _, v in ipairs(g:to_table()) do assert.equal(0, v + 0) end
          y = g
        end
        assert.equal(0, x:var():item())
      end
    end
  end)

  it('takes correction, or unbiased as PyTorch has it', function()
    local x = double{ 1, 2, 6 }
    assert.is_near(math.sqrt(14 / 3), x:std{ unbiased = false }:item(), 1e-12)
    assert.is_near(14 / 3, x:var{ correction = 0 }:item(), 1e-12)
    assert.is_near(7, x:var(1, true):item(), 1e-12)
    assert.is_near(14 / 3, x:var(1, false):item(), 1e-12)
    fails("std: give 'correction' or 'unbiased', not both", x.std, x, { correction = 1, unbiased = true })
  end)
end)

describe('NaN among ordered numbers', function()
  it('is the median, and the first place of it', function()
    local values, places = double{ { 1, nan, 3 }, { 2, 1, 3 } }:median(2)
    assert.is_true(values[1]:isnan():item() == 1)
    assert.equal(2, values[2]:item())
    assert.same({ 2, 1 }, places:to_table())
    assert.is_true(double{ 1, nan, 3 }:median():isnan():item() == 1)
    assert.equal(3, double{ 1, nan, 3 }:kthvalue(2):item())
  end)
  it('counts in mode', function()
    local value, place = double{ nan, 1, nan, 2 }:mode()
    assert.is_true(value:isnan():item() == 1)
    assert.equal(3, place:item())
    value, place = double{ nan, 1, 1, nan }:mode() -- as often: the smaller one
    assert.equal(1, value:item())
    assert.equal(3, place:item())
  end)
  it('is what a limit of NaN gives', function()
    local list = { double{ 1, 2 }:clamp{ min = nan }, single{ 1, 2 }:clamp(nil, nan), double{ 1 }:clamp(double{ nan }) }
    for _, t in ipairs(list) do
      assert.is_true(t:isnan():all():item() == 1)
    end
  end)
end)

describe('median of all', function()
  it('shares the gradient among ties', function()
    local x = double{ { 2, 1 }, { 2, 5 } }:requires_grad_()
    assert.same({ { 0.5, 0 }, { 0.5, 0 } }, metann.grad(x:median(), x):to_table())
  end)
end)

describe('keepdim', function()
  it('leaves a 0-dim tensor without dims', function()
    for _, name in ipairs{ 'median', 'mode' } do
      local value, place = metann[name](double(3), 1, true)
      assert.same({}, value.shape)
      assert.same({}, place.shape)
    end
    assert.same({}, (double(3):kthvalue(1, { dim = 1, keepdim = true })).shape)
  end)
end)

describe('round', function()
  it('takes decimals of floats', function()
    assert.same({ 1.25, -1.23 }, double{ 1.2477, -1.2349 }:round{ decimals = 2 }:to_table())
    assert.same({ 1200, 1300 }, double{ 1249, 1251 }:round(-2):to_table())
    assert.same({ 0.5 }, double{ 0.49 }:round_(1):to_table())
    fails("round: 'decimals' is for floats, got a tensor of int64", metann.round, long{ 12 }, -1)
  end)
end)

describe('clamp with tensors', function()
  it('limits elementwise, broadcast and promoted', function()
    assert.same({ { 1, 2 }, { 1, 1.5 } }, double{ 0, 3 }:clamp(double(1), double{ { 2 }, { 1.5 } }):to_table())
    assert.same({ 2, 3 }, long{ 1, 3 }:clamp_min(long{ 2, 0 }):to_table())
    assert.equal('float64', long{ 1, 3 }:clamp(double{ 0.5, 0.5 }).dtype)
    assert.same({ 1, 2 }, double{ 0, 3 }:clamp_(double{ 1, 1 }, 2):to_table())
    assert.same({ 1 }, double{ 5 }:clamp(double{ 2 }, double{ 1 }):to_table()) -- the upper limit wins
  end)
  it('gives the gradient to what was taken, at a limit to the input', function()
    local x, low = double{ 0, 1, 2 }:requires_grad_(), double{ 1, 1, 1 }:requires_grad_()
    local gx, gl = unpack(metann.grad(x:clamp(low):sum(), { x, low }))
    assert.same({ 0, 1, 1 }, gx:to_table())
    assert.same({ 1, 0, 0 }, gl:to_table())
  end)
end)

describe('ranges', function()
  it('of 64-bit integers are exact', function()
    local first = 9007199254740991
    local want = {}
    for i = 0, 4 do want[i + 1] = 9007199254740991LL + i end
    same_integers(want, metann.arange(first, first + 5, { dtype = 'int64' }))
    same_integers(want, metann.arange(9007199254740991LL, 9007199254740996LL))
    same_integers({ SMALLEST, -1LL, LARGEST - 1 }, metann.arange(SMALLEST, LARGEST, LARGEST))
    same_integers({ LARGEST, LARGEST - 2 }, metann.arange(LARGEST, LARGEST - 3, -2))
    same_integers({}, metann.arange(LARGEST, SMALLEST))
  end)
  it('of integers begin and step at whole numbers', function()
    assert.same({ 2, 1, 0, -1, -2 }, metann.arange(2.1, -2.9, -1, { dtype = 'int64' }):to_table())
    assert.same({ 4, 3, 2, 1, 0 }, metann.linspace(4.3, 0, 5, { dtype = 'int64' }):to_table())
    fails("arange: 'step' must not be 0, which it is as a whole number", metann.arange, 0, 1, 0.5, { dtype = 'int32' })
  end)
  it("refuse what the dtype doesn't hold", function()
    fails("arange: an integer tensor can't hold the value 259", metann.arange, 250, 260, { dtype = 'uint8' })
    fails("linspace: an integer tensor can't hold the value %-1", metann.linspace, 0, -1, 3, { dtype = 'uint8' })
    fails("randint: float16 doesn't hold all of 0..99999", metann.randint, 0, 100000, 3, { dtype = 'float16' })
  end)
  it('take tensors of one element for their ends', function()
    assert.same({ 1, 1.5, 2 }, metann.linspace(double(1), long(2), 3):to_table())
    assert.same({ 2, 3 }, metann.arange(double(2), double(4)):to_table())
  end)
end)

describe('sums of many small weights', function()
  it('are not lost in bincount', function()
    local n = 2 ^ 21 -- one by one in float32, such a sum stops growing at 2^24 of its weights: here it errs by 1e-3
    local weights = metann.full({ n }, 0.1)
    local sum = metann.bincount(metann.ones(n, { dtype = 'int64' }), weights):sum():item()
    assert.is_near(1, sum / (n * weights[1]:item()), 1e-6)
  end)
end)

describe('what is drawn', function()
  it('takes memory for classes and draws, not for each pair of them', function()
    local rows = require 'tests.support.rows'
    rows.limit_memory(2e8)
    finally(function() rows.limit_memory(0) end)
    metann.manual_seed(1)
    local weights = metann.ones(200000)
    weights[{ { 1, 100000 } }] = 0
    local drawn = weights:multinomial(100000, { replacement = true })
    assert.is_true(drawn:min():item() > 100000)
    assert.is_near(150000, drawn:double():mean():item(), 6 * 100000 / math.sqrt(12 * 100000))
    assert.equal(100000, #metann.ones(100000):multinomial(100000):sort():to_table())
    local value = metann.arange(200000):remainder(1000):mode()
    assert.equal(0, value:item())
  end)
  it('is so for the derivative of cumprod, which is exact at zeros', function()
    local rows = require 'tests.support.rows'
    local x = metann.ones(50000):requires_grad_()
    rows.limit_memory(2e8)
    finally(function() rows.limit_memory(0) end)
    x:cumprod(1):sum():backward()
    assert.equal(50000, x.grad[1]:item())
    assert.equal(1, x.grad[50000]:item())
    -- 2 + 2*0 + 2*0*3 + 2*0*3*0 by each factor
    local y = double{ 2, 0, 3, 0 }:requires_grad_()
    assert.same({ 1, 8, 0, 0 }, metann.grad(y:cumprod(1):sum(), y):to_table())
  end)
  it('without replacement comes as often as drawing one by one has it', function()
    -- weights 1, 2, 3: the pair (i, j) in that order has the chance w_i / 6 * w_j / (6 - w_i)
    metann.manual_seed(5)
    local n, weights, seen = 6000, { 1, 2, 3 }, {}
    local pairs_drawn = metann.tensor(weights):expand(n, 3):multinomial(2):to_table()
    for _, pair in ipairs(pairs_drawn) do
      local key = pair[1] * 10 + pair[2]
      seen[key] = (seen[key] or 0) + 1
    end
    local sum = 0
    for i = 1, 3 do
      for j = 1, 3 do
        if i ~= j then
          local want = n * weights[i] / 6 * weights[j] / (6 - weights[i])
          sum = sum + ((seen[i * 10 + j] or 0) - want) ^ 2 / want
        end
      end
    end
    assert.is_true(sum < 25, sum) -- 5 degrees of freedom: beyond 25 once in 7,000 seeds
  end)
  it('may have weights whose sum is out of range', function()
    metann.manual_seed(3)
    local seen = double{ 1e308, 1e308, 0, 1e308 }:multinomial(3000, true):bincount():to_table()
    for i, n in ipairs{ 1000, 1000, 0, 1000 } do assert.is_near(n, seen[i], 6 * math.sqrt(3000 * 2 / 9)) end
    assert.equal(2, double{ 1e308, 1e-308, 1e308 }:multinomial(3)[3]:item()) -- the light one last
  end)
  it('refuses a negative deviation', function()
    fails("normal: 'std' must not be negative", metann.normal, double{ 0, 0 }, double{ 1, -1 })
    fails("normal: 'std' must not be negative", metann.normal, double{ 0 }, double{ nan })
    fails("normal: 'std' must not be negative, got %-1", metann.normal, double{ 0 }, -1)
    fails('normal: std must not be negative', metann.normal, 0, -1, { 2 })
  end)
end)

describe('norms of a p beyond all digits', function()
  it('are the largest and the smallest number, gradients included', function()
    local x = double{ 0.5, -2.3, 3 }:requires_grad_()
    for _, p in ipairs{ 2 ^ 53, 2 ^ 62, 1e300, huge } do
      assert.same({ 0, 0, 1 }, metann.grad(x:norm(p), x):to_table())
      assert.same({ 1, 0, 0 }, metann.grad(x:norm(-p), x):to_table())
      assert.same({ 3, 0.5 }, { x:norm(p):item(), x:norm(-p):item() })
    end
  end)
end)
