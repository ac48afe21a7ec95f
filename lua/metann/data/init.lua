--- Data for meta-learning: real drawings, sine waves, episodes. Each name is loaded when it is first read.
-- @module metann.data
local parts = {Omniglot = 'omniglot', Episodes = 'episodes', Sinusoid = 'sinusoid', Random = 'random'}

return setmetatable({}, {
  __index = function(data, name)
    if not parts[name] then return nil end
    local part = require('metann.data.' .. parts[name])
    rawset(data, name, part)
    return part
  end,
})
