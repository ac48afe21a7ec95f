--- Line plots as PNG files, drawn by gnuplot.
local errors = require 'metann.binding.errors'

local plot = {}

local KNOWN = {'title', 'panels', 'columns', 'width', 'height', 'x_label', 'y_label'}

--- Text between single quotes, as gnuplot reads it.
local function quoted(text) return "'" .. tostring(text):gsub("'", "''"):gsub('%c', ' ') .. "'" end

--- The path as gnuplot takes it for no command ('|...') and no home folder ('~...').
local function plain(path) return path:find '^[|~]' and './' .. path or path end

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

local function script(path, options)
  local panels = options.panels
  local columns = options.columns or #panels
  local rows = math.ceil(#panels / columns)
  local width, height = options.width or 480 * columns, options.height or 480 * rows
  local layout = "set multiplot layout %d,%d title %s font 'DejaVu Sans,15' "
    .. 'margins 0.05,0.985,0.21,0.84 spacing 0.045,0.12'
  local lines = {
    ("set terminal pngcairo noenhanced size %d,%d font 'DejaVu Sans,11' background '#ffffff'"):format(width, height),
    'set output ' .. quoted(plain(path)),
    "set border 3 lc rgb '#888888'", "set tics nomirror textcolor rgb '#333333'", "set grid lc rgb '#e6e6e6' lt 1 lw 1",
    'unset key', 'set autoscale xfix', 'set offsets 0, 0, graph 0.05, graph 0.05',
    'set xlabel ' .. quoted(options.x_label or ''), 'set ylabel ' .. quoted(options.y_label or ''),
    layout:format(rows, columns, quoted(options.title or '')),
  }
  for i, panel in ipairs(panels) do lines[#lines + 1] = panel_script(panel, i) end
  lines[#lines + 1] = legend_script(panels[1].series)
  lines[#lines + 1] = 'unset multiplot\nunset output\n'
  return table.concat(lines, '\n')
end

local function check(path, options)
  if type(path) ~= 'string' then errors.raise('plot.png: a path expected, got %s', errors.describe(path)) end
  errors.check_options('plot.png', options, KNOWN)
  if type(options.panels) ~= 'table' or #options.panels == 0 then errors.raise 'plot.png: panels must be a list' end
  for i, panel in ipairs(options.panels) do
    for j, series in ipairs(panel.series or {}) do
      if type(series.x) ~= 'table' or type(series.y) ~= 'table' or #series.x ~= #series.y or #series.x == 0 then
        errors.raise('plot.png: panel %d, series %d: x and y must be lists of equal length, not empty', i, j)
      end
    end
  end
end

--- Draw panels side by side into a PNG file, with one legend (of the first panel) below them.
-- @param path of the file
-- @param options `panels`: list of {title, series = list of {x, y (lists of numbers), label, color '#rrggbb', points
-- (dots instead of a line), dashed, width}}; `title`, `x_label`, `y_label`; `columns` (all in one row), `width`,
-- `height` in pixels
-- @raise gnuplot missing or failing, with its message
function plot.png(path, options)
  check(path, options)
  local name = os.tmpname()
  local file = assert(io.open(name, 'w'))
  file:write(script(path, options))
  file:close()
  -- The shell's exit status is asked for in words: LuaJIT's pclose doesn't give it.
  local pipe = io.popen(("gnuplot '%s' 2>&1 && echo drawn"):format(name))
  local said = pipe:read '*a'
  pipe:close()
  os.remove(name)
  if said:find 'drawn%s*$' then return end
  if said:find 'gnuplot: not found' or said:find 'gnuplot: command not found' then
    errors.raise 'plot.png: gnuplot is not installed (on Debian and Ubuntu: apt-get install gnuplot-nox)'
  end
  errors.raise('plot.png: %s: gnuplot said: %s', path, (said:gsub('%s+', ' ')))
end

return plot
