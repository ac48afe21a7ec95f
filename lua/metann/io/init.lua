--- Reading and writing tensors. Each name is loaded when it is first read.
-- @module metann.io
return require 'metann.binding.lazy'('metann.io', { safetensors = 'safetensors', npy = 'npy', npz = 'npz' })
