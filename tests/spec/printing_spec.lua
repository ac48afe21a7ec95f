-- tostring of tensors: the text that a person should see, written out by hand.
local metann = require 'metann'

local function shows(lines, t) assert.equal(table.concat(lines, '\n'), tostring(t)) end

describe('tostring', function()
  it('aligns columns and ends with dtype and size', function()
    shows({ '  1.0000  -2.5000', '  3.0000   4.0000', '[float32 tensor of size 2x2]' },
      metann.tensor{ { 1, -2.5 }, { 3, 4 } })
    shows({ '   1  -20', '[int64 tensor of size 2]' }, metann.tensor{ 1LL, -20LL })
    shows({ '  true  false', '[bool tensor of size 2]' }, metann.tensor{ true, false })
    shows({ ' 1.  2.', '[float64 tensor of size 2]' }, metann.tensor({ 1, 2 }, { dtype = 'float64' }))
  end)

  it('shows what is not a number, and numbers far apart', function()
    shows({ '  nan   inf  -inf    1.', '[float32 tensor of size 4]' }, metann.tensor{ 0 / 0, 1 / 0, -1 / 0, 1 })
    shows({ ' 1.0000e-06  1.0000e+00  1.0000e+06', '[float32 tensor of size 3]' }, metann.tensor{ 1e-6, 1, 1e6 })
  end)

  it('names the slices of more than two dims', function()
    shows({ '(1, ., .) =', ' 0.  1.', '', '(2, ., .) =', ' 2.  3.', '[float32 tensor of size 2x1x2]' },
      metann.arange(4):reshape(2, 1, 2))
  end)

  it('shortens long tensors to their edges', function()
    shows({ '    0.     1.     2.  ...  1997.  1998.  1999.', '[float32 tensor of size 2000]' }, metann.arange(2000))
    shows({
      '    0.     1.     2.  ...    97.    98.    99.', '  100.   101.   102.  ...   197.   198.   199.',
      '  200.   201.   202.  ...   297.   298.   299.', ' ...',
      ' 1700.  1701.  1702.  ...  1797.  1798.  1799.', ' 1800.  1801.  1802.  ...  1897.  1898.  1899.',
      ' 1900.  1901.  1902.  ...  1997.  1998.  1999.', '[float32 tensor of size 20x100]',
    }, metann.arange(2000):reshape(20, 100))
  end)

  it('says when gradients are wanted', function()
    local x = metann.zeros(2, { requires_grad = true })
    shows({ ' 0.  0.', '[float32 tensor of size 2, requires_grad]' }, x)
    shows({ ' 0.  0.', '[float32 tensor of size 2, grad_fn=mul]' }, x * 2)
  end)

  it('shortens what has many rows or slices, though few elements', function()
    shows({ ' 0.', ' 1.', ' 2.', ' ...', ' 7.', ' 8.', ' 9.', '[float32 tensor of size 101x1]' },
      metann.cat({ metann.arange(10):view(-1, 1)[{ { 1, 3 } }], metann.zeros(95, 1),
        metann.arange(10):view(-1, 1)[{ { 8, 10 } }] }, 1))
    local slices = {}
    for i, k in ipairs{ 1, 2, 3, 498, 499, 500 } do
      if i > 1 then slices[#slices + 1] = '' end
      if i == 4 then
        slices[#slices + 1] = '...'
        slices[#slices + 1] = ''
      end
      slices[#slices + 1] = ('(%d, %d, ., .) ='):format(math.ceil(k / 2), (k - 1) % 2 + 1)
      slices[#slices + 1] = ('%4d.'):format(k)
    end
    slices[#slices + 1] = '[float32 tensor of size 250x2x1x1]'
    shows(slices, metann.arange(1, 501):view(250, 2, 1, 1))
  end)

  it('breaks wide matrices into blocks of columns, and long vectors into lines', function()
    local wide = metann.arange(46):view(2, 23) * 100
    local function line(from, to)
      local parts = {}
      for i = from, to do parts[#parts + 1] = ('%4d.'):format(100 * i) end
      return ' ' .. table.concat(parts, '  ')
    end
    shows({ ' columns 1 to 11', line(0, 10), line(23, 33), ' columns 12 to 22', line(11, 21), line(34, 44),
      ' column 23', line(22, 22), line(45, 45), '[float32 tensor of size 2x23]' }, wide)
    shows({ line(23, 33), line(34, 44), line(45, 45), '[float32 tensor of size 23]' }, wide[2])
    for text in tostring(metann.randn(20, 40)):gmatch('[^\n]+') do assert.is_true(#text <= 80) end
  end)

  it("shows no digits that a dtype doesn't have, and hides none that it needs", function()
    shows({ ' 12345.68    -42.50', '[float32 tensor of size 2]' }, metann.tensor{ 12345.678, -42.5 })
    shows({ ' 12345.6780    -42.5000', '[float64 tensor of size 2]' },
      metann.tensor({ 12345.678, -42.5 }, { dtype = 'float64' }))
    shows({ ' 1.2346e+05  5.4320e-01', '[float32 tensor of size 2]' }, metann.tensor{ 123456, 0.5432 })
    shows({ ' 0.3333  2.0000     inf', '[float16 tensor of size 3]' },
      metann.tensor({ 1 / 3, 2, 1e6 }, { dtype = 'float16' }))
    shows({ ' 0.334  1.000', '[bfloat16 tensor of size 2]' }, metann.tensor({ 1 / 3, 1 }, { dtype = 'bfloat16' }))
    shows({ ' -0.   0.', '[float32 tensor of size 2]' }, metann.tensor{ -0.0, 0 })
    shows({ ' 9223372036854775807                   -1', '[int64 tensor of size 2]' },
      metann.tensor{ 9223372036854775807LL, -1LL })
    shows({ '   1  255', '[uint8 tensor of size 2]' }, metann.tensor({ 1, 255 }, { dtype = 'uint8' }))
    shows({ '  nan  -inf', '[float32 tensor of size 2]' }, metann.tensor{ 0 / 0, -1 / 0 })
  end)

  it('shows views as they are', function()
    local t = metann.arange(6):view(2, 3)
    shows({ ' 0.  3.', ' 1.  4.', ' 2.  5.', '[float32 tensor of size 3x2]' }, t:t())
    shows({ ' 0.  2.', ' 3.  5.', '[float32 tensor of size 2x2]' }, t[{ {}, { 1, 3, 2 } }])
    shows({ ' 1.  1.  1.', '[float32 tensor of size 3]' }, metann.ones(1):expand(3))
    shows({ '(1, 1, ., .) =', ' 7.', '[float32 tensor of size 1x1x1x1]' }, metann.full({ 1, 1, 1, 1 }, 7))
  end)

  it('prints the number of a 0-dim tensor', function()
    shows({ '0.25' }, metann.tensor(0.25))
    shows({ '3' }, metann.tensor(3))
    shows({ 'true' }, metann.tensor(true))
    shows({ '7' }, metann.tensor(7LL))
    shows({ '-9007199254740993' }, metann.tensor(-9007199254740993LL))
    shows({ '0.7' }, metann.tensor(0.7))
    shows({ '0.3333333' }, metann.tensor(1 / 3))
    shows({ '0.3333333333' }, metann.tensor(1 / 3, { dtype = 'float64' }))
    shows({ '1234567' }, metann.tensor(1234567))
    shows({ '1e-12' }, metann.tensor(1e-12))
    shows({ 'nan' }, metann.tensor(0 / 0))
    shows({ '2.5' }, metann.tensor(2.5, { requires_grad = true }))
    shows({ '[float32 tensor of size 2x0]' }, metann.zeros(2, 0))
    shows({ '[int64 tensor of size 0]' }, metann.zeros(0, { dtype = 'int64' }))
  end)
end)
