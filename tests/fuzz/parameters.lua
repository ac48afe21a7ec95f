--- What is known of a function's parameters: a list of {name, kind, required}, from its own signature where the binding
-- keeps one, from its row, or from PyTorch's function of the same name; nil where nothing is known.
-- `data` says that any table is the parameter's value, also one of names.
-- `own` says that it is the function's own, by which every argument has a name.
-- `kind` is the function that checks a value, or a word for rows: 'tensor', 'INT', 'DIM', ...
local binding = require 'metann.binding'
local signatures = require 'tests.support.golden.torch.signatures'

local parameters = {}

local function last_word(name) return name:match '([%w_]+)$' end

--- A list of parameters as arguments.lua has it, before or after it is prepared.
local function from_list(list)
  local found = {}
  for i, p in ipairs(list) do
    local name, kind = p.name or p[1], p.kind or p[2]
    if type(name) ~= 'string' then return nil end
    local default = p.default
    if default == nil then default = p[3] end
    found[i] = { name = name, kind = kind, required = default == nil and not p.optional, rest = p.rest, named = p.named, data = p.data }
  end
  return #found > 0 and found or nil
end

--- Looks for a signature of that name in what a function holds on to.
local function from_upvalues(value, name, depth, seen)
  if depth < 0 or seen[value] then return nil end
  seen[value] = true
  if type(value) == 'table' then
    if type(value.what) == 'string' and type(value.names) == 'table'
      and (name == '()' or last_word(value.what) == name) then
      return from_list(value)
    end
    local init = rawget(value, 'init') or rawget(value, '_construct')
    local mt = getmetatable(value)
    local call = type(mt) == 'table' and rawget(mt, '__call')
    return init and from_upvalues(init, name, depth - 1, seen)
      or type(call) == 'function' and from_upvalues(call, name, depth - 1, seen) or nil
  end
  local what, list
  for i = 1, 60 do
    local upname, upvalue = debug.getupvalue(value, i)
    if not upname then break end
    if upname == 'what' then what = upvalue end
    if upname == 'parameters' and type(upvalue) == 'table' then list = upvalue end
    if type(upvalue) == 'function' or (upname == 'signature' and type(upvalue) == 'table') then
      local found = from_upvalues(upvalue, name, depth - 1, seen)
      if found then return found end
    end
  end
  return what and list and last_word(tostring(what)) == name and from_list(list) or nil
end

local function from_row(row)
  local found = {}
  for _, input in ipairs(row.inputs) do
    found[#found + 1] = { name = input.name, kind = input.variadic and 'tensors' or 'tensor', required = not input.optional }
  end
  for _, a in ipairs(row.attrs) do
    found[#found + 1] = { name = a.name, kind = a.kind, required = a.required, choices = a.choices }
  end
  return found
end

local function from_torch(signature)
  local found = {}
  for i, p in ipairs(signature.parameters) do
    found[i] = { name = p.name, required = p.default == nil and not p.named_only, rest = p.rest, named = p.named_only }
    if i == 1 and p.name == 'input' then found[i].kind = 'tensor' end
  end
  return found
end

--- What a class or function takes first that is not among its options.
local function first_of(entry)
  if entry.path:find 'lr_scheduler' then return { name = 'optimizer', required = true } end
  if entry.path:find '^metann.optim' and entry.style == 'class' then return { name = 'params', required = true } end
  if entry.path:find '^metann.nn.init' then return { name = 'tensor', required = true, kind = 'tensor' } end
  return nil
end

--- PyTorch's signature of that name, where there is one.
local function torch_of(entry)
  local base = entry.name:gsub('_$', '')
  local set = entry.path:find('functional.', 1, true) and signatures.functional
    or entry.path:find('linalg.', 1, true) and signatures.linalg or signatures.torch
  local signature = set[entry.name] or set[base]
  return signature and from_torch(signature)
end

--- Whether a case gives a parameter, by position or in its last table.
function parameters.gives(case, name)
  for i, node in ipairs(case.args) do
    local p = (case.entry.parameters or {})[i]
    if p and p.name == name and node.text ~= 'nil' then return true end
    for _, pair in ipairs(node.named or {}) do
      if pair[1] == name then return true end
    end
  end
  return false
end

--- The parameters of an entry of the inventory.
function parameters.of(entry)
  local found = type(entry.value) ~= 'nil' and from_upvalues(entry.value, entry.name, 4, {})
  local first = first_of(entry)
  if found and first and found[1].name ~= first.name then table.insert(found, 1, first) end
  if found then
    found.own = true
    return found
  end
  if entry.style ~= 'function' and entry.style ~= 'method' then return nil end
  local row = binding.stub.rows[(entry.name:gsub('_$', ''))]
  if row and entry.value == binding.stub.ops[entry.name] then return from_row(row) end
  return torch_of(entry) or row and from_row(row) or nil
end

return parameters
