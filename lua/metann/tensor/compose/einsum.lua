--- Sums of products by Einstein's convention: each pair of operands becomes one batched matrix product.
local pairs = require('metann.binding.traversal').pairs
local arguments = require 'metann.arguments'
local common = require 'metann.tensor.compose.common'
local reshape = require('metann.tensor.compose.layout').reshape
local raw, raise = common.raw, common.raise
local shape_of = common.shape

local function letters_of(text)
  local list = {}
  for letter in text:gmatch('.') do list[#list + 1] = letter end
  return list
end

local function set_of(list)
  local set = {}
  for i = 1, #list do set[list[i]] = true end
  return set
end

--- Letters of a term, in which '...' is the mark DOTS; nil for what can't be read.
local DOTS = '...'
local function term_of(text)
  local before, after = text:match('^(%a*)%.%.%.(%a*)$')
  if not before then
    if text:find('[^%a]') then return nil end
    return letters_of(text)
  end
  local list = letters_of(before)
  list[#list + 1] = DOTS
  for _, letter in ipairs(letters_of(after)) do list[#list + 1] = letter end
  return list
end

--- The letters that come once, in order, behind the dims of '...'.
local function implied(operands)
  local count, result, dots = {}, {}, false
  for i = 1, #operands do
    for _, letter in ipairs(operands[i]) do
      count[letter] = (count[letter] or 0) + 1
      dots = dots or letter == DOTS
    end
  end
  for _, letters in ipairs(operands) do
    for _, letter in ipairs(letters) do
      if count[letter] == 1 and letter ~= DOTS then result[#result + 1] = letter end
    end
  end
  table.sort(result)
  if dots then table.insert(result, 1, DOTS) end
  return result
end

--- Operands' letters and the result's out of 'ij,jk->ik'; without '->', the letters that come once, in order.
local function parse(equation, n)
  local text = equation:gsub('%s', '')
  local left, right = text:match('^(.-)%->(.*)$')
  local operands, known = {}, {}
  for part in ((left or text) .. ','):gmatch('(.-),') do
    local letters = term_of(part)
    if not letters then raise("einsum: can't read '%s', expected letters, commas, '...' and '->'", equation) end
    operands[#operands + 1] = letters
    for _, letter in ipairs(letters) do known[letter] = true end
  end
  if #operands ~= n then raise("einsum: '%s' has %d operands, %d tensors are given", equation, #operands, n) end
  if not right then return operands, implied(operands) end
  local result, seen = term_of(right), {}
  if not result then raise("einsum: can't read '%s' behind '->'", right) end
  for _, letter in ipairs(result) do
    if not known[letter] then raise("einsum: the result's '%s' is in no operand", letter) end
    if seen[letter] then raise("einsum: the result has '%s' twice", letter) end
    seen[letter] = true
  end
  return operands, result
end

--- letters with count names in place of '...', the last dim of which is always the same name.
local function spread(letters, count)
  local list = {}
  for _, letter in ipairs(letters) do
    if letter == DOTS then
      for k = count, 1, -1 do list[#list + 1] = DOTS .. k end
    else
      list[#list + 1] = letter
    end
  end
  return list
end

--- Puts names in the place of '...' in all operands, as many as each has dims left, and in the result.
local function spread_all(operands, result, tensors)
  local most = 0
  for i, letters in ipairs(operands) do
    local n, named, dots = common.ndim(tensors[i]), 0, false
    for _, letter in ipairs(letters) do
      if letter == DOTS then dots = true else named = named + 1 end
    end
    if n < named or (n > named and not dots) then
      raise('einsum: operand %d has %d dims, but %d letters', i, n, named)
    end
    operands[i] = spread(letters, n - named)
    most = math.max(most, n - named)
  end
  return spread(result, most)
end

--- t and its letters with each letter once: repeated ones become diagonals.
local function without_repeats(t, letters)
  local i = 1
  while i <= #letters do
    local again
    for j = i + 1, #letters do
      if letters[j] == letters[i] then again = j end
    end
    if again then
      local letter, rest = letters[i], {}
      t = raw.diagonal(t, 0, i, again)
      for k = 1, #letters do
        if k ~= i and k ~= again then rest[#rest + 1] = letters[k] end
      end
      rest[#rest + 1] = letter -- the diagonal comes last
      letters, i = rest, 1
    else
      i = i + 1
    end
  end
  return t, letters
end

--- t without the letters that nothing else needs, which are summed.
local function sum_out(t, letters, needed)
  local dims, rest = {}, {}
  for d, letter in ipairs(letters) do
    if needed[letter] then rest[#rest + 1] = letter else dims[#dims + 1] = d end
  end
  if #dims == 0 then return t, letters end
  return raw.sum(t, dims), rest
end

local function permuted(t, letters, order)
  local dims = {}
  for i, letter in ipairs(order) do
    for d, l in ipairs(letters) do
      if l == letter then dims[i] = d end
    end
  end
  if #dims < 2 then return t end
  return raw.permute(t, dims)
end

local function joined(...)
  local all = {}
  for i = 1, select('#', ...) do
    for _, letter in ipairs((select(i, ...))) do all[#all + 1] = letter end
  end
  return all
end

local function product(list, sizes)
  local n = 1
  for _, letter in ipairs(list) do n = n * sizes[letter] end
  return n
end

--- Two operands into one: letters of both that are still needed are the batch, the others of both are contracted.
local function contract(a, la, b, lb, needed, sizes)
  local in_a, in_b = set_of(la), set_of(lb)
  local batch, inner, left, right = {}, {}, {}, {}
  for _, letter in ipairs(la) do
    local list = not in_b[letter] and left or needed[letter] and batch or inner
    list[#list + 1] = letter
  end
  for _, letter in ipairs(lb) do
    if not in_a[letter] then right[#right + 1] = letter end
  end
  local nb, ni = product(batch, sizes), product(inner, sizes)
  a = reshape(permuted(a, la, joined(batch, left, inner)), { nb, product(left, sizes), ni })
  b = reshape(permuted(b, lb, joined(batch, inner, right)), { nb, ni, product(right, sizes) })
  local letters, size = joined(batch, left, right), {}
  for i, letter in ipairs(letters) do size[i] = sizes[letter] end
  return reshape(raw.matmul(a, b), size), letters
end

local function letters_needed(result, operands, from)
  local needed = set_of(result)
  for i = from, #operands do
    for _, letter in ipairs(operands[i]) do needed[letter] = true end
  end
  return needed
end

--- The size that each letter stands for: a dim of 1 is stretched where another operand has more.
local function sizes_of(operands, tensors)
  local sizes, from = {}, {}
  for i, letters in ipairs(operands) do
    local size, own = shape_of(tensors[i]), {}
    for d, letter in ipairs(letters) do
      local have = sizes[letter]
      if own[letter] and own[letter] ~= size[d] then
        raise("einsum: '%s' is %d and %d in operand %d", letter, own[letter], size[d], i)
      end
      own[letter] = size[d]
      if have and have ~= size[d] and have ~= 1 and size[d] ~= 1 then
        raise("einsum: '%s' is %d in operand %d, but %d in operand %d", letter, size[d], i, have, from[letter])
      end
      if not have or have == 1 then sizes[letter], from[letter] = size[d], i end
    end
  end
  return sizes
end

--- t without the dims of 1 that other operands have longer: as if they had been stretched.
local function without_stretched(t, letters, sizes)
  local rest = {}
  for _, letter in ipairs(letters) do
    local d = #rest + 1
    if sizes[letter] ~= 1 and common.size(t, d) == 1 then
      t = raw.squeeze(t, { d })
    else
      rest[d] = letter
    end
  end
  return t, rest
end

local einsum = {}

local function equation_kind(v) return type(v) == 'string' and v or nil, "a string such as 'ij,jk->ik'" end

--- Sum of products by Einstein's convention: einsum('bij,bjk->bik', a, b). Letters name dims; one that the result lacks
-- is summed, one that an operand has twice is its diagonal; '...' stands for any dims, which are broadcast, as dims of 1
-- are. Operands are taken from left to right.
-- @param equation letters of each operand, commas between, then '->' and the result's (by default those that come once)
-- @param ... the tensors, or one list of them
function einsum.einsum(equation, tensors)
  local operands, result = parse(equation, #tensors)
  result = spread_all(operands, result, tensors)
  local sizes, parts = sizes_of(operands, tensors), {}
  for i = 1, #tensors do
    parts[i], operands[i] = without_stretched(tensors[i], operands[i], sizes)
    parts[i], operands[i] = without_repeats(parts[i], operands[i])
  end
  local t, letters = sum_out(parts[1], operands[1], letters_needed(result, operands, 2))
  for i = 2, #parts do
    local needed = letters_needed(result, operands, i + 1)
    local kept = set_of(letters)
    for letter in pairs(needed) do kept[letter] = true end
    local b, lb = sum_out(parts[i], operands[i], kept)
    t, letters = contract(t, letters, b, lb, needed, sizes)
  end
  t, letters = sum_out(t, letters, set_of(result))
  return (permuted(t, letters, result))
end
einsum.einsum = arguments.define('einsum', {
  { 'equation', equation_kind }, { 'operands', arguments.kinds.tensors, rest = true },
}, einsum.einsum)

return einsum
