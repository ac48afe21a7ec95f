--- CosineSimilarity: x1 . x2 over the product of their norms along a dim, each norm at least eps; sizes broadcast.
-- dim counts from 1, and is 2 unless given.
local pure = require 'metann.nn.machinery.pure'
local kinds = require('metann.nn.machinery.options').kinds
local cosine_similarity = require('metann.support').functions.cosine_similarity

return pure.class('CosineSimilarity', { 'x1', 'x2' }, {
  { 'dim', kinds.dim, 2, show = true },
  { 'eps', kinds.nonnegative, 1e-8, show = true },
}, function(o, x1, x2) return cosine_similarity(x1, x2, o.dim, o.eps) end)
