-- Counts what the core and the binding hold, for specs that look for leaks.
local metann = require 'metann'
local derivatives = require('metann.binding').derivatives

--- Fills stack slots with nothing, so that no dead one keeps a handle.
local function scrub(n)
  local a, b, c, d, e, f, g, h
  if n > 0 then a, b, c, d, e, f, g, h = scrub(n - 1) end
  return a, b, c, d, e, f, g, h
end

local function count()
  -- what dead nodes needed goes, and with it the next ones may
  local lua, m = derivatives.count(), metann.memory()
  return { tensors = m.live_tensors, storages = m.live_storages, nodes = m.live_nodes, lua = lua }
end

local function same(a, b)
  return a.tensors == b.tensors and a.storages == b.storages and a.nodes == b.nodes and a.lua == b.lua
end

--- What is live after collecting: {tensors, storages, nodes, lua = what nodes keep in tables of the binding}.
return function()
  jit.flush() -- compiled code holds upvalues that never change as constants
  local now, quiet = count(), 0
  repeat -- what a finalizer ran on goes with the next collection, and only then what that held
    scrub(50)
    collectgarbage()
    local before = now
    now = count()
    quiet = same(before, now) and quiet + 1 or 0
  until quiet == 2
  return now
end
