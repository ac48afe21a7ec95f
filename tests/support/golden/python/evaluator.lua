--- Runs the parser's trees. What tensors do is the host's business: host.is_tensor, binary, unary, compare, get, set,
-- attribute, truth, length, items.
local arithmetic = require 'tests.support.golden.python.arithmetic'
local values = require 'tests.support.golden.python.values'
local None = values.None

local MOST_STEPS = 5e6 -- a program that doesn't end must not hang the run

local Evaluator = {}
Evaluator.__index = Evaluator

local function fail(node, message, ...)
  error(('line %d: ' .. message):format(node and node.line or 0, ...), 0)
end

-- ---- names ----

local function scope(parent) return { names = {}, parent = parent } end

local function lookup(env, name)
  while env do
    local value = env.names[name]
    if value ~= nil then return value end
    env = env.parent
  end
  return nil
end

-- ---- values ----

function Evaluator:truth(v)
  if v == None or v == false then return false end
  if v == true then return true end
  local number = values.number(v)
  if number then return number ~= 0 end
  if type(v) == 'string' then return v ~= '' end
  if values.is_sequence(v) or values.is_dict(v) then return v.n > 0 end
  if self.host.is_tensor(v) then return self.host.truth(v) end
  return true
end

--- A Lua list of what a for would give, and its count.
function Evaluator:items(v, node)
  if values.is_sequence(v) then return v, v.n end
  if values.is_dict(v) then return v.keys, v.n end
  if self.host.is_tensor(v) then
    local list = self.host.items(v)
    return list, #list
  end
  if type(v) == 'string' then
    local list = {}
    for c in v:gmatch '.' do list[#list + 1] = c end
    return list, #list
  end
  return fail(node, 'a %s gives no items', self:type_name(v))
end

function Evaluator:type_name(v) return values.type_name(v, self.host.is_tensor) end

--- Calls a function value with a Lua list of arguments.
function Evaluator:call(callee, args, named, node)
  local call = (values.is_callable(callee) or values.is_namespace(callee)) and callee.call
  if not call then fail(node, "a %s can't be called", self:type_name(callee)) end
  args.n = args.n or #args
  return call(args, named or {})
end

-- ---- expressions: one function for each type of node ----

local eval = {}

function Evaluator:eval(node, env)
  self.steps = self.steps + 1
  if self.steps > MOST_STEPS then fail(node, 'the program takes too long') end
  return eval[node.type](self, node, env)
end

function eval.constant(_, node) return node.value end

function eval.name(_, node, env)
  local value = lookup(env, node.name)
  if value == nil then fail(node, "the name '%s' is not known", node.name) end
  return value
end

--- Values of nodes, stars spread.
function Evaluator:eval_list(nodes, env)
  local list, n = {}, 0
  for _, node in ipairs(nodes) do
    if node.type == 'star' then
      local items, count = self:items(self:eval(node.value, env), node)
      for i = 1, count do list[n + i] = items[i] end
      n = n + count
    else
      n = n + 1
      list[n] = self:eval(node, env)
    end
  end
  return list, n
end

function eval.tuple(self, node, env) return values.tuple(self:eval_list(node.items, env)) end
function eval.list(self, node, env) return values.list(self:eval_list(node.items, env)) end
function eval.star(_, node) fail(node, 'a star outside a list') end

function eval.dict(self, node, env)
  local dict = values.dict()
  for _, item in ipairs(node.items) do
    values.dict_set(dict, self:eval(item[1], env), self:eval(item[2], env))
  end
  return dict
end

function eval.slice(self, node, env)
  local function part(x) return x and self:eval(x, env) or None end
  return values.slice(part(node.start), part(node.stop), part(node.step))
end

--- object.name, or nil.
function Evaluator:attribute(object, name)
  if self.host.is_tensor(object) then return self.host.attribute(object, name) end
  if values.is_namespace(object) then return object.get(name) end
  return self.methods(self, object, name)
end

function eval.attribute(self, node, env)
  local object = self:eval(node.object, env)
  local value = self:attribute(object, node.name)
  if value == nil then
    local name = values.is_namespace(object) and object.name or 'a ' .. self:type_name(object)
    fail(node, "%s has no '%s' that is understood", name, node.name)
  end
  return value
end

function eval.call(self, node, env)
  local callee = self:eval(node.callee, env)
  local args, n = self:eval_list(node.args, env)
  args.n = n
  local named = {}
  for _, pair in ipairs(node.named) do
    local value = self:eval(pair[2], env)
    if pair[1] then
      if named[pair[1]] ~= nil then fail(node, "'%s' is given twice", pair[1]) end
      named[pair[1]] = value
    else
      if not values.is_dict(value) then fail(node, 'two stars need a dict') end
      for _, key in ipairs(value.keys) do named[key] = values.dict_get(value, key) end
    end
  end
  return self:call(callee, args, named, node)
end

function eval.index(self, node, env)
  return arithmetic.index(self, self:eval(node.object, env), self:eval(node.index, env))
end

function eval.unary(self, node, env)
  local v = self:eval(node.value, env)
  if node.op == 'not' then return not self:truth(v) end
  if self.host.is_tensor(v) then return self.host.unary(node.op, v) end
  return arithmetic.unary(node.op, v)
end

function eval.binary(self, node, env)
  return arithmetic.binary(self, node.op, self:eval(node.left, env), self:eval(node.right, env))
end

function eval.logical(self, node, env)
  local left = self:eval(node.left, env)
  if self:truth(left) == (node.op == 'or') then return left end
  return self:eval(node.right, env)
end

function eval.conditional(self, node, env)
  if self:truth(self:eval(node.condition, env)) then return self:eval(node.yes, env) end
  return self:eval(node.no, env)
end

function eval.compare(self, node, env)
  local left, result = self:eval(node.operands[1], env), nil
  for i, op in ipairs(node.operators) do
    local right = self:eval(node.operands[i + 1], env)
    result = arithmetic.compare(self, op, left, right)
    if i < #node.operators and not self:truth(result) then return result end
    left = right
  end
  return result
end

function eval.comprehension(self, node, env)
  local inner, list, n = scope(env), {}, 0
  local dict = node.kind == 'dict' and values.dict()
  local function run(depth)
    local loop = node.loops[depth]
    if not loop then
      local value = self:eval(node.element, inner)
      if dict then return values.dict_set(dict, self:eval(node.key, inner), value) end
      n = n + 1
      list[n] = value
      return
    end
    local items, count = self:items(self:eval(loop.source, inner), loop.source)
    for i = 1, count do
      self:assign(loop.target, items[i], inner)
      local wanted = true
      for _, condition in ipairs(loop.conditions) do wanted = wanted and self:truth(self:eval(condition, inner)) end
      if wanted then run(depth + 1) end
    end
  end
  run(1)
  return dict or values.list(list, n)
end

-- ---- functions ----

--- Puts arguments into a table by parameter name.
-- @param default function(parameter): a value, or nil where there is none
function Evaluator.bind(name, parameters, args, named, default)
  local bound, used, at = {}, {}, 0
  for _, p in ipairs(parameters) do
    if p.rest then
      local rest = {}
      for i = at + 1, args.n do rest[#rest + 1] = args[i] end
      bound[p.name], at = values.tuple(rest), math.max(at, args.n)
    elseif p.rest_named then
      local dict = values.dict()
      for key, value in pairs(named) do
        if not used[key] then values.dict_set(dict, key, value) end
        used[key] = true
      end
      bound[p.name] = dict
    elseif not p.named_only and at < args.n then
      at = at + 1
      bound[p.name] = args[at]
      if named[p.name] ~= nil then error(("%s: '%s' is given twice"):format(name, p.name), 0) end
    else
      bound[p.name], used[p.name] = named[p.name], true
      if bound[p.name] == nil then bound[p.name] = default(p) end
      if bound[p.name] == nil then error(("%s: '%s' is missing"):format(name, p.name), 0) end
    end
  end
  if at < args.n then error(('%s: %d arguments by position, at most %d are understood'):format(name, args.n, at), 0) end
  for key in pairs(named) do
    if not used[key] then error(("%s: the argument '%s' is not understood"):format(name, key), 0) end
  end
  return bound
end

local function function_value(self, name, parameters, env, run)
  local defaults = {}
  for _, p in ipairs(parameters) do
    if p.default then defaults[p.name] = self:eval(p.default, env) end
  end
  return values.callable(name, function(args, named)
    self.depth = self.depth + 1
    if self.depth > 100 then error(name .. ' calls itself too often', 0) end
    local inner = scope(env)
    inner.names = Evaluator.bind(name, parameters, args, named, function(p) return defaults[p.name] end)
    local result = run(inner)
    self.depth = self.depth - 1
    return result
  end)
end

function eval.lambda(self, node, env)
  return function_value(self, 'lambda', node.parameters, env, function(inner) return self:eval(node.value, inner) end)
end

-- ---- statements: each returns nil, or 'break', 'continue', or 'return' and a value ----

local run = {}

function Evaluator:run(body, env)
  for _, node in ipairs(body) do
    self.steps = self.steps + 1
    if self.steps > MOST_STEPS then fail(node, 'the program takes too long') end
    local signal, value = run[node.type](self, node, env)
    if signal then return signal, value end
  end
  return nil
end

function Evaluator:assign(target, value, env)
  if target.type == 'name' then
    env.names[target.name] = value
  elseif target.type == 'tuple' or target.type == 'list' then
    self:unpack(target, value, env)
  elseif target.type == 'index' then
    local object = self:eval(target.object, env)
    arithmetic.set_index(self, object, self:eval(target.index, env), value)
  else
    fail(target, "this can't be assigned to")
  end
end

function Evaluator:unpack(target, value, env)
  local items, count = self:items(value, target)
  local targets, star = target.items, nil
  for i, t in ipairs(targets) do
    if t.type == 'star' then star = i end
  end
  if star and count >= #targets - 1 then
    local extra, rest = count - #targets, {}
    for i = 0, extra do rest[i + 1] = items[star + i] end
    for i, t in ipairs(targets) do
      if i == star then
        self:assign(t.value, values.list(rest, extra + 1), env)
      else
        self:assign(t, items[i < star and i or i + extra], env)
      end
    end
    return
  end
  if count ~= #targets then fail(target, '%d values for %d names', count, #targets) end
  for i, t in ipairs(targets) do self:assign(t, items[i], env) end
end

function run.assign(self, node, env)
  local value = self:eval(node.value, env)
  for _, target in ipairs(node.targets) do self:assign(target, value, env) end
end

--- Of tensors that have a name, in place, as in Python; parts of tensors are written back anyway.
local function augment(self, node, env)
  local left, right = self:eval(node.target, env), self:eval(node.value, env)
  if self.host.is_tensor(left) and node.target.type == 'name' then return self.host.in_place(node.op, left, right) end
  return arithmetic.binary(self, node.op, left, right)
end

function run.augmented(self, node, env) self:assign(node.target, augment(self, node, env), env) end

function run.expression(self, node, env) self:eval(node.value, env) end
run.pass = function() end
function run.several(self, node, env) return self:run(node.body, env) end
run['break'] = function() return 'break' end
run.continue = function() return 'continue' end

run['return'] = function(self, node, env)
  return 'return', node.value and self:eval(node.value, env) or None
end

function run.assert(self, node, env)
  if not self:truth(self:eval(node.condition, env)) then fail(node, "an assertion doesn't hold") end
end

run['if'] = function(self, node, env)
  for _, branch in ipairs(node.branches) do
    if self:truth(self:eval(branch.condition, env)) then return self:run(branch.body, env) end
  end
  if node.otherwise then return self:run(node.otherwise, env) end
end

run['for'] = function(self, node, env)
  local items, count = self:items(self:eval(node.source, env), node)
  for i = 1, count do
    self:assign(node.target, items[i], env)
    local signal, value = self:run(node.body, env)
    if signal == 'return' then return signal, value end
    if signal == 'break' then return nil end
  end
  if node.otherwise then return self:run(node.otherwise, env) end
end

run['while'] = function(self, node, env)
  while self:truth(self:eval(node.condition, env)) do
    local signal, value = self:run(node.body, env)
    if signal == 'return' then return signal, value end
    if signal == 'break' then return nil end
  end
end

function run.def(self, node, env)
  env.names[node.name] = function_value(self, node.name, node.parameters, env, function(inner)
    local _, value = self:run(node.body, inner)
    if value == nil then return None end
    return value
  end)
end

--- A context is a namespace with `around`: function(body), which runs it.
function run.with(self, node, env)
  local context = self:eval(node.context, env)
  if type(context) ~= 'table' or not context.around then fail(node, 'this context is not understood') end
  local signal, value
  context.around(function() signal, value = self:run(node.body, env) end)
  return signal, value
end

local evaluator = {}
evaluator.bind = Evaluator.bind

--- A new evaluator.
-- @param host what tensors do
-- @param names tables of names that every text sees
-- @param methods function(self, object, name): methods of strings, lists, dicts
function evaluator.new(host, names, methods)
  local self = setmetatable({ host = host, methods = methods, steps = 0, depth = 0 }, Evaluator)
  self.globals = scope(nil)
  for name, value in pairs(names(self)) do self.globals.names[name] = value end
  return self
end

--- A scope for the variables of one text.
function evaluator.environment(self, variables)
  local env = scope(self.globals)
  for name, value in pairs(variables) do env.names[name] = value end
  return env
end

return evaluator
