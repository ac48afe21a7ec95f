--- Linear algebra by torch.linalg's names and arguments.
local binding = require 'metann.binding'
local ops = require 'metann.ops'
local raw = binding.stub.ops

local linalg = {
  --- U, S and V^T of t = U diag(S) V^T; svd(t, full_matrices=true).
  svd = raw.svd,
  inv = raw.inverse,
}

for _, name in ipairs{
  'cholesky', 'solve', 'solve_triangular', 'det', 'slogdet', 'svdvals', 'eigh', 'eigvalsh', 'qr', 'matrix_power',
  'matmul', 'norm', 'diagonal',
} do
  linalg[name] = ops[name]
end

return linalg
