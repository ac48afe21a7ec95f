--- Learners and meta-learners: `require 'metann.meta'` or `metann.meta`.
local maml = require 'metann.meta.maml'
local evaluators = require 'metann.meta.evaluators'
local functions = require 'metann.meta.mamlpp_evaluator'

return require 'metann.binding.lazy'('metann.meta', {}, {
  Learner = require 'metann.meta.learner',
  GDLearner = require 'metann.meta.gdlearner',
  SequentialGDLearner = require 'metann.meta.sequentialgdlearner',
  RMSPropLearner = require 'metann.meta.rmsproplearner',
  OptimizerLearner = require 'metann.meta.optimizerlearner',
  Reptile = require 'metann.meta.reptile',
  MAML = maml.MAML,
  MAMLpp = maml.MAMLpp,
  MultiModel = require 'metann.meta.multimodel',
  mamlpp_evaluator = functions.mamlpp_evaluator,
  default_evaluator_classification = evaluators.default_evaluator_classification,
  active_indices = functions.active_indices,
})
