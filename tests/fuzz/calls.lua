--- Random calls of everything public, and what is wrong with them.
local metann = require 'metann'
local call = require 'tests.fuzz.call'
local derivatives = require 'tests.fuzz.derivatives'
local generator = require 'tests.fuzz.generator'
local inventory = require 'tests.fuzz.inventory'
local layers = require 'tests.fuzz.layers'
local mutate = require 'tests.support.mutate'
local oracles = require 'tests.fuzz.oracles'
local parameters = require 'tests.fuzz.parameters'
local rows = require 'tests.support.rows'
local values = require 'tests.fuzz.values'

local calls = { MEMORY = 5e7 }

-- ---- what to call ----

local TRIES = 150 -- calls of a class until one makes an object
local LARGE = 1e6 -- bytes from which on an object is taken only where no try makes a smaller one

local function live_bytes() return metann.memory(metann.get_default_device()).live_bytes end

--- The text of a call of a class that makes an object, and the object; nil where no try does.
local function make_object(entry, objects)
  local large, large_text
  for seed = 1, TRIES do
    local before = live_bytes()
    local case = calls.case(entry, seed, objects)
    local arguments = call.arguments(case, values.render)
    if arguments then
      local ok, results = call.run(case, arguments)
      local object = ok and results[1]
      if type(object) == 'table' and getmetatable(object) then
        local text = call.line(case):match 'print%((.*)%)$'
        local fits = not text:find('released', 1, true)
        if fits and live_bytes() - before < LARGE then return text, object end
        if fits and not large then large, large_text = object, text end
      end
    end
  end
  return large_text, large
end

--- Everything that can be called: {entries, by_path, objects, unmade}. `objects` are texts by the class's path, `unmade`
-- the classes that no try made an object of.
function calls.everything()
  local found = { entries = inventory.entries(), by_path = {}, objects = {}, list = {}, unmade = {} }
  local made, taken = {}, {}
  for _, entry in ipairs(found.entries) do
    found.by_path[entry.path] = entry
    entry.parameters = parameters.of(entry)
    if entry.style == 'class' then made[#made + 1] = entry end
  end
  for _ = 1, 2 do -- the second time with the objects that the first made
    for _, entry in ipairs(made) do
      local text, object
      if not found.objects[entry.path] then text, object = make_object(entry, found.list) end
      if text then
        found.objects[entry.path] = text
        found.list[#found.list + 1] = text
        for _, method in ipairs(inventory.methods(entry, object, taken)) do
          method.object = text
          method.parameters = method.value and parameters.of(method)
          found.entries[#found.entries + 1] = method
          found.by_path[method.path] = method
        end
      end
    end
  end
  for _, entry in ipairs(layers.entries()) do
    found.entries[#found.entries + 1] = entry
    found.by_path[entry.path] = entry
    found.list[#found.list + 1] = entry.object
  end
  for _, entry in ipairs(made) do
    if not found.objects[entry.path] then found.unmade[#found.unmade + 1] = entry.path end
  end
  return found
end

--- The case of an entry that belongs to a seed.
function calls.case(entry, seed, objects)
  local draw = mutate.source(seed)
  for _ = 1, 3 do draw(1e6) end -- seeds that lie together begin alike
  local context = generator.context(draw, objects)
  local args
  if entry.style == 'object' then
    args = entry.inputs and draw(3) > 1 and layers.inputs(context, entry) or context:arguments(entry.parameters, false, entry.name)
    table.insert(args, 1, values.text(entry.object))
  else
    args = context:arguments(entry.parameters, entry.style == 'method' or entry.style == 'operator', entry.name)
    if entry.style == 'operator' then
      for i = #args + 1, 3 do args[i] = values.text 'nil' end
    end
  end
  return { entry = entry, args = args, seed = seed }
end

-- ---- checking ----

--- The function without the _ of one that changes its first argument.
local function out_of_place(case, everything)
  local base = case.entry.path:match '^(.*%w)_$'
  return base and everything.by_path[base]
end

local function later_checks(case, everything, ok, results)
  local base = out_of_place(case, everything)
  local checks = {
    { 'by name', function() return oracles.by_name(case, ok, results) end },
    { 'layout', function() return oracles.layout(case, ok, results) end },
    { 'in place', function() return base and ok and oracles.in_place(case, base) end },
    { 'derivative', function() return ok and derivatives.check(case) end },
  }
  for _, pair in ipairs(checks) do
    local good, text = pcall(pair[2])
    if not good then
      text = not tostring(text):find 'was released' and 'looking at the results fails: ' .. tostring(text)
    end
    if text then return { oracle = pair[1], text = text } end
  end
  return nil
end

--- Makes a call and everything that is compared with it.
-- @return what is wrong, {oracle, text}, or nil; and 'result', 'error' or 'none' where the arguments could not be made
function calls.check(case, everything)
  local arguments = call.arguments(case, values.render)
  if not arguments then return nil, 'none' end
  local settings, seen = oracles.settings(), oracles.look(arguments)
  local ok, results = call.run(case, arguments)
  local outcome = ok and 'result' or 'error'
  local text = oracles.settings()
  if text ~= settings then
    metann.set_memory_limit(calls.MEMORY)
    return { oracle = 'settings', text = ('%s before, %s after'):format(settings, text) }, outcome
  end
  text = not ok and oracles.error(results)
  if text then return { oracle = 'error', text = text }, outcome end
  text = not ok and oracles.name(case, results)
  if text then return { oracle = 'name', text = text }, outcome end
  text = oracles.unchanged(case, seen, not ok)
  if text then return { oracle = 'arguments', text = text }, outcome end
  return later_checks(case, everything, ok, results), outcome
end

-- ---- making simpler ----

local function simpler_cases(case)
  local list = {}
  local function add(args) list[#list + 1] = { entry = case.entry, args = args, seed = case.seed } end
  local n = #case.args
  local first = (case.entry.style == 'function' or case.entry.style == 'class') and 1 or 2
  local last = case.entry.style == 'operator' and 0 or n
  if last >= first then add{ unpack(case.args, 1, n - 1) } end
  for i = 1, n do
    local fixed = case.entry.style == 'object' and i == 1
    for _, node in ipairs(fixed and {} or values.simpler(case.args[i])) do
      if i >= first or node.kind == 'tensor' then
        local args = { unpack(case.args) }
        args[i] = node
        add(args)
      end
    end
  end
  return list
end

local MOST_TRIES = 600

--- A simpler case with the same fault.
-- @param fails function(case): whether a case has it
function calls.shrink(case, fails)
  local tries, found = 0, true
  while found and tries < MOST_TRIES do
    found = false
    for _, simpler in ipairs(simpler_cases(case)) do
      tries = tries + 1
      if fails(simpler) then
        case, found = simpler, true
        break
      end
      if tries >= MOST_TRIES then break end
    end
  end
  return case
end

--- Says of a case what is wrong with it, made as simple as it gets.
function calls.report(case, fault, everything)
  local simple = calls.shrink(case, function(other)
    local found = calls.check(other, everything)
    return found and found.oracle == fault.oracle
  end)
  local found = calls.check(simple, everything) or fault
  return ('%s: %s\n    %s'):format(case.entry.path, found.text, call.line(simple))
end

-- ---- leaks ----

--- What is live; nothing else must be after a call whose results are gone.
calls.live = rows.live

--- The first of some cases after which more is live than before, with what is; nil where none does so again.
function calls.leak(cases, everything)
  for _, case in ipairs(cases) do
    calls.check(case, everything) -- what is loaded or compiled once
    local before = calls.live()
    for _ = 1, 3 do calls.check(case, everything) end
    local after = calls.live()
    if before ~= after then return case, ('%s before, %s after three calls'):format(before, after) end
  end
  return nil
end

return calls
