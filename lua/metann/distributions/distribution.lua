--- What distributions have in common: parameters, shapes, checks, and the methods around those of each class.
-- A class is made by `distribution.define`. It gives `_rsample(shape)` or `_sample(shape)`, `_log_prob(value)`, and
-- where there are such `_cdf(value)`, `_icdf(value)`, `entropy()`; `properties` holds what fields like `mean` compute.
local pairs = require('metann.binding.traversal').pairs
local guards = require 'metann.binding.guards'
local arguments = require 'metann.arguments'
local constraints = require 'metann.distributions.constraints'
local support = require 'metann.support'
local errors, raise, is_tensor, ops = support.errors, support.raise, support.is_tensor, support.ops
local kinds = arguments.kinds

local distribution = {}

-- ---- checks ----

local validates, UNSAID = true, 'as the default is'

--- The argument that says whether parameters and values are checked.
distribution.VALIDATE = { 'validate_args', kinds.boolean, UNSAID }
distribution.UNSAID = UNSAID

local read_default = arguments.reader('set_default_validate_args', { { 'value', kinds.boolean } })

function distribution.set_default_validate_args(...) validates = read_default(...).value end

--- An element of t for which a constraint doesn't hold, as a message shows it.
local function example(t, constraint, holds)
  if constraint.event then return support.describe(t) end
  t, holds = t:broadcast_to(support.shape(holds)), holds
  return ('%.6g'):format(t:masked_select(holds:logical_not())[1]:item())
end

--- Raises unless a constraint holds for all of t, which it returns: while a recording is on, which can't look, with NaN
-- where it doesn't hold.
local function check(what, name, t, constraint)
  local holds = constraint.holds(t)
  if support.is_recording() then
    for _ = 1, constraint.event or 0 do holds = holds:unsqueeze(-1) end
    return support.is_float(t) and support.nan_unless(holds, t) or t
  end
  if holds:all():item() ~= 0 then return t end
  raise("%s: '%s' must be %s everywhere, got %s", what, name, constraint.text, example(t, constraint, holds))
end
distribution.check = check

-- ---- shapes ----

local function joined(...)
  local list = {}
  for i = 1, select('#', ...) do
    for _, n in ipairs((select(i, ...))) do list[#list + 1] = n end
  end
  return list
end
distribution.joined = joined

--- The sizes to which two broadcast; nil where they don't.
local function broadcast(a, b)
  local n, shape = math.max(#a, #b), {}
  for d = 1, n do
    local p, q = a[d - n + #a] or 1, b[d - n + #b] or 1
    if p ~= q and p ~= 1 and q ~= 1 then return nil end
    shape[d] = p == 1 and q or p
  end
  return shape
end
distribution.broadcast = broadcast

--- t's sizes without the last n.
local function batch_of(t, n)
  local shape = support.shape(t)
  for _ = 1, n do shape[#shape] = nil end
  return shape
end

local function last_of(t, n)
  local shape, list = support.shape(t), {}
  for d = #shape - n + 1, #shape do list[#list + 1] = shape[d] end
  return list
end

--- t with its batch dims, all but the last n, broadcast to a shape.
local function with_batch(t, batch, n) return t:expand(joined(batch, last_of(t, n))) end
distribution.with_batch = with_batch

-- ---- classes ----

-- What is computed in.
local WIDE = { float32 = true, float64 = true }

local Base = {}

--- The parameters as tensors of one dtype, the widest: numbers take that of the tensors, or the default, and lie beside
-- the first of them.
local function tensors_of(name, spec, given)
  local dtype, like
  for _, p in ipairs(spec) do
    local t = given[p[1]]
    if is_tensor(t) then
      if not WIDE[support.dtype(t)] then
        raise("%s: '%s' must be a tensor of float32 or float64, got %s", name, p[1], support.dtype(t))
      end
      if dtype ~= 'float64' then dtype = support.dtype(t) end
      like = like or t
    end
  end
  dtype = dtype or support.default_dtype()
  local list = {}
  for _, p in ipairs(spec) do
    local t = given[p[1]]
    if t ~= nil then
      list[p[1]] = is_tensor(t) and (support.dtype(t) == dtype and t or ops.cast(t, dtype))
        or support.beside(like, ops.full, {}, t, dtype)
    end
  end
  return list
end

--- A distribution of parameters that are known to fit.
-- @param class of the distribution
-- @param parameters tensors by name, of which some may be missing
-- @param batch sizes of the batch
-- @param event sizes of an event
-- @param validate whether values are checked
function distribution.make(class, parameters, batch, event, validate)
  local self = { batch_shape = batch, event_shape = event, _validate = validate }
  for _, p in ipairs(class._parameters) do
    local t = parameters[p[1]]
    if t then self[p[1]] = with_batch(t, batch, p.event or 0) end
  end
  return setmetatable(self, class)
end

--- Brings parameters together, checks them and makes a distribution.
local function construct(class, given)
  local name, spec, validate = class.name, class._parameters, given.validate_args
  if validate == UNSAID then validate = validates end
  local list, batch, event = tensors_of(name, spec, given), {}, {}
  for _, p in ipairs(spec) do
    local t, n = list[p[1]], p.event or 0
    if t then
      if support.ndim(t) < n then
        raise("%s: '%s' must have at least %d dim%s, got %d", name, p[1], n, n == 1 and '' or 's', support.ndim(t))
      end
      local wider = broadcast(batch, batch_of(t, n))
      if not wider then
        raise("%s: the parameters don't broadcast: '%s' is of size %s", name, p[1], support.shape_text(t))
      end
      batch = wider
      if class._event_of then event = class._event_of(last_of(t, n), p, event) end
      if validate then list[p[1]] = check(name, p[1], t, p.constraint) end
    end
  end
  local self = distribution.make(class, list, batch, event, validate)
  if class._check then class._check(self, validate) end
  return self
end

local function index_of(class, properties)
  return function(self, key)
    local method = class[key]
    if method ~= nil then return method end
    local property = properties[key]
    return property and property(self)
  end
end

--- A class of distributions.
-- @param name of the class
-- @param spec `parameters`, a list of {name, constraint=, event=, optional=}, `support` (a constraint, or a function of
-- the distribution), `event_of(sizes, parameter, before)` for events with dims, `check(self, validate)`, `has_rsample`
-- @return the class, for methods, and its properties
function distribution.define(name, spec)
  local properties = {}
  local class = {
    name = name, _parameters = spec.parameters, _event_of = spec.event_of, _check = spec.check,
    has_rsample = spec.has_rsample or false, is_distribution = true, _set = spec.support,
  }
  for key, method in pairs(Base) do class[key] = method end
  class.__index, class.__tostring = index_of(class, properties), Base._text
  local list = {}
  for i, p in ipairs(spec.parameters) do list[i] = { p[1], kinds.operand, optional = p.optional } end
  list[#list + 1] = distribution.VALIDATE
  local read = arguments.reader(name, list)
  local call = errors.name_member(function(_, ...) return construct(class, read(...)) end, name)
  return class, properties, setmetatable({ name = name, class = class }, { __call = call })
end

function distribution.is(value)
  local mt = type(value) == 'table' and getmetatable(value)
  return type(mt) == 'table' and rawget(mt, 'is_distribution') == true
end

--- Makes the methods of a class say so when they are called with '.'.
function distribution.guard(class) guards.guard(class, 'distribution', distribution.is) end

-- ---- methods ----

local read_shape = {}
for _, method in ipairs{ 'sample', 'rsample' } do
  read_shape[method] = arguments.signature(method, { { 'sample_shape', kinds.shape, {}, rest = true } })
end
local read_value = {}
for _, method in ipairs{ 'log_prob', 'cdf', 'icdf' } do
  read_value[method] = arguments.signature(method, { { 'value', kinds.operand } })
end
local read_batch = arguments.signature('expand', { { 'batch_shape', kinds.shape, rest = true } })

--- Random values of size sample_shape, batch_shape, event_shape; without derivatives.
-- @param[opt] sample_shape sizes or a list of them
function Base:sample(...)
  return support.no_grad(self._sample, self, arguments.read(read_shape.sample, ...).sample_shape)
end

--- The same with derivatives by the parameters.
function Base:rsample(...)
  local shape = arguments.read(read_shape.rsample, ...).sample_shape
  if not self.has_rsample then
    raise('%s:rsample: its values have no derivative by the parameters; sample() draws without', self.name)
  end
  return self:_rsample(shape)
end

function Base:_sample(shape) return self:_rsample(shape) end

--- The sizes of a sample.
function Base:_extended(shape) return joined(shape, self.batch_shape, self.event_shape) end

--- What a value must be.
function Base:_support()
  local set = self._set
  if type(set) == 'function' then return set(self) end
  return set
end

--- A value as a float tensor, checked where the distribution checks; whole numbers stay where the class counts.
function Base:_value(method, ...)
  local value, what = arguments.read(read_value[method], ...).value, self.name .. ':' .. method
  local dtype = self:_dtype()
  if not is_tensor(value) then
    value = distribution.number(value, self:_parameter())
  elseif not WIDE[support.dtype(value)] and not (self._counts and not support.is_float(value)) then
    value = ops.cast(value, dtype)
  end
  return self._validate and self:_check_value(what, value) or value
end

--- A parameter: all are of one dtype, and lie on one device.
function Base:_parameter()
  for _, p in ipairs(self._parameters) do
    local t = rawget(self, p[1])
    if t then return t end
  end
end

function Base:_dtype() return support.dtype(self:_parameter()) end

--- Random numbers for a sample, by a row that takes sizes, two numbers and a dtype.
function Base:_draw(row, shape)
  local p = self:_parameter()
  return support.beside(p, row, self:_extended(shape), 0, 1, support.dtype(p))
end

function Base:_check_value(what, value)
  local event, shape = self.event_shape, support.shape(value)
  for d = 1, #event do
    if shape[#shape - #event + d] ~= event[d] then
      raise("%s: 'value' must end with the dims of an event, %s, got size %s", what, support.tuple(event),
        support.shape_text(value))
    end
  end
  if not broadcast(joined(self.batch_shape, event), shape) then
    raise("%s: 'value' of size %s doesn't broadcast with the batch, %s", what, support.shape_text(value),
      support.tuple(joined(self.batch_shape, event)))
  end
  local set = self:_support()
  return set and check(what, 'value', value, set) or value
end

--- The logarithm of the density, or of the probability, at a value.
function Base:log_prob(...) return self:_log_prob(self:_value('log_prob', ...)) end

local function none(self, method) return raise('%s:%s: there is none', self.name, method) end

--- The probability of a value up to the given one.
function Base:cdf(...)
  if not self._cdf then none(self, 'cdf') end
  return self:_cdf(self:_value('cdf', ...))
end

--- The value up to which the given probability lies.
function Base:icdf(...)
  if not self._icdf then none(self, 'icdf') end
  local value = arguments.read(read_value.icdf, ...).value
  if not is_tensor(value) then value = distribution.number(value, self:_parameter()) end
  if not WIDE[support.dtype(value)] then value = ops.cast(value, self:_dtype()) end
  if self._validate then value = check(self.name .. ':icdf', 'value', value, constraints.unit_interval) end
  return self:_icdf(value)
end

--- The same distribution for a larger batch.
-- @param batch_shape sizes to which the batch is broadcast
function Base:expand(...)
  local batch = arguments.read(read_batch, ...).batch_shape
  local wider = broadcast(self.batch_shape, batch)
  if not wider or table.concat(wider, ' ') ~= table.concat(batch, ' ') then
    raise("%s:expand: the batch of size %s doesn't broadcast to %s", self.name, support.tuple(self.batch_shape),
      support.tuple(batch))
  end
  local parameters = {}
  for _, p in ipairs(self._parameters) do parameters[p[1]] = rawget(self, p[1]) end
  return distribution.make(getmetatable(self), parameters, batch, self.event_shape, self._validate)
end

--- As PyTorch prints it.
function Base:_text()
  local parts = {}
  for _, p in ipairs(self._parameters) do
    local t = rawget(self, p[1])
    if t then
      local one = support.numel(t) == 1
      parts[#parts + 1] = one and ('%s: %.6g'):format(p[1], t:item()) or ('%s: %s'):format(p[1], support.shape_text(t))
    end
  end
  return ('%s(%s)'):format(self.name, table.concat(parts, ', '))
end

-- ---- what formulas share ----

--- A number as a tensor of the dtype of `like`, beside it.
function distribution.number(value, like) return support.full(like, {}, value) end

--- a log b, 0 where both are 0.
function distribution.xlogy(a, b)
  local zero = a:eq(0):logical_and(b:le(0))
  local safe = ops.where(zero, distribution.number(1, b), b)
  return a * safe:log()
end

return distribution
