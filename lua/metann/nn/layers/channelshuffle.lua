--- ChannelShuffle: the channels of (N, C, ...) dealt out anew: the first of each of `groups` groups, then the second
-- (Zhang et al. 2018).
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local shuffling = require 'metann.nn.shared.shuffling'

return pure.class('ChannelShuffle', { 'input' }, {
  { 'groups', kinds.count, show = true },
}, function(o, x) return shuffling.channels('ChannelShuffle', x, o.groups) end)
