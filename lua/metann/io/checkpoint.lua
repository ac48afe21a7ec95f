--- metann.save and metann.load: values with tensors in them, as safetensors files with a description (structure.lua) in
-- their metadata.
local arguments = require 'metann.arguments'
local errors = require 'metann.binding.errors'
local header = require 'metann.io.header'
local paths = require 'metann.io.paths'
local safetensors = require 'metann.io.safetensors'
local structure = require 'metann.io.structure'
local StateDict = require 'metann.nn.machinery.statedict'

local raise = errors.raise

local checkpoint = {}

local FORMAT, FIELD = 'metann', 'structure'

--- Save a value to a file, whole or not at all: a tensor, a number, string or boolean, or tables of these nested at will,
-- such as `{model = net:state_dict(), optimizer = optimizer:state_dict(), epoch = 3}`.
--
-- A state dict and an OrderedDict stay what they are, with their order. Tensors keep dtype, size, requires_grad and
-- whether they are parameters; a history and `.grad` are not saved. Tensors that share a storage are written once and
-- share one again when loaded, and a table that stands in several places is one table again. Functions, modules and
-- other objects, cycles, and tensors as keys are errors that say where. Other tools can read the file's tensors as
-- safetensors, by their paths ('model.1.weight'). The value stands for itself, so it is given by position.
-- @function save
-- @param path of the file
-- @param value what to save
-- @raise what can't be saved, with its path in the value; or the system's message, with the file's path
checkpoint.save = arguments.define('save', { { 'path', paths.kind }, { 'value', data = true } }, function(path, value)
  local saved, message = structure.encode(value, header.METADATA)
  if not saved then raise('save: %s', message) end
  safetensors._save('save', path, saved.tensors, { format = FORMAT, [FIELD] = saved.text })
end)

local function load_plain(reader)
  local state = StateDict.new()
  for _, name in ipairs(reader:names()) do state[name] = reader:get(name) end
  return state
end

local function load_value(reader, path, from)
  local text = reader:metadata()[FIELD]
  if reader:metadata().format ~= FORMAT or not text then return { value = load_plain(reader) } end
  if from then
    return nil, ("load: %s was written by metann: its names count from 1 already"):format(path)
  end
  local known = {}
  for _, name in ipairs(reader:names()) do known[name] = true end
  local loaded, message = structure.decode(text, function(name) return known[name] and reader:get(name) end,
    reader:names())
  if not loaded then return nil, ('load: %s: the description of the contents: %s'):format(path, message) end
  return loaded
end

--- Load what metann.save wrote. Nothing in a file is ever run, so that one from a stranger does no harm; no more memory is
-- taken than in proportion to its size. A safetensors file from elsewhere gives a state dict of its tensors.
-- @function load
-- @param path of the file
-- @param[opt] options {from='pytorch'}: numbers in names, which count from 0 in PyTorch, count from 1. {map=true}: the
-- tensors lie on the file's pages, as in safetensors.load. {device=}: where they are made, if not on the default device
-- @return the value
-- @raise the path and what is wrong with the file
checkpoint.load = arguments.define('load', safetensors._parameters, function(path, from, map, device)
  local reader = safetensors._open('load', path, from, map, device)
  local ok, loaded, message = pcall(load_value, reader, path, from)
  reader:close()
  if not ok then error(loaded, 0) end
  if not loaded then raise('%s', message) end
  return loaded.value
end)

return checkpoint
