--- Data for meta-learning: real drawings, sine waves, episodes. Each name is loaded when it is first read.
-- @module metann.data
return require 'metann.binding.lazy'('metann.data', {
  Omniglot = 'omniglot', Episodes = 'episodes', Sinusoid = 'sinusoid', Random = 'random',
})
