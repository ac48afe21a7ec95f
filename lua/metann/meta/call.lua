--- The options of a learner's call, and of MAML's: what they may be, in one place.
local arguments = require 'metann.arguments'
local errors = require 'metann.binding.errors'
local raise, describe, kinds = errors.raise, errors.describe, arguments.kinds

local call = {}

local BUFFERS = { view = true, shared = true, frozen = true }

local function buffers(v) return BUFFERS[v] and v or nil, "'view', 'shared' or 'frozen'" end

local function training(v)
  if type(v) == 'boolean' or v == 'model' then return v end
  return nil, "true, false or 'model'"
end

-- `allow_unused` has no kind and no default: nil leaves it to the learner, and false doesn't.
local EVALUATOR = { 'evaluator', kinds.callable, optional = true }
local SHARED = { { 'buffers', buffers, 'view' }, { 'training', training, true }, { 'allow_unused' } }

--- A signature: what stands before, then the options that all calls share.
-- @param what the caller's name, for messages
-- @param first list of parameters before the shared ones
-- @param named true: those that are shared are taken by name only
function call.signature(what, first, named)
  local list = {}
  for i, p in ipairs(first) do list[i] = p end
  for _, p in ipairs(SHARED) do
    list[#list + 1] = { p[1], p[2], p[3], named = named }
  end
  return arguments.signature(what, list)
end

--- Reads the arguments of a call.
function call.read(signature, ...)
  local o = arguments.read(signature, ...)
  arguments.boolean(signature.what, 'allow_unused', o.allow_unused)
  return o
end

local OPTIONS = { { 'inplace', kinds.boolean, false }, EVALUATOR, { 'mimo', kinds.boolean, false } }

--- The options of a call without any.
function call.defaults() return { inplace = false, mimo = false, buffers = 'view', training = true } end

local LEARNER = {
  { 'model', required = true, opaque = true }, { 'data', data = true }, OPTIONS[1], OPTIONS[2], OPTIONS[3],
}
local signatures, learners = {}, {}

--- The arguments of calling a learner of the class `what`.
function call.of_learner(what, ...)
  learners[what] = learners[what] or call.signature(what, LEARNER)
  return call.read(learners[what], ...)
end

--- The options of a learner's call, from a table by name or nil.
function call.learner(what, options)
  if options ~= nil and (type(options) ~= 'table' or options[1] ~= nil) then
    raise('%s: options must be a table by name, got %s', what,
      type(options) == 'table' and 'a list' or describe(options))
  end
  signatures[what] = signatures[what] or call.signature(what, OPTIONS)
  return call.read(signatures[what], options or {})
end

--- The signature of calling what holds its model.
function call.of_data(what)
  return call.signature(what, {
    { 'data', data = true }, { 'create_graph', named = true },
    { 'evaluator', kinds.callable, optional = true, named = true },
  }, true)
end

return call
