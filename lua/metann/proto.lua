--- `require 'metann.proto'`: the name under which the original has ProtoModule and tensor_copy.
return require 'metann.views.proto'
