--- Line plots as PNG files, drawn by gnuplot.
local pairs = require('metann.binding.traversal').pairs
local errors = require 'metann.binding.errors'
local atomic = require 'metann.io.atomic'
local paths = require 'metann.io.paths'
local posix = require 'metann.binding.posix'
local arguments = require 'metann.arguments'

local plot = {}

local KNOWN_OF_PANEL = {'title', 'series'}
local KNOWN_OF_SERIES = {'x', 'y', 'label', 'color', 'points', 'dashed', 'width'}
-- Half of what Cairo draws at most.
local MOST_PIXELS = 16384

--- Text between single quotes, as gnuplot reads it.
local function quoted(text) return "'" .. tostring(text):gsub("'", "''"):gsub('%c', ' ') .. "'" end

local function data_block(name, series)
  local lines = {('$%s << END'):format(name)}
  for i = 1, #series.x do lines[#lines + 1] = ('%.9g %.9g'):format(series.x[i], series.y[i]) end
  lines[#lines + 1] = 'END'
  return table.concat(lines, '\n')
end

local function style(series)
  local colour = quoted(series.color or '#000000')
  if series.points then return ('with points pt 7 ps 1.6 lc rgb %s'):format(colour) end
  return ('with lines lw %g dt %d lc rgb %s'):format(series.width or 2.5, series.dashed and 2 or 1, colour)
end

local function panel_script(panel, number)
  local blocks, plots = {}, {}
  for i, series in ipairs(panel.series) do
    local name = ('data_%d_%d'):format(number, i)
    blocks[i] = data_block(name, series)
    plots[i] = ('$%s using 1:2 %s'):format(name, style(series))
  end
  return ('%s\nset title %s\nplot %s'):format(table.concat(blocks, '\n'), quoted(panel.title or ''),
    table.concat(plots, ', '))
end

--- One legend for all panels, in a strip at the bottom: an empty plot as wide as the picture, since gnuplot gives a
-- legend no more columns than fit its plot.
local function legend_script(series)
  local plots = {}
  for i, one in ipairs(series) do
    plots[i] = ('NaN %s title %s'):format(style(one), quoted(one.label or ''))
  end
  return table.concat({
    'unset border', 'unset tics', 'unset grid', "set title ''", "set xlabel ''", "set ylabel ''",
    'set lmargin at screen 0.02', 'set rmargin at screen 0.98', 'set bmargin at screen 0', 'set tmargin at screen 0.1',
    'set xrange [0:1]', 'set yrange [0:1]', 'set key center center horizontal reverse Left samplen 3 width 1',
    'plot ' .. table.concat(plots, ', '),
  }, '\n')
end

local function script(options)
  local panels = options.panels
  local columns = options.columns or #panels
  local rows = math.ceil(#panels / columns)
  local width = options.width or math.min(480 * columns, MOST_PIXELS)
  local height = options.height or math.min(480 * rows, MOST_PIXELS)
  local layout = "set multiplot layout %d,%d title %s font 'DejaVu Sans,15' "
    .. 'margins 0.05,0.985,0.21,0.84 spacing 0.045,0.12'
  local lines = {
    ("set terminal pngcairo noenhanced size %d,%d font 'DejaVu Sans,11' background '#ffffff'"):format(width, height),
    "set border 3 lc rgb '#888888'", "set tics nomirror textcolor rgb '#333333'", "set grid lc rgb '#e6e6e6' lt 1 lw 1",
    'unset key', 'set autoscale xfix', 'set offsets 0, 0, graph 0.05, graph 0.05',
    'set xlabel ' .. quoted(options.x_label or ''), 'set ylabel ' .. quoted(options.y_label or ''),
    layout:format(rows, columns, quoted(options.title or '')),
  }
  for i, panel in ipairs(panels) do lines[#lines + 1] = panel_script(panel, i) end
  lines[#lines + 1] = legend_script(panels[1].series)
  lines[#lines + 1] = 'unset multiplot\n'
  return table.concat(lines, '\n')
end

local function is_table(value) return type(value) == 'table' end
local function is_number(value) return type(value) == 'number' end
local function is_finite(value) return value - value == 0 end

--- Raises unless the list has members, tables all of them.
local function check_tables(what, name, list)
  arguments.list(what, name, list, 'tables', is_table)
  if #list == 0 then errors.raise("%s: '%s' must be a list of tables, got an empty one", what, name) end
end

--- Checks a series; returns whether it has a point that can be drawn.
local function check_series(what, series)
  errors.check_options(what, series, KNOWN_OF_SERIES)
  local x = arguments.list(what, 'x', series.x, 'numbers', is_number)
  local y = arguments.list(what, 'y', series.y, 'numbers', is_number)
  if #x ~= #y or #x == 0 then
    errors.raise("%s: 'x' and 'y' must be lists of equal length, not empty, got %d and %d numbers", what, #x, #y)
  end
  local width = series.width
  if width ~= nil and not (is_number(width) and width > 0 and is_finite(width)) then
    errors.raise("%s: 'width' must be a number above 0, got %s", what, errors.describe(width))
  end
  for i = 1, #x do
    if is_finite(x[i]) and is_finite(y[i]) then return true end
  end
  return false
end

local function check_panel(what, panel)
  errors.check_options(what, panel, KNOWN_OF_PANEL)
  check_tables(what, 'series', panel.series)
  local drawn = false
  for i, series in ipairs(panel.series) do drawn = check_series(('%s, series %d'):format(what, i), series) or drawn end
  if not drawn then errors.raise('%s: nothing to draw, every point is nan or infinite', what) end
end

local function check(options)
  for name, most in pairs{columns = 1000, width = MOST_PIXELS, height = MOST_PIXELS} do
    if options[name] ~= nil then arguments.count('plot.png', name, options[name], 1, most) end
  end
  check_tables('plot.png', 'panels', options.panels)
  for i, panel in ipairs(options.panels) do check_panel(('plot.png: panel %d'):format(i), panel) end
end

local function write_script(name, text)
  local file, message = io.open(name, 'w')
  if not file then return nil, message end
  local written, trouble = file:write(text)
  local closed, more = file:close()
  if written and closed then return true end
  os.remove(name)
  return nil, ("%s: %s"):format(name, trouble or more)
end

--- Text as one word of the shell.
local function word(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

--- Runs gnuplot, whose picture the shell puts into the file: gnuplot takes some paths for other things (commands, home
-- folders), and has none with a line break. Returns true; or nil and what it said.
local function run(text, path)
  local name = os.tmpname()
  local written, message = write_script(name, text)
  if not written then return nil, message end
  -- The shell's exit status is asked for in words: LuaJIT's pclose doesn't give it.
  local pipe = io.popen(('gnuplot %s 2>&1 >%s && echo drawn'):format(word(name), word(path)))
  local said = pipe:read '*a'
  pipe:close()
  os.remove(name)
  if said:find 'drawn%s*$' and posix.status(path).size > 0 then return true end
  if said:find 'gnuplot: not found' or said:find 'gnuplot: command not found' then
    return nil, 'gnuplot is not installed (on Debian and Ubuntu: apt-get install gnuplot-nox)'
  end
  return nil, 'gnuplot said: ' .. said:gsub('%s+', ' ')
end

local read = arguments.reader('plot.png', {
  {'path', paths.kind}, {'panels', required = true, table = true}, {'title'}, {'columns', named = true},
  {'width', named = true}, {'height', named = true}, {'x_label', named = true}, {'y_label', named = true},
})

--- Draw panels side by side into a PNG file, with one legend (of the first panel) below them. The file appears whole or
-- not at all.
-- @param path of the file
-- @param options `panels`: list of {title, series = list of {x, y (lists of numbers), label, color '#rrggbb', points
-- (dots instead of a line), dashed, width}}; `title`, `x_label`, `y_label`; `columns` (all in one row), `width`,
-- `height` in pixels, 16384 at most. Points with nan or an infinity are left out.
-- @raise what can't be drawn or written, by panel and series; gnuplot missing or failing, with its message
function plot.png(...)
  local options = read(...)
  local path = options.path
  check(options)
  local drawn, message = atomic.produce(path, function(temporary) return run(script(options), temporary) end)
  if not drawn then errors.raise('plot.png: %s', message) end
end

return plot
