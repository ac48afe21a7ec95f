--- Reading and writing tensors. Each name is loaded when it is first read.
-- @module metann.io
local parts = {safetensors = true, npy = true, npz = true}

return setmetatable({}, {
  __index = function(all, name)
    if not parts[name] then return nil end
    local part = require('metann.io.' .. name)
    rawset(all, name, part)
    return part
  end,
})
