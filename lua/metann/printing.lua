--- tostring(t): values in aligned columns, long tensors shortened, then dtype and size.
local binding = require 'metann.binding'
local common = require 'metann.compose.common'
local handle, scope = binding.handle, binding.scope
local raw, meta, getters = common.raw, handle.meta, handle.getters

-- Tensors of more elements are shortened to EDGE entries at each end of a dim that has more than twice as many.
local LONG, EDGE, WIDTH = 1000, 3, 80

local function edge_positions(size)
  local list = {}
  for i = 1, EDGE do list[i] = i end
  for i = 1, EDGE do list[EDGE + i] = size - EDGE + i end
  return common.indices(list)
end

--- t with only the edges of its long dims, and which dims were cut.
local function shorten(t)
  local sizes, cut = common.shape(t), {}
  if common.numel(t) <= LONG then return t, cut end
  for d = 1, #sizes do
    if sizes[d] > 2 * EDGE then
      t = raw.index_select(t, edge_positions(sizes[d]), d)
      cut[d] = true
    end
  end
  return t, cut
end

local function text_of_special(x)
  if x ~= x then return 'nan' end
  return x > 0 and 'inf' or '-inf'
end

--- A format for these numbers: integers as such, else 4 digits, in scientific notation when they are far apart.
local function float_format(values)
  local least, largest, whole = math.huge, 0, true
  for i = 1, #values do
    local x = math.abs(values[i])
    if x == x and x ~= math.huge then
      if x % 1 ~= 0 then whole = false end
      if x ~= 0 then
        least = math.min(least, x)
        largest = math.max(largest, x)
      end
    end
  end
  if whole then return largest >= 1e8 and '%.4e' or '%d.' end
  if largest / least > 1000 or largest >= 1e8 or least < 1e-4 then
    if largest < 1e6 and least >= 1e-3 then return '%.4f' end
    return '%.4e'
  end
  return '%.4f'
end

local function cells(t)
  local values = t:to_flat_table()
  local dtype, texts = common.dtype(t), {}
  if dtype == 'bool' then
    for i = 1, #values do texts[i] = values[i] ~= 0 and 'true' or 'false' end
  elseif dtype:find('int') then
    for i = 1, #values do texts[i] = ('%d'):format(values[i]) end
  else
    local format = float_format(values)
    for i = 1, #values do
      local x = values[i]
      local special = x ~= x or x == math.huge or x == -math.huge
      texts[i] = special and text_of_special(x) or format:format(x)
    end
  end
  local width = 0
  for i = 1, #texts do width = math.max(width, #texts[i]) end
  return texts, width
end

local function pad(text, width) return (' '):rep(width - #text) .. text end

--- One line of n cells from texts[at + 1] on; `cut` puts '...' in the middle.
local function row_line(texts, at, n, width, cut)
  local parts = {}
  for i = 1, n do
    if cut and i == EDGE + 1 then parts[#parts + 1] = '...' end
    parts[#parts + 1] = pad(texts[at + i], width)
  end
  return ' ' .. table.concat(parts, '  ')
end

--- A vector's cells, wrapped to lines.
local function vector_lines(texts, n, width, cut)
  local per_line = math.max(1, math.floor((WIDTH + 1) / (width + 2)))
  if cut or n <= per_line then return { row_line(texts, 0, n, width, cut) } end
  local lines = {}
  for at = 0, n - 1, per_line do
    lines[#lines + 1] = row_line(texts, at, math.min(per_line, n - at), width)
  end
  return lines
end

local function matrix_lines(lines, texts, at, rows, columns, width, cut_rows, cut_columns)
  for i = 1, rows do
    if cut_rows and i == EDGE + 1 then lines[#lines + 1] = ' ...' end
    lines[#lines + 1] = row_line(texts, at + (i - 1) * columns, columns, width, cut_columns)
  end
end

--- The position, in the whole tensor, of the i-th shown entry of a dim.
local function shown_position(i, d, cut, sizes)
  if cut[d] and i > EDGE then return sizes[d] - 2 * EDGE + i end
  return i
end

local function slices_lines(texts, shown, cut, sizes, width)
  local lines, n = {}, #shown
  local rows, columns = shown[n - 1], shown[n]
  local index, count = {}, 1
  for d = 1, n - 2 do
    index[d] = 1
    count = count * shown[d]
  end
  for slice = 0, count - 1 do
    local names = {}
    for d = 1, n - 2 do names[d] = tostring(shown_position(index[d], d, cut, sizes)) end
    if slice > 0 then lines[#lines + 1] = '' end
    lines[#lines + 1] = '(' .. table.concat(names, ', ') .. ', ., .) ='
    matrix_lines(lines, texts, slice * rows * columns, rows, columns, width, cut[n - 1], cut[n])
    for d = n - 2, 1, -1 do
      index[d] = index[d] + 1
      if index[d] <= shown[d] then break end
      index[d] = 1
    end
  end
  return lines
end

local function footer(t, sizes)
  local text = ('[%s tensor of size %s'):format(common.dtype(t), #sizes > 0 and table.concat(sizes, 'x') or '()')
  local fn = getters.grad_fn(t)
  if fn then
    text = text .. ', grad_fn=' .. fn
  elseif getters.requires_grad(t) then
    text = text .. ', requires_grad'
  end
  return text .. ']'
end

local function number_text(t)
  local x = t:item()
  local dtype = common.dtype(t)
  if dtype == 'bool' then return x ~= 0 and 'true' or 'false' end
  if x ~= x or x == math.huge or x == -math.huge then return text_of_special(x) end
  if dtype:find('int') then return ('%d'):format(x) end
  return (dtype == 'float64' and '%.10g' or '%.6g'):format(x)
end

local function text_of(t)
  local sizes = common.shape(t)
  local n = #sizes
  if n == 0 then return number_text(t) end
  if common.numel(t) == 0 then return footer(t, sizes) end
  local small, cut = shorten(raw.detach(t))
  local shown = common.shape(small)
  local texts, width = cells(small)
  local lines
  if n == 1 then
    lines = vector_lines(texts, shown[1], width, cut[1])
  elseif n == 2 then
    lines = {}
    matrix_lines(lines, texts, 0, shown[1], shown[2], width, cut[1], cut[2])
  else
    lines = slices_lines(texts, shown, cut, sizes, width)
  end
  lines[#lines + 1] = footer(t, sizes)
  return table.concat(lines, '\n')
end

function meta.tostring(t)
  if t.p == nil then return '[released tensor]' end
  return scope.with_grad(false, 'tostring', text_of, t)
end

return { text = meta.tostring }
