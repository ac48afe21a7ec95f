--- Where in a net an error happened: read off the stack when there is one, so that calls that go well pay nothing.
-- The functions that call modules announce themselves; the first argument of such a frame is the module that it calls.
local errors = require 'metann.binding.errors'

local where = {}

local calls = setmetatable({}, { __mode = 'k' })

--- Says that `fn` is a function whose first argument is a module that it calls, of the class of that name.
function where.announce(fn, name)
  calls[fn] = true
  if name then errors.name_class(fn, name) end
  return fn
end

local function class_of(module) return getmetatable(module).class end

local function step(parent, name)
  if name == '' then return '' end
  return class_of(parent)._numbered and '[' .. name .. ']' or '.' .. name
end

--- The path from a module to one below it, or nil.
local function path_to(parent, child, seen)
  if seen[parent] then return nil end
  seen[parent] = true
  local dict = parent._modules
  for _, name in ipairs(dict.names) do
    local module = dict.values[name]
    if rawequal(module, child) then return step(parent, name) end
  end
  for _, name in ipairs(dict.names) do
    local module = dict.values[name]
    local rest = module and path_to(module, child, seen)
    if rest then return step(parent, name) .. rest end
  end
  return nil
end

--- The path of the innermost module that is being called, from the outermost one that it is a part of; nil where that
-- is the module itself.
local function find()
  local modules = {}
  errors.each_frame(function(fn, read)
    if not calls[fn] then return end
    local module = read(1)
    if modules[#modules] ~= module then modules[#modules + 1] = module end
  end)
  local path
  for i = #modules - 1, 1, -1 do
    local below = path_to(modules[i + 1], modules[i], {})
    if not below then
      path = nil
    else
      path = (path or class_of(modules[i + 1])._name) .. below
    end
  end
  return path
end

--- The same for an error's message.
function errors.in_module()
  local ok, path = pcall(find)
  return ok and path and (' (in %s)'):format(path) or ''
end

return where
