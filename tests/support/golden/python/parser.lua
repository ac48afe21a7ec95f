--- Python tokens to a tree: the expressions, and the statements that a program of a few lines has.
-- A node is {type, line, ...}; the evaluator has one function for each type.
local lexer = require 'tests.support.golden.python.lexer'
local values = require 'tests.support.golden.python.values'

local DEEPEST = 150 -- of nested expressions: a hostile text must not exhaust the C stack

local Parser = {}
Parser.__index = Parser

function Parser:fail(message, ...)
  local token = self.tokens[self.at]
  error(('line %d: %s, at %s'):format(token.line, message:format(...), tostring(token.value or token.kind)), 0)
end

function Parser:node(kind, fields)
  fields.type, fields.line = kind, self.tokens[self.at].line
  return fields
end

function Parser:peek(value)
  local token = self.tokens[self.at]
  return (token.kind == 'op' or token.kind == 'keyword') and token.value == value
end

function Parser:kind() return self.tokens[self.at].kind end

function Parser:take(value)
  if not self:peek(value) then return false end
  self.at = self.at + 1
  return true
end

function Parser:expect(value)
  if not self:take(value) then self:fail("expected '%s'", value) end
end

function Parser:name()
  local token = self.tokens[self.at]
  if token.kind ~= 'name' then self:fail('expected a name') end
  self.at = self.at + 1
  return token.value
end

-- ---- expressions ----

--- Items up to a closing bracket; says whether there was a comma, as one makes a tuple.
function Parser:items(close)
  local list, comma = {}, false
  while not self:peek(close) do
    list[#list + 1] = self:starred()
    if not self:take(',') then break end
    comma = true
  end
  return list, comma
end

function Parser:starred()
  if self:take('*') then return self:node('star', { value = self:binary(1) }) end
  return self:expression()
end

--- for TARGETS in X if C ..., after an element: the loops of a comprehension, or nil.
function Parser:loops()
  if not self:peek('for') then return nil end
  local loops = {}
  while self:take('for') do
    local loop = { target = self:targets(), conditions = {} }
    self:expect('in')
    loop.source = self:binary(1)
    while self:take('if') do loop.conditions[#loop.conditions + 1] = self:binary(1) end
    loops[#loops + 1] = loop
  end
  return loops
end

--- Names to assign in a for: a, b or (a, b).
function Parser:targets()
  local list, comma = {}, false
  repeat
    if self:peek('in') then break end
    list[#list + 1] = self:postfix(self:atom())
    local more = self:take(',')
    comma = comma or more
  until not more
  if comma then return self:node('tuple', { items = list }) end
  return list[1]
end

function Parser:parenthesis()
  if self:take(')') then return self:node('tuple', { items = {} }) end
  local first = self:starred()
  local loops = self:loops()
  if loops then
    self:expect(')')
    return self:node('comprehension', { element = first, loops = loops, kind = 'list' })
  end
  if not self:peek(',') then
    self:expect(')')
    if first.type == 'star' then self:fail('a star outside a list') end
    return first
  end
  self:expect(',')
  local items = self:items(')')
  table.insert(items, 1, first)
  self:expect(')')
  return self:node('tuple', { items = items })
end

function Parser:bracket()
  if self:take(']') then return self:node('list', { items = {} }) end
  local first = self:starred()
  local loops = self:loops()
  if loops then
    self:expect(']')
    return self:node('comprehension', { element = first, loops = loops, kind = 'list' })
  end
  local items = {}
  if self:take(',') then items = self:items(']') end
  table.insert(items, 1, first)
  self:expect(']')
  return self:node('list', { items = items })
end

function Parser:brace()
  local items = {}
  while not self:peek('}') do
    local key = self:expression()
    self:expect(':')
    local value = self:expression()
    local loops = self:loops()
    if loops then
      self:expect('}')
      return self:node('comprehension', { element = value, key = key, loops = loops, kind = 'dict' })
    end
    items[#items + 1] = { key, value }
    if not self:take(',') then break end
  end
  self:expect('}')
  return self:node('dict', { items = items })
end

local CONSTANTS = { True = true, False = false, None = values.None }

function Parser:atom()
  local token = self.tokens[self.at]
  self.at = self.at + 1
  if token.kind == 'name' then return self:node('name', { name = token.value }) end
  if token.kind == 'number' then return self:node('constant', { value = token.value }) end
  if token.kind == 'string' then
    local text = token.value
    while self:kind() == 'string' do
      text = text .. self.tokens[self.at].value
      self.at = self.at + 1
    end
    return self:node('constant', { value = text })
  end
  if token.kind == 'keyword' and CONSTANTS[token.value] ~= nil then
    return self:node('constant', { value = CONSTANTS[token.value] })
  end
  if token.value == '...' then return self:node('constant', { value = values.Ellipsis }) end
  if token.kind == 'op' then
    if token.value == '(' then return self:parenthesis() end
    if token.value == '[' then return self:bracket() end
    if token.value == '{' then return self:brace() end
  end
  self.at = self.at - 1
  return self:fail('not understood')
end

function Parser:arguments()
  local args, named = {}, {}
  while not self:peek(')') do
    local token, after = self.tokens[self.at], self.tokens[self.at + 1]
    if self:take('**') then
      named[#named + 1] = { nil, self:expression() }
    elseif token.kind == 'name' and after.kind == 'op' and after.value == '=' then
      self.at = self.at + 2
      named[#named + 1] = { token.value, self:expression() }
    else
      local value = self:starred()
      local loops = self:loops()
      if loops then value = self:node('comprehension', { element = value, loops = loops, kind = 'list' }) end
      args[#args + 1] = value
    end
    if not self:take(',') then break end
  end
  self:expect(')')
  return args, named
end

--- One entry between the brackets of an index.
function Parser:subscript()
  local start, stop, step
  if not self:peek(':') then
    start = self:starred()
    if not self:peek(':') then return start end
  end
  self:expect(':')
  if not (self:peek(':') or self:peek(',') or self:peek(']')) then stop = self:expression() end
  if self:take(':') and not (self:peek(',') or self:peek(']')) then step = self:expression() end
  return self:node('slice', { start = start, stop = stop, step = step })
end

function Parser:postfix(value)
  while true do
    if self:take('.') then
      value = self:node('attribute', { object = value, name = self:name() })
    elseif self:take('(') then
      local args, named = self:arguments()
      value = self:node('call', { callee = value, args = args, named = named })
    elseif self:take('[') then
      local items, comma = {}, false
      repeat
        if self:peek(']') then break end
        items[#items + 1] = self:subscript()
        local more = self:take(',')
        comma = comma or more
      until not more
      self:expect(']')
      local index = items[1]
      if comma then index = self:node('tuple', { items = items }) end
      if not index then self:fail('an empty index') end
      value = self:node('index', { object = value, index = index })
    else
      return value
    end
  end
end

-- Binding powers, loosest first.
local LEVELS = {
  { 'or' }, { 'and' }, { 'not' }, { '<', '<=', '>', '>=', '==', '!=', 'in', 'is', 'not' }, { '|' }, { '^' }, { '&' },
  { '<<', '>>' }, { '+', '-' }, { '*', '/', '//', '%', '@' },
}
local NOT, COMPARE, UNARY = 3, 4, #LEVELS + 1

function Parser:unary()
  for _, op in ipairs{ '-', '+', '~' } do
    if self:take(op) then return self:node('unary', { op = op, value = self:nested(self.unary) }) end
  end
  local base = self:postfix(self:atom())
  if self:take('**') then
    return self:node('binary', { op = '**', left = base, right = self:nested(self.unary) })
  end
  return base
end

--- Calls a method one level deeper.
function Parser:nested(method, ...)
  self.depth = self.depth + 1
  if self.depth > DEEPEST then self:fail('expressions are nested too deeply') end
  local value = method(self, ...)
  self.depth = self.depth - 1
  return value
end

function Parser:compare_operator()
  for _, op in ipairs(LEVELS[COMPARE]) do
    if self:peek(op) then
      self.at = self.at + 1
      if op == 'not' then
        self:expect('in')
        return 'not in'
      end
      if op == 'is' and self:take('not') then return 'is not' end
      return op
    end
  end
  return nil
end

function Parser:comparison()
  local first = self:binary(COMPARE + 1)
  local op = self:compare_operator()
  if not op then return first end
  local operands, operators = { first }, {}
  while op do
    operators[#operators + 1] = op
    operands[#operands + 1] = self:binary(COMPARE + 1)
    op = self:compare_operator()
  end
  return self:node('compare', { operands = operands, operators = operators })
end

function Parser:binary(level)
  if level == UNARY then return self:unary() end
  if level == COMPARE then return self:comparison() end
  if level == NOT then
    if self:take('not') then return self:node('unary', { op = 'not', value = self:nested(self.binary, NOT) }) end
    return self:binary(COMPARE)
  end
  local left = self:binary(level + 1)
  while true do
    local found
    for _, op in ipairs(LEVELS[level]) do
      if self:take(op) then found = op break end
    end
    if not found then return left end
    local kind = level <= 2 and 'logical' or 'binary'
    left = self:node(kind, { op = found, left = left, right = self:binary(level + 1) })
  end
end

--- Parameters of a lambda (up to ':') or a def (up to ')').
function Parser:parameters(close)
  local list, named_only = {}, false
  while not self:peek(close) do
    local p = { named_only = named_only }
    if self:take('**') then
      p.name, p.rest_named = self:name(), true
    elseif self:take('*') then
      named_only = true
      if self:kind() == 'name' then p.name, p.rest = self:name(), true else p = nil end
    elseif self:take('/') then
      p = nil
    else
      p.name = self:name()
    end
    if p then
      if close == ')' and self:take(':') then p.annotation = self:expression() end
      if self:take('=') then p.default = self:expression() end
      list[#list + 1] = p
    end
    if not self:take(',') then break end
  end
  self:expect(close)
  return list
end

function Parser:expression()
  return self:nested(function()
    if self:take('lambda') then
      local parameters = self:parameters(':')
      return self:node('lambda', { parameters = parameters, value = self:expression() })
    end
    local value = self:binary(1)
    if not self:take('if') then return value end
    local condition = self:binary(1)
    self:expect('else')
    return self:node('conditional', { condition = condition, yes = value, no = self:expression() })
  end)
end

--- An expression, or a tuple without parentheses.
function Parser:expressions()
  local first = self:starred()
  if not self:peek(',') then return first end
  local items = { first }
  while self:take(',') do
    if self:kind() == 'newline' or self:peek('=') or self:peek(';') then break end
    items[#items + 1] = self:starred()
  end
  return self:node('tuple', { items = items })
end

-- ---- statements ----

local AUGMENTED = {}
for _, op in ipairs{ '+', '-', '*', '/', '//', '%', '**', '@', '&', '|', '^' } do AUGMENTED[op .. '='] = op end

function Parser:simple()
  local token = self.tokens[self.at]
  local statement = token.kind == 'keyword' and Parser['statement_' .. token.value]
  if statement then
    self.at = self.at + 1
    return statement(self)
  end
  local first = self:expressions()
  local op = self.tokens[self.at]
  if op.kind == 'op' and AUGMENTED[op.value] then
    self.at = self.at + 1
    return self:node('augmented', { op = AUGMENTED[op.value], target = first, value = self:expressions() })
  end
  if self:take(':') then -- an annotation says nothing that matters here
    self:expression()
  end
  local targets = {}
  while self:take('=') do
    targets[#targets + 1] = first
    first = self:expressions()
  end
  if #targets == 0 then return self:node('expression', { value = first }) end
  return self:node('assign', { targets = targets, value = first })
end

function Parser:statement_pass() return self:node('pass', {}) end
function Parser:statement_break() return self:node('break', {}) end
function Parser:statement_continue() return self:node('continue', {}) end

function Parser:statement_return()
  local value
  if self:kind() ~= 'newline' and not self:peek(';') then value = self:expressions() end
  return self:node('return', { value = value })
end

function Parser:statement_assert()
  local condition = self:expression()
  if self:take(',') then self:expression() end
  return self:node('assert', { condition = condition })
end

function Parser:statement_del()
  self:expressions()
  return self:node('pass', {})
end

--- a.b.c as an expression.
function Parser:dotted()
  local value = self:node('name', { name = self:name() })
  while self:take('.') do value = self:node('attribute', { object = value, name = self:name() }) end
  return value
end

--- name = value, where an import gives what is there another name.
function Parser:bound(value, name)
  return self:node('assign', { targets = { self:node('name', { name = name }) }, value = value })
end

--- import a.b as c, ...; without `as` the name is there anyway.
function Parser:statement_import()
  local body = {}
  repeat
    local module = self:dotted()
    if self:take('as') then body[#body + 1] = self:bound(module, self:name()) end
  until not self:take(',')
  return self:node('several', { body = body })
end

--- from a.b import c as d, ...
function Parser:statement_from()
  local module, body = self:dotted(), {}
  self:expect('import')
  local bracket = self:take('(')
  repeat
    local name = self:name()
    local value = self:node('attribute', { object = module, name = name })
    body[#body + 1] = self:bound(value, self:take('as') and self:name() or name)
  until not self:take(',')
  if bracket then self:expect(')') end
  return self:node('several', { body = body })
end

function Parser:block()
  self:expect(':')
  if self:kind() ~= 'newline' then return self:line() end
  self.at = self.at + 1
  if self:kind() ~= 'indent' then self:fail('expected an indented block') end
  self.at = self.at + 1
  local body = {}
  while self:kind() ~= 'dedent' and self:kind() ~= 'end' do self:statement(body) end
  if self:kind() == 'dedent' then self.at = self.at + 1 end
  return body
end

--- Simple statements on one line.
function Parser:line()
  local body = {}
  repeat
    if self:kind() == 'newline' then break end
    body[#body + 1] = self:simple()
  until not self:take(';')
  if self:kind() == 'newline' then
    self.at = self.at + 1
  elseif self:kind() ~= 'end' then
    self:fail('not understood')
  end
  return body
end

local compound = {}

compound['if'] = function(self)
  local node = self:node('if', { branches = {} })
  repeat
    local condition = self:expression()
    node.branches[#node.branches + 1] = { condition = condition, body = self:block() }
  until not self:take('elif')
  if self:take('else') then node.otherwise = self:block() end
  return node
end

compound['for'] = function(self)
  local target = self:targets()
  self:expect('in')
  local source = self:expressions()
  local node = self:node('for', { target = target, source = source })
  node.body = self:block()
  if self:take('else') then node.otherwise = self:block() end
  return node
end

compound['while'] = function(self)
  local node = self:node('while', { condition = self:expression() })
  node.body = self:block()
  return node
end

compound.def = function(self)
  local node = self:node('def', { name = self:name() })
  self:expect('(')
  node.parameters = self:parameters(')')
  if self:take('->') then self:expression() end
  node.body = self:block()
  return node
end

compound.with = function(self)
  local node = self:node('with', { context = self:expression() })
  if self:take('as') then node.target = self:postfix(self:atom()) end
  node.body = self:block()
  return node
end

function Parser:statement(body)
  return self:nested(function()
    local token = self.tokens[self.at]
    local parse = token.kind == 'keyword' and compound[token.value]
    if parse then
      self.at = self.at + 1
      body[#body + 1] = parse(self)
      return
    end
    for _, simple in ipairs(self:line()) do body[#body + 1] = simple end
  end)
end

local parser = {}

local function start(text) return setmetatable({ tokens = lexer.tokens(text), at = 1, depth = 0 }, Parser) end

--- The tree of one expression.
function parser.expression(text)
  local self = start((text:gsub('^%s+', '')))
  local value = self:expressions()
  if self:kind() == 'newline' then self.at = self.at + 1 end
  if self:kind() ~= 'end' then self:fail('not understood') end
  return value
end

--- The statements of a program.
function parser.program(text)
  local self = start(text)
  local body = {}
  while self:kind() ~= 'end' do self:statement(body) end
  return body
end

--- name(parameters) as the name and the list of parameters.
function parser.signature(text)
  local self = start(text)
  local name = self:name()
  self:expect('(')
  return name, self:parameters(')')
end

return parser
