-- What a function makes of numbers lies beside the tensors that it is given, wherever tensors are made else: the reference
-- vectors with all tensors on one device while another one is the default, so that what is made on the wrong one is refused
-- where the two meet.
local metann = require 'metann'
local cases = require 'tests.support.golden.case'
local runner = require 'tests.support.golden.runner'
require 'tests.support.guarded'

local function check(found)
  local before = metann.get_default_device()
  metann.set_default_device 'cpu'
  cases.device = 'guarded:0'
  local ran, fault = pcall(runner.check, found)
  cases.device = nil
  metann.set_default_device(before)
  assert(ran and fault == nil, fault)
end

for _, kind in ipairs{ 'op', 'layer', 'optim', 'meta', 'high' } do
  describe('apart from the default device: ' .. kind, function()
    for _, found in ipairs(runner.cases('tests/golden/' .. kind)) do
      it(found.name, function() check(found) end)
    end
  end)
end
