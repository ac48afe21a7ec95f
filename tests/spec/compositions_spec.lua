-- Functions made of rows, which the op spec doesn't see: in-place variants, norms. Numbers by hand or from plain Lua.
local metann = require 'metann'

local function near(want, t)
  local got = t:to_flat_table()
  assert.equal(#want, #got)
  for i = 1, #want do assert.is_near(want[i], got[i], 1e-12) end
end

local function fails(pattern, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.truthy(message:find(pattern), message)
  assert.truthy(message:find('compositions_spec%.lua:%d+:'), message)
end

local function double(x) return metann.tensor(x, { dtype = 'float64' }) end

describe('in place', function()
  local mask = metann.tensor{ { true, false }, { false, true } }
  local a, b = { { 1, -2 }, { 3, 4 } }, { { 2, 2 }, { -1, 1 } }
  -- name, further arguments, result
  local cases = {
    { 'lerp', { double(b), 0.5 }, { 1.5, 0, 1, 2.5 } },
    { 'addcmul', { double(b), double(b), 0.5 }, { 3, 0, 3.5, 4.5 } },
    { 'addcdiv', { double(a), double(b), 2 }, { 2, -4, -3, 12 } },
    { 'clamp_min', { 0 }, { 1, 0, 3, 4 } },
    { 'clamp_max', { 2 }, { 1, -2, 2, 2 } },
    { 'hardtanh', {}, { 1, -1, 1, 1 } },
    { 'floor_divide', { 2 }, { 0, -1, 1, 2 } },
    { 'div', { 2, { rounding_mode = 'trunc' } }, { 0, -1, 1, 2 } },
    { 'rsub', { 1 }, { 0, 3, -2, -3 } },
    { 'masked_fill', { mask, 9 }, { 9, -2, 3, 9 } },
    { 'tril', {}, { 1, 0, 3, 4 } },
    { 'triu', { 1 }, { 0, -2, 0, 0 } },
    { 'cumsum', { 1 }, { 1, -2, 4, 2 } },
    { 'cumprod', { 2 }, { 1, -2, 3, 12 } },
    { 'gt', { 0 }, { 1, 0, 1, 1 } },
    { 'logical_not', {}, { 0, 0, 0, 0 } },
    { 'addmm', { double(a), double(b) }, { 5, -2, 5, 14 } },
    { 'index_fill', { 2, metann.tensor{ 2LL }, 7 }, { 1, 7, 3, 7 } },
  }

  it('gives what the function gives, in the same memory', function()
    for _, case in ipairs(cases) do
      local t = double(a)
      local result = t[case[1] .. '_'](t, unpack(case[2]))
      assert.is_true(rawequal(result, t), case[1])
      near(case[3], t)
    end
  end)

  it('differentiates', function()
    local x = double(a):requires_grad_()
    local y = x * 1
    y:lerp_(double(b), 0.25)
    y:tril_()
    y:sum():backward()
    near({ 0.75, 0, 0.75, 0.75 }, x.grad)
  end)

  it("refuses what doesn't fit", function()
    fails("lerp_: 'input' must be a tensor, got number 1", metann.lerp_, 1, 2, 3)
    fails('broadcast', function() metann.zeros(2):addcmul_(metann.ones(3, 2), metann.ones(3, 2)) end)
  end)
end)

describe('normalize', function()
  it('divides by the norm along dim 2, or the one given', function()
    local t = double{ { 3, 4 }, { 0, 0 } }
    near({ 0.6, 0.8, 0, 0 }, metann.normalize(t))
    near({ 1, 1, 0, 0 }, t:normalize{ dim = 1 })
    near({ 3 / 7, 4 / 7, 0, 0 }, t:normalize{ p = 1 })
    near({ 0.3, 0.4, 0, 0 }, t:normalize{ eps = 10 })
  end)
  it('has derivatives', function()
    local t = double{ { 3, 4 }, { 1, -2 } }:requires_grad_()
    assert.is_true(metann.gradcheck(function(x) return (x:normalize() ^ 3):sum() end, { t }, { order = 3 }))
  end)
  it('checks its options', function()
    fails("normalize: unknown option 'dims', did you mean 'dim'", metann.normalize, double{ { 1 } }, { dims = 1 })
  end)
end)

describe('cosine_similarity', function()
  it('is the cosine of the angle along dim', function()
    local a, b = double{ { 1, 0 }, { 3, 4 } }, double{ { 1, 1 }, { 4, 3 } }
    near({ math.sqrt(0.5), 24 / 25 }, metann.cosine_similarity(a, b))
    near({ 13 / math.sqrt(10 * 17), 12 / math.sqrt(16 * 10) }, a:cosine_similarity(b, 1))
  end)
  it('has derivatives', function()
    local a, b = double{ { 1, 0.5 } }:requires_grad_(), double{ { 2, -3 } }:requires_grad_()
    assert.is_true(metann.gradcheck(metann.cosine_similarity, { a, b }, { order = 3 }))
  end)
  it('wants two tensors', function()
    fails("cosine_similarity: 'other' must be a tensor, got number 1", metann.cosine_similarity, double{ { 1 } }, 1)
  end)
end)

describe('what is said to be a copy', function()
  -- ways to change nothing, or to repeat dims of 1 only, where a view would do
  local F = metann.nn.functional
  local copies = {
    repeat_ = function(t) return t:repeat_(1, 1) end, ['repeat_ of a dim of 1'] = function(t)
      return t:narrow(2, 1, 1):repeat_(1, 3)
    end,
    tile = function(t) return t:tile(1) end, ['tile of a dim of 1'] = function(t) return t[1][1]:tile(2, 2) end,
    diag = function(t) return t:diag() end, ['diag beside the middle'] = function(t) return metann.diag(t, 1) end,
    ['matrix_power 1'] = function(t) return t:matrix_power(1) end,
    ['matrix_power 0 of a batch'] = function(t) return t:expand(2, 2, 2):matrix_power(0) end,
    ['triangular_solve'] = function(t) return (select(2, metann.triangular_solve(t, t))) end,
    ['pad constant'] = function(t) return F.pad(t, { 0, 0 }) end,
    ['pad reflect'] = function(t) return F.pad(t:view(1, 2, 2), { 0, 0 }, 'reflect') end,
    ['pad replicate'] = function(t) return F.pad(t:view(1, 2, 2), { 0, 0 }, { mode = 'replicate' }) end,
    ['pad circular'] = function(t) return F.pad(t:view(1, 2, 2), { 0, 0 }, 'circular') end,
    roll = function(t) return t:roll(0, 1) end, flip = function(t) return t:flip(1):flip(1) end,
    cat = function(t) return metann.cat({ t }, 1) end, clone = function(t) return t:clone() end,
  }
  for name, copy in pairs(copies) do
    it('has memory of its own, a place for each element: ' .. name, function()
      local t = double{ { 1, 2 }, { 3, 4 } }
      local out = copy(t)
      local before = out:to_flat_table()
      local steps = metann.arange(1, out:numel() + 1, { dtype = 'float64' }):view(out.shape)
      out:add_(steps)
      for i, v in ipairs(before) do before[i] = v + i end
      near(before, out)
      near({ 1, 2, 3, 4 }, t)
      local x = double{ { 1, 2 }, { 3, 4 } }:requires_grad_()
      if name ~= 'matrix_power 0 of a batch' then assert.is_true(metann.gradcheck(copy, { x })) end
    end)
  end
end)
