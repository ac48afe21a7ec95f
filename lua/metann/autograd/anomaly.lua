--- metann.detect_anomaly: the first NaN or infinity is an error that says where it was made.
local binding = require 'metann.binding'
local handle, scope = binding.handle, binding.scope
local C, ctx = handle.C, handle.ctx

local Anomaly = {}
Anomaly.__index = Anomaly
function Anomaly:save() self.outer = C.mn_anomaly(ctx) end
function Anomaly.enter() C.mn_set_anomaly(ctx, 1) end
function Anomaly:leave() C.mn_set_anomaly(ctx, self.outer) end

--- Calls fn(...); an operation whose result has NaN, or an infinity that neither an input nor a number given to it had,
-- is an error that names it, at its line; so is a derivative with NaN or an infinity, which also names the line where
-- its operation was called (if that was inside detect_anomaly too). Slow; costs nothing where it is not on. The mode is
-- put back on return, error and yield.
-- @return what fn returns
return function(fn, ...)
  return scope.with(setmetatable({}, Anomaly), scope.callable(fn, 'detect_anomaly'), ...)
end
