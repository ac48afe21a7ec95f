-- What is composed of convolution, pooling and views: conv3d, adaptive_max_pool2d, im2col and col2im, interpolate.
-- Values against windows and sums written out in plain Lua; derivatives of orders 1 to 3 by gradcheck.
local metann = require 'metann'
local S = require 'tests.samples.support'
local rows = require 'tests.support.rows'

local function close(want, got, what) rows.compare(rows.read(got), want, 1e-9, 1e-10, what or 'result') end

local function fails(pattern, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.truthy(message:find(pattern), message)
  assert.truthy(message:find('windows_spec%.lua:%d+:'), message)
end

--- gradcheck over tensors of the descriptions.
local function check_gradients(fn, descriptions, order)
  local inputs = {}
  for i, d in ipairs(descriptions) do inputs[i] = rows.requires_grad(rows.tensor(d)) end
  assert.is_true(metann.gradcheck(fn, inputs, { order = order or 3 }))
end

local function triple(x, default)
  if type(x) == 'table' then return x end
  return { x or default, x or default, x or default }
end

--- The sum that defines a convolution of volumes.
local function conv3d(x, w, bias, o)
  local stride, padding, dilation = triple(o.stride, 1), triple(o.padding, 0), triple(o.dilation, 1)
  local groups, size = o.groups or 1, { x.size[1], w.size[1] }
  for d = 1, 3 do
    size[2 + d] = math.floor((x.size[2 + d] + 2 * padding[d] - dilation[d] * (w.size[2 + d] - 1) - 1) / stride[d]) + 1
  end
  local y = S.array(size, 0)
  S.each(size, function(i)
    local sum = bias and bias.data[i[2]] or 0
    S.each({ w.size[2], w.size[3], w.size[4], w.size[5] }, function(k)
      local from, inside = { i[1], math.floor((i[2] - 1) / (size[2] / groups)) * w.size[2] + k[1] }, true
      for d = 1, 3 do
        from[2 + d] = (i[2 + d] - 1) * stride[d] - padding[d] + (k[1 + d] - 1) * dilation[d] + 1
        inside = inside and from[2 + d] >= 1 and from[2 + d] <= x.size[2 + d]
      end
      if inside then sum = sum + S.at(x, from) * S.at(w, { i[2], k[1], k[2], k[3], k[4] }) end
    end)
    S.set(y, i, sum)
  end)
  return y
end

describe('conv3d', function()
  local cases = {
    { { 2, 2, 4, 3, 5 }, { 3, 2, 2, 3, 2 }, {} },
    { { 1, 2, 3, 4, 3 }, { 2, 2, 2, 2, 2 }, { padding = 1 } },
    { { 1, 4, 5, 4, 4 }, { 4, 2, 2, 2, 1 }, { groups = 2, stride = { 2, 1, 2 }, padding = { 1, 0, 1 } } },
    { { 1, 1, 6, 5, 4 }, { 2, 1, 3, 2, 2 }, { dilation = { 2, 3, 1 }, stride = { 1, 2, 1 } } },
    { { 1, 3, 3, 3, 3 }, { 3, 1, 1, 1, 1 }, { groups = 3 } },
    { { 0, 2, 3, 3, 3 }, { 2, 2, 2, 2, 2 }, {} },
  }

  it('is the sum written out', function()
    for i, case in ipairs(cases) do
      local x, w, b = S.randn(case[1]), S.randn(case[2]), S.randn { case[2][1] }
      local o = case[3]
      local got = metann.conv3d(rows.tensor(x), rows.tensor(w), rows.tensor(b), o)
      close(conv3d(x, w, b, o), got, 'case ' .. i)
      assert.is_true(got:is_contiguous())
      close(conv3d(x, w, nil, o), rows.tensor(x):conv3d(rows.tensor(w), o), 'without a bias, case ' .. i)
    end
  end)

  it('takes one volume, other layouts, float32 and padding by name', function()
    local x, w = S.randn { 2, 4, 3, 4 }, S.randn { 3, 2, 3, 2, 2 }
    local with_sample = S.array({ 1, 2, 4, 3, 4 }, x.data)
    local want = conv3d(with_sample, w, nil, {})
    want.size = { want.size[2], want.size[3], want.size[4], want.size[5] }
    close(want, metann.conv3d(rows.tensor(x), (rows.tensor(w))))
    close(want, metann.conv3d(rows.tensor(x, 'transposed'), (rows.tensor(w, 'stepped'))))
    local single = metann.conv3d(rows.tensor(x):float(), rows.tensor(w):float(), nil, { padding = 'valid' })
    assert.equal('float32', single.dtype)
    rows.compare(rows.read(single), want, 2e-5, 2e-5, 'float32')
    local same = metann.conv3d(rows.tensor(x), rows.tensor(w), { padding = 'same', dilation = { 1, 2, 1 } })
    assert.same({ 3, 4, 3, 4 }, same.shape)
    -- an odd row of zeros goes to the end: the same as cropping the whole convolution of an input padded by 1 and 2
    local whole = conv3d(with_sample, w, nil, { padding = { 1, 2, 1 }, dilation = { 1, 2, 1 } })
    assert.is_near(S.at(whole, { 1, 2, 3, 3, 3 }), same[{ 2, 3, 2, 2 }]:item(), 1e-10)
    assert.same({ 3, 4, 3, 4 }, metann.conv3d(rows.tensor(x), rows.tensor(w), { padding = 'same' }).shape)
    assert.same({ 1, 2, 5, 4 }, metann.ones(1, 1, 5, 4):conv2d(metann.ones(2, 1, 3, 2), { padding = 'same' }).shape)
    assert.same({ 1, 2, 5 }, metann.ones(1, 1, 5):conv1d(metann.ones(2, 1, 4), { padding = 'same' }).shape)
  end)

  it('has derivatives of orders 1 to 3', function()
    for _, o in ipairs{ {}, { padding = { 1, 0, 1 }, stride = { 2, 1, 1 } }, { dilation = { 2, 1, 1 } } } do
      check_gradients(function(x, w, b) return metann.conv3d(x, w, b, o):square():sum() end,
        { S.randn { 1, 2, 3, 2, 3 }, S.randn { 2, 2, 2, 2, 2 }, S.randn { 2 } }, 3)
    end
  end)

  it('names what is wrong', function()
    local x, w = metann.randn(1, 2, 3, 3, 3), metann.randn(2, 2, 2, 2, 2)
    fails('conv3d: input has 2 channels, weight with groups 1 expects 3', metann.conv3d, x, metann.randn(2, 3, 2, 2, 2))
    fails('conv3d: expected 4 or 5 dims, got 3', metann.conv3d, metann.randn(1, 2, 3), w)
    fails('conv3d: weight must be', metann.conv3d, x, metann.randn(2, 2, 2, 2))
    fails('kernel of depth 4 is larger than the padded input of depth 3', metann.conv3d, x, metann.randn(2, 2, 4, 2, 2))
    fails("unknown option 'strides', did you mean 'stride'", metann.conv3d, x, w, { strides = 2 })
    fails("'stride' must be a whole number of at least 1", metann.conv3d, x, w, { stride = 0 })
    fails("'padding' must be one of 'same', 'valid' or a whole number of at least 0 or a list of 3", metann.conv3d, x, w,
      { padding = { 1, 1 } })
  end)
end)

local function largest_of_windows(x, count)
  local n = #x.size
  local size = { x.size[1], x.size[2], count[1], count[2] }
  local y, which = S.array(size, 0), S.array(size, 0)
  S.each(size, function(o)
    local best = -math.huge
    local function from(i, d) return math.floor((i - 1) * x.size[d] / count[d - n + 2]) + 1 end
    local function to(i, d) return math.ceil(i * x.size[d] / count[d - n + 2]) end
    for h = from(o[3], 3), to(o[3], 3) do
      for w = from(o[4], 4), to(o[4], 4) do
        local v = S.at(x, { o[1], o[2], h, w })
        if v > best then
          best = v
          S.set(which, o, (h - 1) * x.size[4] + w)
        end
      end
    end
    S.set(y, o, best)
  end)
  return y, which
end

describe('adaptive_max_pool2d', function()
  it('is the largest of each window, and where it stands', function()
    for _, case in ipairs{ { { 2, 2, 6, 8 }, { 3, 2 } }, { { 1, 2, 7, 5 }, { 3, 4 } }, { { 1, 1, 2, 3 }, { 4, 5 } },
      { { 2, 1, 5, 5 }, { 1, 1 } }, { { 0, 2, 4, 4 }, { 2, 2 } } } do
      local x = S.distinct(case[1])
      local want, where = largest_of_windows(x, case[2])
      local got, index = metann.adaptive_max_pool2d(rows.tensor(x), case[2], { return_indices = true })
      close(want, got)
      close(where, index, 'index')
      assert.equal('int64', index.dtype)
      close(want, rows.tensor(x, 'transposed'):adaptive_max_pool2d(case[2]))
    end
    assert.same({ 3, 2, 2 }, metann.randn(3, 5, 7):adaptive_max_pool2d(2).shape)
  end)

  it('has derivatives of orders 1 to 3, also where a window lends its last pixel', function()
    check_gradients(function(x) return (metann.adaptive_max_pool2d(x, { 3, 2 }) ^ 3):sum() end,
      { S.distinct { 1, 2, 5, 3 } })
    -- each largest pixel gets one gradient from each window that has it
    local x = metann.tensor({ { { 1, 5, 2 }, { 0, 3, 4 } } }, { requires_grad = true })
    metann.adaptive_max_pool2d(x, { 1, 2 }):sum():backward()
    assert.same({ { { 0, 2, 0 }, { 0, 0, 0 } } }, x.grad:to_table())
  end)

  it('names what is wrong', function()
    fails('expected 3 or 4 dims, got 2', metann.adaptive_max_pool2d, metann.randn(2, 2), 1)
    fails("'output_size' must be a whole number of at least 1", metann.adaptive_max_pool2d, metann.randn(1, 2, 2), 0)
    fails('no pixels', metann.adaptive_max_pool2d, metann.zeros(1, 0, 2), 1)
    fails("'output_size' %(1000000000, 1000000000%) is too large", metann.adaptive_max_pool2d, metann.zeros(1, 2, 2), 1e9)
  end)
end)

describe('im2col and col2im', function()
  local x = S.randn { 2, 2, 5, 4 }
  local options = { { 2, {} }, { { 3, 2 }, { padding = { 1, 2 }, stride = 2 } }, { 2, { dilation = { 2, 3 } } } }

  local function columns(k, o)
    local kernel = type(k) == 'table' and k or { k, k }
    local function two(v, default)
      if type(v) == 'table' then return v end
      return { v or default, v or default }
    end
    local stride, padding, dilation = two(o.stride, 1), two(o.padding, 0), two(o.dilation, 1)
    local count = {}
    for d = 1, 2 do
      count[d] = math.floor((x.size[2 + d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1) / stride[d]) + 1
    end
    local y = S.array({ 2, 2 * kernel[1] * kernel[2], count[1] * count[2] }, 0)
    S.each({ 2, 2, kernel[1], kernel[2], count[1], count[2] }, function(i)
      local h = (i[5] - 1) * stride[1] + (i[3] - 1) * dilation[1] - padding[1] + 1
      local w = (i[6] - 1) * stride[2] + (i[4] - 1) * dilation[2] - padding[2] + 1
      local row, column = ((i[2] - 1) * kernel[1] + i[3] - 1) * kernel[2] + i[4], (i[5] - 1) * count[2] + i[6]
      local inside = h >= 1 and h <= 5 and w >= 1 and w <= 4
      S.set(y, { i[1], row, column }, inside and S.at(x, { i[1], i[2], h, w }) or 0)
    end)
    return y
  end

  it('lay patches out as columns', function()
    for _, case in ipairs(options) do
      close(columns(case[1], case[2]), metann.im2col(rows.tensor(x), case[1], case[2]))
    end
    assert.same({ 4, 12 }, metann.nn.functional.unfold(metann.randn(1, 5, 4), 2).shape)
  end)

  it('are transposes of each other', function()
    for _, case in ipairs(options) do
      local t = rows.tensor(x)
      local c = metann.im2col(t, case[1], case[2])
      local v = metann.randn(c.shape, { dtype = 'float64' })
      local back = metann.col2im(v, { 5, 4 }, case[1], case[2])
      assert.same({ 2, 2, 5, 4 }, back.shape)
      assert.is_near((c * v):sum():item(), (t * back):sum():item(), 1e-10)
    end
    assert.same({ 1, 5, 4 }, metann.nn.functional.fold(metann.randn(4, 12), { 5, 4 }, 2).shape)
  end)

  it('have derivatives', function()
    check_gradients(function(t) return (metann.im2col(t, 2, { padding = 1, stride = 2 }) ^ 3):sum() end,
      { S.randn { 1, 2, 3, 3 } })
    check_gradients(function(t) return (metann.col2im(t, 3, 2, { dilation = 2, padding = 1 }) ^ 3):sum() end,
      { S.randn { 1, 4, 9 } })
  end)

  it('name what is wrong', function()
    fails('spans 6, more than the padded plane', metann.im2col, rows.tensor(x), 6)
    fails('are not those of a plane with 12 places', metann.col2im, metann.randn(1, 4, 11), { 5, 4 }, 2)
    fails("unknown option 'pading', did you mean 'padding'", metann.im2col, rows.tensor(x), 2, { pading = 1 })
  end)
end)

describe('interpolate', function()
  local line = metann.tensor({ { { 0, 1, 4, 9 } } }, { dtype = 'float64' })
  local function flat(t) return t:view(-1):to_table() end
  local function near(want, t)
    local got = flat(t)
    assert.equal(#want, #got)
    for i = 1, #want do assert.is_near(want[i], got[i], 1e-12) end
  end

  it('takes the nearest', function()
    assert.same({ 0, 0, 0, 1, 1, 4, 4, 4, 9, 9 }, flat(metann.interpolate(line, 10)))
    assert.same({ 0, 4 }, flat(line:interpolate{ scale_factor = 0.5 }))
    assert.same({ 1, 9 }, flat(line:interpolate{ scale_factor = 0.5, mode = 'nearest-exact' }))
    local plane = metann.tensor{ { { { 1, 2 }, { 3, 4 } } } }
    assert.same({ { { { 1, 1, 2 }, { 3, 3, 4 } } } }, plane:interpolate({ 2, 3 }):to_table())
    local volume = metann.arange(8):view(1, 1, 2, 2, 2)
    assert.same({ 0, 0, 1, 1, 0, 0, 1, 1, 2, 2, 3, 3 },
      flat(volume:interpolate({ 1, 3, 4 })[{ {}, {}, 1 }]))
    assert.equal('int64', volume:long():interpolate{ size = 4 }.dtype)
  end)

  it('goes by the sizes that scale_factor gives, if asked', function()
    -- 4 pixels times 0.6 are 2: places 0.5 and 2.5, or, by the factor itself, 1/3 and 2
    near({ 0.5, 6.5 }, line:interpolate{ scale_factor = 0.6, mode = 'linear', recompute_scale_factor = true })
    near({ 1 / 3, 4 }, line:interpolate{ scale_factor = 0.6, mode = 'linear' })
    near({ 0, 4 }, line:interpolate{ scale_factor = 0.6, recompute_scale_factor = true })
    near({ 0, 1 }, line:interpolate{ scale_factor = 0.6 })
    fails("'recompute_scale_factor' goes with 'scale_factor'", metann.interpolate, line,
      { size = 2, recompute_scale_factor = true })
  end)

  it('has corners only where it draws lines', function()
    for _, mode in ipairs{ 'nearest', 'nearest-exact', 'area' } do
      fails("interpolate: 'align_corners' is for the modes linear, .* and bicubic, not for " .. mode:gsub('%-', '%%-'),
        metann.interpolate, line, { size = 2, mode = mode, align_corners = true })
      assert.same({ 1, 1, 2 }, line:interpolate{ size = 2, mode = mode, align_corners = false }.shape)
    end
  end)

  it('draws lines between pixels', function()
    -- output i lies at (i + 1/2) / 2 - 1/2, not before 0 and not after 3
    near({ 0, 0.25, 0.75, 1.75, 3.25, 5.25, 7.75, 9 }, line:interpolate{ scale_factor = 2, mode = 'linear' })
    near({ 0, 0.5, 1, 2.5, 4, 6.5, 9 }, line:interpolate{ size = 7, mode = 'linear', align_corners = true })
    local plane = metann.tensor({ { { { 0, 1 }, { 2, 3 } } } }, { dtype = 'float64' })
    near({ 0, 0.5, 1, 1, 1.5, 2, 2, 2.5, 3 }, plane:interpolate{ size = 3, mode = 'bilinear', align_corners = true })
    local volume = metann.arange(8, { dtype = 'float64' }):view(1, 1, 2, 2, 2)
    assert.equal(3.5, volume:interpolate{ size = { 3, 3, 3 }, mode = 'trilinear' }[{ 1, 1, 2, 2, 2 }]:item())
  end)

  it('bends cubically', function()
    -- in the middle between two pixels the weights are -3/32, 19/32, 19/32, -3/32
    local plane = metann.tensor({ { { { 1, 2, 4, 8 } } } }, { dtype = 'float64' })
    local got = plane:interpolate{ size = { 1, 7 }, mode = 'bicubic', align_corners = true }
    near({ 1, 1 * 19 / 32 - 3 / 32 + 2 * 19 / 32 - 4 * 3 / 32, 2, (19 * (2 + 4) - 3 * (1 + 8)) / 32, 4,
      (19 * (4 + 8) - 3 * (2 + 8)) / 32, 8 }, got)
  end)

  it('takes means over areas', function()
    near({ 0.5, 6.5 }, line:interpolate{ size = 2, mode = 'area' })
    local volume = metann.arange(16, { dtype = 'float64' }):view(1, 1, 4, 2, 2)
    near({ 3.5, 11.5 }, volume:interpolate{ size = { 2, 1, 1 }, mode = 'area' })
  end)

  it('has derivatives', function()
    for _, mode in ipairs{ 'nearest', 'bilinear', 'bicubic', 'area' } do
      check_gradients(function(t) return (metann.interpolate(t, { 5, 2 }, { mode = mode }) ^ 3):sum() end,
        { S.randn { 1, 2, 3, 3 } })
    end
  end)

  it('names what is wrong', function()
    fails("give either 'size' or 'scale_factor'", metann.interpolate, line)
    fails("give either 'size' or 'scale_factor'", metann.interpolate, line, 3, 2)
    fails("mode 'bilinear' needs 2 spatial dims, the input has 1", metann.interpolate, line, { size = 3, mode = 'bilinear' })
    fails("'mode' must be one of 'nearest'", metann.interpolate, line, { size = 3, mode = 'cubic' })
    fails("'size' must be a number above 0 or a list of such numbers, got number 0", metann.interpolate, line, 0)
    fails("'size' must hold whole numbers up to 2%^40, got number 1.5", metann.interpolate, line, 1.5)
    fails("'size' must be a number or a list of 1, got 2 entries", metann.interpolate, line, { 3, 3 })
    fails("'scale_factor' 1e%+300 makes a dim of 4 too large", metann.interpolate, line, { scale_factor = 1e300 })
    fails("'scale_factor' 1e%-300 times 4 leaves nothing", metann.interpolate, line, { scale_factor = 1e-300 })
    fails("'scale_factor' must be a number above 0", metann.interpolate, line, { scale_factor = 0 / 0 })
    fails("'size' must hold whole numbers up to 2%^40, got number 1e%+15", metann.interpolate, line, 1e15)
    fails('with 1 to 3 spatial dims, got 2 dims', metann.interpolate, metann.randn(2, 2), 3)
    fails("unknown option 'sise', did you mean 'size'", metann.interpolate, line, { sise = 3 })
  end)
end)

describe('conv_transpose2d', function()
  --- Each element of x spread over its places of the result by w, output_padding extending the end of both sides.
  local function transposed(x, w, stride, padding, dilation, extra)
    local size = { x.size[1], w.size[2] }
    for d = 1, 2 do
      size[2 + d] = (x.size[2 + d] - 1) * stride[d] - 2 * padding[d] + dilation[d] * (w.size[2 + d] - 1) + extra[d] + 1
    end
    local y = S.array(size, 0)
    S.each({ x.size[1], x.size[2], x.size[3], x.size[4], w.size[2], w.size[3], w.size[4] }, function(i)
      local to, inside = { i[1], i[5] }, true
      for d = 1, 2 do
        to[2 + d] = (i[2 + d] - 1) * stride[d] - padding[d] + (i[5 + d] - 1) * dilation[d] + 1
        inside = inside and to[2 + d] >= 1 and to[2 + d] <= size[2 + d]
      end
      if inside then
        S.set(y, to, S.at(y, to) + S.at(x, { i[1], i[2], i[3], i[4] }) * S.at(w, { i[2], i[5], i[6], i[7] }))
      end
    end)
    return y
  end

  it('takes any output_padding below stride or dilation', function()
    local x, w = S.randn { 2, 2, 3, 2 }, S.randn { 2, 3, 2, 3 }
    for _, case in ipairs{
      { { 1, 1 }, { 0, 0 }, { 2, 2 }, { 1, 1 } }, { { 2, 1 }, { 1, 2 }, { 1, 3 }, { 1, 2 } },
      { { 2, 2 }, { 2, 1 }, { 4, 4 }, { 3, 0 } }, { { 3, 2 }, { 1, 0 }, { 1, 1 }, { 2, 1 } },
    } do
      local options = { stride = case[1], padding = case[2], dilation = case[3], output_padding = case[4] }
      local got = metann.conv_transpose2d(rows.tensor(x), rows.tensor(w), options)
      close(transposed(x, w, case[1], case[2], case[3], case[4]), got)
    end
    check_gradients(function(t, v)
      return (metann.conv_transpose2d(t, v, { dilation = 2, output_padding = 1, padding = 1 }) ^ 2):sum()
    end, { S.randn { 1, 2, 2, 2 }, S.randn { 2, 1, 2, 2 } }, 2)
  end)

  it('names what is wrong', function()
    local x, w = metann.ones(1, 2, 3, 3), metann.ones(2, 1, 2, 2)
    fails("conv_transpose2d: 'output_padding' must be smaller than stride or dilation, got 1 beside 1 and 1",
      metann.conv_transpose2d, x, w, { output_padding = 1 })
    fails('conv_transpose2d: input has 2 channels', metann.conv_transpose2d, x, metann.ones(3, 1, 2, 2))
    fails("conv_transpose2d: bias %(2,%) doesn't fit", metann.conv_transpose2d, x, w, metann.ones(2))
    fails('conv_transpose2d: the padding leaves nothing', metann.conv_transpose2d, x, w, { padding = 9 })
    fails('conv_transpose2d: the 2 channels of the input are not divisible by groups 3', metann.conv_transpose2d, x, w,
      { groups = 3 })
  end)
end)

describe('pools', function()
  local picture = metann.arange(16, { dtype = 'float64' }):view(1, 1, 4, 4)

  it('take lists of one number, and an empty stride for that of the kernel', function()
    assert.same(metann.max_pool2d(picture, 2):to_table(), metann.max_pool2d(picture, { 2 }, {}, { 0 }, { 1 }):to_table())
    assert.same(metann.avg_pool2d(picture, 2):to_table(), metann.avg_pool2d(picture, { 2 }, {}, { 0 }):to_table())
    assert.same({ 1, 1, 2 }, metann.avg_pool1d(picture[1], { 2 }, { stride = {} })[{ {}, { 1 } }].shape)
  end)

  it('divide by the number that is given', function()
    -- sums of the windows, zeros beyond the edges
    local sums = S.values({ 1, 1, 2, 2 }, { 0 + 1 + 4 + 5, 2 + 3 + 6 + 7, 8 + 9 + 12 + 13, 10 + 11 + 14 + 15 })
    close(sums, metann.avg_pool2d(picture, 2, { divisor_override = 3 }) * 3)
    -- windows of 3 begin at 0 and at 3, where only row and column 4 are left
    local edges = metann.avg_pool2d(picture, 3, { ceil_mode = true, divisor_override = -1 })
    close(S.values({ 1, 1, 2, 2 }, { -45, -(3 + 7 + 11), -(12 + 13 + 14), -15 }), edges)
    fails("avg_pool2d: 'divisor_override' must not be 0", metann.avg_pool2d, picture, 2, { divisor_override = 0 })
    check_gradients(function(t) return (metann.avg_pool2d(t, 2, { padding = 1, divisor_override = 3 }) ^ 2):sum() end,
      { S.randn { 1, 1, 3, 3 } }, 2)
  end)

  it('want channels', function()
    fails('max_pool2d: input must have channels', metann.max_pool2d, metann.zeros(1, 0, 4, 4), 2)
    fails('avg_pool2d: input must have channels', metann.avg_pool2d, metann.zeros(0, 4, 4), 2)
  end)

  it("and padding 'same' wants stride 1", function()
    local x, w = metann.ones(1, 1, 5, 5), metann.ones(1, 1, 3, 3)
    fails("conv2d: padding 'same' needs stride 1", metann.conv2d, x, w, { stride = 2, padding = 'same' })
    fails("conv1d: padding 'same' needs stride 1", metann.conv1d, x[1], w[1], { stride = 2, padding = 'same' })
    assert.same({ 1, 1, 5, 5 }, metann.conv2d(x, w, { padding = 'same' }).shape)
  end)
end)
