-- What golden cases can't say of the functions on tensors made of rows: derivatives of order 3, wrong use, in-place
-- variants, other names, and what is for Lua alone. Numbers by hand.
local metann = require 'metann'

local function double(x) return metann.tensor(x, { dtype = 'float64' }) end

local function near(want, t)
  local got = t:to_flat_table()
  assert.equal(#want, #got)
  for i = 1, #want do
    if want[i] ~= want[i] then assert.is_true(got[i] ~= got[i]) else assert.is_near(want[i], got[i], 1e-12) end
  end
end

local function fails(pattern, fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  assert.truthy(message:find(pattern), message)
  assert.truthy(message:find('tensor_functions_spec%.lua:%d+:'), message)
end

local index = metann.tensor{ { 1LL, 3LL, 1LL }, { 2LL, 2LL, 4LL } }
local function a() return double{ { 0.3, -1.2, 0.8, 2.1 }, { -0.7, 1.6, 0.4, -0.1 } } end
local function b() return double{ { 1.3, 0.9, -0.6 }, { 0.35, -1.4, 0.75 } } end

describe('derivatives up to order 3', function()
  -- functions of one tensor or two
  local mask = metann.tensor{ { true, false, true, false }, { false, true, false, false } }
  local functions = {
    sinc = { function(x) return x:sinc() end }, ['sinc at 0'] = { function(x) return (x * 0.01):sinc() end },
    logit = { function(x) return x:sigmoid():logit() end }, logaddexp2 = { function(x) return x:logaddexp2(0.5) end },
    ldexp = { function(x) return x:ldexp(x) end }, float_power = { function(x) return x:exp():float_power(x) end },
    heaviside = { function(x) return (x * 0):heaviside(x) end }, nan_to_num = { function(x) return (x ^ 3):nan_to_num() end },
    repeat_interleave = { function(x) return x:repeat_interleave(metann.tensor{ 2LL, 3LL }, 1) ^ 3 end },
    stacks = { function(x) return metann.hstack{ x, x ^ 2 } * metann.dstack{ x, x }:sum() end },
    block_diag = { function(x) return metann.block_diag(x, x ^ 2) ^ 2 end },
    combinations = { function(x) return x:view(-1):combinations(2):prod(2) end },
    cartesian_prod = { function(x) return metann.cartesian_prod(x[1], x[2]):prod(2) end },
    tensor_split = { function(x) return metann.cat(x:tensor_split(3, 2), 2) ^ 3 end },
    rot90 = { function(x) return x:rot90() ^ 3 end }, diag_embed = { function(x) return x:diag_embed(1) ^ 3 end },
    diagflat = { function(x) return x:diagflat() ^ 3 end },
    select_scatter = { function(x) return x:select_scatter(x[1] ^ 3, 1, 2) * x end },
    slice_scatter = { function(x) return x:slice_scatter(x[{ {}, { 1, 2 } }] ^ 3, 2, 2, 3) * x end },
    diagonal_scatter = { function(x) return x:diagonal_scatter(x[1][{ { 1, 2 } }] ^ 3) * x end },
    take = { function(x) return x:take(index) ^ 3 end },
    masked_scatter = { function(x) return x:masked_scatter(mask, x ^ 3) * x end },
    put = { function(x, y) return x:put(metann.tensor{ 1LL, 2LL, 8LL, 5LL, 6LL, 3LL }, y ^ 3, true) * x end, b },
    index_copy = { function(x, y) return x:index_copy(2, metann.tensor{ 1LL, 4LL, 2LL }, y ^ 3) * x end, b },
    scatter_sum = { function(x, y) return x:scatter_reduce(2, index, y ^ 3, 'sum') ^ 2 end, b },
    scatter_mean = { function(x, y) return x:scatter_reduce(2, index, y ^ 3, 'mean') ^ 2 end, b },
    scatter_prod = { function(x, y) return x:scatter_reduce(2, index, y, 'prod') ^ 2 end, b },
    scatter_amax = { function(x, y) return x:scatter_reduce(2, index, y, 'amax', false) ^ 3 end, b },
    index_reduce = { function(x, y) return x:index_reduce(2, metann.tensor{ 1LL, 1LL, 2LL }, y, 'amin') ^ 3 end, b },
    aminmax = { function(x)
      local low, high = (x ^ 3):aminmax{ dim = 2 }
      return low * high
    end },
    std_mean = { function(x)
      local std, mean = x:std_mean(2)
      return std * mean
    end },
    nansum = { function(x) return (x ^ 3):nansum(1) end }, nanmean = { function(x) return (x ^ 3):nanmean(2) end },
    nanmedian = { function(x) return (x ^ 3):nanmedian(2) end },
    quantile = { function(x) return (x ^ 3):quantile(double{ 0.3, 0.8 }, 2) end },
    nanquantile = { function(x) return (x ^ 3):nanquantile(0.4) end },
    cov = { function(x) return x:cov() ^ 2 end }, corrcoef = { function(x) return x:corrcoef()[1][2] end },
    ['cov by weights'] = { function(x) return x:cov{ aweights = x[1]:exp() } end },
    dist = { function(x, y) return x[{ {}, { 1, 3 } }]:dist(y, 3) end, b },
    renorm = { function(x) return x:renorm(2, 1, 1) end }, diff = { function(x) return (x ^ 3):diff{ n = 2 } end },
    frexp = { function(x) return (x ^ 3):frexp() end },
    gradient = { function(x) return (x ^ 3):gradient{ dim = 2, edge_order = 2 }[1] end },
    ['gradient at places'] = { function(x) return x:gradient{ dim = 2, spacing = { x[1]:exp():cumsum(1) } }[1] ^ 2 end },
    trapezoid = { function(x) return (x ^ 3):trapezoid(x[1]) end },
    cumulative_trapezoid = { function(x) return (x ^ 3):cumulative_trapezoid(x) end },
    fmax = { function(x) return (x ^ 3):fmax(x) end }, vander = { function(x) return x:view(-1):vander(4) end },
    unique = { function(x) return x:unique() ^ 3 end },
    ['scans of whole rows'] = { function(x) return x:cummax(1) * x:cummin(2) * x:logcumsumexp(2) end },
  }
  for name, case in pairs(functions) do
    it(name, function()
      local inputs = { a():requires_grad_(), case[2] and case[2]():requires_grad_() }
      assert.is_true(metann.gradcheck(function(...) return (case[1](...)) end, inputs, { order = 3 }))
    end)
  end

  it('forward, too', function()
    local x, v = a(), a():flip(1)
    for _, fn in ipairs{
      function(t) return t:logcumsumexp(2) end, function(t) return (t:cummax(2)) end,
      function(t) return t:scatter_reduce(2, index, t[{ {}, { 1, 3 } }] ^ 2, 'prod') end,
      function(t) return t:exp():xlogy(t:exp()) end, function(t) return t:quantile(0.3, 2) end,
    } do
      local _, tangent = metann.func.jvp(fn, { x }, { v })
      local h = 1e-6
      local slope = (fn(x + v * h) - fn(x - v * h)) / (2 * h)
      assert.is_true(tangent:allclose(slope, 1e-7, 1e-7))
    end
  end)

  it('of sinc at 0 are those of its series', function()
    local x = double{ 0 }:requires_grad_()
    local first = metann.grad(x:sinc():sum(), { x }, { create_graph = true })[1]
    local second = metann.grad(first:sum(), { x })[1]
    near({ 0 }, first:detach())
    near({ -math.pi ^ 2 / 3 }, second)
  end)

  it('of logcumsumexp are 0 where nothing has been added', function()
    local x = double{ -math.huge, -math.huge, 1, 2 }:requires_grad_()
    x:logcumsumexp(1)[4]:backward()
    near({ 0, 0, 1 / (1 + math.exp(1)), 1 / (1 + math.exp(-1)) }, x.grad)
  end)
end)

describe('in place', function()
  local cases = {
    { 'xlogy', { 2 }, { 2 * math.log(2), 4 * math.log(2) } }, { 'copysign', { -1 }, { -2, -4 } },
    { 'acosh', {}, { math.log(2 + math.sqrt(3)), math.log(4 + math.sqrt(15)) } }, { 'clip', { 0, 3 }, { 2, 3 } },
    { 'ldexp', { 1 }, { 4, 8 } }, { 'heaviside', { 0 }, { 1, 1 } }, { 'nan_to_num', {}, { 2, 4 } },
    { 'index_copy', { 1, metann.tensor{ 2LL }, double{ 7 } }, { 2, 7 } }, { 'negative', {}, { -2, -4 } },
    { 'masked_scatter', { metann.tensor{ false, true }, double{ 9 } }, { 2, 9 } }, { 'divide', { 2 }, { 1, 2 } },
    { 'put', { metann.tensor{ 1LL }, double{ 5 } }, { 5, 4 } }, { 'apply', { function(x) return x + 1 end }, { 3, 5 } },
    { 'scatter_reduce', { 1, metann.tensor{ 1LL }, double{ 3 }, 'sum' }, { 5, 4 } },
  }
  for _, case in ipairs(cases) do
    it(case[1] .. '_ writes over the tensor', function()
      local t = double{ 2, 4 }
      assert.is_true(rawequal(t, t[case[1] .. '_'](t, unpack(case[2]))))
      near(case[3], t)
    end)
  end
  it('bits', function()
    local t = metann.tensor{ 12LL, 10LL }
    t:bitwise_and_(6):bitwise_left_shift_(1):bitwise_or_(1)
    assert.same({ 9, 5 }, t:to_table())
    assert.same({ 3, 5 }, t:gcd_(metann.tensor{ 6LL, 15LL }):to_table())
    assert.same({ 251, 0 }, metann.tensor({ 4, 255 }, { dtype = 'uint8' }):bitwise_not():to_table())
  end)
end)

describe('results beside the first', function()
  it('unique gives those that are asked for', function()
    local t = metann.tensor{ { 2, 1 }, { 2, 3 } }
    local values, counts = t:unique{ return_counts = true }
    assert.same({ { 1, 2, 3 }, { 1, 2, 1 } }, { values:to_table(), counts:to_table() })
    local rows, inverse = metann.tensor{ { 2, 1 }, { 0, 3 }, { 2, 1 } }:unique{ dim = 1, return_inverse = true }
    assert.same({ { { 0, 3 }, { 2, 1 } }, { 2, 1, 2 } }, { rows:to_table(), inverse:to_table() })
    local runs, run, length = metann.tensor{ 1, 1, 5, 1 }:unique_consecutive(true, true)
    assert.same({ { 1, 5, 1 }, { 1, 1, 2, 3 }, { 2, 1, 1 } }, { runs:to_table(), run:to_table(), length:to_table() })
    assert.same({}, metann.zeros(0):unique():to_table())
  end)
  it('quantiles between two elements', function()
    local t = double{ 1, 2, 4, 8 }
    for interpolation, want in pairs{ linear = 2.5, lower = 2, higher = 4, midpoint = 3, nearest = 2 } do
      near({ want }, t:quantile(0.4166666666666667, { interpolation = interpolation }))
    end
    near({ 0 / 0 }, double{ 1, 0 / 0 }:quantile(0))
  end)
  it('histc of equal numbers goes half a unit to either side', function()
    assert.same({ 0, 0, 3, 0 }, metann.tensor{ 2, 2, 2 }:histc(4):to_table())
    assert.same({ 0, 0, 0 }, metann.zeros(0):histc(3):to_table())
  end)
  it('searchsorted by side, sorter and number', function()
    local t = metann.tensor{ 5, 1, 3 }
    assert.equal(2, t:searchsorted(3, { sorter = t:argsort() }):item())
    assert.equal(3, t:searchsorted(3, { sorter = t:argsort(), side = 'right' }):item())
    assert.equal('int32', t:bucketize(metann.tensor{ 2 }, { out_int32 = true }).dtype)
  end)
end)

describe('wrong use', function()
  local t, v = metann.ones(2, 3), metann.ones(3)
  local cases = {
    { "hstack: 'tensors' must be", metann.hstack, 1 }, { 'vstack: the list is empty', metann.vstack, {} },
    { 'block_diag: tensor 1 has 3 dims', metann.block_diag, metann.ones(1, 1, 1) },
    { "broadcast_shapes: sizes don't broadcast", metann.broadcast_shapes, { 2 }, { 3 } },
    { "broadcast_shapes: 'shapes' must be sizes", metann.broadcast_shapes, 2 },
    { "repeat_interleave: 'repeats' has 2 counts, dim 1 of the tensor 3", v.repeat_interleave, v, metann.tensor{ 1LL, 2LL }, 1 },
    { "'repeats' must not be negative", v.repeat_interleave, v, metann.tensor{ 1LL, -2LL, 1LL }, 1 },
    { "'repeats' must not be negative", metann.repeat_interleave, metann.tensor{ -2LL ^ 63 } },
    { "'repeats' must be integers, got float64", metann.repeat_interleave, double{ 1e30 } },
    { "'repeats' sum to 9.22337e%+18, more than", metann.repeat_interleave, metann.tensor{ 2LL ^ 62, 2LL ^ 62 } },
    { 'hsplit: dim 2 of size 3 has no 2 parts', t.hsplit, t, 2 }, { "vsplit: 'input' must have at least 2 dims", v.vsplit, v, 1 },
    { 'rot90: .*two different dims', t.rot90, t, 1, { 1, -2 } }, { 'diag_embed: dim1 and dim2 are the same', t.diag_embed, t, 0, 1, 1 },
    { 'select_scatter: expected a source of size %(3,%), got %(2,%)', t.select_scatter, t, metann.ones(2), 1, 1 },
    { 'slice_scatter: expected a source of size', t.slice_scatter, t, v, 2 },
    { 'diagonal_scatter: expected a source', t.diagonal_scatter, t, v },
    { 'put: expected as many elements as positions', v.put, v, metann.tensor{ 1LL }, v },
    { 'the mask holds in 3 places, but the source has 2', v.masked_scatter, v, v:gt(0), metann.ones(2) },
    { 'index_copy: expected a source of size %(2, 1%)', t.index_copy, t, 2, metann.tensor{ 1LL }, v },
    { "scatter_reduce: 'reduce' must be one of", v.scatter_reduce, v, 1, metann.tensor{ 1LL }, v, 'add' },
    { "searchsorted: 'side' is left", v.searchsorted, v, v, { right = true, side = 'left' } },
    { "bucketize: 'boundaries' must have 1 dim", v.bucketize, v, t }, { "isin: .*must be a tensor", metann.isin, 1, 2 },
    { "quantile: 'q' must be from 0 to 1", v.quantile, v, 1.5 }, { 'quantile: expected floats', t.quantile, t:long(), 0.5 },
    { 'quantile: .*dtype float32, got float64', v.quantile, v, double{ 0.5 } },
    { 'nanmedian: a dim without elements', t.nanmedian, metann.zeros(0) }, { 'cov: expected at most 2 dims', t.cov, metann.ones(1, 1, 1) },
    { "cov: 'fweights' must have 1 dim of 3", t.cov, t, { fweights = metann.tensor{ 1LL } } },
    { 'renorm: .*at least 2 dims', v.renorm, v, 2, 1, 1 }, { "histc: 'min' must not exceed 'max'", v.histc, v, 3, 2, 1 },
    { "histogram: 'weight' must have the tensor's size", v.histogram, v, 3, { weight = t } },
    { "histogram: 'range' must be a list of two numbers, got number 1", v.histogram, v, 3, { range = 1 } },
    { "histogram: 'range' must be a list of two numbers", v.histogram, v, 3, { range = { 1, 'x' } } },
    { "tensor_split: 'sections' must be at most 1000000 for a dim of 3 elements, got 9", v.tensor_split, v, 9e15 },
    { "hsplit: 'sections' must be at most 1000000 for a dim of 0 elements", v.hsplit, v[{ { 1, 0 } }], 9e15 },
    { "chunk: 'chunks' must be at most 1000000 for a dim of 0 elements", v.chunk, v[{ { 1, 0 } }], 9e15 },
    { "diff: 'input' must have at least 1 dim", v.diff, metann.tensor(1) },
    { "trapezoid: give 'x' or 'dx', not both", v.trapezoid, v, v, { dx = 1 } },
    { "std_mean: give 'correction' or 'unbiased'", v.std_mean, v, { correction = 1, unbiased = true } },
    { 'combinations: expected 1%-dim', t.combinations, t }, { 'positive: not defined for dtype bool', v.positive, v:gt(0) },
    { 'bitwise_not: not defined for dtype float32', v.bitwise_not, v }, { 'gcd: not defined for dtype float32', v.gcd, v, v },
    { "finfo: 'dtype' must be a float dtype", metann.finfo, 'int64' }, { "iinfo: 'dtype' must be an integer", metann.iinfo, 'float32' },
    { "vander: 'input' must have 1 dim", t.vander, t }, { 'sum_to', t.sum_to_size, t, 2 },
    { "apply: 'fn' must be a function", v.apply, v, 1 }, { "rows: 'input' must have at least 1 dim", v.rows, metann.tensor(1) },
    { "unknown option 'return_count'", v.unique, v, { return_count = true } },
  }
  for _, case in ipairs(cases) do
    it(case[1], function() fails(unpack(case)) end)
  end
  it('makers of tensors are no methods', function()
    fails("no method 'hstack', it is a function", function() return v:hstack(v) end)
  end)
end)

describe('for Lua', function()
  it('rows go through dim 1', function()
    local sums, x = {}, double{ { 1, 2 }, { 3, 4 } }:requires_grad_()
    for row in x:rows() do sums[#sums + 1] = row:sum() end
    assert.equal(2, #sums)
    sums[2]:backward()
    near({ 0, 0, 1, 1 }, x.grad)
  end)
  it('apply keeps size and dtype', function()
    local t = metann.tensor{ { 1LL, 2LL }, { 3LL, 4LL } }:apply(function(x) return x * x end)
    assert.same({ { 1, 4 }, { 9, 16 } }, t:to_table())
    assert.equal('int64', t.dtype)
  end)
  it('randint_like stays within its limits', function()
    local t = metann.randint_like(metann.zeros(1000), 3, 5)
    assert.same({ 3, 4 }, { t:min():item(), t:max():item() })
    assert.equal('float32', t.dtype)
    assert.equal(0, metann.zeros(100):randint_like(1, { dtype = 'int64' }):sum():item())
  end)
  it('facts about dtypes', function()
    local facts = metann.finfo()
    assert.same({ 32, 2 ^ -23, 2 ^ -126, (2 - 2 ^ -23) * 2 ^ 127 }, { facts.bits, facts.eps, facts.tiny, facts.max })
    assert.equal(65504, metann.finfo('float16').max)
    assert.equal(2147483647, metann.iinfo('int32').max)
    assert.is_true(metann.iinfo('int64').min == -0x7fffffffffffffffLL - 1)
  end)
  it('logspace takes the options of its like', function()
    local t = metann.logspace(0, 2, 3, { base = 3, dtype = 'float64', requires_grad = true })
    near({ 1, 3, 9 }, t:detach())
    assert.is_true(t.requires_grad)
  end)
  it('other names do the same, and errors say them', function()
    local t = double{ 1.5, -2 }
    for name, other in pairs{
      absolute = 'abs', negative = 'neg', fix = 'trunc', sgn = 'sign', arctan = 'atan', arcsinh = 'asinh',
    } do
      near(t[other](t):to_flat_table(), t[name](t))
      near(t[other](t):to_flat_table(), metann[name](t))
      near(t[other](t):to_flat_table(), t:clone()[name .. '_'](t:clone()))
      fails(name .. ": 'input' must be a tensor", metann[name], 1)
      fails(other .. ": 'input' must be a tensor", metann[other], 1)
    end
    assert.same({ 4 }, metann.concat({ t, t }, 1).shape)
    assert.same({ 2, 1 }, metann.ones(1, 2):swapaxes(1, 2).shape)
    fails('row_stack: the list is empty', metann.row_stack, {})
    near({ t[1]:sigmoid():item() }, metann.special.expit(t[1]))
    fails("expit: 'input' must be a tensor", metann.special.expit, 1)
    fails("metann.special has no 'expitt'", function() return metann.special.expitt end)
  end)
  it('a recording takes those whose sizes data say, where the size is given', function()
    assert.same({ 1, 1, 2 }, metann.tensor{ 1, 2 }:repeat_interleave(metann.tensor{ 2LL, 1LL }, { output_size = 3 }):to_table())
  end)
end)

describe('functions of little', function()
  it('cov and corrcoef of one row are 0-dim, as of a line', function()
    near({ 7 / 3 }, double{ { 1, 2, 4 } }:cov())
    assert.same({}, double{ { 1, 2, 4 } }:cov().shape)
    assert.same({}, double{ { 1, 2, 4 } }:corrcoef().shape)
  end)

  it('diff by 0 times puts nothing on', function()
    assert.same({ 1, 2 }, double{ 1, 2 }:diff(0, 1, double{ 5 }, double{ 6 }):to_table())
  end)

  -- NumPy's and PyTorch's numbers
  it('gradient goes over neighbours, by steps or places, and at the ends over one or two', function()
    local t, places = double{ 1, 4, 9, 16, 30 }, { double{ 0, 1, 3, 4, 7 } }
    near({ 3, 4, 6, 10.5, 14 }, t:gradient()[1])
    near({ 1, 2, 3, 5.25, 8.75 }, t:gradient{ spacing = 2, edge_order = 2 }[1])
    near({ 3, 17 / 6, 5.5, 77 / 12, 14 / 3 }, t:gradient{ spacing = places }[1])
    near({ 19 / 6, 17 / 6, 5.5, 77 / 12, 35 / 12 }, t:gradient{ spacing = places, edge_order = 2 }[1])
    near({ 2, 2 }, double{ 1, 3 }:gradient()[1])
    near({ 0.5, 0.5 }, double{ 1, 3 }:gradient{ spacing = { double{ 0, 4 } } }[1])
    local both = metann.tensor{ { 1LL, 4LL }, { 9LL, 2LL } }:gradient{ spacing = { 1, 2 } }
    near({ 8, -2, 8, -2 }, both[1])
    near({ 1.5, 1.5, -3.5, -3.5 }, both[2])
    fails("gradient: 'spacing' has 2 entries for 1 dims", t.gradient, t, { spacing = { 1, 2 } })
    fails("gradient: 'spacing' must be a number, or a list of numbers or of tensors", t.gradient, t, { spacing = 'a' })
    fails('gradient: the tensor in \'spacing\' for dim 1 must be of size %(5,%), got %(2,%)', t.gradient, t,
      { spacing = { double{ 1, 2 } } })
    fails('gradient: dim 1 must have at least 3 elements, got 2', t.gradient, double{ 1, 2 }, { edge_order = 2 })
    fails("gradient: 'edge_order' must be 1 or 2, got 3", t.gradient, t, { edge_order = 3 })
    fails('gradient: dim 1 is given twice', t.gradient, t, { dim = { 1, -1 } })
  end)

  it('frexp has what C has, from the smallest number to infinity', function()
    local ends = { float32 = { 2 ^ -149, 2 ^ -126, 2 ^ 127, 1 - 2 ^ -24 }, float64 = { 2 ^ -1074, 1e-310, 2 ^ 1023, 1 - 2 ^ -53 } }
    for dtype, list in pairs(ends) do
      for _, x in ipairs{ 0, 1, -1, 0.5, 3, -7.25, 0.1, unpack(list) } do
        local t = metann.tensor(x, { dtype = dtype })
        local m, e = t:frexp()
        local want, power = math.frexp(t:item())
        assert.same({ want, power, 'int32' }, { m:item(), e:item(), e.dtype })
      end
      local m, e = metann.tensor({ 1 / 0, -1 / 0, 0 / 0 }, { dtype = dtype }):frexp()
      assert.same({ 1 / 0, -1 / 0, 'nan' }, { m[1]:item(), m[2]:item(), m[3]:isnan():item() ~= 0 and 'nan' })
      assert.same({ 0, 0, 0 }, e:to_table())
    end
    local m, e = metann.tensor{ 3LL, 0LL }:frexp()
    assert.same({ { 0.75, 0 }, { 2, 0 } }, { m:to_table(), e:to_table() })
    fails("frexp: 'input' must be a tensor", metann.frexp, 1)
  end)

  it('histogram of equal numbers goes half to each side, histc by 1', function()
    local counts, edges = double{ 2, 2 }:histogram(2)
    near({ 0, 2 }, counts)
    near({ 1.5, 2, 2.5 }, edges)
    near({ 0, 0, 2, 0 }, double{ 2, 2 }:histc(4))
  end)

  it('histogram counts both ends, however its edges are rounded, and has edges of nothing, too', function()
    metann.manual_seed(3)
    for bins = 1, 40 do
      local t = metann.rand(50) * 0.7 + 0.1
      local counts, edges = t:histogram(bins)
      assert.equal(50, counts:sum():item())
      assert.same({ t:min():item(), t:max():item() }, { edges[1]:item(), edges[-1]:item() })
    end
    local counts, edges = metann.zeros(0):histogram(2)
    assert.same({ { 0, 0 }, { 0, 0.5, 1 } }, { counts:to_table(), edges:to_table() })
  end)

  it('std_mean takes unbiased, as std does', function()
    local x = double{ { 1, 2, 4 }, { 3, 9, 1 } }
    local value, mean = x:std_mean{ dim = 1, unbiased = false }
    near({ 1, 3.5, 1.5 }, value)
    near({ 2, 5.5, 2.5 }, mean)
    near({ 2, 24.5, 4.5 }, (x:var_mean{ dim = 1, unbiased = true }))
    fails("var_mean: give 'correction' or 'unbiased', not both", x.var_mean, x, { correction = 0, unbiased = false })
  end)

  it('bools and integers become what they are asked for', function()
    local yes = metann.tensor{ { true, false }, { true, true } }
    assert.equal('bool', yes:prod(2, { dtype = 'bool' }).dtype)
    assert.equal('bool', yes:sum_to_size(2, 2).dtype)
    near({ math.log(0.8 / 0.2), math.log(0.2 / 0.8) }, yes[1]:double():logit(0.2))
    assert.equal('float32', yes:logit(0.2).dtype)
    near({ math.log(0.6 / 0.4), math.log(0.4 / 0.6) }, double{ 0.5, 0.7 }:logit(0.6))
    local whole, weights = metann.tensor({ { 1, 2, 4 } }, { dtype = 'int64' }), metann.ones(3, { dtype = 'float64' })
    assert.equal('float64', whole:cov{ aweights = weights }.dtype)
  end)

  it('scatter_reduce to the smallest takes integers and bools without what stood there', function()
    local at = metann.tensor{ 1LL, 1LL, 3LL }
    local whole = metann.tensor({ 3, 4, 5 }, { dtype = 'int64' })
    local source = metann.tensor({ 9, 7, 6 }, { dtype = 'int64' })
    assert.same({ 7, 4, 6 }, whole:scatter_reduce(1, at, source, 'amin', false):to_table())
    assert.same({ 9, 4, 6 }, whole:scatter_reduce(1, at, source, 'amax', false):to_table())
    local yes, some = metann.ones(3):bool(), metann.tensor{ true, false, false }
    assert.same({ 0, 1, 0 }, yes:scatter_reduce(1, at, some, 'amin', false):to('int64'):to_table())
    assert.same({ 1, 1, 0 }, yes:scatter_reduce(1, at, some, 'amax', false):to('int64'):to_table())
  end)

  it('tril_indices take a device', function()
    local t = metann.tril_indices(2, 2, { device = 'cpu' })
    assert.same({ { 1, 2, 2 }, { 1, 1, 2 } }, t:to_table())
    assert.equal('cpu', tostring(t.device))
  end)

  it('nextafter moves with the first, but not where both are equal', function()
    local x, y = double{ 1, 2, 3 }:requires_grad_(), double{ 2, 2, -1 }:requires_grad_()
    local grads = metann.grad(x:nextafter(y):sum(), { x, y })
    near({ 1, 0, 1 }, grads[1])
    near({ 0, 0, 0 }, grads[2])
  end)
end)
