--- Containers: `require 'metann.utils'` or `metann.utils`.
return require 'metann.binding.lazy'('metann.utils', {}, {
  OrderedDict = require 'metann.utils.ordereddict',
  SubDict = require 'metann.utils.subdict',
  DefaultList = require 'metann.utils.defaultlist',
  MultipleList = require 'metann.utils.multiplelist',
})
