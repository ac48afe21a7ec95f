--- Tensors against what PyTorch gave.
local metann = require 'metann'
local is_tensor = metann.is_tensor

local compare = {}

-- Per dtype: relative to the number, and absolute, relative to the largest one beside it.
local TOLERANCES = { float64 = { 1e-7, 1e-9 }, float32 = { 1e-4, 1e-5 }, float16 = { 2e-3, 1e-3 }, bfloat16 = { 2e-2, 1e-2 } }

local function size_text(t) return '(' .. table.concat(t.shape, ', ') .. ')' end

local function numbers(t)
  local ok, list = pcall(t.to_flat_table, t:detach())
  if not ok then list = t:double():to_flat_table() end -- integers beyond 2^53
  for i = 1, #list do
    if type(list[i]) == 'boolean' then list[i] = list[i] and 1 or 0 end
    list[i] = tonumber(list[i])
  end
  return list
end

local function largest(list)
  local most = 1
  for i = 1, #list do
    local x = math.abs(list[i])
    if x > most and x < math.huge then most = x end
  end
  return most
end

--- A value as a tensor: numbers and booleans are what methods such as item return.
local function as_tensor(x, want)
  if is_tensor(x) then return x end
  if type(x) == 'number' or type(x) == 'boolean' then return metann.tensor(x):to(want.dtype) end
  return nil, 'is ' .. tostring(x)
end

--- nil where got is as wanted; else what is wrong. loose: size and dtype alone.
function compare.tensors(got, want, loose)
  local why
  got, why = as_tensor(got, want)
  if not got then return why end
  if size_text(got) ~= size_text(want) then return ('has size %s, not %s'):format(size_text(got), size_text(want)) end
  if got.dtype ~= want.dtype then return ('has dtype %s, not %s'):format(got.dtype, want.dtype) end
  if loose then return nil end
  local x, y, tolerance = numbers(got), numbers(want), TOLERANCES[want.dtype] or { 0, 0 }
  local absolute = tolerance[2] * largest(y)
  for i = 1, #y do
    local g, w = x[i], y[i]
    local same = g == w or (g ~= g and w ~= w) or math.abs(g - w) <= tolerance[1] * math.abs(w) + absolute
    if not same or (g ~= w and math.abs(w) == math.huge) then
      return ('element %d is %.10g, not %.10g'):format(i, g, w)
    end
  end
end

--- Results, which may be lists, as one list.
function compare.flatten(...)
  local list = {}
  local function add(value)
    if type(value) == 'table' and not is_tensor(value) then
      for i = 1, #value do add(value[i]) end
    else
      list[#list + 1] = value
    end
  end
  for i = 1, select('#', ...) do add((select(i, ...))) end
  return list
end

local function zeros_for(grads, like)
  for i, x in ipairs(like) do grads[i] = grads[i] or x:new_zeros(x.shape) end
  return grads
end

local function check_all(what, names, got, tensors, prefix)
  for i, name in ipairs(names) do
    local want = tensors[prefix .. name]
    local fault = want and compare.tensors(got[i], want)
    if fault then return ('%s of %s: %s'):format(what, name, fault) end
  end
end

--- The derivatives of outputs with respect to leaves, lists of one length as `names`; see cases.py for the tensors.
function compare.derivatives(outputs, names, leaves, tensors)
  local live, cotangents, labels = {}, {}, {}
  for i, y in ipairs(outputs) do
    local c = tensors['c.' .. i]
    if c and y.requires_grad then -- what has no derivative counts as 0
      live[#live + 1], cotangents[#cotangents + 1], labels[#labels + 1] = y, c:requires_grad_(true), 'c.' .. i
    end
  end
  local second = tensors['u.' .. names[1]] ~= nil
  local first = zeros_for(#live > 0 and metann.grad(live, leaves, cotangents, true, second, true) or {}, leaves)
  local fault = check_all('gradient', names, first, tensors, 'g.')
  if fault or not second then return fault end
  local total = metann.zeros({}, { dtype = 'float64' })
  for i, g in ipairs(first) do total = total + (g * tensors['u.' .. names[i]]):sum() end
  if not total.requires_grad then total = total + 0 * leaves[1]:sum() end
  local every, all = { unpack(leaves) }, { unpack(names) }
  for i, c in ipairs(cotangents) do every[#every + 1], all[#all + 1] = c, labels[i] end
  local grads = zeros_for(metann.grad({ total }, every, nil, true, false, true), every)
  return check_all('second derivative', all, grads, tensors, 'h.')
end

return compare
