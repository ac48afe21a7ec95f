-- Samples of batch norm: against its definition. The gradients' references are the formulas of Ioffe and Szegedy
-- ("Batch
-- normalization", 2015) and, for the gradient's gradients, central differences of that formula.
return function(S)
  local eps = 1e-5

  -- Calls fn(channel, list of that channel's flat positions).
  local function channels(size, fn)
    local length, plane = 1, 1
    for d = 1, #size do length = length * size[d] end
    for d = 3, #size do plane = plane * size[d] end
    for c = 1, size[2] do
      local list = {}
      for i = 1, length do
        if math.floor((i - 1) / plane) % size[2] == c - 1 then list[#list + 1] = i end
      end
      fn(c, list)
    end
  end

  local function statistics(x)
    local mean, var = S.array({ x.size[2] }, 0), S.array({ x.size[2] }, 0)
    channels(x.size, function(c, list)
      for _, i in ipairs(list) do mean.data[c] = mean.data[c] + x.data[i] / #list end
      for _, i in ipairs(list) do var.data[c] = var.data[c] + (x.data[i] - mean.data[c]) ^ 2 / #list end
    end)
    return mean, var
  end

  local function forward(inputs, attrs)
    local x, weight, bias = inputs[1], inputs[2], inputs[3]
    local mean, var = statistics(x)
    local y = S.array(x.size, 0)
    channels(x.size, function(c, list)
      local scale = (weight and weight.data[c] or 1) / math.sqrt(var.data[c] + (attrs.eps or eps))
      for _, i in ipairs(list) do y.data[i] = (x.data[i] - mean.data[c]) * scale + (bias and bias.data[c] or 0) end
    end)
    return y, mean, var
  end

  local function backward(grad, x, weight, by)
    local mean, var = statistics(x)
    local gx, gw, gb = S.array(x.size, 0), S.array({ x.size[2] }, 0), S.array({ x.size[2] }, 0)
    channels(x.size, function(c, list)
      local r = 1 / math.sqrt(var.data[c] + by)
      for _, i in ipairs(list) do
        gb.data[c] = gb.data[c] + grad.data[i]
        gw.data[c] = gw.data[c] + grad.data[i] * (x.data[i] - mean.data[c]) * r
      end
      for _, i in ipairs(list) do
        local normal = (x.data[i] - mean.data[c]) * r
        gx.data[i] = (weight and weight.data[c] or 1) * r
          * (grad.data[i] - gb.data[c] / #list - normal * gw.data[c] / #list)
      end
    end)
    return gx, gw, gb
  end

  local function dot(a, b)
    local sum = 0
    for i = 1, #a.data do sum = sum + a.data[i] * b.data[i] end
    return sum
  end

  local function backward_twice(inputs, attrs)
    local v, a, b, grad, x, weight = unpack(inputs, 1, 6)
    local function total()
      local gx, gw, gb = backward(grad, x, weight, attrs.eps or eps)
      return (v and dot(v, gx) or 0) + (a and dot(a, gw) or 0) + (b and dot(b, gb) or 0)
    end
    local function differences(array, size)
      local result = S.array(size, 0)
      for i = 1, array and #array.data or 0 do
        local old, h, sum = array.data[i], 1e-3, 0
        -- Of the sixth order: the truncation error is about 1e-16 here.
        for step, factor in pairs { 45, -9, 1 } do
          array.data[i] = old + step * h
          local up = total()
          array.data[i] = old - step * h
          sum = sum + factor * (up - total())
        end
        array.data[i] = old
        result.data[i] = sum / (60 * h)
      end
      return result
    end
    local to_grad, to_x = differences(grad, x.size), differences(x, x.size)
    weight = weight or S.array({ x.size[2] }, 1)
    return to_grad, to_x, differences(weight, weight.size)
  end

  -- Samples whose last inputs are the statistics of x. The rules put their derivative into that of x, which differences
  -- in x alone don't see: x stays out of these rows' own gradient checks, and those of batch_norm, of order 3, go
  -- through
  -- all of them. A mean and a variance at fixed statistics have no derivative.
  local function given(before, x, after, attrs, reference)
    local inputs = {}
    local function put(a) inputs[#inputs + 1] = a end
    local mean, var = statistics(x)
    mean.dtype, var.dtype, mean.grad, var.grad, x.grad = 'float64', 'float64', false, false, false
    for _, a in ipairs(before) do put(a) end
    put(x)
    put(after)
    put(mean)
    put(var)
    return { inputs = inputs, attrs = attrs, reference = reference, rtol = 1e-8, atol = 1e-8 }
  end
  local function once(x, weight, attrs)
    return given({ S.randn(x) }, S.randn(x), weight, attrs, function(inputs, its)
      return backward(inputs[1], inputs[2], inputs[3], its.eps or eps)
    end)
  end
  local function twice(x, which, weight, attrs)
    local c = { x[2] }
    local before = { which[1] and S.randn(x), which[2] and S.randn(c), which[3] and S.randn(c), S.randn(x) }
    return given(before, S.randn(x), weight, attrs, backward_twice)
  end

  return {
    batch_norm = {
      { inputs = { S.randn { 5, 3 }, S.randn { 3 }, S.randn { 3 } }, reference = forward },
      { inputs = { S.randn { 2, 3, 4 }, false, S.randn { 3 } }, reference = forward },
      { inputs = { S.randn { 2, 2, 3, 2 }, S.randn { 2 }, false }, attrs = { eps = 0.1 }, reference = forward },
      { inputs = { S.randn { 2, 2, 5, 4 }, false, false }, reference = forward },
      { inputs = { S.values({ 2, 1, 2 }, { 3, 3, 3, 3 }), S.randn { 1 }, S.randn { 1 } }, reference = forward,
        order = 1 },
      { inputs = { S.randn { 0, 2, 3 }, S.randn { 2 }, S.randn { 2 } }, reference = forward },
      { inputs = { S.randn { 3 }, false, false }, error = 'input must be %(N, C, ...%)' },
      { inputs = { S.randn { 2, 3 }, S.randn { 2 }, false }, error = "weight %(2%) doesn't fit the 3 channels" },
    },
    batch_norm_grad = {
      once({ 5, 3 }, S.randn { 3 }),
      once({ 2, 2, 3, 2 }, false, { eps = 0.1 }),
      once({ 2, 2, 5, 4 }, S.randn { 2 }),
      { inputs = { S.randn { 2, 3 }, S.randn { 2, 4 }, false, S.randn { 4 }, S.randn { 4 } },
        error = "grad float64 %(2 x 3%) doesn't match input" },
    },
    batch_norm_grad_grad = {
      twice({ 5, 3 }, { true, true, true }, S.randn { 3 }),
      twice({ 2, 2, 5, 4 }, { true, false, false }, false),
      twice({ 3, 2, 2 }, { false, true, true }, S.randn { 2 }, { eps = 0.1 }),
      twice({ 3, 2, 2 }, { false, false, true }, S.randn { 2 }),
      { inputs = { false, S.randn { 3 }, false, S.randn { 2, 4 }, S.randn { 2, 4 }, false, S.randn { 4 },
        S.randn { 4 } },
        error = "grad_weight %(3%) doesn't fit the 4 channels" },
    },
  }
end
