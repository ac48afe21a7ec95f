--- GaussianNLLLoss: minus the log-likelihood of target under a normal distribution of mean `input` and variance `var`
-- (Nix and Weigend 1994). GaussianNLLLoss{full=false, eps=1e-6, reduction='mean'}; target broadcasts with the input;
-- var has the input's size, perhaps with 1 in place of a dim or without the last one, or is a number. Variances below eps
-- count as eps, but derivatives as if they didn't, as in PyTorch; full adds the constant log(2 pi) / 2. Negative ones are
-- an error; in a recording, which can't look, the loss is NaN there.
local pure = require 'metann.nn.machinery.pure'
local losses = require 'metann.nn.shared.losses'
local kinds = require('metann.nn.machinery.options').kinds
local support = require 'metann.support'
local ops, raise, size, ndim = support.ops, support.raise, support.size, support.ndim

--- var so that it broadcasts to the size of x, or an error.
local function fitted(x, var)
  if not support.is_tensor(var) then return support.full(x, {}, var) end
  if support.same_shape(x, var) then return var end
  local n, m = ndim(x), ndim(var)
  local fits = m == n or m == n - 1
  -- without its last dim all others are the input's
  for d = 1, fits and m or 0 do fits = fits and (size(var, d) == size(x, d) or m == n and size(var, d) == 1) end
  if not fits then
    raise("GaussianNLLLoss: 'var' must have the size of 'input', %s, perhaps with 1 in place of a dim or without the last one, "
      .. 'got %s', support.shape_text(x), support.shape_text(var))
  end
  return m == n and var or ops.unsqueeze(var, -1)
end

local function check_positive(var)
  if support.numel(var) == 0 or support.is_recording() then return end
  local least = ops.amin(ops.detach(var)):item()
  if least < 0 then raise("GaussianNLLLoss: 'var' must not be negative, got numbers from %g", least) end
end

return pure.class('GaussianNLLLoss', { 'input', 'target', { 'var', kinds.operand } }, {
  { 'full', kinds.boolean, false },
  { 'eps', kinds.positive, 1e-6 },
  losses.REDUCTION,
}, function(o, x, target, var)
  losses.check_broadcast('GaussianNLLLoss', x, target)
  x, target = losses.float(x), losses.float(target)
  var = fitted(x, var)
  check_positive(var)
  local constant = ops.detach(var)
  var = ops.add(ops.clamp(constant, o.eps, math.huge), ops.sub(var, constant))
  local loss = ops.mul(ops.add(ops.log(var), ops.div(ops.square(ops.sub(x, target)), var)), 0.5)
  if o.full then loss = ops.add(loss, 0.5 * math.log(2 * math.pi)) end
  if support.is_recording() then loss = support.nan_unless(ops.ge(constant, 0), loss) end
  return losses.reduce(loss, o.reduction)
end)
