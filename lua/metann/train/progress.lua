--- A training loop's limits, and its progress on one line of the terminal: rate, time left, values such as the loss.
-- Into a pipe or file nothing is written.
local pairs = require('metann.binding.traversal').pairs
local errors = require 'metann.binding.errors'
local posix = require 'metann.binding.posix'
local arguments = require 'metann.arguments'
local methods = require 'metann.utils.methods'
local scalar = require 'metann.train.scalar'

local Progress = {}
Progress.__index = Progress

local REDRAW_SECONDS = 0.1
-- Values are averaged over about the last so many steps.
local MEMORY = 50

local read = arguments.reader('Progress', {
  {'steps'}, {'seconds'}, {'out', named = true, data = true}, {'terminal', named = true}, {'clock', named = true},
})

--- Begin; the clock runs from now on.
-- @param options `steps`: how many steps there are; `seconds`: a limit on the time; at least one of both. `out`: the
-- file to write to (io.stderr); `terminal`: whether it is a terminal (asked of the system); `clock`: a function that
-- gives seconds.
local function new(...)
  local options = read(...)
  local steps, seconds = options.steps, options.seconds
  if not steps and not seconds then errors.raise 'Progress: steps or seconds must be given' end
  if steps then arguments.count('Progress', 'steps', steps, 0) end
  if seconds and not (type(seconds) == 'number' and seconds >= 0) then
    errors.raise("Progress: 'seconds' must be a number of at least 0, got %s", errors.describe(seconds))
  end
  local out = options.out or io.stderr
  local real = io.type(out) == 'file'
  if not real and not (type(out) == 'table' and arguments.is_callable(out.write)) then
    errors.raise("Progress: 'out' must be an open file, got %s", errors.describe(out))
  end
  local terminal = arguments.boolean('Progress', 'terminal', options.terminal)
  if terminal == nil then terminal = real and posix.is_terminal(out) end
  local clock = arguments.callable('Progress', 'clock', options.clock or posix.clock)
  local start = clock()
  return setmetatable({
    steps = steps, seconds = seconds, out = out, terminal = terminal, clock = clock, start = start,
    drawn = start, count = 0, values = {}, names = {},
  }, Progress)
end

local define = methods.definer(Progress, 'Progress')

local function elapsed_of(self) return self.clock() - self.start end

--- Seconds since the beginning.
-- @function Progress:elapsed
define('elapsed', {}, elapsed_of)

--- Whether another step fits: neither the steps nor the time are used up.
-- @function Progress:more
define('more', {}, function(self)
  if self.steps and self.count >= self.steps then return false end
  return not self.seconds or elapsed_of(self) < self.seconds
end)

local function minutes(seconds)
  local whole = math.floor(seconds + 0.5)
  if whole >= 3600 then return ('%d:%02d:%02d'):format(whole / 3600, whole / 60 % 60, whole % 60) end
  return ('%d:%02d'):format(whole / 60, whole % 60)
end

local function time_left(self, elapsed)
  local by_steps = self.steps and elapsed / self.count * (self.steps - self.count)
  local by_clock = self.seconds and math.max(0, self.seconds - elapsed)
  return math.min(by_steps or by_clock, by_clock or by_steps)
end

local function line_of(self)
  local elapsed = elapsed_of(self)
  local parts = {self.steps and ('%d/%d steps'):format(self.count, self.steps) or ('%d steps'):format(self.count)}
  if self.count > 0 and elapsed > 0 then
    local rate = self.count / elapsed
    parts[2] = rate >= 1 and ('%.1f/s'):format(rate) or ('%.1f s each'):format(1 / rate)
    parts[3] = minutes(time_left(self, elapsed)) .. ' left'
  end
  for _, name in ipairs(self.names) do
    local value = self.values[name]
    local size = math.abs(value)
    local form = size >= 0.01 and size < 1000 and '%s %.3f' or '%s %.3g'
    parts[#parts + 1] = form:format(name, value)
  end
  return table.concat(parts, '  ')
end

--- The line as text: '350/2000 steps  41.2/s  0:40 left  loss 0.812'.
-- @function Progress:line
define('line', {}, line_of)

-- A terminal that is narrower than the line cuts it off: in two rows, each redrawing would leave one behind.
local NO_WRAP, WRAP, CLEAR_REST = '\27[?7l', '\27[?7h', '\27[K'

local function draw(self)
  self.out:write('\r', NO_WRAP, line_of(self), CLEAR_REST, WRAP)
  self.out:flush()
end

--- One step is done.
-- @param[opt] values numbers by name (or tensors of one number), shown as averages over the last steps
-- @function Progress:step
define('step', {{'values', data = true}}, function(self, values)
  if values ~= nil and type(values) ~= 'table' then
    errors.raise("Progress:step: 'values' must be a table of numbers by name, got %s", errors.describe(values))
  end
  local numbers = {}
  for name, value in pairs(values or numbers) do numbers[name] = scalar('Progress:step', name, value) end
  self.count = self.count + 1
  local weight = math.max(1 / MEMORY, 1 / self.count)
  for name, value in pairs(numbers) do
    local old = self.values[name]
    if not old then self.names[#self.names + 1] = name end
    self.values[name] = old and old + weight * (value - old) or value
  end
  if not self.terminal then return end
  local now = self.clock()
  if now - self.drawn < REDRAW_SECONDS then return end
  self.drawn = now
  draw(self)
end)

--- The end: on a terminal the last state stays, with a line end. Returns steps done and seconds taken.
-- @function Progress:finish
define('finish', {}, function(self)
  local elapsed = elapsed_of(self)
  if self.terminal then
    draw(self)
    self.out:write '\n'
  end
  return self.count, elapsed
end)

return setmetatable({}, {__call = methods.constructor('Progress', new)})
