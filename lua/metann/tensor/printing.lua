--- tostring(t): values in aligned columns, long tensors shortened, then dtype and size.
local binding = require 'metann.binding'
local common = require 'metann.tensor.compose.common'
local devices = require 'metann.binding.devices'
local dtypes = require 'metann.binding.dtypes'
local handle, scope = binding.handle, binding.scope
local raw, meta, getters = common.raw, handle.meta, handle.getters

-- Tensors of more elements, rows or slices than these show EDGE entries at each end of whatever has more than twice as
-- many.
local LONG, LONG_ROWS, LONG_SLICES, EDGE, WIDTH = 1000, 100, 12, 3, 80

-- ---- numbers ----

-- How many digits a dtype's numbers have, about.
local DIGITS = { float64 = 12, float32 = 7, float16 = 5, bfloat16 = 4 }

local function is_special(x) return x ~= x or x == math.huge or x == -math.huge end

local function text_of_special(x)
  if x ~= x then return 'nan' end
  return x > 0 and 'inf' or '-inf'
end

--- The smallest size but 0, the largest, and whether all are whole numbers; infinities and NaNs don't count.
local function extent(values)
  local least, largest, whole = math.huge, 0, true
  for i = 1, #values do
    local x = math.abs(values[i])
    if not is_special(x) then
      if x % 1 ~= 0 then whole = false end
      if x ~= 0 then
        least = math.min(least, x)
        largest = math.max(largest, x)
      end
    end
  end
  return least, largest, whole
end

--- One format for all numbers: whole ones as such; else up to 4 decimals, fewer where the dtype has no more digits;
-- scientific where the smallest would vanish or be cut short beside the largest.
local function float_format(values, dtype)
  local least, largest, whole = extent(values)
  if largest >= 1e8 then return '%.4e' end
  if whole then return '%.0f.' end
  local before = math.max(1, math.floor(math.log10(largest)) + 1)
  local decimals = math.max(1, math.min(4, DIGITS[dtype] - before))
  if least < 10 ^ -decimals or (decimals < 3 and largest > 1e4 * least) then return '%.4e' end
  return ('%%.%df'):format(decimals)
end

--- An integer in all its digits; int64 ones arrive as cdata.
local function integer_text(x) return (tostring(x):gsub('LL$', '')) end

local function read(t)
  local dtype = common.dtype(t)
  if dtypes.halves[dtype] then t = raw.cast(t, 'float32') end
  handle.check_readable(t, 'tostring')
  local data, n = handle.read(t)
  local values = {}
  for i = 1, n do values[i] = dtype == 'int64' and data[i - 1] or tonumber(data[i - 1]) end
  return values, dtype
end

--- A text for each element, and the length of the longest.
local function cells(t)
  local values, dtype = read(t)
  local texts, width = {}, 0
  local format = DIGITS[dtype] and float_format(values, dtype)
  for i = 1, #values do
    local x = values[i]
    if dtype == 'bool' then
      texts[i] = x ~= 0 and 'true' or 'false'
    elseif not format then
      texts[i] = integer_text(x)
    else
      texts[i] = is_special(x) and text_of_special(x) or format:format(x)
    end
    width = math.max(width, #texts[i])
  end
  return texts, width
end

--- The text of a 0-dim tensor.
local function number_text(t)
  local values, dtype = read(t)
  local x = values[1]
  if dtype == 'bool' then return x ~= 0 and 'true' or 'false' end
  if not DIGITS[dtype] then return integer_text(x) end
  if is_special(x) then return text_of_special(x) end
  if x % 1 == 0 and math.abs(x) < 1e8 then return ('%.0f'):format(x) end
  return ('%%.%dg'):format(math.min(DIGITS[dtype], 10)):format(x)
end

-- ---- lines ----

local function edge_positions(size)
  local list = {}
  for i = 1, EDGE do list[i], list[EDGE + i] = i, size - EDGE + i end
  return list
end

--- t with only the edges of its long dims among the last two, and which were cut.
local function shorten(t)
  local sizes, cut = common.shape(t), {}
  for d = math.max(1, #sizes - 1), #sizes do
    if sizes[d] > 2 * EDGE then
      t = raw.index_select(t, common.beside(t, common.indices, edge_positions(sizes[d])), d)
      cut[d] = true
    end
  end
  return t, cut
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

local function cells_per_line(width) return math.max(1, math.floor((WIDTH + 1) / (width + 2))) end

--- A vector's cells, wrapped to lines.
local function vector_lines(texts, n, width, cut)
  local per_line = cells_per_line(width)
  if cut or n <= per_line then return { row_line(texts, 0, n, width, cut) } end
  local lines = {}
  for at = 0, n - 1, per_line do
    lines[#lines + 1] = row_line(texts, at, math.min(per_line, n - at), width)
  end
  return lines
end

--- The rows of a matrix whose cells begin at texts[at + 1]; blocks of columns where a row is longer than a line.
local function matrix_lines(lines, texts, at, rows, columns, width, cut_rows, cut_columns)
  local per_line = cells_per_line(width)
  local blocks = not cut_columns and columns > per_line
  for first = 1, columns, blocks and per_line or columns do
    local n = blocks and math.min(per_line, columns - first + 1) or columns
    if blocks then
      lines[#lines + 1] = n > 1 and (' columns %d to %d'):format(first, first + n - 1) or ' column ' .. first
    end
    for i = 1, rows do
      if cut_rows and i == EDGE + 1 then lines[#lines + 1] = ' ...' end
      lines[#lines + 1] = row_line(texts, at + (i - 1) * columns + first - 1, n, width, cut_columns)
    end
  end
end

--- Positions, in all dims but the last two, of the slices to show.
local function slice_positions(sizes, long)
  local n, count = #sizes - 2, 1
  for d = 1, n do count = count * sizes[d] end
  local numbers = {}
  if count > LONG_SLICES or (long and count > 2 * EDGE) then
    numbers = edge_positions(count)
  else
    for i = 1, count do numbers[i] = i end
  end
  local list = {}
  for k, number in ipairs(numbers) do
    local rest, position = number - 1, {}
    for d = n, 1, -1 do
      position[d] = rest % sizes[d] + 1
      rest = math.floor(rest / sizes[d])
    end
    list[k] = position
  end
  return list, #list < count
end

--- The slices' texts, one below the other, all in one format.
local function slices_lines(t, sizes, long)
  local positions, some = slice_positions(sizes, long)
  local slices, cut = {}, {}
  for i, position in ipairs(positions) do
    local slice = t
    for d = 1, #position do slice = raw.select(slice, 1, position[d]) end
    if long then slice, cut = shorten(slice) end
    slices[i] = raw.unsqueeze(slice, 1)
  end
  local shown = raw.cat(slices, 1)
  local texts, width = cells(shown)
  local rows, columns = common.size(shown, 2), common.size(shown, 3)
  local lines = {}
  for i, position in ipairs(positions) do
    if i > 1 then lines[#lines + 1] = '' end
    if some and i == EDGE + 1 then
      lines[#lines + 1] = '...'
      lines[#lines + 1] = ''
    end
    lines[#lines + 1] = '(' .. table.concat(position, ', ') .. ', ., .) ='
    matrix_lines(lines, texts, (i - 1) * rows * columns, rows, columns, width, cut[1], cut[2])
  end
  return lines
end

local function footer(t, sizes)
  local text = ('[%s tensor of size %s'):format(common.dtype(t), #sizes > 0 and table.concat(sizes, 'x') or '()')
  local device = getters.device(t)
  if device ~= devices.default() then text = text .. ' on ' .. device end
  local fn = getters.grad_fn(t)
  if fn then
    text = text .. ', grad_fn=' .. fn
  elseif getters.requires_grad(t) then
    text = text .. ', requires_grad'
  end
  return text .. ']'
end

--- Is a tensor to be shortened, for its elements or for its lines?
local function is_long(sizes)
  local numel, rows = 1, 1
  for d = 1, #sizes do
    numel = numel * sizes[d]
    if d < #sizes then rows = rows * sizes[d] end
  end
  return numel > LONG or rows > LONG_ROWS
end

local function text_of(t)
  local sizes = common.shape(t)
  local n = #sizes
  local values = raw.detach(t)
  if n == 0 then return number_text(values) end
  if common.numel(t) == 0 then return footer(t, sizes) end
  local lines, cut = {}, {}
  if n > 2 then
    lines = slices_lines(values, sizes, is_long(sizes))
  else
    if is_long(sizes) then values, cut = shorten(values) end
    local texts, width = cells(values)
    if n == 1 then
      lines = vector_lines(texts, #texts, width, cut[1])
    else
      matrix_lines(lines, texts, 0, common.size(values, 1), common.size(values, 2), width, cut[1], cut[2])
    end
  end
  lines[#lines + 1] = footer(t, sizes)
  return table.concat(lines, '\n')
end

function meta.tostring(t)
  if t.p == nil then return '[released tensor]' end
  return scope.with_grad(false, 'tostring', text_of, t)
end

return { text = meta.tostring }
