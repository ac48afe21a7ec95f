-- Layers, losses, optimizers and schedules against PyTorch's numbers in tests/golden: values, buffers, first and second
-- derivatives, trajectories.
local golden = require 'tests.support.golden'
local posix = require 'metann.binding.posix'

for _, kind in ipairs{ 'layer', 'optim' } do
  describe('reference vectors: ' .. kind, function()
    local folder = 'tests/golden/' .. kind
    for _, file in ipairs(posix.list(folder)) do
      it(file, function() golden.check(folder .. '/' .. file) end)
    end
  end)
end
