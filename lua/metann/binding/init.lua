--- The binding: the only folder that requires "ffi".
require 'metann.binding.renamed'

return {
  handle = require 'metann.binding.handle',
  errors = require 'metann.binding.errors',
  stub = require 'metann.binding.stub',
  scope = require 'metann.binding.scope',
  derivatives = require 'metann.binding.derivatives',
}
