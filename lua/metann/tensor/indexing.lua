--- Reading and writing by index: t[i], t[{i, {a, b}, {}}], t[mask], t[index], and assignment likewise. All 1-based.
-- Numbers and ranges give views. Assignment writes through an in-place row on the handle's own tensor, never through a
-- temporary view, so it is recorded as that tensor's history.
local next = require('metann.binding.traversal').next
local binding = require 'metann.binding'
local errors = require 'metann.binding.errors'
local common = require 'metann.tensor.compose.common'
local layout = require 'metann.tensor.compose.layout'
local masks = require 'metann.tensor.compose.masks'
local handle = binding.handle
local raw, raise, describe = common.raw, common.raise, common.describe
local array, is_tensor, meta = common.array, common.is_tensor, handle.meta
local shape_of = common.shape

local is_mask, check_mask = masks.is_mask, masks.check

local function integral(x) return type(x) == 'number' and x % 1 == 0 end

--- A position made positive and checked.
local function position(i, d, size)
  if not integral(i) then raise('index %s of dim %d is not an integer', tostring(i), d) end
  if i == 0 then raise('index 0 of dim %d: indices count from 1 (-1 is the last)', d) end
  local k = i < 0 and i + size + 1 or i
  if k < 1 or k > size then raise('index %d is out of range for dim %d of size %d', i, d, size) end
  return k
end

--- first, length and step of {}, {a}, {a, b} or {a, b, step}.
local function range(r, d, size)
  local n = #r
  if n == 0 then
    if next(r) ~= nil then raise('index of dim %d: a range is {first, last, step}, by position', d) end
    return 1, size, 1
  end
  if n > 3 then raise('index of dim %d: a range is {first, last, step}; to pick elements use a tensor', d) end
  for i = 1, n do
    if not integral(r[i]) then raise('index of dim %d: a range holds integers, got %s', d, describe(r[i])) end
  end
  local first, last, step = r[1], r[2] or r[1], r[3] or 1
  if step < 1 then raise('index of dim %d: the step of a range must be at least 1, got %d', d, step) end
  if first == 0 or last == 0 then
    -- {1, 0} is the empty range before the first element
    if not (last == 0 and first == 1) then raise('index 0 of dim %d: indices count from 1 (-1 is the last)', d) end
  end
  local a = first < 0 and first + size + 1 or first
  local b = last < 0 and last + size + 1 or last
  if b == a - 1 and a >= 1 and a <= size + 1 then return a, 0, step end
  if a < 1 or b > size or a > b then
    raise('range %d..%d is out of range for dim %d of size %d', first, last, d, size)
  end
  return a, math.floor((b - a) / step) + 1, step
end

--- How many dims of t an entry of an index stands for.
local function width(k)
  if is_tensor(k) and is_mask(k) then return array(k).ndim end
  return 1
end

--- An index table as entries {kind, ...} from dim 1 on; says which kinds there are.
local function parse(t, keys)
  local sizes = shape_of(t)
  local entries, d, advanced, basic = {}, 1, false, false
  for i = 1, #keys do
    local k = keys[i]
    local w = width(k)
    if d + w - 1 > #sizes then raise('too many indices: %d for a tensor of %d dims', d + w - 1, #sizes) end
    if type(k) == 'number' then
      entries[i] = { kind = 'number', dim = d, at = position(k, d, sizes[d]) }
      basic = true
    elseif is_tensor(k) then
      if is_mask(k) then check_mask(k, t, d) end
      entries[i] = { kind = is_mask(k) and 'mask' or 'index', dim = d, tensor = k }
      advanced = true
    elseif type(k) == 'table' then
      local first, length, step = range(k, d, sizes[d])
      entries[i] = { kind = 'range', dim = d, first = first, length = length, step = step, all = #k == 0 }
      if #k > 0 then basic = true end
    else
      raise('index of dim %d: expected a number, a range {first, last} or a tensor, got %s', d, describe(k))
    end
    d = d + w
  end
  return entries, advanced, basic
end

--- The view that the numbers and ranges select, and the index tensors (or false) for its leading dims.
local function read_parts(t, entries)
  local view, gone, indices, n = t, 0, {}, 0
  for i = 1, #entries do
    local e = entries[i]
    local d = e.dim - gone
    if e.kind == 'number' then
      view = raw.select(view, d, e.at)
      gone = gone + 1
    elseif e.kind == 'range' then
      if not e.all then view = raw.slice(view, d, e.first, e.length, e.step) end
      n = n + 1
      indices[n] = false
    elseif e.kind == 'index' then
      n = n + 1
      indices[n] = e.tensor
    else
      local columns = masks.positions(e.tensor)
      for k = 1, #columns do indices[n + k] = columns[k] end
      n = n + #columns
    end
  end
  return view, indices, n
end

local function read(t, keys)
  local entries, advanced = parse(t, keys)
  local view, indices, n = read_parts(t, entries)
  if not advanced then return view end
  return (raw.index{ view, unpack(indices, 1, n) })
end

--- t[k]
function meta.index(t, k)
  if type(k) == 'number' then
    local a = array(t)
    if a.ndim == 0 then raise("a 0-dim tensor can't be indexed, use :item()") end
    return raw.select(t, 1, position(k, 1, tonumber(a.size[0])))
  end
  if is_tensor(k) then
    -- a mask of all dims, 0-dim ones included
    if is_mask(k) and array(k).ndim == array(t).ndim then
      check_mask(k, t, 1)
      return masks.selected(t, k)
    end
    return read(t, { k })
  end
  if type(k) == 'table' then return read(t, k) end
  return raise('a tensor is indexed by a number, a table or a tensor, got %s', describe(k))
end

-- ---- assignment ----

--- v without the dims of 1 that it begins with: they stand for nothing in what is written.
local function without_leading_ones(v)
  local a = array(v)
  local n, first = a.ndim, 0
  while first < n and a.size[first] == 1 do first = first + 1 end
  if first == 0 then return v end
  local dims = {}
  for d = 1, first do dims[d] = d end
  return (raw.squeeze(v, dims))
end

local function source_of(t, v)
  if is_tensor(v) then return without_leading_ones(v) end
  if type(v) == 'table' then
    return without_leading_ones(t:new_tensor(v))
  end
  return common.scalar(v, t, 'index assignment', 'value')
end

--- v's sizes with 1 put in for the dims that numbers took away, so that it broadcasts to the box.
local function box_shape(v, selected, ndim)
  local sizes = shape_of(v)
  local out, k = {}, #sizes
  for d = ndim, 1, -1 do
    if selected[d] then
      table.insert(out, 1, 1)
    else
      if k < 1 then break end
      table.insert(out, 1, sizes[k])
      k = k - 1
    end
  end
  while k >= 1 and sizes[k] == 1 do k = k - 1 end
  if k >= 1 then
    raise("the value's size %s has more dims than what is written, of which those in front must be 1",
      common.tuple(sizes))
  end
  return out
end

local function write_box(t, entries, v)
  local size = shape_of(t)
  local start, step, selected = {}, {}, {}
  for d = 1, #size do start[d], step[d] = 0, 1 end
  local any = false
  for i = 1, #entries do
    local e = entries[i]
    if e.kind == 'number' then
      start[e.dim], size[e.dim], selected[e.dim], any = e.at - 1, 1, true, true
    else
      start[e.dim], size[e.dim], step[e.dim] = e.first - 1, e.length, e.step
    end
  end
  if any and array(v).ndim > 0 then v = layout.reshape(v, box_shape(v, selected, #size)) end
  raw.region_put_(t, v, start, size, step)
end

--- Index tensors for every dim of t that name, element for element, what t[keys] reads.
local function coordinates(t, keys)
  local sizes, list = shape_of(t), {}
  for d = 1, #sizes do
    local line = {}
    for i = 1, #sizes do line[i] = i == d and sizes[d] or 1 end
    list[d] = read(raw.expand(raw.view(common.beside(t, raw.arange, 1, 1, sizes[d], 'int64'), line), sizes), keys)
  end
  return list
end

local function write(t, keys, v)
  local entries, advanced, basic = parse(t, keys)
  v = source_of(t, v)
  if not advanced then return write_box(t, entries, v) end
  local list = { t, v }
  if basic then
    for i, index in ipairs(coordinates(t, keys)) do list[i + 2] = index end
  else
    local _, indices, n = read_parts(t, entries)
    for i = 1, n do list[i + 2] = indices[i] end
  end
  raw.index_put_(list)
end

local function write_mask(t, mask, v)
  check_mask(mask, t, 1)
  v = source_of(t, v)
  if array(v).ndim > 0 then return write(t, { mask }, v) end
  local sizes = shape_of(mask)
  for d = #sizes + 1, array(t).ndim do sizes[d] = 1 end
  mask = layout.reshape(mask, sizes)
  raw.assign_(t, raw.where(mask, v, t))
end

--- t[k] = v
function meta.newindex(t, k, v)
  -- no tail calls: errors find this function on the stack
  if type(k) == 'number' or (type(k) == 'table' and not is_tensor(k)) then
    if array(t).ndim == 0 and type(k) == 'number' then raise("a 0-dim tensor can't be indexed, use :fill_(v)") end
    write(t, type(k) == 'number' and { k } or k, v)
  elseif not is_tensor(k) then
    raise('a tensor is indexed by a number, a table or a tensor, got %s', describe(k))
  elseif is_mask(k) then
    write_mask(t, k, v)
  else
    write(t, { k }, v)
  end
end
errors.name(meta.newindex, 'index')

return { read = meta.index, write = meta.newindex }
