-- Samples of reductions, scans, sorting, softmax and negative log-likelihood. The references collect, for each element
-- of the result, the numbers that go into it, in order, and work on that list.
local exp, log, huge = math.exp, math.log, math.huge
local nan = 0 / 0

local function total(v)
  local s = 0
  for i = 1, #v do s = s + v[i] end
  return s
end
local function total_of_numbers(v)
  local s = 0
  for i = 1, #v do s = s + (v[i] == v[i] and v[i] or 0) end
  return s
end
local function mean(v) return total(v) / #v end
local function product(v)
  local p = 1
  for i = 1, #v do p = p * v[i] end
  return p
end
-- Largest number and its place, the first of equals; a NaN beats all.
local function largest(v)
  local best, at = v[1], 1
  for i = 2, #v do
    if best == best and (v[i] > best or v[i] ~= v[i]) then best, at = v[i], i end
  end
  return best, at
end
local function smallest(v)
  local negated = {}
  for i = 1, #v do negated[i] = -v[i] end
  local best, at = largest(negated)
  return -best, at
end
local function place(fn)
  return function(v) return (select(2, fn(v))) end
end
local function variance(v, at)
  local m, s = mean(v), 0
  for i = 1, #v do s = s + (v[i] - m) ^ 2 end
  return s / math.max(#v - (at.correction or 1), 0)
end
local function deviation(v, at) return math.sqrt(variance(v, at)) end
local function norm(v, at)
  local p, s = at.p or 2, 0
  for i = 1, #v do s = s + math.abs(v[i]) ^ p end
  return s == 0 and 0 or s ^ (1 / p)
end
local function logsumexp(v)
  if #v == 0 then return -huge end
  local top, s = largest(v), 0
  if math.abs(top) == huge then return top end
  for i = 1, #v do s = s + exp(v[i] - top) end
  return top + log(s)
end
local function any(v)
  for i = 1, #v do
    if v[i] ~= 0 then return 1 end
  end
  return 0
end
local function all(v)
  for i = 1, #v do
    if v[i] == 0 then return 0 end
  end
  return 1
end

-- Scans: a list in, a list of the same length out.
local function running(step)
  return function(v)
    local out, acc = {}, nil
    for i = 1, #v do
      acc = acc and step(acc, v[i]) or v[i]
      out[i] = acc
    end
    return out
  end
end
local function softmax(v)
  local top, s, out = largest(v), 0, {}
  for i = 1, #v do s = s + exp(v[i] - top) end
  for i = 1, #v do out[i] = exp(v[i] - top) / s end
  return out
end
local function log_softmax(v)
  local whole, out = logsumexp(v), {}
  for i = 1, #v do out[i] = v[i] - whole end
  return out
end
-- The largest so far, and the last place of it; a NaN stays.
local function largest_so_far(v)
  local out, places = {}, {}
  for i = 1, #v do
    local before = out[i - 1]
    local taken = i == 1 or v[i] ~= v[i] or (before == before and v[i] >= before)
    out[i], places[i] = taken and v[i] or before, taken and i or places[i - 1]
  end
  return out, places
end
local function smallest_so_far(v)
  local negated = {}
  for i = 1, #v do negated[i] = -v[i] end
  local out, places = largest_so_far(negated)
  for i = 1, #v do out[i] = -out[i] end
  return out, places
end
local function logsumexp_so_far(v)
  local out = {}
  for i = 1, #v do out[i] = logsumexp{ unpack(v, 1, i) } end
  return out
end
-- Insertion sort of places, stable; NaN counts as larger than all.
local function sorted(v, descending)
  local function above(a, b) return a > b or (a ~= a and b == b) end
  local order = {}
  for i = 1, #v do
    local j = #order
    while j > 0 and (descending and above(v[i], v[order[j]]) or not descending and above(v[order[j]], v[i])) do
      j = j - 1
    end
    table.insert(order, j + 1, i)
  end
  local out = {}
  for i = 1, #order do out[i] = v[order[i]] end
  return out, order
end

local function kth(v, at)
  local values, order = sorted(v)
  return values[at.k], order[at.k]
end
local function median(v)
  for i = 1, #v do
    if v[i] ~= v[i] then return v[i], i end
  end
  return kth(v, { k = math.floor((#v + 1) / 2) })
end
-- Counts each number; NaN are alike.
local function mode(v)
  local best, at, most = nil, nil, 0
  for _, i in ipairs(select(2, sorted(v))) do
    local count, last = 0, i
    for k = 1, #v do
      if v[k] == v[i] or (v[k] ~= v[k] and v[i] ~= v[i]) then count, last = count + 1, k end
    end
    if count > most then best, at, most = v[i], last, count end
  end
  return best, at
end

return function(S)
  -- The dims that attrs.dim names, as a set; all of them where it is left out.
  local function chosen(size, dim)
    local set = {}
    if dim == nil then
      for d = 1, #size do set[d] = true end
    else
      for _, d in ipairs(type(dim) == 'table' and dim or { dim }) do set[d < 0 and d + #size + 1 or d] = true end
    end
    return set
  end

  -- fn(list, attrs) over the chosen dims; gives as many arrays as fn gives numbers, at most `outputs`.
  local function collapse(fn, outputs)
    return function(inputs, attrs)
      attrs = attrs or {}
      local a = inputs[1]
      local set = chosen(a.size, attrs.dim)
      local kept, shown = {}, {}
      for d, s in ipairs(a.size) do
        kept[d] = set[d] and 1 or s
        if not set[d] or attrs.keepdim then shown[#shown + 1] = kept[d] end
      end
      local lists = S.array(kept, {})
      S.each(kept, function() lists.data[#lists.data + 1] = {} end)
      S.each(a.size, function(index)
        local own = {}
        for d = 1, #index do own[d] = set[d] and 1 or index[d] end
        table.insert(S.at(lists, own), S.at(a, index))
      end)
      local results = {}
      for k = 1, outputs or 1 do
        results[k] = S.array(shown, {})
        for i, list in ipairs(lists.data) do results[k].data[i] = (select(k, fn(list, attrs))) end
      end
      return unpack(results)
    end
  end

  -- fn(list, attrs) along attrs.dim gives one list or two, whose length becomes the dim's.
  local function lines(fn, outputs, default_dim)
    return function(inputs, attrs)
      attrs = attrs or {}
      local a = inputs[1]
      if #a.size == 0 then
        local results = { fn(a.data, attrs) }
        for k = 1, outputs or 1 do results[k] = S.array({}, results[k]) end
        return unpack(results)
      end
      local dim = attrs.dim or default_dim
      if dim < 0 then dim = dim + #a.size + 1 end
      local starts = { unpack(a.size) }
      starts[dim] = 1
      local results, size = {}, { unpack(a.size) }
      size[dim] = attrs.k or size[dim]
      for k = 1, outputs or 1 do results[k] = S.array(size) end
      S.each(starts, function(index)
        local list = {}
        for i = 1, a.size[dim] do
          index[dim] = i
          list[i] = S.at(a, index)
        end
        local out = { fn(list, attrs) }
        for k = 1, #results do
          for i = 1, size[dim] do
            index[dim] = i
            S.set(results[k], index, out[k][i])
          end
        end
      end)
      return unpack(results)
    end
  end

  local function sample(reference, input, attrs, options)
    local s = { inputs = { input }, attrs = attrs, reference = reference }
    for k, v in pairs(options or {}) do s[k] = v end
    return s
  end

  local function with(list, ...)
    for i = 1, select('#', ...) do list[#list + 1] = (select(i, ...)) end
    return list
  end

  local far = { inputs = { S.randn { 2, 3 } }, attrs = { dim = 3 }, error = 'out of range' }

  -- Over all dims, one, several, kept or not, 0-dim; enough elements that blocks and tails are met.
  local function over_dims(reference, make)
    return {
      sample(reference, make { 3, 4 }),
      sample(reference, make { 3, 4 }, { dim = 1 }),
      sample(reference, make { 3, 4 }, { dim = -1, keepdim = true }),
      sample(reference, make { 2, 3, 4 }, { dim = { 1, 3 } }),
      sample(reference, make { 2, 3, 4 }, { dim = 2, keepdim = true }),
      sample(reference, make { 2, 3, 2, 2 }, { dim = { 4, 2 }, keepdim = true }),
      sample(reference, make {}),
      sample(reference, make { 37, 5 }, { dim = 1 }, { order = 1 }), -- long lines, for the kernel; few derivatives
      sample(reference, make { 3, 67 }, { dim = 2 }, { order = 1 }),
      sample(reference, make { 2, 33, 7 }, { dim = { 1, 3 } }, { order = 1 }),
      far,
      { inputs = { make { 2, 3 } }, attrs = { dim = { 1, -2 } }, error = 'twice' },
    }
  end

  -- Over one dim only; `whole` rows may leave it out. more: further attributes.
  local function over_dim(reference, make, whole, more)
    local function at(attrs)
      for k, v in pairs(more or {}) do attrs[k] = v end
      return attrs
    end
    local list = {
      sample(reference, make { 3, 4 }, at { dim = 1 }),
      sample(reference, make { 3, 4 }, at { dim = 2, keepdim = true }),
      sample(reference, make { 2, 3, 4 }, at { dim = -2 }),
      sample(reference, make {}, at { dim = 1 }),
      sample(reference, make { 3, 41 }, at { dim = 2 }, { order = 1 }),
      sample(reference, make { 19, 6 }, at { dim = 1 }, { order = 1 }),
      { inputs = far.inputs, attrs = at { dim = 3 }, error = far.error },
    }
    if whole then
      with(list, sample(reference, make { 2, 3 }), sample(reference, make { 2, 3 }, { keepdim = true }))
    end
    return list
  end

  local function along_dim(reference, make)
    return {
      sample(reference, make { 3, 4 }, { dim = 1 }),
      sample(reference, make { 3, 4 }, { dim = 2 }),
      sample(reference, make { 2, 3, 2 }, { dim = -2 }),
      sample(reference, make {}, { dim = 1 }),
      sample(reference, make { 0, 3 }, { dim = 2 }),
      sample(reference, make { 3, 35 }, { dim = 2 }, { order = 1 }), -- long lines
      sample(reference, make { 21, 5 }, { dim = 1 }, { order = 1 }),
      far,
    }
  end

  local function of(data, dtype, size) return S.values(size or { #data }, data, dtype or 'int64') end
  -- 300 numbers with many ties, and some more
  local function many(dtype, more)
    local a = S.index({ 300 }, 40)
    a.dtype = dtype
    for i, v in ipairs(a.data) do a.data[i] = dtype == 'uint8' and v or (v - 20) * (dtype:find 'float' and 0.5 or 1) end
    for i, v in ipairs(more) do a.data[i * 29] = v end
    return a
  end
  local function positive(size) return S.uniform(size, 0.5, 1.5) end
  -- Float numbers whose sums are exact in float32 too.
  local function whole_numbers(size)
    local a = S.index(size, 9)
    a.dtype = 'float64'
    return a
  end
  local value_only = { order = 0 } -- infinities and ties have no finite differences

  local sum, prod = collapse(total), collapse(product)
  local lse, var = collapse(logsumexp), collapse(variance)
  local std, norms = collapse(deviation), collapse(norm)
  -- A result that plain sums of powers can't have; float32 has no such numbers.
  local function far_out(want)
    return function(got, inputs)
      local y = got[1].data[1]
      if inputs[1].dtype ~= 'float64' then return end
      assert(math.abs(y - want) <= 1e-14 * want, ('expected %.17g, got %.17g'):format(want, y))
    end
  end
  local sort = lines(function(v, at) return sorted(v, at.descending) end, 2, -1)
  local topk = lines(function(v, at) return sorted(v, at.largest ~= false) end, 2, -1)
  local cummax, cummin = lines(largest_so_far, 2), lines(smallest_so_far, 2)
  local logcumsumexp = lines(logsumexp_so_far)
  local cumsum = lines(running(function(a, b) return a + b end))
  local cumprod = lines(running(function(a, b) return a * b end))

  local function recurrence(size, dim)
    return {
      inputs = { S.randn(size), S.randn(size) },
      attrs = { dim = dim },
      reference = function(inputs, at)
        local a, factor, y = inputs[1], inputs[2], S.array(inputs[1].size)
        local d = at.dim < 0 and at.dim + #a.size + 1 or at.dim
        S.each(a.size, function(index)
          local before = { unpack(index) }
          local first = #index == 0 or index[d] == 1
          if not first then before[d] = index[d] - 1 end
          S.set(y, index, S.at(a, index) + (first and 0 or S.at(factor, index) * S.at(y, before)))
        end)
        return y
      end,
    }
  end

  local function sum_to(size, target)
    return {
      inputs = { S.randn(size) },
      attrs = { size = target },
      reference = function(inputs)
        local from = inputs[1].size
        local result, lead = S.array(target), #from - #target
        S.each(from, function(index)
          local own = {}
          for d = 1, #target do own[d] = target[d] == 1 and 1 or index[d + lead] end
          S.set(result, own, S.at(result, own) + S.at(inputs[1], index))
        end)
        return result
      end,
    }
  end

  local function extreme_rows(fn)
    local reference = collapse(fn)
    return with(
      over_dims(reference, S.distinct),
      sample(reference, of { 3, -7, 5 }),
      sample(reference, of({ 1, nan, 3 }, 'float64'), nil, value_only),
      sample(reference, of({ 1, huge, -huge }, 'float64'), nil, value_only),
      { inputs = { S.randn { 2, 0 } }, attrs = { dim = 2 }, error = 'empty' }
    )
  end

  local function choosing_rows(fn)
    local reference = collapse(fn, 2)
    return with(
      over_dim(reference, S.distinct),
      sample(reference, of { 2, 7, 7, -1, -1 }, { dim = 1 }),
      sample(reference, of({ 1, nan, 3, nan }, 'float64'), { dim = 1 }, value_only),
      { inputs = { S.randn { 2, 0 } }, attrs = { dim = 2 }, error = 'empty' }
    )
  end

  local function place_rows(fn)
    local reference = collapse(place(fn))
    return with(
      over_dim(reference, S.distinct, true),
      sample(reference, of { 2, 7, 7, -1, -1 }),
      sample(reference, of({ 1, nan, 3, nan }, 'float64'), { dim = 1 }),
      { inputs = { S.randn { 0 } }, error = 'empty' }
    )
  end

  local function truth_rows(fn)
    local reference = collapse(fn)
    local function make(size)
      local a = S.index(size, 3)
      for i, v in ipairs(a.data) do a.data[i] = v == 1 and 0 or 1 end
      a.dtype = 'bool'
      return a
    end
    return with(
      over_dims(reference, make),
      sample(reference, of({ 0, 0.5, nan }, 'float64')),
      sample(reference, of { 0, 0 }),
      sample(reference, of({}, 'bool', { 0, 2 }), { dim = 1 })
    )
  end

  -- Class of each target in order, its weight, and where it stands; nil for ignored ones.
  local function each_target(inputs, attrs, fn)
    local target, weight = inputs[2], inputs[3]
    local at = 0
    S.each(target.size, function(index)
      at = at + 1
      local class = S.at(target, index)
      local full = { index[1], class }
      for d = 2, #index do full[d + 1] = index[d] end
      if #index == 0 then full = { class } end
      if class == (attrs.ignore_index or -100) then fn(at)
      else fn(at, weight and weight.data[class] or 1, full) end
    end)
  end

  local function nll(inputs, attrs)
    attrs = attrs or {}
    local losses, weights = S.array(inputs[2].size), 0
    each_target(inputs, attrs, function(at, weight, full)
      if not weight then return end
      losses.data[at] = -weight * S.at(inputs[1], full)
      weights = weights + weight
    end)
    local whole, divisor = total(losses.data), S.array({}, { weights })
    if attrs.reduction == 'none' then return losses, divisor end
    return S.array({}, { attrs.reduction == 'sum' and whole or whole / weights }), divisor
  end

  local function nll_grad(inputs, attrs)
    local size = { inputs[2].size[1], attrs.classes }
    for d = 2, #inputs[2].size do size[d + 1] = inputs[2].size[d] end
    if #inputs[2].size == 0 then size = { attrs.classes } end
    local result = S.array(size)
    local none, sums = attrs.reduction == 'none', attrs.reduction == 'sum'
    local divisor = (none or sums) and 1 or inputs[4].data[1]
    each_target(inputs, attrs, function(at, weight, full)
      if weight then S.set(result, full, -weight * inputs[1].data[none and at or 1] / divisor) end
    end)
    return result
  end

  local function loss(input, target, weight, attrs)
    if weight then weight.grad = false end
    return { inputs = { input, target, weight }, attrs = attrs, reference = nll }
  end
  -- total_weight is the one that nll_loss gives: the rule relies on it.
  local function loss_grad(grad, target, weight, attrs)
    if weight then weight.grad = false end
    local weights = 0
    for _, class in ipairs(target.data) do
      if class ~= attrs.ignore_index then weights = weights + (weight and weight.data[class] or 1) end
    end
    local divisor = of({ weights }, 'float64', {})
    divisor.grad = false
    return { inputs = { grad, target, weight, divisor }, attrs = attrs, reference = nll_grad }
  end

  --- The discrete Fourier transform by its sums.
  local function dft(inputs, attrs)
    local x, sign = inputs[1], attrs.inverse and 1 or -1
    local n, y = x.size[#x.size - 1], {}
    for line = 0, n > 0 and #x.data / n / 2 - 1 or -1 do
      for k = 0, n - 1 do
        local re, im = 0, 0
        for j = 0, n - 1 do
          local angle, at = sign * 2 * math.pi * (j * k % n) / n, (line * n + j) * 2
          local c, s = math.cos(angle), math.sin(angle)
          re = re + x.data[at + 1] * c - x.data[at + 2] * s
          im = im + x.data[at + 1] * s + x.data[at + 2] * c
        end
        y[#y + 1], y[#y + 2] = re * (attrs.scale or 1), im * (attrs.scale or 1)
      end
    end
    return of(y, 'float64', { unpack(x.size) })
  end
  local function transforms()
    local list = {}
    for _, n in ipairs{ 1, 2, 3, 4, 6, 16, 35 } do
      list[#list + 1] = sample(dft, S.randn { 2, n, 2 }, { inverse = n % 2 == 0 }, { order = n < 10 and 3 or 1 })
    end
    list[#list + 1] = sample(dft, S.randn { 3, 2 }, { scale = 0.5 })
    list[#list + 1] = sample(dft, S.randn { 3, 3, 4, 2 }, { inverse = true, scale = -2 }, { order = 1 }) -- more than 8 lines
    list[#list + 1] = sample(dft, S.randn { 61, 2 }, nil, value_only)
    list[#list + 1] = sample(dft, S.randn { 9, 67, 2 }, nil, value_only) -- by a convolution
    list[#list + 1] = sample(dft, S.randn { 134, 2 }, { inverse = true }, value_only)
    list[#list + 1] = sample(dft, S.randn { 0, 3, 2 }, nil, value_only)
    list[#list + 1] = sample(dft, S.randn { 3, 0, 2 }, nil, value_only)
    return list
  end

  --- Normal numbers, every third of which is missing.
  local function some_missing(size)
    local x = S.randn(size)
    for i = 2, #x.data, 3 do x.data[i] = nan end
    return x
  end

  local var_rows, std_rows = over_dims(var, S.randn), over_dims(std, S.randn)
  for i, s in ipairs(var_rows) do
    if s.inputs[1].size[1] == nil then s.order, std_rows[i].order = 0, 0 end -- NaN for one number
  end

  return {
    sum = with(
      over_dims(sum, S.randn),
      sample(sum, of { 1, 2, 3 }),
      sample(sum, of({ 1, 0, 1 }, 'bool')),
      sample(sum, of({ 200, 100 }, 'uint8')),
      sample(sum, S.randn { 0, 3 }, { dim = 1 }),
      sample(sum, S.randn { 0 }),
      sample(sum, whole_numbers { 2, 17001 }, { dim = 2 }, value_only), -- several blocks
      sample(sum, whole_numbers { 17001, 2 }, { dim = 1 }, value_only)
    ),
    dft = with(transforms(),
      { inputs = { S.randn { 2 } }, error = 'dft: expected complex numbers as pairs, %(..., n, 2%), got %(2%)' },
      { inputs = { S.randn { 2, 3 } }, error = 'expected complex numbers as pairs' },
      { inputs = { of({ 1, 2 }, 'int64', { 1, 2 }) }, error = 'dft: expected float32 or float64, got int64' }
    ),
    nansum = with(
      over_dims(collapse(total_of_numbers), some_missing),
      sample(collapse(total_of_numbers), of({ nan, nan }, 'float64')),
      sample(collapse(total_of_numbers), of({ huge, nan, 1 }, 'float64'), nil, value_only),
      sample(collapse(total_of_numbers), many('float64', { huge, -huge, nan }), nil, value_only), -- of which the sum is NaN
      sample(collapse(total_of_numbers), of { 1, 2, 4 }, nil, { rtol = 1e-6 }),
      sample(collapse(total_of_numbers), S.randn { 0, 3 }, { dim = 1 }, value_only)
    ),
    sum_to = {
      sum_to({ 3, 4 }, { 4 }),
      sum_to({ 3, 4 }, { 3, 1 }),
      sum_to({ 2, 3, 4 }, { 1, 4 }),
      sum_to({ 2, 3, 4 }, { 3, 1 }),
      sum_to({ 2, 3 }, {}),
      sum_to({ 2, 3 }, { 2, 3 }),
      sum_to({}, {}),
      sum_to({ 0, 3 }, { 3 }),
      { inputs = { S.randn { 2, 3 } }, attrs = { size = { 2 } }, error = "doesn't broadcast" },
    },
    mean = with(
      over_dims(collapse(mean), S.randn),
      sample(collapse(mean), of { 1, 2, 4 }, nil, { rtol = 1e-6 }), -- integers become float32
      sample(collapse(mean), S.randn { 0, 3 }, { dim = 1 }, value_only)
    ),
    prod = with(
      over_dim(prod, positive, true),
      sample(prod, of({ 1.5, 0, -2, 0.5 }, 'float64')),
      sample(prod, of({ 1.5, 0, -2, 0 }, 'float64')),
      sample(prod, of({ 2, 0, 1, 3, -1, 4 }, 'float64', { 3, 2 }), { dim = 1 }),
      sample(prod, of { 2, 3, -4 }),
      sample(prod, S.randn { 0 })
    ),
    amax = extreme_rows(largest),
    amin = extreme_rows(smallest),
    max = choosing_rows(largest),
    min = choosing_rows(smallest),
    argmax = place_rows(largest),
    argmin = place_rows(smallest),
    var = with(
      var_rows,
      sample(var, S.randn { 3, 4 }, { dim = 2, correction = 0 }),
      sample(var, S.randn { 3, 4 }, { dim = { 1, 2 }, correction = 2, keepdim = true }),
      -- a mean much larger than the deviations; finite differences see its rounding
      sample(var, of({ 16000001, 16000002, 16000003 }, 'float64'), nil, value_only)
    ),
    logsumexp = with(
      over_dims(lse, S.randn),
      sample(lse, of({ 1000, 999, 0 }, 'float64')),
      sample(lse, of({ -huge, 1, -huge, -huge }, 'float64', { 2, 2 }), { dim = 2 }, value_only),
      sample(lse, of({ huge, 1 }, 'float64'), nil, value_only),
      sample(lse, S.randn { 0, 2 }, { dim = 1 }, value_only)
    ),
    std = with(
      std_rows,
      sample(std, S.randn { 3, 4 }, { dim = 2, correction = 0 }),
      sample(std, S.randn { 3, 4 }, { dim = { 1, 2 }, correction = 2, keepdim = true }),
      -- out of range as variances, and equal numbers, whose sum is rounded
      sample(std, of({ 1e200, 3e200 }, 'float64'), nil, { order = 0, check = far_out(1e200 * math.sqrt(2)) }),
      sample(std, of({ 1e-200, 3e-200 }, 'float64'), nil, { order = 0, check = far_out(1e-200 * math.sqrt(2)) }),
      sample(std, of({ 0.1, 0.1, 0.1 }, 'float64'), nil, { order = 0, check = far_out(0) })
    ),
    norm = with(
      over_dims(norms, positive),
      sample(norms, positive { 3, 4 }, { p = 3, dim = 2 }),
      sample(norms, positive { 3, 4 }, { p = 0.5 }),
      sample(norms, positive { 3, 4 }, { p = -2, dim = 1, keepdim = true }),
      sample(norms, S.randn { 3, 4 }, { p = 2.5, dim = -1 }),
      sample(norms, of({ 0, 0, 3, -4 }, 'float64', { 2, 2 }), { dim = 2 }, value_only),
      sample(norms, S.randn { 0, 3 }, { dim = 1 }),
      sample(norms, of({ 3e200, 4e200 }, 'float64'), nil, { order = 0, check = far_out(5e200) }),
      sample(norms, of({ 3e-200, -4e-200 }, 'float64'), nil, { order = 0, check = far_out(5e-200) }),
      sample(norms, of({ 1e200, -1e200 }, 'float64'), { p = 4 }, { order = 0, check = far_out(2 ^ 0.25 * 1e200) }),
      { inputs = { S.randn { 3 } }, attrs = { p = 0 }, error = 'p must be a finite number but 0' }
    ),
    kthvalue = with(
      over_dim(collapse(kth, 2), S.distinct, false, { k = 1 }),
      sample(collapse(kth, 2), S.distinct { 3, 5 }, { k = 4, dim = 2, keepdim = true }),
      sample(collapse(kth, 2), of { 2, 7, 7, -1, -1 }, { k = 4, dim = 1 }),
      sample(collapse(kth, 2), of({ 1, nan, 3, nan }, 'float64'), { k = 3, dim = 1 }, value_only),
      { inputs = { S.randn { 3 } }, attrs = { k = 4 }, error = 'k must be 1 to 3' },
      { inputs = { S.randn { 3 } }, attrs = { k = 0 }, error = 'k must be 1 to 3' }
    ),
    median = with(
      over_dim(collapse(median, 2), S.distinct, true),
      sample(collapse(median, 2), of { 2, 7, 7, -1, -1, 9 }),
      sample(collapse(median, 2), of({ 1, nan, 3, nan }, 'float64'), { dim = 1 }, value_only),
      { inputs = { S.randn { 2, 0 } }, attrs = { dim = 2 }, error = 'an empty dim has no median' }
    ),
    mode = with(
      over_dim(collapse(mode, 2), S.distinct),
      sample(collapse(mode, 2), of { 2, 7, 7, -1, -1, 9 }, { dim = 1 }),
      sample(collapse(mode, 2), of({ 3, 1, 2, 3, 1, 3, 2, 2 }, 'float64', { 2, 4 }), { dim = 2 }, value_only),
      sample(collapse(mode, 2), of({ 1, nan, 3, nan }, 'float64'), { dim = 1 }, value_only),
      { inputs = { S.randn { 2, 0 } }, attrs = { dim = 2 }, error = 'an empty dim has no mode' }
    ),
    any = truth_rows(any),
    all = truth_rows(all),
    cumsum = with(along_dim(cumsum, S.randn), sample(cumsum, of { 1, 2, 3 }, { dim = 1 })),
    cumprod = with(
      along_dim(cumprod, positive),
      sample(cumprod, of({ 1.5, 0, -2, 0, 3 }, 'float64'), { dim = 1 }),
      sample(cumprod, of { 1, -2, 3 }, { dim = 1 })
    ),
    cummax = with(
      along_dim(cummax, S.distinct),
      sample(cummax, of { 1, 3, 2, 3, 4 }, { dim = 1 }),
      sample(cummax, of({ 1, 3, nan, 2, 5, nan }, 'float64'), { dim = 1 }, value_only)
    ),
    cummin = with(
      along_dim(cummin, S.distinct),
      sample(cummin, of { 4, 3, 5, 3, 1 }, { dim = 1 }),
      sample(cummin, of({ 1, 3, nan, -2, 5 }, 'float64'), { dim = 1 }, value_only)
    ),
    logcumsumexp = with(
      along_dim(logcumsumexp, S.randn),
      sample(logcumsumexp, of({ 1000, -1000, 1001, 1000 }, 'float64'), { dim = 1 }),
      sample(logcumsumexp, of({ -huge, -huge, 2, -huge, 3, huge, 1, huge }, 'float64'), { dim = 1 }, value_only),
      sample(logcumsumexp, of({ 1, nan, 2 }, 'float64'), { dim = 1 }, value_only)
    ),
    recurrence = {
      recurrence({ 3, 4 }, 1),
      recurrence({ 3, 4 }, 2),
      recurrence({ 2, 5, 3 }, -2),
      recurrence({}, 1),
      recurrence({ 0, 3 }, 2),
      { inputs = { S.randn { 3 }, S.randn { 4 } }, attrs = { dim = 1 }, error = 'one size and dtype' },
      { inputs = { S.randn { 3 }, S.randn { 3 } }, attrs = { dim = 2 }, error = 'out of range' },
    },
    sort = with(
      along_dim(sort, S.distinct),
      -- long lines, which are sorted by the bytes of their elements
      sample(sort, many('float64', { nan, huge, -huge, 0, -0.0, 1e-310, -1e300 }), { dim = 1 }, value_only),
      sample(sort, many('float64', { nan, huge, -huge }), { dim = 1, descending = true }, value_only),
      sample(sort, many('float32', { nan, huge, -huge, 0, -0.0 }), { dim = 1 }, value_only),
      sample(sort, many('int64', { 2 ^ 52, -2 ^ 52 }), { dim = 1 }),
      sample(sort, many('int32', { 2 ^ 31 - 1, -2 ^ 31 }), { dim = 1, descending = true }),
      sample(sort, many('uint8', { 255, 0 }), { dim = 1 }),
      sample(sort, S.distinct { 3, 4 }),
      sample(sort, S.distinct { 3, 40 }, { descending = true }, { order = 1 }),
      sample(sort, of { 2, 1, 2, 1, 1, 3 }, { dim = 1 }),
      sample(sort, of { 2, 1, 2, 1, 1, 3 }, { descending = true }),
      sample(sort, of({ 2, nan, -1, nan, huge }, 'float64'), nil, value_only),
      sample(sort, of({ 2, nan, -1, nan, huge }, 'float64'), { descending = true }, value_only)
    ),
    topk = {
      sample(topk, S.distinct { 3, 5 }, { k = 2 }),
      sample(topk, S.distinct { 5, 3 }, { k = 3, dim = 1, largest = false }),
      sample(topk, S.distinct { 2, 50 }, { k = 7 }, { order = 1 }),
      sample(topk, S.distinct { 4 }, { k = 4 }),
      sample(topk, S.distinct { 4 }, { k = 0 }),
      sample(topk, S.distinct {}, { k = 1 }),
      sample(topk, of({ 2, nan, -1 }, 'float64'), { k = 2 }, value_only),
      { inputs = { S.randn { 3 } }, attrs = { k = 4 }, error = 'k must be' },
    },
    softmax = with(
      along_dim(lines(softmax), S.randn),
      sample(lines(softmax), of({ 1000, 999, -1000 }, 'float64'), { dim = 1 }),
      sample(lines(softmax), of({ -huge, 1, 2 }, 'float64'), { dim = 1 }, value_only)
    ),
    log_softmax = with(
      along_dim(lines(log_softmax), S.randn),
      sample(lines(log_softmax), of({ 1000, 999, -1000 }, 'float64'), { dim = 1 }),
      sample(lines(log_softmax), of({ -huge, 1, 2 }, 'float64'), { dim = 1 }, value_only)
    ),
    nll_loss = {
      loss(S.randn { 4, 5 }, S.index({ 4 }, 5), false),
      loss(S.randn { 4, 5 }, S.index({ 4 }, 5), positive { 5 }),
      loss(S.randn { 4, 5 }, S.index({ 4 }, 5), positive { 5 }, { reduction = 'sum' }),
      loss(S.randn { 4, 5 }, S.index({ 4 }, 5), positive { 5 }, { reduction = 'none' }),
      loss(S.randn { 4, 5 }, of { 1, 3, 2, 3 }, positive { 5 }, { ignore_index = 3 }),
      loss(S.randn { 4, 5 }, of { 1, 3, -100, 3 }, false, { reduction = 'none' }),
      loss(S.randn { 2, 3, 2, 2 }, S.index({ 2, 2, 2 }, 3), positive { 3 }),
      loss(S.randn { 2, 3, 4 }, S.index({ 2, 4 }, 3), false, { reduction = 'none' }),
      loss(S.randn { 5 }, of({ 2 }, 'int64', {}), false),
      loss(S.randn { 3, 4 }, of({ 1, 4, 2 }, 'int32'), false),
      loss(S.randn { 3, 4 }, of({ 1, 4, 2 }, 'uint8'), false),
      { inputs = { S.randn { 2, 5 }, of { 1, 0 }, false }, error = 'target 0 is out of range 1%.%.5' },
      { inputs = { S.randn { 2, 5 }, of { 6, 1 }, false }, error = 'target 6 is out of range 1%.%.5' },
      { inputs = { S.randn { 2, 5 }, of { 1, 2, 3 }, false }, error = "don't fit" },
      { inputs = { S.randn { 2, 5 }, of { 1, 2 }, S.randn { 4 } }, error = 'weight' },
      { inputs = { S.randn { 2, 5 }, of({ 1.5, 2 }, 'float64'), false }, error = 'integral' },
    },
    nll_loss_grad = {
      loss_grad(S.randn {}, S.index({ 4 }, 5), false, { classes = 5 }),
      loss_grad(S.randn {}, S.index({ 4 }, 5), positive { 5 }, { classes = 5 }),
      loss_grad(S.randn {}, S.index({ 4 }, 5), positive { 5 }, { classes = 5, reduction = 'sum' }),
      loss_grad(S.randn { 4 }, of { 1, 3, 2, 3 }, false, { classes = 5, reduction = 'none', ignore_index = 3 }),
      loss_grad(S.randn { 2, 2 }, S.index({ 2, 2 }, 3), positive { 3 }, { classes = 3, reduction = 'none' }),
      { inputs = { S.randn {}, of { 6 }, false, S.randn {} }, attrs = { classes = 5 }, error = 'out of range 1%.%.5' },
    },
  }
end
