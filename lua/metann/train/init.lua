--- Helpers for training scripts: progress, statistics, plots. Each name is loaded when it is first read.
-- @module metann.train
return require 'metann.binding.lazy'('metann.train', {
  Progress = 'progress', Mean = 'mean', plot = 'plot', check_writable = 'writable',
})
