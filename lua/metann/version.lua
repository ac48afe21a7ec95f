--- The version of the Lua side; the core's must be the same (see metann.binding.library).
return '0.1.0'
