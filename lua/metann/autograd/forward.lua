--- Tangents through the graph that a function's run has made. Internal.
local binding = require 'metann.binding'
local handle, pointers = binding.handle, binding.derivatives.pointers
local ffi, C, ctx, fresh = handle.ffi, handle.C, handle.ctx, handle.fresh

local forward = {}

local handles = ffi.typeof('mn_handle *[?]')
local BACKWARD_ONLY = 1

local function raw(list)
  local p = pointers(#list + 1)
  for i = 1, #list do p[i - 1] = list[i].p end
  return p
end

--- The tangents of outputs, all of which need gradients.
-- @param outputs list of tensors that inputs were made into
-- @param inputs list of tensors that need gradients, taken as independent
-- @param tangents list of tensors, of the inputs' sizes and dtypes
-- @param create_graph whether the tangents are to have a history
-- @return list of tensors; nil where a derivative or hook in Lua stands between, which is for walks backward only
function forward.push(outputs, inputs, tangents, create_graph)
  local n, results = #outputs, {}
  local out, into, along, made = raw(outputs), raw(inputs), raw(tangents), handles(n + 1)
  for k = 1, n do
    results[k] = fresh()
    made[k - 1] = results[k]
  end
  local create = create_graph and 1 or 0
  local state = C.mn_push_tangents(ctx, n, out, #inputs, into, along, create, made)
  if state < 0 and handle.again() then
    state = C.mn_push_tangents(ctx, n, out, #inputs, into, along, create, made)
  end
  if state < 0 then handle.fail_list(outputs) end
  return state ~= BACKWARD_ONLY and results or nil
end

return forward
