--- Calls of methods that a module doesn't have. A field that isn't there reads as nil, as in any Lua table, and Lua's
-- own error then knows no method's name. So where a name is missing, the bytecode of the line that reads it is looked at:
-- if it is about to be called with ':', the error suggests a method. Where there is no jit.util nothing is looked at.
local pairs = require('metann.binding.traversal').pairs
local errors = require 'metann.binding.errors'
local has_util, util = pcall(require, 'jit.util')

-- What other libraries call it.
local ELSEWHERE = {
  clone = 'deepcopy', copy = 'deepcopy', getParameters = 'parameters', zeroGradParameters = 'zero_grad',
  evaluate = 'eval', training = 'train', add = 'append', listModules = 'modules',
}

local function parts(instruction)
  return bit.band(instruction, 0xff), bit.band(bit.rshift(instruction, 8), 0xff), bit.rshift(instruction, 24),
    bit.band(bit.rshift(instruction, 16), 0xff)
end

-- How `t:name()` begins is read off a function that does it: MOV of the object, then TGETS of the name.
local MOV, GET, OFFSET
if has_util and util.funcbc and util.funck then
  local function probe(t) t:name() end
  local a, b
  MOV, a = parts(util.funcbc(probe, 1))
  GET, b = parts(util.funcbc(probe, 2))
  OFFSET = a - b
end

--- Whether all that a function reads under `name` on a line is called as a method.
local function calls(fn, line, name)
  local found, before = false, 0
  for pc = 1, util.funcinfo(fn).bytecodes - 1 do
    local instruction = util.funcbc(fn, pc)
    local op, a, b, c = parts(instruction)
    if op == GET and util.funck(fn, -c - 1) == name and util.funcinfo(fn, pc).currentline == line then
      local last, to, _, _ = parts(before)
      local object = bit.rshift(before, 16)
      if last ~= MOV or to ~= a + OFFSET or object ~= b then return false end
      found = true
    end
    before = instruction
  end
  return found
end

local misspelt = {}

-- A name that has been read in vain so often, and not called, is one that a class asks for: it is looked at no more, so
-- that such reads stay quick. So are new names once there are very many.
local OFTEN, MANY = 8, 1000
local reads, known = {}, 0

--- Raises when a name that a module doesn't have is about to be called as its method.
-- @param of the module's class
-- @param name the name, a string
function misspelt.check(of, name)
  local n = reads[name] or 0
  if n >= OFTEN or not MOV or name:sub(1, 1) == '_' then return end
  if n == 0 then
    if known >= MANY then return end
    known = known + 1
  end
  reads[name] = n + 1
  local fn, line = errors.user_function()
  if not fn or not calls(fn, line, name) then return end
  local names = {}
  local class = of
  while class do
    for key, value in pairs(class) do
      if type(value) == 'function' and key:sub(1, 1) ~= '_' and key ~= 'init' then names[#names + 1] = key end
    end
    class = rawget(class, '_parent')
  end
  table.sort(names)
  reads[name] = n
  if ELSEWHERE[name] and of[ELSEWHERE[name]] then
    errors.raise("%s has no method '%s', did you mean '%s'?", of._name, name, ELSEWHERE[name])
  end
  errors.no_member(of._name, name, names)
end

return misspelt
