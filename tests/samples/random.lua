-- Samples of creation and of random numbers (core/ops/random.c). The latter are checked by their properties; the bounds
-- on means are at least five standard deviations wide.
return function(S)
  local samples = {}

  local function full_reference(_, attrs) return S.array(attrs.size, attrs.value) end
  samples.full = {
    { inputs = {}, attrs = { size = { 2, 3 }, value = 1.5 }, reference = full_reference },
    { inputs = {}, attrs = { size = {}, value = -7, dtype = 'int64' }, reference = full_reference },
    { inputs = {}, attrs = { size = { 0, 3 }, value = 1, dtype = 'float64' }, reference = full_reference },
    { inputs = {}, attrs = { size = { 3 }, value = 1, dtype = 'bool' }, reference = full_reference },
    { inputs = {}, attrs = { size = { 2 }, value = 0.5, dtype = 'int32' }, error = 'can\'t hold the value 0.5' },
    { inputs = {}, attrs = { size = { 2, -1 }, value = 0 }, error = 'size %(2.-%-1%) has a negative entry' },
    { inputs = {}, attrs = { size = { 2 ^ 40, 2 ^ 40 }, value = 0 }, error = 'out of memory' },
  }

  local function arange_reference(_, attrs)
    local data = {}
    for i = 1, attrs.count do data[i] = attrs.start + (i - 1) * (attrs.step or 1) end
    return S.array({ attrs.count }, data)
  end
  samples.arange = {
    { inputs = {}, attrs = { start = 0, count = 5 }, reference = arange_reference },
    { inputs = {}, attrs = { start = 3, step = -0.25, count = 7, dtype = 'float64' }, reference = arange_reference },
    { inputs = {}, attrs = { start = 10, step = 2, count = 600, dtype = 'int64' }, reference = arange_reference },
    { inputs = {}, attrs = { start = 1, count = 0 }, reference = arange_reference },
    { inputs = {}, attrs = { start = 1, count = -1 }, error = 'count must not be negative' },
  }

  local function linspace_reference(_, attrs)
    local data = {}
    for i = 1, attrs.count do
      local t = attrs.count > 1 and (i - 1) / (attrs.count - 1) or 0
      data[i] = attrs.start * (1 - t) + attrs.stop * t
    end
    return S.array({ attrs.count }, data)
  end
  samples.linspace = {
    { inputs = {}, attrs = { start = -1, stop = 2, count = 7, dtype = 'float64' }, reference = linspace_reference },
    { inputs = {}, attrs = { start = 0.1, stop = 0.7, count = 2, dtype = 'float64' }, reference = linspace_reference },
    { inputs = {}, attrs = { start = 3, stop = 4, count = 1 }, reference = linspace_reference },
    { inputs = {}, attrs = { start = 3, stop = 4, count = 0 }, reference = linspace_reference },
    { inputs = {}, attrs = { start = 0, stop = 1, count = -2 }, error = 'count must not be negative' },
  }

  local function eye_reference(_, attrs)
    local n, data = attrs.n, {}
    local m = attrs.m or n
    for i = 1, n do
      for j = 1, m do data[#data + 1] = i == j and 1 or 0 end
    end
    return S.array({ n, m }, data)
  end
  samples.eye = {
    { inputs = {}, attrs = { n = 3 }, reference = eye_reference },
    { inputs = {}, attrs = { n = 2, m = 4, dtype = 'float64' }, reference = eye_reference },
    { inputs = {}, attrs = { n = 4, m = 2, dtype = 'int64' }, reference = eye_reference },
    { inputs = {}, attrs = { n = 0 }, reference = eye_reference },
    { inputs = {}, attrs = { n = -1 }, error = 'has a negative entry' },
  }

  local function mean_and_variance(data)
    local mean, square = 0, 0
    for _, v in ipairs(data) do mean = mean + v / #data end
    for _, v in ipairs(data) do square = square + (v - mean) ^ 2 / #data end
    return mean, square
  end
  local function near(got, want, bound)
    assert(math.abs(got - want) <= bound, ('expected %g within %g, got %g'):format(want, bound, got))
  end
  local function count_of(size)
    local n = 1
    for _, s in ipairs(size) do n = n * s end
    return n
  end
  local function has_size(a, size)
    assert(#a.size == #size, 'a wrong number of dims')
    for d, s in ipairs(size) do assert(a.size[d] == s, 'a wrong size') end
    assert(#a.data == count_of(size), 'a wrong number of elements')
  end

  local function check_rand(outputs, _, attrs)
    local a, low, high = outputs[1], attrs.low or 0, attrs.high or 1
    has_size(a, attrs.size)
    for _, v in ipairs(a.data) do assert(v >= low and (v < high or low == high), 'outside of low..high') end
    if #a.data < 1000 then return end
    local mean, variance = mean_and_variance(a.data)
    near(mean, (low + high) / 2, 5 * (high - low) / math.sqrt(12 * #a.data))
    near(variance, (high - low) ^ 2 / 12, 0.1 * (high - low) ^ 2 / 12)
  end
  samples.rand = {
    { inputs = {}, attrs = { size = { 40, 50 } }, random = true, check = check_rand },
    { inputs = {}, attrs = { size = { 2001 }, low = -2, high = 3, dtype = 'float64' },
      random = true, check = check_rand },
    { inputs = {}, attrs = { size = { 2000 }, dtype = 'float16' }, random = true, check = check_rand },
    { inputs = {}, attrs = { size = {} }, random = true, check = check_rand },
    { inputs = {}, attrs = { size = { 0, 2 } }, random = true, check = check_rand },
    { inputs = {}, attrs = { size = { 5 }, low = 2, high = 2 }, random = true, check = check_rand },
    { inputs = {}, attrs = { size = { 2 }, low = 2, high = 1 }, error = 'low must not exceed high' },
    { inputs = {}, attrs = { size = { 2 }, dtype = 'int64' }, error = 'expected a float dtype, got int64' },
  }

  local function check_randn(outputs, _, attrs)
    local a, std = outputs[1], attrs.std or 1
    has_size(a, attrs.size)
    if #a.data < 1000 then return end
    local mean, variance = mean_and_variance(a.data)
    near(mean, attrs.mean or 0, 5 * std / math.sqrt(#a.data))
    near(variance, std ^ 2, 5 * std ^ 2 * math.sqrt(2 / #a.data))
    local beyond, together = 0, 0
    for i, v in ipairs(a.data) do
      v = (v - mean) / std
      if math.abs(v) > 1.959964 then beyond = beyond + 1 / #a.data end
      together = together + v * ((a.data[i + 1] or mean) - mean) / std / #a.data
    end
    near(beyond, 0.05, 5 * math.sqrt(0.05 * 0.95 / #a.data))
    near(together, 0, 5 / math.sqrt(#a.data)) -- neighbours, which come from one pair, don't know of each other
  end
  samples.randn = {
    { inputs = {}, attrs = { size = { 50, 80 } }, random = true, check = check_randn },
    { inputs = {}, attrs = { size = { 4001 }, mean = 3, std = 0.5, dtype = 'float64' },
      random = true, check = check_randn },
    { inputs = {}, attrs = { size = {} }, random = true, check = check_randn },
    { inputs = {}, attrs = { size = { 3, 0 } }, random = true, check = check_randn },
    { inputs = {}, attrs = { size = { 2 }, std = -1 }, error = 'std must not be negative' },
  }

  local function check_randint(outputs, _, attrs)
    local a, seen = outputs[1], {}
    has_size(a, attrs.size)
    for _, v in ipairs(a.data) do
      assert(v >= attrs.low and v < attrs.high and v == math.floor(v), 'not an integer of low..high-1')
      seen[v] = (seen[v] or 0) + 1
    end
    local values = attrs.high - attrs.low
    if #a.data < 200 * values then return end
    local p = 1 / values
    for v = attrs.low, attrs.high - 1 do
      near((seen[v] or 0) / #a.data, p, 6 * math.sqrt(p * (1 - p) / #a.data))
    end
  end
  samples.randint = {
    { inputs = {}, attrs = { size = { 3, 700 }, low = -3, high = 4 }, random = true, check = check_randint },
    { inputs = {}, attrs = { size = { 10 }, low = 5, high = 6, dtype = 'float32' },
      random = true, check = check_randint },
    { inputs = {}, attrs = { size = { 100 }, low = -2 ^ 40, high = 2 ^ 40 }, random = true, check = check_randint },
    { inputs = {}, attrs = { size = { 0 }, low = 0, high = 2 }, random = true, check = check_randint },
    { inputs = {}, attrs = { size = { 2 }, low = 3, high = 3 }, error = 'low must be less than high, got 3 and 3' },
    { inputs = {}, attrs = { size = { 2 }, low = 0, high = 300, dtype = 'uint8' },
      error = "uint8 doesn't hold all of 0..299" },
  }

  local function check_randperm(outputs, _, attrs)
    local a, seen = outputs[1], {}
    has_size(a, { attrs.n })
    for _, v in ipairs(a.data) do
      assert(v >= 1 and v <= attrs.n and not seen[v], 'not a permutation')
      seen[v] = true
    end
    if attrs.n < 100 then return end
    local fixed = 0
    for i, v in ipairs(a.data) do fixed = fixed + (v == i and 1 or 0) end
    assert(fixed < 10, 'hardly permuted') -- one is expected, ten have a chance of 1e-7
  end
  samples.randperm = {
    { inputs = {}, attrs = { n = 1 }, random = true, check = check_randperm },
    { inputs = {}, attrs = { n = 10 }, random = true, check = check_randperm },
    { inputs = {}, attrs = { n = 1000, dtype = 'int32' }, random = true, check = check_randperm },
    { inputs = {}, attrs = { n = 0 }, random = true, check = check_randperm },
    { inputs = {}, attrs = { n = -1 }, error = 'n must not be negative' },
    { inputs = {}, attrs = { n = 300, dtype = 'uint8' }, error = "uint8 doesn't hold" },
  }

  local function check_bernoulli(outputs, inputs)
    local a, p = outputs[1], inputs[1]
    has_size(a, p.size)
    local hits, want, variance = 0, 0, 0
    for i, v in ipairs(a.data) do
      assert(v == 0 or v == 1, 'neither 0 nor 1')
      if p.data[i] == 0 or p.data[i] == 1 then assert(v == p.data[i], 'a sure thing failed') end
      hits, want, variance = hits + v, want + p.data[i], variance + p.data[i] * (1 - p.data[i])
    end
    near(hits, want, 5 * math.sqrt(variance))
  end
  samples.bernoulli = {
    { inputs = { S.fixed(S.uniform({ 40, 50 }, 0, 1)) }, random = true, check = check_bernoulli },
    { inputs = { S.values({ 3 }, { 0.1, 0.5, 0.9 }) }, random = true, check = check_bernoulli }, -- no draw is near
    { inputs = { S.fixed(S.values({ 4 }, { 0, 1, 0, 1 })) }, random = true, check = check_bernoulli },
    { inputs = { S.values({ 0 }, {}) }, random = true, check = check_bernoulli },
    { inputs = { S.fixed(S.values({}, { 1 })) }, random = true, check = check_bernoulli },
    { inputs = { S.values({ 2 }, { 0.5, 1.5 }) }, error = 'expected probabilities between 0 and 1, got 1.5' },
    { inputs = { S.values({ 2 }, { 0.5, -0.5 }) }, error = 'between 0 and 1' },
    { inputs = { S.values({ 2 }, { 0, 1 }, 'int64') }, error = 'expected a float dtype, got int64' },
  }

  local function check_gamma(outputs, inputs)
    local a, concentration = outputs[1], inputs[1]
    has_size(a, concentration.size)
    local sum, squares, mean, fourth = 0, 0, 0, 0
    for i, v in ipairs(a.data) do
      local c = concentration.data[i]
      assert(v >= 0 and (c > 0 or v == 0), 'below 0, or not 0 for a concentration of 0')
      sum, squares, mean = sum + v - c, squares + (v - c) ^ 2 - c, mean + c
      fourth = fourth + 3 * c ^ 2 + 6 * c - c ^ 2 -- the variance of (v - c)^2
    end
    if #a.data < 1000 then return end
    near(sum, 0, 5 * math.sqrt(mean))
    near(squares, 0, 5 * math.sqrt(fourth))
  end
  samples.standard_gamma = {
    { inputs = { S.uniform({ 40, 50 }, 0.1, 5) }, random = true, check = check_gamma },
    { inputs = { S.uniform({ 2000 }, 0.01, 1) }, random = true, check = check_gamma },
    { inputs = { S.values({ 3 }, { 0, 1e-8, 1e4 }) }, random = true, check = check_gamma },
    { inputs = { S.values({ 0 }, {}) }, random = true, check = check_gamma },
    { inputs = { S.values({}, { 1 }) }, random = true, check = check_gamma },
    { inputs = { S.values({ 2 }, { 0.5, -1 }) }, error = 'expected finite concentrations of at least 0, got %-1' },
    { inputs = { S.values({ 2 }, { 1 / 0, 1 }) }, error = 'finite concentrations of at least 0, got inf' },
    { inputs = { S.values({ 2 }, { 0, 1 }, 'int64') }, error = 'expected a float dtype, got int64' },
  }

  local function count_draws(a, row, n, classes)
    local seen = {}
    for c = 1, classes do seen[c] = 0 end
    for i = (row - 1) * n + 1, row * n do
      local c = a.data[i]
      assert(seen[c], 'no class')
      seen[c] = seen[c] + 1
    end
    return seen
  end
  -- Pearson's sum of (seen - expected)^2 / expected, below its mean and 6 standard deviations.
  local function fits(seen, expected)
    local sum, free = 0, -1
    for c, e in ipairs(expected) do
      if e == 0 then
        assert(seen[c] == 0, 'a class without weight came')
      else
        sum, free = sum + (seen[c] - e) ^ 2 / e, free + 1
      end
    end
    assert(sum <= free + 6 * math.sqrt(2 * free) + 6, ("the draws don't fit the weights: %g"):format(sum))
  end
  local function check_multinomial(outputs, inputs, attrs)
    local a, w, n = outputs[1], inputs[1], attrs.num_samples
    local classes = w.size[#w.size]
    local rows = #w.data / classes
    has_size(a, #w.size == 1 and { n } or { rows, n })
    for row = 1, rows do
      local weight, total, expected = {}, 0, {}
      for c = 1, classes do
        weight[c] = w.data[(row - 1) * classes + c]
        total = total + weight[c]
      end
      for c = 1, classes do expected[c] = n * weight[c] / total end
      local seen = count_draws(a, row, n, classes)
      if attrs.replacement then
        fits(seen, expected)
      else
        for c = 1, classes do assert(seen[c] <= (weight[c] > 0 and 1 or 0), 'twice, or without weight') end
      end
    end
  end
  local draws = { num_samples = 3000, replacement = true }
  samples.multinomial = {
    { inputs = { S.uniform({ 2, 7 }, 0, 1) }, attrs = draws, random = true, check = check_multinomial },
    { inputs = { S.values({ 5 }, { 0, 3, 0, 1, 0 }) }, attrs = draws, random = true, check = check_multinomial },
    { inputs = { S.uniform({ 3, 6 }, 0.1, 1) }, attrs = { num_samples = 6 }, random = true, check = check_multinomial },
    { inputs = { S.values({ 4 }, { 0, 1, 0, 3 }) }, attrs = { num_samples = 2 },
      random = true, check = check_multinomial },
    { inputs = { S.values({ 0, 3 }, {}) }, attrs = { num_samples = 2 }, random = true, check = check_multinomial },
    { inputs = { S.values({ 4 }, { 0, 1, 0, 3 }) }, attrs = { num_samples = 3 },
      error = '3 draws without replacement, but only 2 weights are not 0' },
    { inputs = { S.values({ 2, 2 }, { 1, 1, 0, 0 }) }, attrs = draws, error = 'all weights in row 2 are 0' },
    { inputs = { S.values({ 2, 2 }, { 1, 1, 1, -1 }) }, attrs = draws, error = 'not negative, got %-1 in row 2' },
    { inputs = { S.values({ 2 }, { 1, 0 / 0 }) }, attrs = draws, error = 'finite and not negative, got NaN' },
    { inputs = { S.values({ 2 }, { 1, 1 / 0 }) }, attrs = draws, error = 'finite and not negative, got inf' },
    { inputs = { S.randn { 2 } }, attrs = { num_samples = 0 }, error = 'num_samples must be at least 1, got 0' },
    { inputs = { S.randn { 2 } }, attrs = { num_samples = 3 }, error = '3 draws without replacement out of 2' },
    { inputs = { S.values({ 2 }, { 1, 2 }, 'int64') }, attrs = draws, error = 'expected a float dtype, got int64' },
    { inputs = { S.randn { 2, 2, 2 } }, attrs = draws, error = 'expected 1 or 2 dims, got 3' },
    { inputs = { S.randn { 2, 0 } }, attrs = draws, error = 'no weights to draw with' },
  }

  local function check_dropout(outputs, inputs, attrs)
    local y, mask, x = outputs[1], outputs[2], inputs[1]
    local p = attrs.p or 0.5
    has_size(y, x.size)
    has_size(mask, x.size)
    local kept = 0
    for i, m in ipairs(mask.data) do
      local scale = m == 0 and 0 or 1 / (1 - p)
      near(m, scale, 1e-6 * scale)
      near(y.data[i], x.data[i] * m, 1e-5 * math.abs(x.data[i] * m))
      if m ~= 0 then kept = kept + 1 end
    end
    near(kept, (1 - p) * #mask.data, 5 * math.sqrt(p * (1 - p) * #mask.data))
  end
  samples.dropout = {
    { inputs = { S.randn { 20, 50 } }, attrs = { p = 0.3 }, random = true, check = check_dropout },
    { inputs = { S.randn { 3, 4 } }, attrs = { p = 0 }, random = true, check = check_dropout },
    { inputs = { S.randn { 3, 4 } }, attrs = { p = 1 }, random = true, check = check_dropout },
    { inputs = { S.randn {} }, attrs = {}, random = true, check = check_dropout },
    { inputs = { S.randn { 0 } }, attrs = {}, random = true, check = check_dropout },
    { inputs = { S.randn { 3 } }, attrs = { p = 1.5 }, error = 'p must be between 0 and 1, got 1.5' },
    { inputs = { S.values({ 2 }, { 1, 2 }, 'int64') }, attrs = {}, error = 'expected a float dtype, got int64' },
  }

  return samples
end
