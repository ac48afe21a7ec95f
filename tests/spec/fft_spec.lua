-- Fourier transforms against NumPy's numbers, the sum written out, and finite differences.
local metann = require 'metann'
local checks = require 'tests.support.checks'
local fft, fails = metann.fft, checks.fails

local function f64(x) return metann.tensor(x, { dtype = 'float64' }) end

local function near(want, got, tolerance)
  if metann.is_tensor(got) then got = got:to_table() end
  if type(want) == 'number' then
    assert.near(want, got, tolerance or 1e-12)
    return
  end
  assert.equal(#want, #got)
  for i = 1, #want do near(want[i], got[i], tolerance) end
end

--- The first n / 2 + 1 numbers of the transform of real x, by the sum.
local function written_out(x, n)
  local k = metann.arange(0, math.floor(n / 2) + 1):double():unsqueeze(2)
  local angle = (k * metann.arange(0, n):double()) % n * (2 * math.pi / n)
  return metann.stack({ angle:cos():matmul(x), -(angle:sin():matmul(x)) }, -1)
end

describe('fft', function()
  -- numpy.fft.rfft([1, 2, 3, 4, 5])
  local FIVE = { { 15, 0 }, { -2.5, 3.4409548011779334 }, { -2.5, 0.8122992405822655 } }

  it("gives NumPy's numbers", function()
    near(FIVE, fft.rfft(f64{ 1, 2, 3, 4, 5 }))
    near({ 1, 2, 3, 4, 5 }, fft.irfft(f64(FIVE), 5))
    -- numpy.fft.fft([1 + 2j, 3 - 1j, 0.5 + 0j])
    near({ { 4.5, 1 }, { -1.6160254037844386, 0.33493649053890317 }, { 0.11602540378443815, 4.665063509461097 } },
      fft.fft(f64{ { 1, 2 }, { 3, -1 }, { 0.5, 0 } }), 1e-12)
    -- numpy.fft.rfft2([[1, 2], [3, 5]])
    near({ { { 11, 0 }, { -3, 0 } }, { { -5, 0 }, { 1, 0 } } }, fft.rfft2(f64{ { 1, 2 }, { 3, 5 } }))
  end)

  it('is the sum of any length: one product, several, and by a convolution', function()
    for _, n in ipairs{ 1, 2, 7, 32, 37, 60, 263, 1024, 1042 } do
      local x = metann.randn(n, { dtype = 'float64' })
      local y = fft.rfft(x)
      near(written_out(x, n):to_table(), y, 1e-10)
      near(x:to_table(), fft.irfft(y, n), 1e-12)
      near(x:to_table(), fft.ifft(fft.fft(metann.stack({ x, x * 2 }, -1))):select(-1, 1), 1e-12)
    end
  end)

  it('takes n, dim and norm', function()
    local x = f64{ { 1, 2 }, { 3, 4 }, { 5, 6 } }
    near(fft.rfft(x:t():contiguous()):transpose(1, 2):to_table(), fft.rfft(x, { dim = 1 }))
    near(fft.rfft(f64{ 1, 2, 0, 0 }):to_table(), fft.rfft(f64{ 1, 2 }, 4))
    near(fft.rfft(f64{ 1, 2 }):to_table(), fft.rfft(f64{ 1, 2, 3 }, { n = 2 }))
    near({ 15 / math.sqrt(5), 0 }, fft.rfft(f64{ 1, 2, 3, 4, 5 }, { norm = 'ortho' })[1])
    near({ 3, 0 }, fft.rfft(f64{ 1, 2, 3, 4, 5 }, { norm = 'forward' })[1])
    for _, norm in ipairs{ 'backward', 'ortho', 'forward' } do
      near(x:to_table(), fft.irfftn(fft.rfftn(x, { norm = norm }), { s = { 3, 2 }, norm = norm }))
    end
    assert.equal('float32', fft.rfft(metann.tensor{ 1, 2 }).dtype)
    assert.equal('float32', fft.rfft(metann.tensor({ 1, 2 }, { dtype = 'int64' })).dtype)
  end)

  it('has derivatives of any order', function()
    for _, n in ipairs{ 5, 37, 263 } do
      local x = metann.randn(n, { dtype = 'float64', requires_grad = true })
      -- Parseval: the sum of squares of all n numbers is n times that of x
      local y = fft.fft(metann.stack({ x, x * 0 }, -1))
      local first = metann.grad((y * y):sum(), x, { create_graph = true })
      near((2 * n * x):to_table(), first:detach(), 1e-8 * n)
      near(metann.full({ n }, 2 * n):to_table(), metann.grad(first:sum(), x), 1e-8 * n)
    end
    local x = metann.randn(2, 6, { dtype = 'float64', requires_grad = true })
    assert.is_true(metann.gradcheck(function(t) return fft.irfft(fft.rfft(t) ^ 3, { n = 7, dim = 1 }) end, { x }))
  end)

  it('knows frequencies and shifts', function()
    near({ 0, 0.2, 0.4, -0.4, -0.2 }, fft.fftfreq(5, { dtype = 'float64' }))
    near({ 0, 0.5, -1, -0.5 }, fft.fftfreq(4, 0.5))
    near({ 0, 0.25, 0.5 }, fft.rfftfreq(4))
    near({ 0, 0.2, 0.4 }, fft.rfftfreq(5, { dtype = 'float64' }))
    near({ 4, 5, 1, 2, 3 }, fft.fftshift(f64{ 1, 2, 3, 4, 5 }))
    near({ 1, 2, 3, 4, 5 }, fft.ifftshift(fft.fftshift(f64{ 1, 2, 3, 4, 5 })))
    near({ { 2, 1 }, { 4, 3 } }, fft.fftshift(f64{ { 1, 2 }, { 3, 4 } }, { dim = 2 }))
  end)

  it('says what is wrong', function()
    fails('fft: \'input\' must be complex numbers as pairs, %(..., n, 2%), got %(3,%)', fft.fft, f64{ 1, 2, 3 })
    fails("rfft: 'n' must be at least 1, got 0", fft.rfft, f64{ 1, 2 }, 0)
    fails("fftfreq: 'dtype' must be a float dtype, got int64", fft.fftfreq, 4, { dtype = 'int64' })
    fails("rfft: 'dim' is 2, but there are 1 dims", fft.rfft, f64{ 1, 2 }, { dim = 2 })
    fails("rfft: 'input' must have at least 1 dim", fft.rfft, f64(1))
    fails("rfft: 'norm' must be", fft.rfft, f64{ 1 }, { norm = 'none' })
    fails('rfft2: dim 1 is given twice', fft.rfft2, f64{ { 1 } }, { dim = { 1, -2 } })
    fails("rfftn: 's' has 1 sizes for 2 dims", fft.rfftn, f64{ { 1 } }, { s = { 1 }, dim = { 1, 2 } })
    fails('rfft: expected float32 or float64, got float16', fft.rfft, metann.tensor{ 1, 2 }:half())
    fails("irfft: 'n' must be at least 1, got 0", fft.irfft, f64{ { 1, 2 } })
  end)
end)
