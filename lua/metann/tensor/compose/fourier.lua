--- The discrete Fourier transform made of products with matrices, so that it has derivatives of any order in both
-- floats. A length n = a b is transformed as b transforms of length a, factors, and a of length b (Cooley and Tukey); a
-- prime beyond what a matrix is good for becomes a convolution of a length that parts well (Bluestein).
local common = require 'metann.tensor.compose.common'
local layout = require 'metann.tensor.compose.layout'
local raw, shape_of, reshape = common.raw, common.shape, layout.reshape
local handle = common.handle

-- The longest transform that is one product, and the longest that may be one where the length has no small divisor.
local DIRECT, MOST = 32, 256

--- exp(sign 2 pi i k / n) for k = 0 .. n - 1, two lists from 0, exact at quarters.
local function roots(n, sign)
  local re, im = {}, {}
  for k = 0, n - 1 do
    -- the angle within an eighth of a turn of a quarter, where it is small and its sine exact
    local quarter = math.floor(4 * k / n + 0.5)
    local angle = 2 * math.pi * (k - quarter * n / 4) / n
    local c, s = math.cos(angle), math.sin(angle)
    for _ = 1, quarter do c, s = -s, c end
    re[k], im[k] = c, sign * s
  end
  return re, im
end

--- A tensor beside t of rows x cols numbers: list[at(row, col)], counted from 0.
local function matrix(t, rows, cols, list, at)
  local data = handle.buffer(handle.dtypes.float64, math.max(rows * cols, 1))
  for i = 0, rows - 1 do
    for j = 0, cols - 1 do data[i * cols + j] = list[at(i, j)] end
  end
  local made = common.beside(t, handle.from_data, handle.dtypes.float64, { rows, cols }, data)
  return (raw.cast(made, common.dtype(t)))
end

--- The real and the imaginary part of a product; `im` is nil for real numbers.
local function times(multiply, a_re, a_im, re, im)
  if not im then return multiply(a_re, re), multiply(a_im, re) end
  return raw.sub(multiply(a_re, re), multiply(a_im, im)), raw.add(multiply(a_im, re), multiply(a_re, im))
end

--- The transform along the last but one dim, by its matrix.
local function columns(re, im, n, sign)
  local c, s = roots(n, sign)
  local function at(j, k) return j * k % n end
  return times(raw.matmul, matrix(re, n, n, c, at), matrix(re, n, n, s, at), re, im)
end

--- The largest divisor up to DIRECT; 1 where there is none.
local function divisor(n)
  for d = DIRECT, 2, -1 do
    if n % d == 0 then return d end
  end
  return 1
end

local function with_last(t, ...)
  local size = shape_of(t)
  size[#size] = nil
  for i = 1, select('#', ...) do size[#size + 1] = (select(i, ...)) end
  return size
end

--- t with the last dim cut or filled with zeros to n.
local function sized(t, n)
  local have, before, after = common.size(t, -1), {}, {}
  if have == n then return t end
  for d = 1, common.ndim(t) do before[d], after[d] = 0, 0 end
  after[#after] = n - have
  return (raw.pad(t, before, after))
end

local transform

--- By a convolution with exp(-sign pi i k^2 / n).
local function bluestein(re, im, n, sign)
  local length = 1
  while length < 2 * n - 1 do length = 2 * length end
  local c, s = roots(2 * n, sign)
  local function vector(size, list, at) return raw.select(matrix(re, 1, size, list, at), 1, 1) end
  local function at(_, k) return k * k % (2 * n) end
  local chirp_re, chirp_im = vector(n, c, at), vector(n, s, at)
  local a_re, a_im = times(raw.mul, chirp_re, chirp_im, re, im)
  -- k from 0, and from the end the negative ones
  local kernel_re, kernel_im = {}, {}
  for k = 0, length - 1 do
    local place = k < n and k or length - k < n and length - k or nil
    kernel_re[k], kernel_im[k] = place and c[place * place % (2 * n)] or 0, place and -s[place * place % (2 * n)] or 0
  end
  local function itself(_, k) return k end
  local b_re, b_im = transform(vector(length, kernel_re, itself), vector(length, kernel_im, itself), length, -1)
  a_re, a_im = transform(sized(a_re, length), sized(a_im, length), length, -1)
  local y_re, y_im = transform(raw.sub(raw.mul(a_re, b_re), raw.mul(a_im, b_im)),
    raw.add(raw.mul(a_re, b_im), raw.mul(a_im, b_re)), length, 1)
  y_re, y_im = raw.mul(sized(y_re, n), 1 / length), raw.mul(sized(y_im, n), 1 / length)
  return times(raw.mul, chirp_re, chirp_im, y_re, y_im)
end

--- sum over j of x[j] exp(sign 2 pi i j k / n) along the last dim, n being its length. im is nil for real numbers.
-- @return the real part, the imaginary part
function transform(re, im, n, sign)
  local a = divisor(n)
  if n <= DIRECT or a == 1 and n <= MOST then
    local y_re, y_im = columns(raw.unsqueeze(re, -1), im and raw.unsqueeze(im, -1), n, sign)
    return raw.squeeze(y_re, -1), raw.squeeze(y_im, -1)
  end
  if a == 1 then return bluestein(re, im, n, sign) end
  local b = n / a
  local y_re, y_im = columns(reshape(re, with_last(re, a, b)), im and reshape(im, with_last(im, a, b)), a, sign)
  local c, s = roots(n, sign)
  local function at(j, k) return j * k end
  y_re, y_im = times(raw.mul, matrix(re, a, b, c, at), matrix(re, a, b, s, at), y_re, y_im)
  y_re, y_im = transform(y_re, y_im, b, sign)
  return reshape(raw.transpose(y_re, -2, -1), with_last(re, n)), reshape(raw.transpose(y_im, -2, -1), with_last(re, n))
end

return { transform = transform, sized = sized }
