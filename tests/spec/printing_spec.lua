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

  it('prints the number of a 0-dim tensor', function()
    shows({ '0.25' }, metann.tensor(0.25))
    shows({ '3' }, metann.tensor(3))
    shows({ 'true' }, metann.tensor(true))
    shows({ '7' }, metann.tensor(7LL))
    shows({ '[float32 tensor of size 2x0]' }, metann.zeros(2, 0))
  end)
end)
