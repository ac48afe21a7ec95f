-- metann.gradcheck: passes what is right, and finds what is wrong.
local metann = require 'metann'
local checks = require 'tests.support.checks'

local function leaf(size)
  return metann.rand(size, { dtype = 'float64', requires_grad = true })
end

local fails = checks.fails

describe('gradcheck', function()
  metann.manual_seed(11)

  it('passes derivatives of orders 1 to 3', function()
    local function fn(a, b) return (a:matmul(b)):tanh(), (a * 2):exp() end
    for order = 1, 3 do
      assert.is_true(metann.gradcheck(fn, { leaf{ 2, 3 }, leaf{ 3, 2 } }, { order = order }))
    end
  end)

  it('names input, element and both numbers of a wrong derivative', function()
    -- the second factor is cut off: the derivative comes out half of 2x
    local x = metann.tensor({ 3, 5 }, { dtype = 'float64', requires_grad = true })
    local ok, message = pcall(metann.gradcheck, function(a) return a * a:detach() end, { x })
    assert.is_false(ok)
    assert.truthy(message:find('order 1, input 1, element 1'), message)
    local have, want = message:match('gives ([%-%d.e]+), differences give ([%-%d.e]+)')
    assert(math.abs(tonumber(have) * 2 - tonumber(want)) < 1e-4, message)
  end)

  it('tells where in a matrix, among several inputs, and takes eps and tolerances', function()
    -- 1 % off in one element of the second input
    local off = metann.ones(2, 3, { dtype = 'float64' })
    off[2][1] = 1.01
    local Wrong = metann.autograd.Function{ forward = function(_, a) return a * 2 end,
      backward = function(_, g) return g * 2 * off end }
    local function fn(a, b) return a:sum() + Wrong(b) end
    local inputs = { leaf{ 2 }, leaf{ 2, 3 } }
    fails('order 1, input 2, element 4 %(at 2, 1%): autograd gives', metann.gradcheck, fn, inputs)
    assert.is_true(metann.gradcheck(fn, inputs, { rtol = 0.02 }))
    assert.is_true(metann.gradcheck(fn, inputs, { atol = 0.1, eps = 1e-3 }))
  end)

  it('finds a derivative that is wrong at the second order only', function()
    local function fn(a)
      -- value and slope of a^3, but the slope's history is that of 3 * 4 * a
      local slope = 3 * (a * a):detach()
      return (a - a:detach()) * slope + (a ^ 3):detach()
    end
    local x = metann.tensor({ 2 }, { dtype = 'float64', requires_grad = true })
    assert.is_true(metann.gradcheck(function(a) return a ^ 3 end, { x }, { order = 2 }))
    fails('gradcheck', metann.gradcheck, fn, { x }, { order = 2 })
  end)

  it("refuses what it can't check", function()
    fails('no input requires grad', metann.gradcheck, function(a) return a end, { metann.rand(2) })
    fails('float64', metann.gradcheck, function(a) return a end, { metann.rand(2, { requires_grad = true }) })
    fails('no output of the function requires grad', metann.gradcheck, function(a) return a:detach() end, { leaf(2) })
    fails("unknown option 'orders', did you mean 'order'", metann.gradcheck, function(a) return a end, { leaf(2) },
      { orders = 2 })
    fails("'order' must be a whole number, got number 1.5", metann.gradcheck, metann.exp, { leaf(2) }, { order = 1.5 })
    fails("'order' must be a number above 0, got number 0", metann.gradcheck, metann.exp, { leaf(2) }, { order = 0 })
    fails("'eps' must be a number above 0, got number 0", metann.gradcheck, metann.exp, { leaf(2) }, { eps = 0 })
    fails("'atol' must be a number from 0 on, got string", metann.gradcheck, metann.exp, { leaf(2) }, { atol = 'x' })
    fails('expected a function, got nil', metann.gradcheck, nil, { leaf(2) })
  end)
end)
