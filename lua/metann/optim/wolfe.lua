--- The line search of LBFGS: a step that meets the strong Wolfe conditions (Nocedal and Wright 2006, "Numerical
-- optimization", algorithms 3.5 and 3.6), with minFunc's interpolation and its limits, as PyTorch has it.
-- Points on the line are tables {t, loss, grad, slope}: how far, the value, the gradient and the slope along the line.

local wolfe = {}

-- How much of the fall that the slope at the start promises must come true; how much of that slope may be left; how
-- many points are tried; how small the largest change of a weight may get.
local ENOUGH, LEFT, MOST, LEAST = 1e-4, 0.9, 25, 1e-9

--- Where the cubic through two points with their slopes is smallest, within low .. high.
local function smallest(a, b, low, high)
  if a.t > b.t then a, b = b, a end
  local d = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
  local square = d * d - a.slope * b.slope
  if not (square >= 0) then return (low + high) / 2 end
  local root = math.sqrt(square)
  local at = b.t - (b.t - a.t) * ((b.slope + root - d) / (b.slope - a.slope + 2 * root))
  return math.min(math.max(at, low), high)
end

local function too_high(point, start) return point.loss > start.loss + ENOUGH * point.t * start.slope end
local function flat_enough(point, start) return math.abs(point.slope) <= -LEFT * start.slope end

--- Two points between which there is a good one, or one that is good itself; and how many were tried.
local function bracket(evaluate, start, t)
  local before, point, tried = start, evaluate(t), 1
  while tried <= MOST do
    if too_high(point, start) or tried > 2 and point.loss >= before.loss then return { before, point }, tried end
    if flat_enough(point, start) then return { point }, tried end
    if point.slope >= 0 then return { before, point }, tried end
    t = smallest(before, point, point.t + 0.01 * (point.t - before.t), point.t * 10)
    before, point, tried = point, evaluate(t), tried + 1
  end
  return { start, point }, tried
end

--- The next t to try between two points, which keeps away from both; `near` says that the last one lay close to one.
local function between(a, b, near)
  local low, high = math.min(a.t, b.t), math.max(a.t, b.t)
  local t, margin = smallest(a, b, low, high), 0.1 * (high - low)
  if math.min(high - t, t - low) >= margin then return t, false end
  if not near and t < high and t > low then return t, true end
  return math.abs(t - high) < math.abs(t - low) and high - margin or low + margin, false
end

--- Puts a new point into the pair {lower, higher}; true where it is a good one.
local function narrow(pair, point, start)
  local lower = pair[1]
  if too_high(point, start) or point.loss >= lower.loss then
    pair[2] = point
    if point.loss < lower.loss then pair[1], pair[2] = point, lower end
    return false
  end
  local good = flat_enough(point, start)
  if not good and point.slope * (pair[2].t - lower.t) >= 0 then pair[2] = lower end
  pair[1] = point
  return good
end

--- A point on the line, and how many were tried.
-- @param evaluate function of t, which gives a point
-- @param start the point at t = 0
-- @param t the first one to try
-- @param size the largest change of a weight at t = 1
function wolfe.search(evaluate, start, t, size)
  local pair, tried = bracket(evaluate, start, t)
  if not pair[2] then return pair[1], tried end
  if not (pair[1].loss <= pair[2].loss) then pair[1], pair[2] = pair[2], pair[1] end
  local good, near = false, false
  while not good and tried <= MOST and not (math.abs(pair[2].t - pair[1].t) * size < LEAST) do
    t, near = between(pair[1], pair[2], near)
    local point = evaluate(t)
    tried = tried + 1
    good = narrow(pair, point, start)
  end
  return pair[1], tried
end

return wolfe
