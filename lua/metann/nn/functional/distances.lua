--- Distances as functions.
local arguments = require 'metann.arguments'
local losses = require 'metann.nn.shared.losses'
local kinds = arguments.kinds

return {
  --- The p-norm of x1 - x2 + eps over the last dim.
  -- @function pairwise_distance
  pairwise_distance = arguments.define('pairwise_distance', {
    { 'x1', kinds.tensor }, { 'x2', kinds.tensor }, { 'p', kinds.number, 2 }, { 'eps', kinds.nonnegative, 1e-6 },
    { 'keepdim', kinds.boolean, false },
  }, losses.distance),
}
