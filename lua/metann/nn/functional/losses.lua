--- Losses as functions that no layer's computation gives as it is.
local arguments = require 'metann.arguments'
local ctc = require 'metann.nn.shared.ctc'

local losses = {}

local parameters = { unpack(ctc.INPUTS) }
for _, p in ipairs(ctc.OPTIONS) do parameters[#parameters + 1] = p end

--- Minus the log-probability of label sequences under all ways of stretching them over time; as nn.CTCLoss.
-- @function ctc_loss
losses.ctc_loss = arguments.define('ctc_loss', parameters,
  function(log_probs, targets, input_lengths, target_lengths, blank, reduction, zero_infinity)
    return ctc.loss({ blank = blank, reduction = reduction, zero_infinity = zero_infinity }, log_probs, targets,
      input_lengths, target_lengths)
  end)

return losses
