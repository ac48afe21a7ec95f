--- One case: reading its files, and comparing what was computed with what they hold.
local metann = require 'metann'
local json = require 'metann.binding.json'
local safetensors = require 'metann.io.safetensors'
local handle = require('metann.binding').handle

local Case = {}
Case.__index = Case

-- device: where the tensors of cases are made and results must lie; nil: the default device, whatever it is.
local case = { device = nil }

--- A description without its nulls; in a list false stands for one, so that the others keep their places.
local function without_nulls(value)
  if type(value) ~= 'table' then return value end
  local copy = {}
  for k, v in pairs(value) do
    if v ~= json.null then
      copy[k] = without_nulls(v)
    elseif json.is_array(value) then
      copy[k] = false
    end
  end
  return copy
end

local function expect(condition, message, ...)
  if not condition then error(message:format(...), 0) end
end

local function check_description(c)
  for _, field in ipairs{ 'inputs', 'consts', 'outputs', 'differentiable', 'param_names', 'buffer_names' } do
    expect(c[field] == nil or type(c[field]) == 'table', "'%s' must be a list", field)
  end
  local t = c.tolerance
  expect(type(t) == 'table' and type(t.rtol) == 'number' and type(t.atol) == 'number',
    "'tolerance' must have the numbers rtol and atol")
  expect(c.dtype == 'float64' or c.dtype == 'float32', "the dtype '%s' is not understood", tostring(c.dtype))
end

--- Reads a case from its files, in order.
function case.load(files)
  local all, description = {}, nil
  for i, path in ipairs(files) do
    local tensors, metadata = safetensors.load(path, { device = case.device })
    for name, t in pairs(tensors) do
      expect(not all[name], '%s is in two files', name)
      all[name] = t
    end
    if i == 1 then description = metadata.case end
  end
  expect(description, "the metadata have no 'case'")
  local decoded, message = json.decode(description)
  expect(type(decoded) == 'table', "the metadata's 'case' is not a JSON object: %s", tostring(message))
  local self = setmetatable(without_nulls(decoded), Case)
  self.raw, self.dtype, self.tensors = decoded, self.dtype or 'float64', all
  self.seen, self.misses = {}, {}
  check_description(self)
  return self
end

--- '0.weight' in a file is '1.weight' in metann: containers' names count from 1.
function case.lua_name(name)
  local shifted = ('.' .. name):gsub('%.(%d+)%f[.%z]', function(n) return '.' .. tonumber(n) + 1 end)
  return shifted:sub(2)
end

--- The tensor of that name; an error where the files have none.
function Case:tensor(name)
  local t = self.tensors[name]
  expect(t, "the files have no tensor '%s'", name)
  return t
end

local function is_float(t) return t.dtype:find 'float' ~= nil end
local function shape_text(t) return '(' .. table.concat(t.shape, ', ') .. ')' end

--- The elements as an array of C and their count; equal integers are equal there, beyond 2^53 too.
local function elements(t)
  t = t:detach()
  if t.dtype == 'float16' or t.dtype == 'bfloat16' then t = t:float() end
  return handle.read(t)
end

--- Equal, NaN to NaN and infinity to infinity included.
local function same(a, b) return a == b or a ~= a and b ~= b end

--- The place where two tensors of one size are furthest apart, in terms of what is allowed; nil where all is well.
local function furthest(got, want, tolerance)
  local exact = not is_float(want)
  local x, y = elements(got), elements(want)
  local worst, at = 1, nil
  for i = 0, want:numel() - 1 do
    if not same(x[i], y[i]) then
      local g, w = tonumber(x[i]), tonumber(y[i])
      local allowed = exact and 0 or tolerance.atol + tolerance.rtol * math.abs(w)
      local difference = math.abs(g - w)
      local ratio = difference / math.max(allowed, 1e-300)
      if exact or ratio ~= ratio or allowed == math.huge then ratio = math.huge end
      if ratio > worst then
        worst, at = ratio, { at = i + 1, got = g, want = w, error = difference, allowed = allowed, ratio = ratio }
      end
    end
  end
  return at
end

--- Compares a tensor with the one of that name in the files, if there is one.
function Case:compare(name, got)
  local want = self.tensors[name]
  if not want then return end
  self.seen[name] = true
  local miss
  if not got then
    miss = { text = 'is missing', ratio = math.huge }
  elseif shape_text(got) ~= shape_text(want) then
    miss = { text = ('has size %s, expected %s'):format(shape_text(got), shape_text(want)), ratio = math.huge }
  elseif got.dtype ~= want.dtype then
    miss = { text = ('has dtype %s, expected %s'):format(got.dtype, want.dtype), ratio = math.huge }
  elseif case.device and got.device ~= want.device then
    miss = { text = ('is on %s, expected %s'):format(got.device, want.device), ratio = math.huge }
  else
    miss = furthest(got, want, self.tolerance)
  end
  if miss then
    miss.name = name
    self.misses[#self.misses + 1] = miss
  end
end

--- Compares a list of Lua numbers, or of lists of them.
function Case:compare_numbers(name, list)
  local want = self.tensors[name]
  if want then self:compare(name, metann.tensor(list, { dtype = want.dtype, device = want.device })) end
end

--- Names of tensors that are results and were never compared: the case was not understood in full.
local function unseen(self, inputs)
  local names = {}
  for name in pairs(self.tensors) do
    local known = self.seen[name]
    for _, pattern in ipairs(inputs) do known = known or name:find(pattern) ~= nil end
    if not known then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

local function describe(miss)
  if miss.text then return ('%s %s'):format(miss.name, miss.text) end
  return ('%s: largest error %.3g, %.3g allowed (element %d is %.17g, expected %.17g)'):format(miss.name, miss.error,
    miss.allowed, miss.at, miss.got, miss.want)
end

--- What is wrong with the case, as a line of text; nil if nothing is.
-- @param inputs patterns of the names of tensors that are no results
function Case:verdict(inputs)
  local parts = {}
  table.sort(self.misses, function(a, b)
    if a.ratio ~= b.ratio then return a.ratio > b.ratio end
    return a.name < b.name
  end)
  if #self.misses > 0 then parts[1] = describe(self.misses[1]) end
  if #self.misses > 1 then
    local names = {}
    for i = 2, #self.misses do names[i - 1] = self.misses[i].name end
    parts[#parts + 1] = 'also off: ' .. table.concat(names, ', ')
  end
  local left = unseen(self, inputs)
  if #left > 0 then parts[#parts + 1] = 'not understood, never computed: ' .. table.concat(left, ', ') end
  if #parts == 0 then return nil end
  return table.concat(parts, '; ')
end

return case
