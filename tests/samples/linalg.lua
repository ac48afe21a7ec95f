-- Samples of matrix products: against the sum written out.
return function(S)
  -- op(a) op(b), the batch dims broadcast.
  local function matmul(inputs, attrs)
    local a, b = inputs[1], inputs[2]
    local na, nb = #a.size, #b.size
    local ta, tb = attrs.transpose_input, attrs.transpose_other
    local depth = a.size[ta and na - 1 or na]
    local function batch(x)
      local size = {}
      for d = 1, #x.size - 2 do size[d] = x.size[d] end
      return S.array(size, 0)
    end
    local size = S.zip(batch(a), batch(b), function() return 0 end).size
    local dims = #size
    size[dims + 1], size[dims + 2] = a.size[ta and na or na - 1], b.size[tb and nb - 1 or nb]
    local function at(x, index, row, col, turned)
      local own, n = {}, #x.size - 2
      for d = 1, n do own[d] = x.size[d] == 1 and 1 or index[dims - n + d] end
      own[n + 1], own[n + 2] = turned and col or row, turned and row or col
      return S.at(x, own)
    end
    local y = S.array(size, 0)
    S.each(size, function(index)
      local sum = 0
      for k = 1, depth do
        sum = sum + at(a, index, index[dims + 1], k, ta) * at(b, index, k, index[dims + 2], tb)
      end
      S.set(y, index, sum)
    end)
    return y
  end

  local function linear(inputs)
    local x, w, bias = inputs[1], inputs[2], inputs[3]
    local size = {}
    for d = 1, #x.size do size[d] = x.size[d] end
    size[#size] = w.size[1]
    local y = S.array(size, 0)
    S.each(size, function(index)
      local own = {}
      for d = 1, #index do own[d] = index[d] end
      local out = index[#index]
      local sum = bias and S.at(bias, { out }) or 0
      for k = 1, w.size[2] do
        own[#own] = k
        sum = sum + S.at(x, own) * S.at(w, { out, k })
      end
      S.set(y, index, sum)
    end)
    return y
  end

  local function product(a, b, attrs, options)
    local sample = { inputs = { a, b }, attrs = attrs or {}, reference = matmul }
    for k, v in pairs(options or {}) do sample[k] = v end
    return sample
  end
  local both = { transpose_input = true, transpose_other = true }
  local integers = S.values({ 2, 3 }, { 1, -2, 3, 4, 5, -6 }, 'int64')

  return {
    matmul = {
      product(S.randn { 3, 4 }, S.randn { 4, 5 }),
      product(S.randn { 4, 3 }, S.randn { 4, 5 }, { transpose_input = true }),
      product(S.randn { 3, 4 }, S.randn { 5, 4 }, { transpose_other = true }),
      product(S.randn { 4, 3 }, S.randn { 5, 4 }, both),
      product(S.randn { 2, 1, 3, 4 }, S.randn { 3, 4, 2 }),
      product(S.randn { 2, 3, 4 }, S.randn { 4, 5 }),
      product(S.randn { 2, 3, 4 }, S.randn { 5, 4 }, { transpose_other = true }),
      product(S.randn { 2, 4, 3 }, S.randn { 4, 5 }, { transpose_input = true }),
      product(S.randn { 4, 3 }, S.randn { 2, 5, 4 }, both),
      product(S.randn { 1, 3 }, S.randn { 3, 1 }),
      product(S.randn { 9, 3 }, S.randn { 3, 1 }),
      -- Past the edges of register tiles, and deeper than one panel; gradients of order 1, for time.
      product(S.randn { 13, 301 }, S.randn { 301, 35 }, {}, { order = 1, rtol = 1e-9, atol = 1e-10 }),
      -- Empty dims: no elements, and sums of nothing.
      product(S.randn { 0, 3 }, S.randn { 3, 2 }),
      product(S.randn { 2, 0 }, S.randn { 0, 3 }),
      product(S.randn { 0, 2, 3 }, S.randn { 3, 2 }),
      product(integers, S.values({ 3, 2 }, { 1, 2, 3, 4, 5, 6 }, 'int64')),
      product(S.values({ 2, 2 }, { 1, 2, 3, 4 }, 'uint8'), S.values({ 2, 2 }, { 1, 0, 2, 3 }, 'uint8')),
      { inputs = { S.randn { 10, 40 }, S.randn { 30, 5 } }, error = 'size mismatch, %(10 x 40%) and %(30 x 5%)' },
      { inputs = { S.randn { 3 }, S.randn { 3, 2 } }, error = 'at least 2 dims' },
      { inputs = { S.randn { 2, 3, 4 }, S.randn { 3, 4, 2 } }, error = 'matmul' },
    },
    linear = {
      { inputs = { S.randn { 3, 4 }, S.randn { 5, 4 }, S.randn { 5 } }, reference = linear },
      { inputs = { S.randn { 3, 4 }, S.randn { 5, 4 }, false }, reference = linear },
      { inputs = { S.randn { 2, 3, 4 }, S.randn { 5, 4 }, S.randn { 5 } }, reference = linear },
      { inputs = { S.randn { 4 }, S.randn { 5, 4 }, S.randn { 5 } }, reference = linear },
      { inputs = { S.randn { 10, 1 }, S.randn { 9, 1 }, S.randn { 9 } }, reference = linear },
      { inputs = { S.randn { 10, 9 }, S.randn { 1, 9 }, S.randn { 1 } }, reference = linear },
      { inputs = { S.randn { 0, 4 }, S.randn { 5, 4 }, S.randn { 5 } }, reference = linear },
      { inputs = { S.randn { 2, 0 }, S.randn { 3, 0 }, S.randn { 3 } }, reference = linear },
      { inputs = { S.randn { 2, 3 }, S.randn { 5, 4 }, false }, error = 'size mismatch, input %(2 x 3%) and weight' },
      { inputs = { S.randn { 2, 4 }, S.randn { 5, 4 }, S.randn { 4 } }, error = "bias %(4%) doesn't fit" },
    },
  }
end
