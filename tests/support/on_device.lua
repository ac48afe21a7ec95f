-- Makes another device the default for the specs of this process: METANN_TEST_DEVICE names it. What is about the host's
-- memory itself (tests/support/host_only.lua) is skipped, each with its reason, and counted with nothing that passed.
local busted = require 'busted'
local host_only = require 'tests.support.host_only'

local name = os.getenv 'METANN_TEST_DEVICE'
require('tests.support.' .. name)
require('metann').set_default_device(name)

local spec, cases, used, names = nil, {}, {}, {}

busted.subscribe({ 'file', 'start' }, function(file)
  spec = file.name:match '([%w_]+)%.lua$'
  cases = host_only[spec] or {}
  return nil, true
end)
busted.subscribe({ 'describe', 'start' }, function(block)
  table.insert(names, block.name)
  return nil, true
end)
busted.subscribe({ 'describe', 'end' }, function()
  table.remove(names)
  return nil, true
end)

local function skip(what, reason)
  io.write(('skipped on %s: %s: %s: %s\n'):format(name, spec, what, reason))
  return nil, false
end

busted.subscribe({ 'register', 'it' }, function(case)
  local full = table.concat(names, ' ') .. ' ' .. case
  if type(cases) == 'string' then return skip(full, cases) end
  for start, reason in pairs(cases) do
    if full:sub(1, #start) == start then
      used[start] = true
      return skip(full, reason)
    end
  end
  return nil, true
end, { priority = 1 })

-- A name that no case has would skip nothing, unseen.
busted.subscribe({ 'file', 'end' }, function()
  for start in pairs(type(cases) == 'table' and cases or {}) do
    if not used[start] then error(("host_only.lua: no case of %s begins with '%s'"):format(spec, start)) end
  end
  return nil, true
end, { priority = 1 })
