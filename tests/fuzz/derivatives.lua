--- Gradients of a call in float64 against finite differences of the same call.
local metann = require 'metann'
local call = require 'tests.fuzz.call'
local mutate = require 'tests.support.mutate'
local values = require 'tests.fuzz.values'

local derivatives = {}

local MOST_ELEMENTS, STEP, TOLERANCE = 30, 1e-5, 2e-3

-- Cut the graph, or have a derivative that is not the function's slope, and say so.
local LEFT_OUT = {
  detach = true, detach_ = true, embedding = true, data = true, no_grad = true, item = true, checkpoint = true, grad = true,
  backward = true, requires_grad_ = true, gradcheck = true, dropout = true, dropout2d = true, tensor_copy = true,
  value_and_grad = true, hessian = true, jvp = true, vjp = true, hvp = true, jacobian = true, retain_grad = true, Parameter = true,
  tensor = true, bernoulli = true, deepcopy = true,
  -- draw anew in each call
  dropout1d = true, dropout3d = true, alpha_dropout = true, feature_alpha_dropout = true, rrelu = true, gumbel_softmax = true,
  fractional_max_pool2d = true, fractional_max_pool3d = true,
  -- which of several values for one place is taken is not said
  scatter = true, scatter_ = true, index_put = true, index_put_ = true, sparse_ = true,
  max_unpool1d = true, max_unpool2d = true, max_unpool3d = true,
  -- read one triangle, or have vectors that are free where singular values meet
  eigh = true, eigvalsh = true, cholesky = true, cholesky_ex = true, cholesky_solve = true, cholesky_inverse = true,
  svd = true, qr = true, eig = true,
}

-- Parameters by which a function's derivative is 0 and says so: class weights.
local CONSTANT = { nll_loss = 'weight' }

--- Whether a result is one whose derivative leaves out what the function does: a pseudoinverse that singular values were
-- cut off from has that of matrices of the rank found.
local function is_cut(case, results)
  if not case.entry.name:find '^pinv' then return false end
  local t = results[1]:detach()
  return metann.linalg.matrix_rank(t):min():item() < math.min(t:size(-1), t:size(-2))
end

--- Which results have a history, as far as they can be looked at: {[number] = true}.
local function with_history(results)
  local set = {}
  for k, t in ipairs(call.tensors(results)) do
    set[k] = t.requires_grad and t.dtype == 'float64' and t:numel() > 0 and t:numel() <= MOST_ELEMENTS
  end
  return set
end

--- sum of results times fixed numbers, of those in a set; nil where there are none.
local function total(results, set)
  local sum
  for k, t in ipairs(call.tensors(results)) do
    if set[k] and t.dtype == 'float64' then
      local weights = (metann.arange(1, t:numel() + 1, { dtype = 'float64', device = t.device }) * 0.37 + k) % 1 + 0.5
      local part = (t:reshape{ -1 } * weights):sum()
      sum = sum and sum + part:to(sum.device) or part
    end
  end
  return sum
end

--- The call's total with one argument moved in a direction: a table of how far by element.
local function moved(case, which, direction, by)
  local arguments = call.arguments(case, values.render_dense)
  local list = {}
  for i = 1, #case.args do list[i] = arguments[i] end
  local t = list[which]:detach():clone()
  local flat = t:reshape{ -1 }
  for element, part in pairs(direction) do flat[element] = flat[element]:item() + by * part end
  arguments[which] = flat:reshape(t.shape)
  local ok, results = call.run(case, arguments)
  if not ok then return nil end
  local sum = total(results, case.with_history)
  return sum and sum:item()
end

--- The slopes to both sides, and between points nearer by; nil where the call fails there.
local function slopes(case, which, direction)
  local here = moved(case, which, direction, 0)
  local up, down = moved(case, which, direction, STEP), moved(case, which, direction, -STEP)
  local near_up, near_down = moved(case, which, direction, STEP / 4), moved(case, which, direction, -STEP / 4)
  if not (here and up and down and near_up and near_down) then return nil end
  return (up - here) / STEP, (here - down) / STEP, (near_up - near_down) * 2 / STEP, here
end

--- The slope in a direction, nil at a kink or where the numbers are too large for differences.
local function smooth_slope(case, which, direction)
  local right, left, near, here = slopes(case, which, direction)
  if not right or math.abs(here) > 1e5 then return nil end
  local allowed = TOLERANCE / 4 * math.max(1, math.abs(near))
  if math.abs(right - near) <= allowed and math.abs(left - near) <= allowed then return near end
  return nil
end

--- Whether the slopes of all elements add up to that of all of them moved, each another way. Where they don't, there is a
-- kink that no element alone shows: of equal numbers, the median moves only with all of them.
local function adds_up(case, which, n)
  local all, sum, most = {}, 0, 1
  for element = 1, n do
    all[element] = (element % 2 == 0 and 1 or -1) * (0.5 + element * 0.37 % 1)
    local slope = smooth_slope(case, which, { [element] = 1 })
    if not slope then return false end
    sum, most = sum + all[element] * slope, math.max(most, math.abs(slope))
  end
  local slope = smooth_slope(case, which, all)
  return slope ~= nil and math.abs(slope - sum) <= TOLERANCE * n * most
end

--- The arguments that stand alone, in float64, and can have a gradient.
local function leaves_of(case)
  local list = {}
  for i, node in ipairs(case.args) do
    local p = (case.entry.parameters or {})[i]
    local constant = p and p.name == CONSTANT[case.entry.name]
    if node.kind == 'tensor' and node.dtype == 'float64' and node.grad and not constant then
      local n = values.count(node.size)
      if n > 0 and n <= MOST_ELEMENTS then list[#list + 1] = { i, n } end
    end
  end
  return list
end

local MOST = 1e3 -- beyond it steps this small are lost

local function check(case, x, g, leaf, draw)
  for _ = 1, 2 do
    local element = draw(leaf[2])
    if math.abs(x:detach():reshape{ -1 }[element]:item()) > MOST then return nil end
    local exact = g:reshape{ -1 }[element]:item()
    local narrow = smooth_slope(case, leaf[1], { [element] = 1 })
    local scale = math.max(1, math.abs(exact))
    local differs = narrow and exact == exact and math.abs(exact - narrow) > TOLERANCE * scale
    if differs and adds_up(case, leaf[1], leaf[2]) then
      return ('the derivative by element %d of argument %d is %.9g, finite differences give %.9g'):format(element, leaf[1],
        exact, narrow)
    end
  end
  return nil
end

--- The arguments, and the one whose gradient is asked for. What a function changes stands behind a history: it may not be a
-- leaf, and what it held before must not count any more.
local function prepared(case, which)
  local arguments = call.arguments(case, values.render_dense)
  if not arguments then return nil end
  local x = arguments[which]
  if case.entry.name:find '_$' then
    if not metann.is_tensor(arguments[1]) or arguments[1].dtype:find '16' then return nil end
    local first = arguments[1]:detach():clone()
    if case.args[1].grad then first:requires_grad_() end
    if which == 1 then x = first end
    arguments[1] = first * 1
  end
  return arguments, x
end

--- Says where a gradient is wrong.
function derivatives.check(case)
  -- nn.init writes as no_grad does
  if LEFT_OUT[case.entry.name] or case.entry.path:find('nn.init', 1, true) then return nil end
  local leaves = leaves_of(case)
  if #leaves == 0 then return nil end
  local draw = mutate.source(case.seed)
  local leaf = leaves[draw(#leaves)]
  local arguments, x = prepared(case, leaf[1])
  if not arguments then return nil end
  local ok, results = call.run(case, arguments)
  if not ok then return nil end
  if is_cut(case, results) then return nil end
  case.with_history = with_history(results)
  local sum = total(results, case.with_history)
  if not sum then return nil end
  local good, grads = pcall(metann.grad, { sum }, { x }, { allow_unused = true })
  if not good then
    -- a matrix without an inverse is no fault of the gradient's
    return tostring(grads):find 'attempt to' and 'its backward fails: ' .. tostring(grads) or nil
  end
  -- what a result doesn't depend on is an error by itself; in what was overwritten it is right
  local g = grads[1] or (case.entry.name:find '_$' and metann.zeros_like(x))
  return g and check(case, x, g, leaf, draw) or nil
end

return derivatives
