--- `require 'metann.dependentmodule'`: the name under which the original has DependentModule.
return { DependentModule = require 'metann.views.dependent' }
