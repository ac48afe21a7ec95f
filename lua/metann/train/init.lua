--- Helpers for training scripts: progress, statistics, plots. Each name is loaded when it is first read.
-- @module metann.train
local parts = {Progress = 'progress', Mean = 'mean', plot = 'plot', check_writable = 'writable'}

return setmetatable({}, {
  __index = function(train, name)
    if not parts[name] then return nil end
    local part = require('metann.train.' .. parts[name])
    rawset(train, name, part)
    return part
  end,
})
