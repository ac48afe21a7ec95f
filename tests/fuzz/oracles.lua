--- What must hold of every call, whatever it was given. Each oracle says what is wrong as a text, or nothing.
local metann = require 'metann'
local call = require 'tests.fuzz.call'
local parameters = require 'tests.fuzz.parameters'
local rows = require 'tests.support.rows'
local values = require 'tests.fuzz.values'

local oracles = {
  --- Whether errors must name the function that was called: unless METANN_FUZZ_NAMES is 0.
  names = os.getenv 'METANN_FUZZ_NAMES' ~= '0',
}

local MOST_ELEMENTS = 400 -- of a tensor that is looked at

-- ---- errors ----

-- What only an error inside the library says.
local INTERNAL = {
  'attempt to ', 'bad argument', 'lua/metann', 'stack overflow', 'assertion failed', "can't call", 'not enough memory',
  'table index is', 'invalid order function', 'C stack', 'invalid value %(', 'initial.*value must be', 'cannot convert',
}

local function plain(name) return (name:lower():gsub('_', '')) end

--- Whether a message has a name as a word of its own, written as a function or as a class is.
local function is_named(message, name)
  local wanted = plain(name)
  for word in message:gmatch '[%w_]+' do
    if plain(word) == wanted then return true end
  end
  return false
end

--- An error must be a text that begins at the caller's line and speaks of what the caller gave.
function oracles.error(message)
  if type(message) ~= 'string' then return 'an error that is a ' .. type(message) end
  if message == 'mine' then return nil end
  if message:sub(1, #call.PLACE) ~= call.PLACE then return "an error without the caller's line: " .. message end
  local text = message:sub(#call.PLACE + 1)
  for _, pattern in ipairs(INTERNAL) do
    if text:find(pattern) then return 'an internal error: ' .. message end
  end
  if text:find '%.lua:%d+:' then return 'a line of other code: ' .. message end
  return nil
end

---- Whether a call was given something that can be called: what fails in there says so itself.
local function calls_back(node)
  if node.kind == 'text' then return node.text:find('function', 1, true) or node.text:find '^metann%.' or node.text:find '^require' end
  if node.kind ~= 'table' then return false end
  for _, item in ipairs(node.list) do
    if calls_back(item) then return true end
  end
  for _, pair in ipairs(node.named) do
    if calls_back(pair[2]) then return true end
  end
  return false
end

-- Fields that hold a function of another name.
local HELD = { evaluator = true }

--- Whether a message begins with the name of a layer, or of what a converted one is called.
local function names_layer(text)
  local name = text:match '^(%w+): ' or text:match '^(%w+):[%w_]+: '
  return name ~= nil and rawget(metann.nn, (name:gsub('^Dependent', ''))) ~= nil
end

--- An error must name the function that was called; of an object, its class will do, or that of a layer in it. Operators
-- have no name of their own, a tensor that is no more is named itself, and so is memory.
function oracles.name(case, message)
  local entry = case.entry
  if not oracles.names or entry.style == 'operator' or message == 'mine' then return nil end
  local text = message:sub(#call.PLACE + 1)
  if text:find '^this tensor was released' or text:find '^out of memory' then return nil end
  for i, node in ipairs(case.args) do
    if not (i == 1 and entry.style == 'object') and calls_back(node) then return nil end
  end
  if entry.name ~= '()' and is_named(text, entry.name) then return nil end
  local space = entry.path and entry.path:match 'metann%.io%.([%w_]+)%.[%w_]+$' -- a format stands for what reads and writes it
  if space and is_named(text, space) then return nil end
  local class = entry.of and entry.of:match '[%w_]+$'
  if class and (is_named(text, class) or names_layer(text) or HELD[entry.name]) then return nil end
  return ("an error that doesn't name '%s': %s"):format(entry.name == '()' and class or entry.name, message)
end

-- ---- state ----

--- The settings that no call changes.
function oracles.settings()
  return ('default dtype %s, %d threads, grad %s, limit %.0f'):format(metann.get_default_dtype(), metann.get_num_threads(),
    tostring(metann.is_grad_enabled()), metann.memory().limit_bytes)
end

--- What a tensor is and holds, as far as it can be looked at.
local function snapshot(t)
  local ok, text = pcall(function()
    if t:numel() > MOST_ELEMENTS then return 'large' end
    return ('%s (%s) %s'):format(t.dtype, table.concat(t.shape, ','), rows.bytes(t:detach():contiguous()))
  end)
  return ok and text or 'unreadable'
end

--- The tensors among arguments with what they hold.
function oracles.look(arguments)
  local seen = {}
  for i, t in ipairs(call.tensors(arguments)) do seen[i] = { t, snapshot(t) } end
  return seen
end

-- Write into tensors that they are given, though their names don't say so.
local WRITES = {
  batch_norm = true, instance_norm = true, vector_to_parameters = true, load_state_dict = true, assign = true, step = true,
  MultiModel = true, newindex = true, region_put = true,
}

local function writes(entry) return entry.name:find '_$' ~= nil or WRITES[entry.name] or entry.name == '()' end

--- The same of a case: embedding scales rows of its weight down to max_norm, in the weight itself.
local function case_writes(case)
  return writes(case.entry) or (case.entry.name == 'embedding' and parameters.gives(case, 'max_norm'))
end

--- Arguments must be as they were: all of them where the call writes nothing or failed.
function oracles.unchanged(case, seen, failed)
  for i, pair in ipairs(seen) do
    local written = case_writes(case) and not failed
    if not written and snapshot(pair[1]) ~= pair[2] then
      return ('tensor %d among the arguments was changed%s'):format(i, failed and ' by a call that failed' or '')
    end
  end
  return nil
end

-- ---- results ----

local TOLERANCE = { float64 = 1e-7, float32 = 2e-3, float16 = 5e-2, bfloat16 = 2e-1 }

local function largest(list)
  local most = 0
  for i = 1, #list do
    local v = math.abs(list[i])
    if v == v and v < math.huge and v > most then most = v end
  end
  return most
end

--- Says where two tensors differ by more than rounding.
local function difference(a, b)
  if a.dtype ~= b.dtype then return ('dtype %s and %s'):format(a.dtype, b.dtype) end
  local size_a, size_b = table.concat(a.shape, 'x'), table.concat(b.shape, 'x')
  if size_a ~= size_b then return ('size (%s) and (%s)'):format(size_a, size_b) end
  if a:numel() > MOST_ELEMENTS then return nil end
  local x, y = rows.read(a:detach()).data, rows.read(b:detach()).data
  local tolerance = TOLERANCE[a.dtype] or 0
  local allowed = tolerance * math.max(1, largest(x), largest(y))
  for i = 1, #x do
    local same = x[i] == y[i] or (x[i] ~= x[i] and y[i] ~= y[i]) or math.abs(x[i] - y[i]) <= allowed
    if not same and not (largest(x) > 1e15) then
      return ('element %d is %.9g and %.9g'):format(i, x[i], y[i])
    end
  end
  return nil
end

--- Says where two lists of results differ.
function oracles.difference(a, b)
  local first, second = call.tensors(a), call.tensors(b)
  if #first ~= #second then return ('%d tensors and %d'):format(#first, #second) end
  for i = 1, #first do
    local text = difference(first[i], second[i])
    if text then return ('result %d: %s'):format(i, text) end
  end
  for i = 1, math.max(a.n, b.n) do
    local x, y = a[i], b[i]
    if (type(x) == 'number' or type(x) == 'boolean' or type(x) == 'string') and x ~= y and not (x ~= x and y ~= y) then
      if not (type(x) == 'number' and type(y) == 'number' and math.abs(x - y) <= 1e-3 * math.max(1, math.abs(x))) then
        return ('result %d is %s and %s'):format(i, tostring(x), tostring(y))
      end
    end
  end
  return nil
end

-- Depend on how a tensor lies in memory, or give what was in memory before.
local BY_LAYOUT = {
  view = true, stride = true, is_contiguous = true, shares_storage = true, empty = true, empty_like = true, new_empty = true,
  contiguous = true, view_as = true, tostring = true, checkpoint = true, requires_grad_ = true, retain_grad = true,
  storage_offset = true, register_hook = true,
}

--- Tensors that lie otherwise, with the same values, must give the same.
function oracles.layout(case, ok, results)
  local strided = false
  for _, node in ipairs(case.args) do strided = strided or values.is_strided(node) end
  if not strided or BY_LAYOUT[case.entry.name] or writes(case.entry) then return nil end
  local dense = call.arguments(case, values.render_dense)
  if not dense then return nil end
  local dense_ok, dense_results = call.run(case, dense)
  if ok ~= dense_ok then
    local message = tostring(ok and dense_results or results)
    return ('%s of views, %s of dense tensors: %s'):format(ok and 'a result' or 'an error', dense_ok and 'a result' or 'an error',
      message)
  end
  local text = ok and oracles.difference(results, dense_results)
  return text and 'views and dense tensors differ: ' .. text or nil
end

local function is_nil(node) return node.kind == 'text' and node.text == 'nil' end

-- Functions whose arguments have other names when there are fewer of them: randint(high, size), not (low, high).
local OVERLOADED = { randint = true }

--- The case with all arguments but the first by name; nil where that can't be said.
local function named_case(case)
  local list, args = case.entry.parameters, { unpack(case.args) }
  while #args > 0 and is_nil(args[#args]) do args[#args] = nil end
  if not list or not list.own or #args < 2 or #args > #list or OVERLOADED[case.entry.name] then return nil end
  if list[2].data then return nil end -- a table of names in its place is its value: grad(outputs, { name = input })
  local named = {}
  for i = 2, #args do
    local node = args[i]
    if list[i].rest or list[i].named or (node.kind == 'table' and i == #args) then return nil end
    if not is_nil(node) then named[#named + 1] = { list[i].name, node } end
  end
  return { entry = case.entry, args = { args[1], values.table({}, named) }, seed = case.seed }
end

--- What has a name may be given by it.
function oracles.by_name(case, ok, results)
  local other = ok and case.entry.style ~= 'object' and named_case(case)
  local arguments = other and call.arguments(other, values.render)
  if not arguments then return nil end
  local other_ok, other_results = call.run(other, arguments)
  local text = not other_ok and tostring(other_results) or oracles.difference(results, other_results)
  return text and ('by name, it gives something else: %s\n    %s'):format(text, call.line(other)) or nil
end

-- Take other arguments than the one without the _.
local OTHERWISE = { bernoulli_ = true, normal_ = true, uniform_ = true }

--- A function that changes its first argument must give what the one without the _ gives.
function oracles.in_place(case, out_of_place)
  if OTHERWISE[case.entry.name] then return nil end
  local own, other = call.arguments(case, values.render), call.arguments(case, values.render)
  if not own or not other then return nil end
  local ok, results = call.run(case, own)
  local other_ok, other_results = call.run({ entry = out_of_place, args = case.args, seed = case.seed }, other)
  if not ok or not other_ok then return nil end
  local target, expected = results[1], other_results[1]
  if not metann.is_tensor(target) or not metann.is_tensor(expected) then return nil end
  if target.dtype ~= expected.dtype or table.concat(target.shape, ',') ~= table.concat(expected.shape, ',') then return nil end
  local text = difference(target, expected)
  return text and ('differs from %s: %s'):format(out_of_place.path, text) or nil
end

return oracles
