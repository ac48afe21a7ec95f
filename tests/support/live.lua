-- Counts what the core and the binding hold, for specs that look for leaks.
local metann = require 'metann'
local derivatives = require('metann.binding').derivatives

--- Fills stack slots with nothing, so that no dead one keeps a handle.
local function scrub(n)
  local a, b, c, d, e, f, g, h
  if n > 0 then a, b, c, d, e, f, g, h = scrub(n - 1) end
  return a, b, c, d, e, f, g, h
end

--- What is live after collecting: {tensors, storages, nodes, lua = what nodes keep in tables of the binding}.
return function()
  jit.flush() -- compiled code holds upvalues that never change as constants
  for _ = 1, 4 do
    scrub(50)
    collectgarbage()
    derivatives.count() -- what dead nodes needed goes, and with it the next ones may
  end
  local m = metann.memory()
  return { tensors = m.live_tensors, storages = m.live_storages, nodes = m.live_nodes, lua = derivatives.count() }
end
