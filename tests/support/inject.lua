-- Failures in the middle of an update: an interruption after n instructions of Lua, or an end of memory after n bytes.
local ffi = require 'ffi'
local metann = require 'metann'
local handle = require('metann.binding').handle

local inject = {}

--- Runs fn(...) so that the core's flag is raised once n instructions of the interpreter have run.
function inject.interrupted(n, fn, ...)
  debug.sethook(function()
    debug.sethook()
    metann.interrupt()
  end, '', n)
  local ok, message = pcall(fn, ...)
  debug.sethook()
  pcall(metann.zeros, 1) -- takes a flag that nobody has looked at
  return ok, message
end

--- Runs fn(...) with `bytes` more than is in use now.
function inject.starved(bytes, fn, ...)
  collectgarbage()
  collectgarbage()
  metann.empty_cache()
  local before = metann.memory()
  metann.set_memory_limit(before.live_bytes + bytes)
  local ok, message = pcall(fn, ...)
  metann.set_memory_limit(before.limit_bytes)
  return ok, message
end

--- Tensors as a string that is the same for equal ones only: dtypes, sizes, every bit.
function inject.text(list)
  local parts = {}
  for i, t in ipairs(list) do
    if not t then
      parts[i] = '-'
    else
      local values, n = handle.read(t:double())
      parts[i] = t.dtype .. '(' .. table.concat(t.shape, ',') .. ')' .. ffi.string(values, 8 * n)
    end
  end
  return table.concat(parts, '\n')
end

--- How many instructions of the interpreter fn(...) takes, about.
local function instructions(fn, ...)
  local n = 0
  debug.sethook(function() n = n + 20 end, '', 20)
  fn(...)
  debug.sethook()
  return n
end

--- How many bytes fn(make()) needs beyond what is in use, between this number and twice it.
local function bytes(fn, make)
  local n = 1024
  while not inject.starved(n, fn, make()) do n = 2 * n end
  return n / 2
end

--- Lets an update fail at many points. After each it must be as it was, and the update made again must do all of it.
-- @param case {make, update, observe}: make() gives a subject, always the same; update(subject) changes it;
-- observe(subject) is its state as text
-- @param how inject.interrupted or inject.starved
-- @param points at how many points to try
-- @return at how many it failed
function inject.everywhere(case, how, points)
  local reference = case.make()
  local before = case.observe(reference)
  local last = how == inject.interrupted and instructions(case.update, reference)
  if not last then case.update(reference) end
  local done, failures = case.observe(reference), 0
  assert(before ~= done, 'the update changes nothing')
  last = last or 2 * bytes(case.update, case.make)
  for i = 1, points do
    local n, subject = math.ceil(last * i / points), case.make()
    assert(case.observe(subject) == before, 'the subject is not always the same')
    local ok, message = how(n, case.update, subject)
    local after = case.observe(subject)
    if ok then
      assert(after == done, ('at %d: another result'):format(n))
    else
      failures, message = failures + 1, tostring(message)
      assert(message:find 'interrupted' or message:find 'out of memory', message)
      assert(after == before, ('at %d: left half done'):format(n))
      case.update(subject)
      assert(case.observe(subject) == done, ('at %d: another result when it was made again'):format(n))
    end
  end
  return failures
end

return inject
