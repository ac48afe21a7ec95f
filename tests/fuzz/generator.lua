--- Random arguments for a call: mostly ones that could be meant, by what is known of the parameters, and garbage.
local kinds = require('metann.arguments').kinds
local recipes = require 'tests.fuzz.recipes'
local values = require 'tests.fuzz.values'

local generator = {}

local Context = {}
Context.__index = Context

local SIZES = {
  {}, {}, { 0 }, { 1 }, { 3 }, { 4 }, { 2, 2 }, { 2, 3 }, { 2, 3 }, { 3, 3 }, { 0, 3 }, { 2, 0 }, { 3, 1 }, { 2, 3, 4 }, { 2, 2, 2 },
  { 1, 2, 4, 4 }, { 2, 2, 3, 3 }, { 1, 1, 2, 3, 3 }, { 1, 1, 1, 1, 1, 1, 1, 2 }, { 2, 1, 2, 1, 2, 1, 1, 2 }, { 5, 7 }, { 40 }, { 6, 6 },
}
local FLOATS = { 'float32', 'float32', 'float64', 'float64', 'float64' }
local DTYPES = { 'float32', 'float64', 'int64', 'int32', 'uint8', 'bool', 'float16', 'bfloat16' }

local NUMBERS = {
  '-1', '0', '1', '2', '3', '4', '-2', '0.5', '-3', '1e-300', '1e9', '-1e9', '2^31', '2^53', '-2^62', '2^63', '1e300', '0/0',
  '1/0', '-1/0', '1.5', '-0.5', '8', '9', '1000', '65536',
}
local STRINGS = {
  'x', '', 'float32', 'none', 'mean', 'sum', 'reflect', 'same', 'ij,jk->ik', 'i,i', '...ij->...ji', 'nearest', 'dim', 'fro',
  'nuc', 'bilinear', 'cpu', 'relu', 'tanh', 'a/b', 'constant', 'circular', 'replicate', 'floor', 'trunc', 'valid', 'cuda',
}
-- None gives values for ever: one may be taken for an iterator.
local FUNCTIONS = {
  'function(...) return ... end', 'function() end', "function() error('mine', 0) end", 'metann.sin',
  'function(x) return metann.is_tensor(x) and (x * x):sum() or x end',
  "(function(n) return function() n = n - 1 if n > 0 then return 'x' end end end)(3)",
  '(function(n) return function() n = n - 1 if n > 0 then return metann.ones(2) end end end)(4)',
  '(function(n) return function() n = n - 1 if n > 0 then return n end end end)(4)',
}
local OTHERS = { '2LL', '-1LL', 'io.stdout', '2ULL', 'setmetatable({}, {})', "('a'):rep(300)", 'coroutine.create(print)' }
local NAMES = {
  'dim', 'keepdim', 'value', 'size', 'stride', 'padding', 'mode', 'dtype', 'reduction', 'k', 'p', 'x', 'eps', 'groups',
  'return_indices', 'output_size', 'min', 'max', 'alpha', 'descending', 'requires_grad', 'junk', 'device', 'input',
}

--- @param draw a source of random numbers
-- @param objects texts that make objects, to be given as arguments
function generator.context(draw, objects)
  local self = setmetatable({ draw = draw, objects = objects or {} }, Context)
  self.size = self:pick(SIZES)
  self.dtype = draw(4) > 1 and self:pick(FLOATS) or self:pick(DTYPES)
  return self
end

function Context:pick(list) return list[self.draw(#list)] end
function Context:chance(n) return self.draw(n) == 1 end

-- ---- tensors ----

--- A tensor of a size, laid out in any way.
function Context:tensor(size, o)
  o = o or {}
  local dtype = o.dtype or self.dtype
  local is_float = dtype:find 'float' ~= nil
  local layout = self:chance(3) and self:pick(values.layouts) or nil
  local grad = is_float and self:chance(3) and self:pick{ 'leaf', 'history' } or nil
  return values.tensor{
    size = size, dtype = dtype, style = o.style or self:pick(values.styles), seed = self.draw(1e6),
    layout = layout and values.can_lie(layout, size) and layout or nil, grad = grad,
  }
end

function Context:any_tensor()
  return self:tensor(self:pick(SIZES), { dtype = self:pick(DTYPES) })
end

--- A size that broadcasts with the call's.
function Context:broadcast_size()
  local size = { unpack(self.size) }
  if #size > 0 and self:chance(4) then size[self.draw(#size)] = 1 end
  if #size > 0 and self:chance(6) then table.remove(size, 1) end
  return size
end

-- Sizes of weights, by the call's.
local function channels(size) return { size[2] or size[1] or 1 } end

local TENSORS = {}
for names, make in pairs{
  ['index indices target labels'] = function(self)
    local size = { unpack(self.size) }
    if self:chance(3) then size = { self.draw(3) } end
    if self:chance(4) and #size > 1 then table.remove(size, 2) end
    return self:tensor(size, { dtype = 'int64', style = 'index' })
  end,
  ['mask condition attn_mask key_padding_mask'] = function(self) return self:tensor(self:broadcast_size(), { dtype = 'bool' }) end,
  ['weight'] = function(self)
    local size = { unpack(self.size) }
    if #size == 2 then size = { self.draw(3), size[2] } elseif self:chance(2) then size = channels(size) end
    return self:tensor(size)
  end,
  ['bias running_mean running_var pos_weight'] = function(self) return self:tensor(channels(self.size), { style = 'positive' }) end,
  ['batch1 mat1 tensor1'] = function(self) return self:tensor({ unpack(self.size) }) end,
  ['vec vec2'] = function(self) return self:tensor({ self.size[#self.size] or 1 }) end,
} do
  for name in names:gmatch '%S+' do TENSORS[name] = make end
end

local function square(size)
  local n = size[#size] or 2
  local copy = { unpack(size) }
  copy[#copy + 1] = n
  return #copy < 2 and { n, n } or copy
end

--- A tensor for a parameter of that name.
function Context:tensor_for(name)
  if TENSORS[name] then return TENSORS[name](self) end
  if self:chance(8) then return self:any_tensor() end
  if self:chance(6) then return self:tensor(square(self.size)) end
  if self:chance(2) then return self:tensor({ unpack(self.size) }) end
  return self:tensor(self:broadcast_size(), { dtype = self:chance(8) and self:pick(DTYPES) or nil })
end

-- ---- what is no tensor ----

function Context:number() return values.text(self:pick(NUMBERS)) end
function Context:small() return values.text(tostring(self.draw(4) - (self:chance(4) and 3 or 0))) end
function Context:boolean() return values.text(self:chance(2) and 'true' or 'false') end
function Context:string() return values.text(('%q'):format(self:pick(STRINGS))) end

function Context:dim()
  local n = math.max(#self.size, 1)
  local d = self.draw(n)
  if self:chance(3) then d = d - n - 1 end
  if self:chance(12) then d = self.draw(12) - 6 end
  return values.text(tostring(d))
end

function Context:list(make, most)
  local list = {}
  for i = 1, self.draw(most or 3) do list[i] = make(self) end
  return values.table(list)
end

function Context:sizes()
  if self:chance(3) then
    local list = {}
    for i, s in ipairs(self.size) do list[i] = values.text(tostring(s)) end
    return values.table(list)
  end
  if self:chance(8) then return self:list(Context.number, 8) end
  return self:list(Context.small, self:chance(6) and 8 or 3)
end

local BY_NAME = {}
for names, make in pairs{
  ['dim dim0 dim1 dim2 start_dim end_dim dimension source destination axis'] = Context.dim,
  ['dims'] = function(self) return self:chance(2) and self:list(Context.dim, 3) or self:dim() end,
  ['size sizes shape output_size normalized_shape repeats unflattened_size'] = Context.sizes,
  ['kernel_size stride padding dilation output_padding'] = function(self)
    return self:chance(3) and self:sizes() or self:small()
  end,
  ['keepdim bias requires_grad descending stable largest sorted training ceil_mode return_indices accumulate']
    = Context.boolean,
  ['upper left unbiased affine nesterov amsgrad maximize bidirectional batch_first replacement is_causal equal_nan']
    = Context.boolean,
  ['dtype'] = function(self) return values.text(("'%s'"):format(self:pick(DTYPES))) end,
  ['mode reduction padding_mode rounding_mode approximate nonlinearity activation equation driver'] = Context.string,
  ['p eps alpha beta value min max lr momentum weight_decay margin threshold delta std low high start stop step steps end']
    = function(self) return self:chance(3) and self:number() or self:small() end,
  ['input other target mat2 src source values'] = function(self) return self:tensor_for 'other' end,
  ['params'] = function()
    return values.table{
      values.tensor{ size = { 2 }, grad = 'leaf' }, values.tensor{ size = { 2, 3 }, grad = 'leaf', dtype = 'float64' },
    }
  end,
  ['optimizer'] = function() return values.text 'metann.optim.SGD({metann.ones(2):requires_grad_()}, {lr = 0.1})' end,
  ['model module'] = function(self) return self:chance(3) and self:object() or values.text 'metann.nn.Linear(3, 3)' end,
  ['evaluator'] = function() return values.text 'function(m, x) return m(x):sum() end' end,
} do
  for name in names:gmatch '%S+' do BY_NAME[name] = make end
end

local BY_KIND = {
  tensor = function(self, p) return self:tensor_for(p.name) end,
  tensors = function(self) return self:list(function() return self:tensor({ unpack(self.size) }) end, 3) end,
  INT = Context.small, NUM = Context.number, BOOL = Context.boolean, DIM = Context.dim, INDEX = Context.small,
  LIST = Context.sizes, DIMS = function(self) return self:list(Context.dim, 3) end, DTYPE = BY_NAME.dtype,
  ENUM = Context.string,
}
for name, make in pairs{
  tensor = BY_KIND.tensor, count = Context.small, whole = Context.small, integer = Context.small, number = Context.number,
  boolean = Context.boolean, dim = Context.dim, dims = BY_KIND.DIMS, shape = Context.sizes, sizes = Context.sizes,
  open_shape = Context.sizes, dtype = BY_NAME.dtype, tensors = BY_KIND.tensors, operand = BY_KIND.tensor,
} do
  BY_KIND[kinds[name]] = make
end

--- A value that could be meant for a parameter; its own check may choose among random ones.
function Context:value(p)
  local given = self.given and self.given[p.name]
  if given then return given end
  if p.choices and self:chance(2) then
    local names = {}
    for name in pairs(p.choices) do names[#names + 1] = name end
    table.sort(names)
    if type(names[1]) == 'string' then return values.text(('%q'):format(self:pick(names))) end
  end
  local make = BY_NAME[p.name] or BY_KIND[p.kind]
  if make and not self:chance(12) then return make(self, p) end
  if BY_KIND[p.kind] and not self:chance(4) then return BY_KIND[p.kind](self, p) end
  if type(p.kind) == 'function' then
    for _ = 1, 12 do
      local node = self:garbage()
      local ok, value = pcall(function()
        return p.kind(loadstring('local metann = ... return ' .. values.render(node))(require 'metann'))
      end)
      if ok and value ~= nil then return node end
    end
  end
  return self:chance(3) and self:any_tensor() or self:garbage()
end

function Context:object()
  if #self.objects == 0 then return self:any_tensor() end
  return values.text(self:pick(self.objects))
end

-- ---- garbage ----

local GARBAGE = {
  Context.any_tensor, Context.any_tensor, Context.any_tensor, Context.number, Context.small, Context.dim, Context.string,
  Context.boolean, Context.sizes, Context.object,
  function(self) return self:tensor({ unpack(self.size) }) end,
  function() return values.text 'nil' end, function() return values.text 'released' end,
  function(self) return values.text(self:pick(FUNCTIONS)) end, function(self) return values.text(self:pick(OTHERS)) end,
  function(self) return self:list(Context.any_tensor, 3) end, function() return values.table() end,
  function(self) return values.table({}, { { self:pick(NAMES), self:garbage(true) } }) end,
  function(self) return values.table({ self:garbage(true), self:garbage(true) }, { { self:pick(NAMES), self:garbage(true) } }) end,
}

--- Anything; inside a table nothing deeper.
function Context:garbage(inside)
  local node = self:pick(GARBAGE)(self)
  if inside and node.kind == 'table' then return self:small() end
  return node
end

-- ---- argument lists ----

local function is_nil(node) return node.kind == 'text' and node.text == 'nil' end

--- Options by name out of the parameters from number `first` on, or nil; sometimes one that is unknown or doubled.
function Context:options(parameters, first)
  local named = {}
  for i = first, #parameters do
    local p = parameters[i]
    if p.required or self:chance(self.given and 5 or 3) then
      local node = self:value(p)
      if not is_nil(node) then named[#named + 1] = { p.name, node } end
    end
  end
  if self:chance(12) then named[#named + 1] = { self:pick(NAMES), self:garbage(true) } end
  if self:chance(20) and first > 1 then named[#named + 1] = { parameters[first - 1].name, self:garbage(true) } end
  local seen, list = {}, {}
  for _, pair in ipairs(named) do
    if not seen[pair[1]] then list[#list + 1] = pair end
    seen[pair[1]] = true
  end
  return list
end

local function positional(parameters)
  local n = 0
  for i, p in ipairs(parameters) do
    if not p.named then n = i end
  end
  return n
end

--- Arguments that could be meant: some by position, perhaps the rest in a table, perhaps in a list with names.
function Context:meant(parameters, receiver)
  local list, required = {}, 0
  for i, p in ipairs(parameters) do
    if p.required or (self.given and self.given[p.name] and not self:chance(3)) then required = i end
  end
  local most = positional(parameters)
  local more = self.given and not self:chance(4) and 0 or self.draw(most + 1) - 1
  local n = math.min(most, math.max(self:chance(6) and 0 or required, more))
  if receiver then n = math.max(n, 1) end
  for i = 1, n do
    local p = parameters[i]
    if p.rest and self:chance(2) then
      for _ = 1, self.draw(3) do list[#list + 1] = p.kind == 'tensors' and self:any_tensor() or self:small() end
      break
    end
    list[i] = self:value(p)
  end
  if n < #parameters and not self:chance(3) then
    local options = self:options(parameters, n + 1)
    if #options > 0 then list[#list + 1] = values.table({}, options) end
  end
  return list
end

-- What the first argument of a function is that nothing is known of.
local FIRST = {
  function(self) return self:tensor({ unpack(self.size) }) end, function(self) return self:tensor({ unpack(self.size) }) end,
  function(self) return values.text(self:pick(FUNCTIONS)) end, Context.object, Context.garbage,
}

--- Anything at all, up to four arguments.
function Context:random_arguments(receiver)
  local list = {}
  for i = 1, self.draw(5) - 1 do list[i] = self:garbage() end
  if receiver then
    list[1] = self:tensor({ unpack(self.size) })
  elseif list[1] then
    list[1] = self:pick(FIRST)(self)
  end
  return list
end

--- The arguments of a call.
-- @param parameters what is known of them, or nil
-- @param receiver whether the first is a tensor that the method is called on
-- @param name of the function
function Context:arguments(parameters, receiver, name)
  local list
  if parameters and not self:chance(4) then
    local dtype = self.dtype
    if not self:chance(6) then self.dtype = self:pick(FLOATS) end
    self.given = recipes.of(self, name)
    if not self.given then self.dtype = dtype end
  end
  if parameters and (self.given or not self:chance(4)) then
    list = self:meant(parameters, receiver)
    if self:chance(self.given and 12 or 6) and #list > 0 then list[self.draw(#list)] = self:garbage() end
    if self:chance(15) then list[#list + 1] = self:garbage() end
  else
    list = self:random_arguments(receiver)
  end
  if receiver and (not list[1] or list[1].kind ~= 'tensor') then list[1] = self:tensor({ unpack(self.size) }) end
  return list
end

return generator
