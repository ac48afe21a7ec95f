--- Arguments as trees that can be written as Lua text and made simpler.
-- A node is {kind = 'text', text}, {kind = 'tensor', size, dtype, style, seed, layout, grad} or
-- {kind = 'table', list, named}. Whatever is called is called with what the text makes, so that a failing call can be
-- printed as it was.
local mutate = require 'tests.support.mutate'

local values = {}

-- ---- writing ----

local function count(size)
  local n = 1
  for _, s in ipairs(size) do n = n * s end
  return n
end
values.count = count

local function list_text(list) return '{' .. table.concat(list, ', ') .. '}' end

local SPECIAL = { '0/0', '1/0', '-1/0', '1e30', '-1e30', '-0', '0', '1', '1e-30' }
local STYLES = {
  small = function(draw) return tostring((draw(60) - 25) / 10) end,
  whole = function(draw) return tostring(draw(7) - 3) end,
  positive = function(draw) return tostring(draw(30) / 10) end,
  unit = function(draw) return tostring(draw(19) / 20) end,
  index = function(draw) return tostring(draw(3)) end,
  special = function(draw) return SPECIAL[draw(#SPECIAL)] end,
}
values.styles = { 'small', 'small', 'small', 'positive', 'unit', 'index', 'special', 'whole' }

local WHOLE = { int64 = true, int32 = true, uint8 = true }

local function elements(node, n)
  local draw, list = mutate.source(node.seed), {}
  for i = 1, n do
    local text = STYLES[node.style](draw)
    if node.dtype == 'bool' then
      text = draw(2) == 1 and 'true' or 'false'
    elseif WHOLE[node.dtype] then
      local number = tonumber(text) or 1
      number = math.floor(math.min(math.abs(number), 100)) * ((number < 0 and node.dtype ~= 'uint8') and -1 or 1)
      text = tostring(number)
    end
    list[i] = text
  end
  return list
end

local LITERAL = 24 -- elements that are written one by one

--- A dense tensor of some size.
local function dense(node, size)
  local n, dtype = count(size), node.dtype
  if n == 0 then return ("metann.zeros(%s, {dtype = '%s'})"):format(list_text(size), dtype) end
  local shape = #size == 1 and '' or (':reshape(%s)'):format(list_text(size))
  if n > LITERAL then
    local text = ("(metann.arange(1, %d, {dtype = 'float64'}) ^ 2 * 0.37 %% 5"):format(n + 1)
    if node.style == 'index' then text = text:gsub('%^ 2 %* 0.37 %% 5', '%% 3 + 1') elseif dtype ~= 'uint8' then text = text .. ' - 2' end
    return ("%s):to('%s')%s"):format(text, dtype, shape)
  end
  local list = elements(node, n)
  if dtype == 'bool' then return ('metann.tensor(%s)%s'):format(list_text(list), shape) end
  local half = dtype == 'float16' or dtype == 'bfloat16'
  return ("metann.tensor(%s, {dtype = '%s'})%s%s"):format(list_text(list), half and 'float32' or dtype,
    half and (":to('%s')"):format(dtype) or '', shape)
end

local function with(size, k, value)
  local copy = { unpack(size) }
  copy[k] = value
  return copy
end

local function reversed(list)
  local copy = {}
  for i = 1, #list do copy[i] = list[#list + 1 - i] end
  return copy
end

-- The size of the tensor under the view, and the text of the view.
local layouts = {}

function layouts.transposed(size)
  local dims = {}
  for k = 1, #size do dims[k] = k end
  return reversed(size), (':permute(%s)'):format(list_text(reversed(dims)))
end

function layouts.stepped(size)
  local n = #size
  return with(size, n, 2 * size[n]), (":slice{dim = %d, start = 1, length = %d, step = 2}"):format(n, size[n])
end

function layouts.expanded(size) return with(size, 1, 1), (':expand(%s)'):format(list_text(size)) end
function layouts.offset(size) return with(size, 1, size[1] + 1), (':narrow(1, 2, %d)'):format(size[1]) end

function layouts.overlapping(size)
  return { size[1] + size[2] - 1 }, (':unfold(1, %d, 1)'):format(size[2])
end

--- Whether a layout can be had for a size.
function values.can_lie(layout, size)
  if #size == 0 or count(size) == 0 then return false end
  return layout ~= 'overlapping' or #size == 2
end

values.layouts = { 'transposed', 'stepped', 'expanded', 'offset', 'overlapping' }

local render

local function render_tensor(node)
  local size, view = node.size, ''
  if node.layout and values.can_lie(node.layout, size) then size, view = layouts[node.layout](node.size) end
  local text = dense(node, size)
  if node.grad then text = text .. ':requires_grad_()' end
  if node.grad == 'history' then text = ('(%s * 1)'):format(text) end
  return text .. view
end

local function render_table(node)
  local parts = {}
  for i, item in ipairs(node.list) do parts[i] = render(item) end
  for _, pair in ipairs(node.named) do
    local key = pair[1]:find '^[%a_][%w_]*$' and pair[1] ~= 'end' and pair[1] or ('[%q]'):format(pair[1])
    parts[#parts + 1] = key .. ' = ' .. render(pair[2])
  end
  return list_text(parts)
end

--- A node as Lua text.
function render(node)
  if node.kind == 'text' then return node.text end
  if node.kind == 'table' then return render_table(node) end
  return render_tensor(node)
end
values.render = render

--- The same with dense tensors in place of views: the values, in plain order.
function values.render_dense(node)
  if node.kind == 'tensor' and node.layout then return render_tensor(node) .. ':contiguous()' end
  if node.kind ~= 'table' then return render(node) end
  local copy = { kind = 'table', list = {}, named = {} }
  for i, item in ipairs(node.list) do copy.list[i] = values.text(values.render_dense(item)) end
  for i, pair in ipairs(node.named) do copy.named[i] = { pair[1], values.text(values.render_dense(pair[2])) } end
  return render_table(copy)
end

--- Whether a view is anywhere in a node.
function values.is_strided(node)
  if node.kind == 'tensor' then return node.layout ~= nil end
  if node.kind ~= 'table' then return false end
  for _, item in ipairs(node.list) do
    if values.is_strided(item) then return true end
  end
  for _, pair in ipairs(node.named) do
    if values.is_strided(pair[2]) then return true end
  end
  return false
end

-- ---- making ----

function values.text(text) return { kind = 'text', text = text } end
function values.table(list, named) return { kind = 'table', list = list or {}, named = named or {} } end

--- A tensor; fields of `o` that are left out are plain.
function values.tensor(o)
  return {
    kind = 'tensor', size = o.size, dtype = o.dtype or 'float32', style = o.style or 'small', seed = o.seed or 1,
    layout = o.layout, grad = o.grad,
  }
end

-- ---- making simpler ----

local function changed(node, fields)
  local copy = {}
  for key, value in pairs(node) do copy[key] = value end
  for key, value in pairs(fields) do copy[key] = value ~= 'none' and value or nil end
  return copy
end

local function simpler_tensors(node)
  local list = { values.text 'nil', values.text '1' }
  for _, fields in ipairs{
    { grad = 'none' }, { layout = 'none' }, { dtype = node.dtype ~= 'float64' and 'float32' or node.dtype },
    { style = 'whole', seed = 1 },
  } do
    local differs = false
    for key, value in pairs(fields) do differs = differs or (node[key] or 'none') ~= value end
    if differs then list[#list + 1] = changed(node, fields) end
  end
  if node.grad == 'history' then list[#list + 1] = changed(node, { grad = 'leaf' }) end
  for k, s in ipairs(node.size) do
    local fewer = { unpack(node.size) }
    table.remove(fewer, k)
    list[#list + 1] = changed(node, { size = fewer })
    for _, smaller in ipairs{ 1, math.floor(s / 2), s - 1 } do
      if smaller < s and smaller >= 0 then list[#list + 1] = changed(node, { size = with(node.size, k, smaller) }) end
    end
  end
  return list
end

local function simpler_tables(node)
  local list = { values.text 'nil' }
  for i = 1, #node.list do
    local copy = values.table({ unpack(node.list) }, node.named)
    table.remove(copy.list, i)
    list[#list + 1] = copy
    for _, item in ipairs(values.simpler(node.list[i])) do
      copy = values.table({ unpack(node.list) }, node.named)
      copy.list[i] = item
      list[#list + 1] = copy
    end
  end
  for i = 1, #node.named do
    local copy = values.table(node.list, { unpack(node.named) })
    table.remove(copy.named, i)
    list[#list + 1] = copy
    for _, item in ipairs(values.simpler(node.named[i][2])) do
      copy = values.table(node.list, { unpack(node.named) })
      copy.named[i] = { node.named[i][1], item }
      list[#list + 1] = copy
    end
  end
  return list
end

--- Nodes that are simpler than this one, simplest first.
function values.simpler(node)
  if node.kind == 'tensor' then return simpler_tensors(node) end
  if node.kind == 'table' then return simpler_tables(node) end
  local list = {}
  for _, text in ipairs{ 'nil', '1', '0' } do
    if text == node.text then break end
    list[#list + 1] = values.text(text)
  end
  return list
end

return values
