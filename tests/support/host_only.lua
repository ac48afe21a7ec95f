-- What is about the host's memory itself: by spec the reason, or the reasons by how the full names of single cases begin.
-- It doesn't run where another device is the default (./dev test --device), and is counted with nothing that passed.
local POINTER = 'asks for the pointer to the elements, which only the host has'
local LIMIT = "counts or limits the host's bytes"

local dtypes = {}
for _, dtype in ipairs{ 'float32', 'float64', 'int64', 'int32', 'uint8', 'bool', 'float16', 'bfloat16' } do
  dtypes[dtype .. ' comes from a pointer and goes back to it'] = POINTER
end

local LOOPS = 'runs the loops of the host over elements where they lie'

return {
  c_interface_spec = { ['lines of pointwise rows '] = LOOPS },
  groups_spec = { ['groups of pointwise rows '] = LOOPS },
  checkpoint_spec = {
    ['checkpoint lowers the peak of memory'] = LIMIT,
    ['detect_anomaly needs no memory of its own'] = LIMIT,
  },
  dtypes_spec = dtypes,
  endurance_spec = {
    ['ten thousand meta-steps hold memory flat'] =
      "looks at the process's pages, of which the double takes one for each tensor, and remembers each that there was",
  },
  errors_spec = { ['arguments of memory name the function that was called'] = LIMIT },
  io_safetensors_spec = {
    ['tensors on the pages of a file are of files larger than the memory'] = "asks for a file's pages as memory, which is the host's",
  },
  scope_spec = { ['garbage that is cached for reuse counts once it is used'] = LIMIT },
  tensor_spec = {
    ['constructors copy memory behind a pointer'] = POINTER,
  },
  updates_spec = { ['updates all or nothing a step of '] = LIMIT },
}
