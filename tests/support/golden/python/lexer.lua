--- Python text to tokens: names, numbers, strings, operators, and the line structure (newline, indent, dedent).
-- A token is {kind, value, line}. Numbers become Lua numbers, floats boxed as values.Float.
local values = require 'tests.support.golden.python.values'

local lexer = {}

local KEYWORDS = {}
for word in ([[False None True and as assert break continue def del elif else for from global if import in is lambda
  nonlocal not or pass raise return while with yield class try except finally]]):gmatch '%S+' do KEYWORDS[word] = true end

-- Longest first.
local OPERATORS = {
  '**=', '//=', '>>=', '<<=', '...', '**', '//', '>>', '<<', '<=', '>=', '==', '!=', '->', '+=', '-=', '*=', '/=', '%=',
  '@=', '&=', '|=', '^=', ':=', '+', '-', '*', '/', '%', '@', '&', '|', '^', '~', '<', '>', '(', ')', '[', ']', '{', '}',
  ',', ':', '.', ';', '=',
}

local function fail(line, message, ...) error(('line %d: ' .. message):format(line, ...), 0) end

local function number(text, at, line)
  local hex = text:match('^0[xX][%x_]+', at)
  if hex then return tonumber((hex:gsub('_', ''))), at + #hex end
  local digits = text:match('^[%d_]*%.?[%d_]*', at)
  local stop = at + #digits
  local exponent = text:match('^[eE][+-]?%d+', stop)
  if exponent then stop = stop + #exponent end
  if text:find('^[%a_]', stop) then fail(line, 'a number ends in %s', text:sub(stop, stop)) end
  local value = tonumber((text:sub(at, stop - 1):gsub('_', '')))
  if not value then fail(line, 'not a number: %s', text:sub(at, stop - 1)) end
  if exponent or digits:find('.', 1, true) then value = values.float(value) end
  return value, stop
end

local ESCAPES = { n = '\n', t = '\t', r = '\r', ['0'] = '\0', ['\n'] = '' }

local function string_literal(text, at, line, prefix)
  prefix = prefix:lower()
  if prefix:find 'f' then fail(line, 'f-strings are not understood') end
  local quote = text:sub(at, at)
  local close = text:sub(at, at + 2) == quote:rep(3) and quote:rep(3) or quote
  local out, i = {}, at + #close
  while true do
    if i > #text then fail(line, 'a string is not closed') end
    local c = text:sub(i, i)
    if text:sub(i, i + #close - 1) == close then return table.concat(out), i + #close end
    if c == '\n' and #close == 1 then fail(line, 'a string is not closed') end
    if c == '\\' and not prefix:find 'r' then
      local e = text:sub(i + 1, i + 1)
      out[#out + 1] = ESCAPES[e] or e
      i = i + 2
    else
      out[#out + 1] = c
      i = i + 1
    end
  end
end

local State = {}
State.__index = State

function State:push(kind, value) self.tokens[#self.tokens + 1] = { kind = kind, value = value, line = self.line } end

--- Indentation at the start of a logical line; blank lines and comments have none.
function State:indentation()
  local text = self.text
  local space = text:match('^[ \t]*', self.at)
  local after = text:sub(self.at + #space, self.at + #space)
  self.at = self.at + #space
  if after == '' or after == '\n' or after == '#' or after == '\r' then return end
  local width, stack = #(space:gsub('\t', '        ')), self.indents
  if width > stack[#stack] then
    stack[#stack + 1] = width
    self:push('indent')
  end
  while width < stack[#stack] do
    stack[#stack] = nil
    self:push('dedent')
  end
  if width ~= stack[#stack] then fail(self.line, 'the indentation fits no block') end
end

function State:operator()
  for _, op in ipairs(OPERATORS) do
    if self.text:sub(self.at, self.at + #op - 1) == op then
      if op:find '^[%(%[{]$' then self.depth = self.depth + 1 end
      if op:find '^[%)%]}]$' then self.depth = math.max(0, self.depth - 1) end
      self.at = self.at + #op
      return self:push('op', op)
    end
  end
  fail(self.line, 'what is %s?', self.text:sub(self.at, self.at))
end

function State:newline()
  local last = self.tokens[#self.tokens]
  if self.depth == 0 and last and last.kind ~= 'newline' and last.kind ~= 'indent' and last.kind ~= 'dedent' then
    self:push('newline')
  end
  self.at, self.line = self.at + 1, self.line + 1
  if self.depth == 0 then self:indentation() end
end

function State:token()
  local text, at = self.text, self.at
  local c = text:sub(at, at)
  if c == '\n' then return self:newline() end
  if c == '\\' and text:sub(at + 1, at + 1) == '\n' then
    self.at, self.line = at + 2, self.line + 1
  elseif c:find '[ \t\r]' then
    self.at = at + 1
  elseif c == '#' then
    self.at = at + #text:match('^[^\n]*', at)
  elseif c:find '%d' or text:find('^%.%d', at) then
    local value, stop = number(text, at, self.line)
    self.at = stop
    self:push('number', value)
  else
    local name = text:match('^[%a_][%w_]*', at)
    local prefix = name and #name <= 2 and name:find '^[rRbBuUfF]+$' and text:find('^[\'"]', at + #name) and name
    if prefix or c == '"' or c == "'" then
      local value, stop = string_literal(text, at + #(prefix or ''), self.line, prefix or '')
      self.at = stop
      self:push('string', value)
    elseif name then
      self.at = at + #name
      self:push(KEYWORDS[name] and 'keyword' or 'name', name)
    else
      self:operator()
    end
  end
end

--- The tokens of a text, the last of kind 'end'.
function lexer.tokens(text)
  local state = setmetatable({ text = text, at = 1, line = 1, depth = 0, indents = { 0 }, tokens = {} }, State)
  state:indentation()
  while state.at <= #text do state:token() end
  if #state.tokens > 0 and state.tokens[#state.tokens].kind ~= 'newline' then state:push('newline') end
  for _ = 2, #state.indents do state:push('dedent') end
  state:push('end')
  return state.tokens
end

return lexer
