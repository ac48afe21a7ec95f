-- Samples of convolution and pooling: against sums and windows written out.
return function(S)
  local function pair(v, default)
    if v == nil then v = default end
    if type(v) == 'number' then return v, v end
    return v[1], v[2] or v[1]
  end

  -- Calls fn(n, out channel, out h, out w, group's channel, channel, kh, kw, h, w) for every product of a convolution.
  local function convolve(x, w, y, attrs, fn)
    local sh, sw = pair(attrs.stride, 1)
    local ph, pw = pair(attrs.padding, 0)
    local dh, dw = pair(attrs.dilation, 1)
    local groups = attrs.groups or 1
    S.each(y, function(o)
      local group = math.floor((o[2] - 1) / (y[2] / groups))
      for c = 1, w[2] do
        for i = 1, w[3] do
          for j = 1, w[4] do
            local h, v = (o[3] - 1) * sh - ph + (i - 1) * dh + 1, (o[4] - 1) * sw - pw + (j - 1) * dw + 1
            if h >= 1 and h <= x[3] and v >= 1 and v <= x[4] then
              fn(o, { o[2], c, i, j }, { o[1], group * w[2] + c, h, v })
            end
          end
        end
      end
    end)
  end

  local function out_size(x, w, attrs)
    local size = { x[1], w[1] }
    local stride, padding, dilation = { pair(attrs.stride, 1) }, { pair(attrs.padding, 0) }, { pair(attrs.dilation, 1) }
    for d = 1, 2 do
      size[2 + d] = math.floor((x[2 + d] + 2 * padding[d] - dilation[d] * (w[2 + d] - 1) - 1) / stride[d]) + 1
    end
    return size
  end

  local function conv2d(inputs, attrs)
    local x, w, bias = inputs[1], inputs[2], inputs[3]
    local single = #x.size == 3
    if single then x = S.array({ 1, x.size[1], x.size[2], x.size[3] }, x.data) end
    local y = S.array(out_size(x.size, w.size, attrs), 0)
    if bias then S.each(y.size, function(o) S.set(y, o, S.at(bias, { o[2] })) end) end
    convolve(x.size, w.size, y.size, attrs, function(o, k, i) S.set(y, o, S.at(y, o) + S.at(w, k) * S.at(x, i)) end)
    if single then y.size = { y.size[2], y.size[3], y.size[4] } end
    return y
  end

  local function input_grad(inputs, attrs)
    local g, w = inputs[1], inputs[2]
    local x = S.array({ g.size[1], w.size[2] * (attrs.groups or 1), attrs.size[1], attrs.size[2] }, 0)
    convolve(x.size, w.size, g.size, attrs, function(o, k, i) S.set(x, i, S.at(x, i) + S.at(w, k) * S.at(g, o)) end)
    return x
  end

  local function weight_grad(inputs, attrs)
    local g, x = inputs[1], inputs[2]
    local w = S.array({ g.size[2], x.size[2] / (attrs.groups or 1), attrs.size[1], attrs.size[2] }, 0)
    convolve(x.size, w.size, g.size, attrs, function(o, k, i) S.set(w, k, S.at(w, k) + S.at(x, i) * S.at(g, o)) end)
    return w
  end

  -- The three rows for the same convolutions. order: as many gradient checks as there is time for.
  local rows = { conv2d = {}, conv2d_input_grad = {}, conv2d_weight_grad = {} }
  local function add(x, w, attrs, order)
    local grad = out_size(x, w, attrs)
    local function with_size(size)
      local copy = { size = size }
      for k, v in pairs(attrs) do copy[k] = v end
      return copy
    end
    local many = { rtol = 1e-9, atol = 1e-10 }
    local function put(name, inputs, its, reference)
      table.insert(rows[name],
        { inputs = inputs, attrs = its, reference = reference, order = order, rtol = many.rtol, atol = many.atol })
    end
    put('conv2d', { S.randn(x), S.randn(w), S.randn { w[1] } }, attrs, conv2d)
    put('conv2d_input_grad', { S.randn(grad), S.randn(w) }, with_size { x[3], x[4] }, input_grad)
    put('conv2d_weight_grad', { S.randn(grad), S.randn(x) }, with_size { w[3], w[4] }, weight_grad)
  end
  add({ 2, 2, 4, 5 }, { 3, 2, 3, 3 }, { padding = { 1, 1 } })
  add({ 1, 2, 5, 4 }, { 2, 2, 2, 1 }, {})
  add({ 1, 1, 6, 5 }, { 2, 1, 3, 2 }, { stride = { 2, 3 }, padding = { 1, 0 }, dilation = { 1, 2 } })
  add({ 1, 4, 3, 4 }, { 2, 2, 2, 2 }, { groups = 2 })
  add({ 2, 3, 4, 4 }, { 3, 1, 3, 3 }, { groups = 3, padding = { 1, 1 } })
  add({ 1, 2, 3, 3 }, { 2, 2, 1, 1 }, { stride = { 2, 2 } })
  -- A stride larger than the kernel: some input pixels are never read.
  add({ 1, 1, 7, 7 }, { 1, 1, 2, 2 }, { stride = { 3, 4 } })
  -- Past the edges of register tiles, tiles that span pictures, and panels deeper than one; order 1, for time.
  add({ 3, 35, 5, 5 }, { 14, 35, 3, 3 }, { padding = { 1, 1 } }, 1)
  add({ 1, 2, 18, 17 }, { 7, 2, 3, 3 }, { padding = { 1, 1 } }, 1)
  -- No pictures.
  add({ 0, 2, 4, 4 }, { 3, 2, 3, 3 }, {})

  table.insert(rows.conv2d, { inputs = { S.randn { 1, 1, 3, 3 }, S.randn { 1, 1, 2, 2 }, false }, reference = conv2d })
  table.insert(rows.conv2d, { inputs = { S.randn { 2, 4, 4 }, S.randn { 3, 2, 3, 3 }, S.randn { 3 } },
    reference = conv2d })
  table.insert(rows.conv2d, { inputs = { S.randn { 1, 3, 4, 4 }, S.randn { 2, 2, 3, 3 }, false },
                              error = 'input %(1 x 3 x 4 x 4%) has 3 channels' })
  table.insert(rows.conv2d, { inputs = { S.randn { 1, 1, 2, 2 }, S.randn { 1, 1, 3, 3 }, false },
    error = 'larger than' })
  -- Sizes whose sums and products would overflow.
  table.insert(rows.conv2d, { inputs = { S.randn { 1, 1, 8, 8 }, S.randn { 1, 1, 5, 5 }, false },
    attrs = { dilation = { 2 ^ 59, 2 ^ 59 } }, error = 'dilation must be at most 2147483647' })
  table.insert(rows.conv2d, { inputs = { S.randn { 1, 1, 8, 8 }, S.randn { 1, 1, 1, 1 }, false },
    attrs = { padding = { 2 ^ 31 - 4, 2 ^ 31 - 4 }, stride = { 2 ^ 31 - 1, 2 ^ 31 - 1 } },
    error = 'a picture of %(8 x 8%) padded by %(2147483644 x 2147483644%) is too large' })
  table.insert(rows.conv2d_input_grad, { inputs = { S.randn { 1, 2, 3, 3 }, S.randn { 2, 1, 3, 3 } },
                                         attrs = { size = { 7, 7 } }, error = "doesn't have the result" })
  table.insert(rows.conv2d_weight_grad, { inputs = { S.randn { 1, 2, 3, 3 }, S.randn { 2, 1, 5, 5 } },
                                          attrs = { size = { 3, 3 } }, error = "doesn't fit" })

  -- ---- pooling ----

  local function pooled(size, kernel, stride, padding, dilation, ceil_mode)
    local room = size + 2 * padding - dilation * (kernel - 1) - 1
    local n = math[ceil_mode and 'ceil' or 'floor'](room / stride) + 1
    if ceil_mode and (n - 1) * stride >= size + padding then n = n - 1 end
    return n
  end

  -- The window of a pooled position: list of {h, w} inside the picture, and the size that PyTorch divides by.
  local function windows(size, attrs)
    local kh, kw = pair(attrs.kernel_size)
    local sh, sw = pair(attrs.stride, attrs.kernel_size)
    local ph, pw = pair(attrs.padding, 0)
    local dh, dw = pair(attrs.dilation, 1)
    local n = #size
    local out = {}
    for d = 1, n do out[d] = size[d] end
    out[n - 1] = pooled(size[n - 1], kh, sh, ph, dh, attrs.ceil_mode)
    out[n] = pooled(size[n], kw, sw, pw, dw, attrs.ceil_mode)
    return out, function(o)
      local list = {}
      local h0, w0 = (o[n - 1] - 1) * sh - ph, (o[n] - 1) * sw - pw
      for i = 0, kh - 1 do
        for j = 0, kw - 1 do
          local h, w = h0 + i * dh, w0 + j * dw
          if h >= 0 and h < size[n - 1] and w >= 0 and w < size[n] then list[#list + 1] = { h + 1, w + 1 } end
        end
      end
      local whole = (math.min(h0 + kh, size[n - 1] + ph) - h0) * (math.min(w0 + kw, size[n] + pw) - w0)
      return list, attrs.count_include_pad == false and #list or whole
    end
  end

  local function place(o, hw)
    local index = {}
    for d = 1, #o - 2 do index[d] = o[d] end
    index[#o - 1], index[#o] = hw[1], hw[2]
    return index
  end

  local function max_pool(inputs, attrs)
    local x = inputs[1]
    local size, window = windows(x.size, attrs)
    local y, which = S.array(size, 0), S.array(size, 0)
    S.each(size, function(o)
      local best = -math.huge
      for _, hw in ipairs((window(o))) do
        local v = S.at(x, place(o, hw))
        if v > best or v ~= v then
          best = v
          S.set(which, o, (hw[1] - 1) * x.size[#x.size] + hw[2])
        end
      end
      S.set(y, o, best)
    end)
    return y, which
  end

  local function avg_pool(inputs, attrs)
    local x = inputs[1]
    local size, window = windows(x.size, attrs)
    local y = S.array(size, 0)
    S.each(size, function(o)
      local list, count = window(o)
      for _, hw in ipairs(list) do S.set(y, o, S.at(y, o) + S.at(x, place(o, hw)) / count) end
    end)
    return y
  end

  local function avg_pool_grad(inputs, attrs)
    local g = inputs[1]
    local wide = {}
    for d = 1, #g.size - 2 do wide[d] = g.size[d] end
    wide[#g.size - 1], wide[#g.size] = attrs.size[1], attrs.size[2]
    local size, window = windows(wide, attrs)
    local x = S.array(wide, 0)
    S.each(size, function(o)
      local list, count = window(o)
      for _, hw in ipairs(list) do
        local i = place(o, hw)
        S.set(x, i, S.at(x, i) + S.at(g, o) / count)
      end
    end)
    return x
  end

  local function adaptive_bounds(i, size, count) return math.floor((i - 1) * size / count) + 1,
    math.ceil(i * size / count) end

  local function adaptive(inputs, attrs)
    local x = inputs[1]
    local n, size = #x.size, {}
    for d = 1, n do size[d] = x.size[d] end
    size[n - 1], size[n] = attrs.output_size[1], attrs.output_size[2]
    local y = S.array(size, 0)
    S.each(size, function(o)
      local h0, h1 = adaptive_bounds(o[n - 1], x.size[n - 1], size[n - 1])
      local w0, w1 = adaptive_bounds(o[n], x.size[n], size[n])
      local sum = 0
      for h = h0, h1 do
        for w = w0, w1 do sum = sum + S.at(x, place(o, { h, w })) end
      end
      S.set(y, o, sum / ((h1 - h0 + 1) * (w1 - w0 + 1)))
    end)
    return y
  end

  local function adaptive_grad(inputs, attrs)
    local g = inputs[1]
    local n, wide = #g.size, {}
    for d = 1, n do wide[d] = g.size[d] end
    wide[n - 1], wide[n] = attrs.size[1], attrs.size[2]
    local x = S.array(wide, 0)
    S.each(g.size, function(o)
      local h0, h1 = adaptive_bounds(o[n - 1], wide[n - 1], g.size[n - 1])
      local w0, w1 = adaptive_bounds(o[n], wide[n], g.size[n])
      for h = h0, h1 do
        for w = w0, w1 do
          local i = place(o, { h, w })
          S.set(x, i, S.at(x, i) + S.at(g, o) / ((h1 - h0 + 1) * (w1 - w0 + 1)))
        end
      end
    end)
    return x
  end

  rows.max_pool2d = {
    { inputs = { S.distinct { 2, 2, 4, 6 } }, attrs = { kernel_size = { 2, 2 } }, reference = max_pool },
    { inputs = { S.distinct { 2, 5, 5 } }, attrs = { kernel_size = { 2, 2 } }, reference = max_pool },
    { inputs = { S.distinct { 1, 1, 3, 170 } }, attrs = { kernel_size = { 2, 2 } }, reference = max_pool, order = 1 },
    { inputs = { S.distinct { 1, 2, 5, 6 } }, attrs = { kernel_size = { 3, 2 }, stride = { 2, 1 }, padding = { 1, 1 } },
      reference = max_pool },
    { inputs = { S.distinct { 1, 1, 7, 7 } }, attrs = { kernel_size = { 2, 3 }, stride = { 2, 2 }, dilation = { 2, 1 },
      ceil_mode = true }, reference = max_pool },
    { inputs = { S.values({ 1, 2, 2 }, { 1, 0 / 0, 3, 2 }) },
      attrs = { kernel_size = { 2, 2 } }, random = true, order = 0,
      check = function(outputs) assert(outputs[1].data[1] ~= outputs[1].data[1], 'a NaN is the maximum') end },
    { inputs = { S.randn { 0, 2, 4, 4 } }, attrs = { kernel_size = { 2, 2 } }, reference = max_pool },
    { inputs = { S.randn { 4, 4 } }, attrs = { kernel_size = { 2, 2 } }, error = 'input must be %(N, C, H, W%)' },
    { inputs = { S.randn { 1, 4, 4 } }, attrs = { kernel_size = { 5, 5 } }, error = 'kernel_size %(5 x 5%) is larger' },
    { inputs = { S.randn { 1, 4, 4 } }, attrs = { kernel_size = { 2, 2 }, padding = { 2, 2 } },
      error = 'more than half' },
    { inputs = { S.randn { 1, 1, 4 } }, attrs = { kernel_size = { 2, 2 }, padding = { 1, 1 }, dilation = { 2, 2 } },
      error = 'a window has no pixel of the picture of 1 x 4' },
    { inputs = { S.randn { 1, 8, 8 } }, attrs = { kernel_size = { 2 ^ 32, 2 ^ 32 }, dilation = { 2 ^ 32, 2 ^ 32 } },
      error = 'must be at most 2147483647' },
  }

  local function scatter(inputs, attrs)
    local x, index = inputs[1], inputs[2]
    local n, size = #x.size, {}
    for d = 1, n do size[d] = x.size[d] end
    size[n - 1], size[n] = attrs.size[1], attrs.size[2]
    local y = S.array(size, 0)
    S.each(x.size, function(o)
      local at = S.at(index, o) - 1
      local i = place(o, { math.floor(at / size[n]) + 1, at % size[n] + 1 })
      S.set(y, i, S.at(y, i) + S.at(x, o))
    end)
    return y
  end

  local function gather(inputs)
    local x, index = inputs[1], inputs[2]
    local y = S.array(index.size, 0)
    S.each(index.size, function(o)
      local at, width = S.at(index, o) - 1, x.size[#x.size]
      S.set(y, o, S.at(x, place(o, { math.floor(at / width) + 1, at % width + 1 })))
    end)
    return y
  end

  local outside = S.values({ 1, 2 }, { 1, 7 }, 'int64')
  rows.plane_scatter = {
    { inputs = { S.randn { 2, 2, 2, 3 }, S.index({ 2, 2, 2, 3 }, 12) }, attrs = { size = { 3, 4 } },
      reference = scatter },
    { inputs = { S.randn { 3, 4 }, S.index({ 3, 4 }, 4) }, attrs = { size = { 2, 2 } }, reference = scatter },
    { inputs = { S.randn { 0, 2, 2 }, S.index({ 0, 2, 2 }, 4) }, attrs = { size = { 2, 2 } }, reference = scatter },
    { inputs = { S.randn { 1, 2 }, outside }, attrs = { size = { 2, 3 } }, error = 'index 7 is out of range' },
    { inputs = { S.randn { 2, 2 }, S.index({ 2, 3 }, 4) }, attrs = { size = { 2, 2 } }, error = "doesn't fit" },
  }
  rows.plane_gather = {
    { inputs = { S.randn { 2, 2, 3, 4 }, S.index({ 2, 2, 2, 3 }, 12) }, reference = gather },
    { inputs = { S.randn { 2, 2 }, S.index({ 3, 4 }, 4) }, reference = gather },
    { inputs = { S.randn { 2, 3 }, outside }, error = 'index 7 is out of range' },
  }

  local average = {
    { { 2, 2, 4, 6 }, { kernel_size = { 2, 2 } } },
    { { 2, 5, 5 }, { kernel_size = { 3, 2 }, stride = { 2, 1 }, padding = { 1, 1 } } },
    { { 1, 1, 6, 5 }, { kernel_size = { 3, 3 }, stride = { 2, 2 }, padding = { 1, 1 }, ceil_mode = true } },
    { { 1, 1, 6, 5 }, { kernel_size = { 3, 3 }, stride = { 2, 2 }, padding = { 1, 1 }, ceil_mode = true,
      count_include_pad = false } },
    { { 0, 2, 4, 4 }, { kernel_size = { 2, 2 } } },
  }
  rows.avg_pool2d, rows.avg_pool2d_grad = {}, {}
  for _, case in ipairs(average) do
    local wide, attrs = case[1], case[2]
    table.insert(rows.avg_pool2d, { inputs = { S.randn(wide) }, attrs = attrs, reference = avg_pool })
    local its = { size = { wide[#wide - 1], wide[#wide] } }
    for k, v in pairs(attrs) do its[k] = v end
    table.insert(rows.avg_pool2d_grad, { inputs = { S.randn((windows(wide, attrs))) }, attrs = its,
      reference = avg_pool_grad })
  end
  table.insert(rows.avg_pool2d, { inputs = { S.randn { 4 } }, attrs = { kernel_size = { 2, 2 } },
    error = 'input must be' })
  table.insert(rows.avg_pool2d_grad, { inputs = { S.randn { 1, 3, 3 } },
    attrs = { size = { 4, 4 }, kernel_size = { 2, 2 } },
                                       error = 'is not that of a picture' })

  rows.adaptive_avg_pool2d = {
    { inputs = { S.randn { 2, 2, 5, 7 } }, attrs = { output_size = { 2, 3 } }, reference = adaptive },
    { inputs = { S.randn { 2, 5, 3 } }, attrs = { output_size = { 1, 1 } }, reference = adaptive },
    { inputs = { S.randn { 1, 2, 3 } }, attrs = { output_size = { 4, 5 } }, reference = adaptive },
    { inputs = { S.randn { 3, 3 } }, attrs = { output_size = { 1, 1 } }, error = 'input must be' },
  }
  rows.adaptive_avg_pool2d_grad = {
    { inputs = { S.randn { 2, 2, 2, 3 } }, attrs = { size = { 5, 7 } }, reference = adaptive_grad },
    { inputs = { S.randn { 2, 1, 1 } }, attrs = { size = { 5, 3 } }, reference = adaptive_grad },
    { inputs = { S.randn { 1, 4, 5 } }, attrs = { size = { 2, 3 } }, reference = adaptive_grad },
    { inputs = { S.randn { 3, 3 } }, attrs = { size = { 1, 1 } }, error = 'grad must be' },
  }
  return rows
end
