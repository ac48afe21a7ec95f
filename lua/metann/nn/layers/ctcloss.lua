--- CTCLoss: minus the log-probability of label sequences under all ways of stretching them over time (Graves et al.
-- 2006). CTCLoss{blank=1, reduction='mean', zero_infinity=false}; classes and the blank count from 1. Called with
-- log_probs (T, N, C) or (T, C), targets (N, S) or one after another in one dim, input_lengths and target_lengths (tensors
-- or lists). `mean` divides by the targets' lengths first. What no way leads to has an infinite loss, with zero_infinity
-- one of 0, and derivatives of 0.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'
local options = require 'metann.nn.machinery.options'
local ctc = require 'metann.nn.shared.ctc'

local CTCLoss = class.new('CTCLoss', Module)

local read = options.reader('CTCLoss', ctc.OPTIONS)
local read_call = options.reader('CTCLoss', ctc.INPUTS)

function CTCLoss:init(...) self.options = read(...) end

--- @param ... log_probs, targets, input_lengths, target_lengths
function CTCLoss:forward(...)
  local o = read_call(...)
  return ctc.loss(self.options, o.log_probs, o.targets, o.input_lengths, o.target_lengths)
end

function CTCLoss:extra_repr() return self.options.blank ~= 1 and 'blank=' .. self.options.blank or '' end

return CTCLoss
