--- One optimizer, and schedules of it, for what takes several schedules of one optimizer.
local metann = require 'metann'

local schedules = { optimizer = metann.optim.SGD({ metann.ones(2):requires_grad_() }, { lr = 0.1 }) }

--- A list of one new schedule.
function schedules.list() return { metann.optim.lr_scheduler.StepLR(schedules.optimizer, 2) } end

return schedules
