--- Pointwise functions made of rows.
local common = require 'metann.compose.common'
local raw, raise, describe = common.raw, common.raise, common.describe
local scalar, is_tensor = common.scalar, common.is_tensor

local pointwise = {}

--- number - t, or other - t.
function pointwise.rsub(t, other) return raw.sub(other, t) end

local ROUNDINGS = { floor = raw.floor, trunc = raw.trunc }

local WIDTH = { uint8 = 1, int32 = 2, int64 = 3 }

--- The dtype of a whole quotient: the wider of two integers; nil unless both are.
local function whole_dtype(t, other)
  local widest
  for _, x in ipairs{ t, other } do
    local dtype = is_tensor(x) and common.dtype(x) or nil
    if dtype and not WIDTH[dtype] then return nil end
    if not dtype and (type(x) ~= 'number' or x % 1 ~= 0) then return nil end
    if dtype and (not widest or WIDTH[dtype] > WIDTH[widest]) then widest = dtype end
  end
  return widest
end

local function rounded(mode, t, other)
  local dtype = whole_dtype(t, other)
  if not dtype then return ROUNDINGS[mode](raw.div(t, other)) end
  -- float64 holds what float32, the quotient's dtype otherwise, would round
  local function wide(x) return is_tensor(x) and raw.cast(x, 'float64') or x end
  return raw.cast(ROUNDINGS[mode](raw.div(wide(t), wide(other))), dtype)
end

--- t / other; {rounding_mode = 'floor' | 'trunc'} rounds the quotient.
function pointwise.div(t, other, options)
  if options == nil then return raw.div(t, other) end
  common.check_options('div', options, { 'rounding_mode' })
  local mode = options.rounding_mode
  if mode == nil then return raw.div(t, other) end
  if not ROUNDINGS[mode] then raise("div: 'rounding_mode' must be 'floor' or 'trunc', got %s", describe(mode)) end
  return rounded(mode, t, other)
end

--- t / other in place; see div.
function pointwise.div_(t, other, options)
  if options == nil then return raw.div_(t, other) end
  return raw.assign_(common.tensor(t, 'div_', 'input'), pointwise.div(t, other, options))
end

--- floor(t / other); of integers an integer.
function pointwise.floor_divide(t, other) return rounded('floor', t, other) end

--- t limited to min .. max, -1 .. 1 unless given.
function pointwise.hardtanh(t, min, max)
  return raw.clamp(t, min == nil and -1 or min, max == nil and 1 or max)
end

function pointwise.clamp_min(t, min) return raw.clamp(t, min, nil) end
function pointwise.clamp_max(t, max) return raw.clamp(t, nil, max) end

--- a + weight * (b - a)
function pointwise.lerp(a, b, weight) return raw.add(a, raw.mul(raw.sub(b, a), weight)) end

local function scaled(op, combine)
  pointwise[op] = function(t, a, b, value)
    if type(value) == 'table' then value = value.value end
    local product = combine(a, b)
    if value ~= nil and value ~= 1 then product = raw.mul(product, value) end
    return raw.add(t, product)
  end
end
--- t + value * a * b
-- @function addcmul
scaled('addcmul', raw.mul)
--- t + value * a / b
-- @function addcdiv
scaled('addcdiv', raw.div)

function pointwise.log10(t) return raw.mul(raw.log(t), 1 / math.log(10)) end
function pointwise.logsigmoid(t) return raw.neg(raw.softplus(raw.neg(t))) end

--- Where condition holds, a, else b; either may be a number.
function pointwise.where(condition, a, b)
  common.tensor(condition, 'where', 'condition')
  local like = is_tensor(a) and a or is_tensor(b) and b or nil
  return raw.where(condition, scalar(a, like, 'where', 'input'), scalar(b, like, 'where', 'other'))
end

--- t with value (a number or 0-dim tensor) where mask holds.
function pointwise.masked_fill(t, mask, value)
  common.tensor(t, 'masked_fill', 'input')
  return raw.where(mask, scalar(value, t, 'masked_fill', 'value'), t)
end

--- t's elements become those of source, broadcast and cast; a number or a nested table will do.
function pointwise.copy_(t, source)
  if not is_tensor(source) then source = scalar(source, t, 'copy_', 'source') end
  return raw.assign_(t, source)
end

function pointwise.zero_(t) return raw.fill_(t, 0) end

--- t's elements become value.
function pointwise.fill_(t, value)
  if is_tensor(value) then return raw.assign_(t, value) end
  if type(value) == 'boolean' then value = value and 1 or 0 end
  return raw.fill_(t, value)
end

local function same_size(a, b)
  local x, y = common.array(a), common.array(b)
  if x.ndim ~= y.ndim then return false end
  for d = 0, x.ndim - 1 do
    if x.size[d] ~= y.size[d] then return false end
  end
  return true
end

--- t in a dtype that rows compute in.
local function readable(t) return common.dtype(t):find('float16') and raw.cast(t, 'float32') or t end

--- True when both have the same size and elements (a Lua boolean).
function pointwise.equal(a, b)
  common.tensor(a, 'equal', 'input')
  common.tensor(b, 'equal', 'other')
  if not same_size(a, b) then return false end
  a, b = readable(a), readable(b)
  return raw.all(raw.eq(a, b)):item() ~= 0
end

--- Elementwise |a - b| <= atol + rtol * |b|.
-- @param a tensor
-- @param b tensor or number
-- @param rtol 1e-5
-- @param atol 1e-8
-- @param options rtol, atol, equal_nan=false
function pointwise.isclose(a, b, rtol, atol, options)
  if type(rtol) == 'table' then options = rtol end
  if options then
    common.check_options('isclose', options, { 'rtol', 'atol', 'equal_nan' })
    rtol, atol = options.rtol, options.atol
  end
  rtol, atol = rtol or 1e-5, atol or 1e-8
  local near = raw.le(raw.abs(raw.sub(a, b)), raw.add(raw.mul(raw.abs(b), rtol), atol))
  local close = raw.logical_or(raw.eq(a, b), raw.logical_and(near, raw.isfinite(b)))
  if options and options.equal_nan then close = raw.logical_or(close, raw.logical_and(raw.isnan(a), raw.isnan(b))) end
  return close
end

--- True when all elements are close (a Lua boolean); see isclose.
function pointwise.allclose(a, b, ...) return raw.all(pointwise.isclose(a, b, ...)):item() ~= 0 end

return pointwise
