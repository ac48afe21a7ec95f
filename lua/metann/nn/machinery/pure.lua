--- Layers and losses that are functions of their inputs and some options: activations, pooling, losses.
-- Each is written once, as compute(options, inputs..., tensors...), and gives both the class and the function in
-- nn.functional. Tensors among the options (class weights) are buffers of the class.
local arguments = require 'metann.arguments'
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local options = require 'metann.nn.machinery.options'
local support = require 'metann.support'
local kinds, is_tensor = options.kinds, support.is_tensor

local pure = {}

--- The option `inplace` of PyTorch's activations. It saves memory there; here the result is a new tensor in any case,
-- since most derivatives need the input as it was. So it is taken, shown, and changes nothing.
pure.INPLACE = { 'inplace', kinds.boolean, false, show = 'true' }

--- An input, given as its name or as {name, kind}, as a parameter.
local function parameter_of(input) return type(input) == 'table' and input or { input, kinds.tensor } end

--- What reads the inputs of a call that are not just tensors: by name, of another kind, or wrong.
local function input_reader(name, inputs)
  local list, names = {}, {}
  for i, input in ipairs(inputs) do
    list[i] = parameter_of(input)
    names[i] = list[i][1]
  end
  local read, first, second, third = arguments.reader(name, list), names[1], names[2], names[3]
  return function(...)
    local o = read(...)
    return o[first], o[second], o[third]
  end
end

-- One function per number of inputs: these are on the hot path. More than there are is an error, not left unread.
local checked = {
  function(read, compute)
    return function(o, x, more, t1, t2)
      if not is_tensor(x) or more ~= nil then x = read(x, more) end
      return compute(o, x, t1, t2)
    end
  end,
  function(read, compute)
    return function(o, x, y, more, t1, t2)
      if not is_tensor(x) or not is_tensor(y) or more ~= nil then x, y = read(x, y, more) end
      return compute(o, x, y, t1, t2)
    end
  end,
  function(read, compute)
    return function(o, x, y, z, more, t1, t2)
      if not is_tensor(x) or not is_tensor(y) or not is_tensor(z) or more ~= nil then x, y, z = read(x, y, z, more) end
      return compute(o, x, y, z, t1, t2)
    end
  end,
}

local function define_forward(of, compute, n, tensors)
  local first, second = tensors[1] or false, tensors[2] or false
  if n == 1 and not first then
    function of:forward(x, more) return compute(self.options, x, more) end
  elseif n == 1 then
    function of:forward(x, more) return compute(self.options, x, more, self[first], second and self[second]) end
  elseif n == 2 and not first then
    function of:forward(x, y, more) return compute(self.options, x, y, more) end
  elseif n == 2 then
    function of:forward(x, y, more) return compute(self.options, x, y, more, self[first], second and self[second]) end
  else
    assert(not first)
    function of:forward(x, y, z, more) return compute(self.options, x, y, z, more) end
  end
end

local function text(value, show)
  if show == 'quoted' then return "'" .. value .. "'" end
  if type(value) ~= 'table' then return tostring(value) end
  local equal = show == 'sides'
  for i = 2, #value do equal = equal and value[i] == value[1] end
  return equal and tostring(value[1]) or support.tuple(value)
end

--- Text of the options to print: those with `show`; 'sides' prints equal sides as one number, 'true' a flag that is
-- set, 'quoted' a string in quotes.
local function describe_options(parameters, o)
  local parts = {}
  for _, p in ipairs(parameters) do
    local value = o[p[1]]
    if value ~= nil and p.show and (p.show ~= 'true' or value == true) then parts[#parts + 1] = p[1] .. '=' .. text(value, p.show) end
  end
  return table.concat(parts, ', ')
end

-- Options stand in as many variables as the class with most of them has.
local MOST = 6

--- A function that makes options by name out of values in the order of the parameters. Those of a call that gives none
-- are made once.
local function options_of(parameters, prepare)
  assert(#parameters <= MOST)
  local names, d = {}, {}
  for i, p in ipairs(parameters) do names[i], d[i] = p[1], p[3] end
  local n1, n2, n3, n4, n5, n6 = names[1], names[2], names[3], names[4], names[5], names[6]
  local d1, d2, d3, d4, d5, d6 = d[1], d[2], d[3], d[4], d[5], d[6]
  local function make(a, b, c, e, f, g)
    local o = {}
    if n1 then o[n1] = a end
    if n2 then o[n2] = b end
    if n3 then o[n3] = c end
    if n4 then o[n4] = e end
    if n5 then o[n5] = f end
    if n6 then o[n6] = g end
    if prepare then prepare(o) end
    return o
  end
  local defaults
  return function(a, b, c, e, f, g)
    if a ~= d1 or b ~= d2 or c ~= d3 or e ~= d4 or f ~= d5 or g ~= d6 then return make(a, b, c, e, f, g) end
    defaults = defaults or make(a, b, c, e, f, g)
    return defaults
  end
end

--- The public function of a class: its inputs, then the options, in the order of `call` where a parameter says one.
local function function_of(what, inputs, parameters, compute, prepare)
  local list, own, tensors = {}, {}, {}
  for i, input in ipairs(inputs) do list[i] = parameter_of(input) end
  for i, p in ipairs(parameters) do own[p.call or i] = p end
  for _, p in ipairs(own) do
    list[#list + 1] = p
    if p.tensor then tensors[#tensors + 1] = p[1] end
  end
  local read, first, second = options_of(own, prepare), tensors[1] or false, tensors[2] or false
  if #inputs == 1 then
    return arguments.compiled(arguments.define(what, list, function(x, a, b, c, d, e, f)
      local o = read(a, b, c, d, e, f)
      return compute(o, x, o[first], o[second])
    end))
  elseif #inputs == 2 then
    return arguments.compiled(arguments.define(what, list, function(x, y, a, b, c, d, e, f)
      local o = read(a, b, c, d, e, f)
      return compute(o, x, y, o[first], o[second])
    end))
  end
  return arguments.compiled(arguments.define(what, list, function(x, y, z, a, b, c, d, e, f)
    local o = read(a, b, c, d, e, f)
    return compute(o, x, y, z, o[first], o[second])
  end))
end

--- Makes a class.
-- @param name the class's name
-- @param inputs names of the inputs (1 to 3), or {name, kind} of those that may be other than tensors
-- @param parameters as for options.reader; `tensor=true` makes one a buffer, `show` has it printed, `call` is its place
-- among the options of the function where that is another one
-- @param compute function(options, inputs..., tensors...)
-- @param prepare function(options), run once on checked options: derives what compute needs from them
function pure.class(name, inputs, parameters, compute, prepare)
  local of = class.new(name, Module)
  support.errors.inner_name(name)
  local read = options.reader(name, parameters)
  local tensors = {}
  for _, p in ipairs(parameters) do
    if p.tensor then tensors[#tensors + 1] = p[1] end
  end
  local plain = compute
  compute = checked[#inputs](input_reader(name, inputs), compute)

  function of:init(...)
    local o = read(...)
    for _, tensor in ipairs(tensors) do
      self:register_buffer(tensor, o[tensor])
      o[tensor] = nil
    end
    if prepare then prepare(o) end
    self.options = o
  end

  define_forward(of, compute, #inputs, tensors)
  function of:extra_repr() return describe_options(parameters, self.options) end

  --- The same as a function of a name of its own.
  function of._function(what) return function_of(what, inputs, parameters, plain, prepare) end
  return of
end

return pure
