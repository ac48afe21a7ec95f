--- The options of a learner's call, and of MAML's: read and checked in one place.
local pairs = require('metann.binding.traversal').pairs
local errors = require 'metann.binding.errors'
local arguments = require 'metann.arguments'
local raise, describe = errors.raise, errors.describe

local call = {}

local BUFFERS = { view = true, shared = true, frozen = true }

--- Checks the options that learners and meta-learners share, `buffers`, `training`, `allow_unused` and `evaluator`, and fills
-- defaults in. Works on the table that it is given.
local function check(what, o)
  if o.buffers == nil then o.buffers = 'view' end
  if o.training == nil then o.training = true end
  arguments.boolean(what, 'allow_unused', o.allow_unused)
  if o.evaluator ~= nil then arguments.callable(what, 'evaluator', o.evaluator) end
  if not BUFFERS[o.buffers] then
    raise("%s: 'buffers' must be 'view', 'shared' or 'frozen', got %s", what, describe(o.buffers))
  end
  if type(o.training) ~= 'boolean' and o.training ~= 'model' then
    raise("%s: 'training' must be true, false or 'model', got %s", what, describe(o.training))
  end
  return o
end

--- A copy of the options of a call, checked, defaults filled in.
-- @param what the caller's name, for messages
-- @param options table or nil
-- @param names list of the options that there are; `buffers`, `training` and `evaluator` among them, the others true or
-- false
-- @param defaults of the others, by name
function call.read(what, options, names, defaults)
  if options ~= nil and (type(options) ~= 'table' or options[1] ~= nil) then
    raise('%s: options must be a table by name, got %s', what, type(options) == 'table' and 'a list' or describe(options))
  end
  local o = {}
  if options then
    errors.check_options(what, options, names)
    for name, value in pairs(options) do o[name] = value end
  end
  for name, default in pairs(defaults) do o[name] = arguments.boolean(what, name, o[name], default) end
  return check(what, o)
end

local LEARNER = { 'inplace', 'evaluator', 'mimo', 'buffers', 'training', 'allow_unused' }
local LEARNER_DEFAULTS = { inplace = false, mimo = false }

--- The options of a learner's call.
function call.learner(what, options) return call.read(what, options, LEARNER, LEARNER_DEFAULTS) end

return call
