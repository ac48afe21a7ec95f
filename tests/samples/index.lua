-- Samples of the rows that read or write by index tensors (core/ops/index.c).
return function(S)
  local function build(size, fn)
    local a = S.array(size, {})
    S.each(size, function(index) a.data[#a.data + 1] = fn(index) end)
    return a
  end

  local function copied(t)
    local c = {}
    for i = 1, #t do c[i] = t[i] end
    return c
  end
  local function copy_of(a) return S.array(a.size, copied(a.data)) end

  local function changed(t, i, v)
    local c = copied(t)
    c[i] = v
    return c
  end

  local function nth(dim, n) return dim < 0 and dim + n + 1 or dim end

  local function stretched(a, index)
    local own, shift = {}, #index - #a.size
    for d = 1, #a.size do own[d] = a.size[d] == 1 and 1 or index[d + shift] end
    return S.at(a, own)
  end

  local function long(size, data) return S.values(size, data, 'int64') end

  local samples = {}

  local function index_select_reference(inputs, attrs)
    local a, index = inputs[1], inputs[2]
    if #a.size == 0 then return copy_of(a) end
    local dim = nth(attrs.dim, #a.size)
    return build(changed(a.size, dim, #index.data), function(at)
      return S.at(a, changed(at, dim, index.data[at[dim]]))
    end)
  end
  samples.index_select = {
    { inputs = { S.randn { 5, 2 }, long({ 3 }, { 4, 1, 4 }) }, attrs = { dim = 1 },
      reference = index_select_reference },
    { inputs = { S.randn { 2, 5 }, long({ 3 }, { 5, 2, 2 }) }, attrs = { dim = 2 },
      reference = index_select_reference },
    { inputs = { S.randn { 2, 4, 3 }, long({ 2 }, { 3, 1 }) }, attrs = { dim = -2 },
      reference = index_select_reference },
    { inputs = { S.randn { 5 }, long({}, { 2 }) }, attrs = { dim = 1 }, reference = index_select_reference },
    { inputs = { S.randn { 5, 2 }, long({ 0 }, {}) }, attrs = { dim = 1 }, reference = index_select_reference },
    { inputs = { S.randn { 3 }, S.values({ 2 }, { 3, 1 }, 'int32') }, attrs = { dim = 1 },
      reference = index_select_reference },
    { inputs = { S.randn { 3 }, S.values({ 2 }, { 3, 1 }, 'float32') }, attrs = { dim = 1 },
      reference = index_select_reference },
    { inputs = { S.randn { 5 }, long({ 2 }, { 1, 7 }) }, attrs = { dim = 1 },
      error = 'index_select: index 7 is out of range 1..5 %(dim 1 has size 5%)' },
    { inputs = { S.randn { 5 }, long({ 1 }, { 0 }) }, attrs = { dim = 1 }, error = 'index 0 .*indices count from 1' },
    { inputs = { S.randn { 5 }, long({ 1 }, { -1 }) }, attrs = { dim = 1 }, error = 'index %-1 is out of range' },
    { inputs = { S.randn { 5 }, S.values({ 1 }, { 1.5 }) }, attrs = { dim = 1 },
      error = 'index 1.5 is not an integer' },
    { inputs = { S.randn { 5 }, S.values({ 1 }, { 1 }, 'bool') }, attrs = { dim = 1 },
      error = 'indices must be numbers, got bool' },
    { inputs = { S.randn { 5 }, long({ 1, 1 }, { 1 }) }, attrs = { dim = 1 }, error = 'index with 1 dim' },
  }

  local function index_add_reference(inputs, attrs)
    local result, index, source = copy_of(inputs[1]), inputs[2], inputs[3]
    local dim = nth(attrs.dim, #result.size)
    S.each(source.size, function(at)
      local to = changed(at, dim, index.data[at[dim]])
      S.set(result, to, S.at(result, to) + (attrs.alpha or 1) * S.at(source, at))
    end)
    return result
  end
  samples.index_add = {
    { inputs = { S.randn { 4, 2 }, long({ 3 }, { 4, 1, 4 }), S.randn { 3, 2 } }, attrs = { dim = 1 },
      reference = index_add_reference },
    { inputs = { S.randn { 2, 4 }, long({ 3 }, { 2, 2, 3 }), S.randn { 2, 3 } }, attrs = { dim = -1, alpha = -0.5 },
      reference = index_add_reference },
    { inputs = { S.randn { 2, 3, 2 }, long({ 2 }, { 3, 3 }), S.randn { 2, 2, 2 } }, attrs = { dim = 2 },
      reference = index_add_reference },
    { inputs = { S.randn { 4, 2 }, long({ 0 }, {}), S.randn { 0, 2 } }, attrs = { dim = 1 },
      reference = index_add_reference },
    { inputs = { S.randn { 4 }, long({ 2 }, { 1, 5 }), S.randn { 2 } }, attrs = { dim = 1 },
      error = 'index 5 is out of range 1..4' },
    { inputs = { S.randn { 4 }, long({ 2 }, { 1, 2 }), S.randn { 3 } }, attrs = { dim = 1 },
      error = 'expected a source of size %(2%), got %(3%)' },
    { inputs = { S.randn { 4 }, long({ 2 }, { 1, 2 }), long({ 2 }, { 1, 2 }) }, attrs = { dim = 1 },
      error = 'source of input\'s dtype float64, got int64' },
  }

  local function gather_reference(inputs, attrs)
    local a, index = inputs[1], inputs[2]
    local dim = nth(attrs.dim, #a.size)
    return build(index.size, function(at) return S.at(a, changed(at, dim, S.at(index, at))) end)
  end
  samples.gather = {
    { inputs = { S.randn { 3, 4 }, S.index({ 3, 5 }, 4) }, attrs = { dim = 2 }, reference = gather_reference },
    { inputs = { S.randn { 3, 4 }, S.index({ 5, 2 }, 3) }, attrs = { dim = 1 }, reference = gather_reference },
    { inputs = { S.randn { 2, 3, 4 }, S.index({ 2, 2, 3 }, 3) }, attrs = { dim = -2 }, reference = gather_reference },
    { inputs = { S.randn { 4 }, S.index({ 3 }, 4) }, attrs = { dim = 1 }, reference = gather_reference },
    { inputs = { S.randn { 3, 4 }, long({ 0, 4 }, {}) }, attrs = { dim = 1 }, reference = gather_reference },
    { inputs = { S.randn { 3, 4 }, long({ 1, 1 }, { 5 }) }, attrs = { dim = 2 },
      error = 'gather: index 5 is out of range 1..4 %(dim 2 has size 4%)' },
    { inputs = { S.randn { 3, 4 }, S.index({ 4, 1 }, 4) }, attrs = { dim = 2 },
      error = "doesn't fit input of size %(3.-4%)" },
    { inputs = { S.randn { 3, 4 }, S.index({ 3 }, 3) }, attrs = { dim = 1 }, error = "doesn't fit input" },
  }

  local function scatter_reference(adds)
    return function(inputs, attrs)
      local result, index, source = copy_of(inputs[1]), inputs[2], inputs[3]
      local dim = nth(attrs.dim, #result.size)
      S.each(index.size, function(at)
        local to = changed(at, dim, S.at(index, at))
        local v = #source.size == 0 and source.data[1] or S.at(source, at)
        S.set(result, to, (adds and S.at(result, to) or 0) + v)
      end)
      return result
    end
  end
  local put, add = scatter_reference(false), scatter_reference(true)
  samples.scatter = {
    -- Where a place is written twice the last one counts, in derivatives too.
    { inputs = { S.randn { 3, 4 }, long({ 2, 3 }, { 4, 1, 4, 2, 2, 2 }), S.randn { 2, 4 } }, attrs = { dim = 2 },
      reference = put },
    { inputs = { S.randn { 4, 2 }, long({ 3, 2 }, { 1, 1, 1, 2, 2, 1 }), S.randn { 3, 2 } }, attrs = { dim = 1 },
      reference = put },
    { inputs = { S.randn {}, long({ 2 }, { 1, 1 }), S.randn { 2 } }, attrs = { dim = 1 }, reference = put },
    { inputs = { S.randn { 3, 4 }, long({ 2, 3 }, { 4, 1, 2, 3, 2, 1 }), S.randn { 2, 3 } }, attrs = { dim = 2 },
      reference = put },
    { inputs = { S.randn { 4, 2 }, long({ 3, 2 }, { 4, 1, 1, 2, 2, 3 }), S.randn { 3, 2 } }, attrs = { dim = 1 },
      reference = put },
    { inputs = { S.randn { 3, 4 }, long({ 2, 1 }, { 4, 1 }), S.randn { 3, 2 } }, attrs = { dim = 2 }, reference = put },
    { inputs = { S.randn { 3, 4 }, long({ 2, 2 }, { 4, 1, 2, 3 }), S.randn {} }, attrs = { dim = -1 },
      reference = put },
    { inputs = { S.randn { 4 }, long({ 0 }, {}), S.randn { 0 } }, attrs = { dim = 1 }, reference = put },
    { inputs = { S.randn { 4 }, long({ 3 }, { 2, 2, 2 }), S.values({ 3 }, { 5, 6, 7 }, 'float32') },
      attrs = { dim = 1 },
      error = 'source of input\'s dtype float64, got float32' },
    { inputs = { long({ 4 }, { 1, 2, 3, 4 }), long({ 3 }, { 2, 2, 3 }), long({ 3 }, { 5, 6, 7 }) }, attrs = { dim = 1 },
      reference = put },
    { inputs = { S.randn { 3 }, long({ 1 }, { 0 }), S.randn { 1 } }, attrs = { dim = 1 },
      error = 'indices count from 1' },
    { inputs = { S.randn { 3 }, long({ 2 }, { 1, 2 }), S.randn { 1 } }, attrs = { dim = 1 },
      error = "doesn't fit a source of size %(1%)" },
  }
  samples.scatter_add = {
    { inputs = { S.randn { 3, 4 }, S.index({ 2, 5 }, 4), S.randn { 2, 5 } }, attrs = { dim = 2 }, reference = add },
    { inputs = { S.randn { 3, 4 }, S.index({ 5, 3 }, 3), S.randn { 6, 3 } }, attrs = { dim = 1 }, reference = add },
    { inputs = { S.randn { 2, 3, 2 }, S.index({ 2, 4, 2 }, 3), S.randn { 2, 4, 2 } }, attrs = { dim = -2 },
      reference = add },
    { inputs = { S.randn { 3 }, S.index({ 4 }, 3), S.randn {} }, attrs = { dim = 1 }, reference = add },
    { inputs = { S.randn { 3 }, long({ 2 }, { 1, 4 }), S.randn { 2 } }, attrs = { dim = 1 },
      error = 'index 4 is out of range 1..3' },
  }

  local REDUCES = {
    prod = function(x, y) return x * y end,
    amax = function(x, y) return (y > x or y ~= y) and y or x end,
    amin = function(x, y) return (y < x or y ~= y) and y or x end,
  }
  local function scatter_reduce_reference(inputs, attrs)
    local result, index, source = copy_of(inputs[1]), inputs[2], inputs[3]
    local dim = nth(attrs.dim, #result.size)
    S.each(index.size, function(at)
      local to = changed(at, dim, S.at(index, at))
      S.set(result, to, REDUCES[attrs.reduce](S.at(result, to), S.at(source, at)))
    end)
    return result
  end
  samples.scatter_reduce = {}
  for _, reduce in ipairs{ 'prod', 'amax', 'amin' } do
    for _, sample in ipairs{
      { { S.distinct { 3, 4 }, S.index({ 2, 4 }, 4), S.uniform({ 2, 4 }, 0.5, 1.4) }, 2 },
      { { S.randn { 3, 4 }, S.index({ 5, 3 }, 3), S.randn { 5, 3 } }, 1 },
      { { S.randn { 2, 3, 2 }, S.index({ 2, 4, 2 }, 3), S.randn { 2, 4, 2 } }, -2 },
      { { S.randn {}, long({ 2 }, { 1, 1 }), S.randn { 2 } }, 1 },
      { { S.randn { 3 }, long({ 0 }, {}), S.randn { 0 } }, 1 },
      { { long({ 3 }, { 2, 5, 3 }), long({ 4 }, { 1, 1, 2, 1 }), long({ 4 }, { 4, 1, 3, 9 }) }, 1 },
    } do
      table.insert(samples.scatter_reduce,
        { inputs = sample[1], attrs = { dim = sample[2], reduce = reduce }, reference = scatter_reduce_reference })
    end
  end
  for _, sample in ipairs{
    -- products with a 0 among them, and with two
    { inputs = { S.values({ 3 }, { 2, 0, 3 }), long({ 4 }, { 1, 1, 2, 3 }), S.values({ 4 }, { 0, 5, 7, -2 }) },
      attrs = { dim = 1, reduce = 'prod' }, order = 2, reference = scatter_reduce_reference },
    { inputs = { S.values({ 2 }, { 0, 3 }), long({ 3 }, { 1, 1, 2 }), S.values({ 3 }, { 0, 5, 7 }) },
      attrs = { dim = 1, reduce = 'prod' }, order = 1, reference = scatter_reduce_reference },
    { inputs = { S.values({ 2 }, { 1, 0 / 0 }), long({ 2 }, { 1, 2 }), S.values({ 2 }, { 0 / 0, 1 }) },
      attrs = { dim = 1, reduce = 'amax' }, order = 0, reference = function() return S.array({ 2 }, 0 / 0) end },
    { inputs = { S.randn { 3 }, long({ 1 }, { 4 }), S.randn { 1 } }, attrs = { dim = 1, reduce = 'prod' },
      error = 'index 4 is out of range 1..3' },
    { inputs = { S.randn { 3 }, long({ 1 }, { 1 }), S.randn { 2 } }, attrs = { dim = 1, reduce = 'prod' },
      error = "source of the index's size %(1%), got %(2%)" },
    { inputs = { S.randn { 3 }, long({ 1 }, { 1 }), S.values({ 1 }, { 1 }, 'float32') }, attrs = { dim = 1, reduce = 'amin' },
      error = "source of input's dtype" },
  } do table.insert(samples.scatter_reduce, sample) end

  local function searchsorted_reference(inputs, attrs)
    local rows, values = inputs[1], inputs[2]
    local n = rows.size[#rows.size]
    return build(values.size, function(at)
      local x, count = S.at(values, at), 0
      for i = 1, n do
        local a = #rows.size == 1 and rows.data[i] or S.at(rows, changed(at, #at, i))
        local before = a < x or (x ~= x and a == a)
        if attrs.right then before = a <= x or x ~= x end
        if before then count = count + 1 end
      end
      return count + 1
    end)
  end
  samples.searchsorted = {}
  for _, right in ipairs{ false, true } do
    for _, inputs in ipairs{
      { S.values({ 6 }, { 0, 0.5, 0.5, 1, 2, 2 }), S.values({ 3, 3 }, { -3, -2, 0, 0.5, 1, 2, 4, -1, 1.5 }) },
      { S.values({ 2, 3 }, { 1, 2, 3, 0, 0.5, 1 }), S.values({ 2, 4 }, { 0, 1, 2.5, 9, -2, -1, 0.5, 1 }) },
      { long({ 4 }, { 1, 3, 3, 7 }), long({ 5 }, { 0, 1, 3, 5, 8 }) },
      { S.values({ 4 }, { 0, 0.5, 0 / 0, 0 / 0 }), S.values({ 3 }, { 0.5, 5, 0 / 0 }) },
      { S.values({ 3 }, { 1, 2, 3 }), S.values({}, { 2 }) },
      { S.values({ 0 }, {}), S.values({ 2 }, { 1, 2 }) },
      { S.values({ 3 }, { 1, 2, 3 }), S.values({ 0 }, {}) },
    } do
      table.insert(samples.searchsorted,
        { inputs = inputs, attrs = { right = right }, reference = searchsorted_reference })
    end
  end
  for _, sample in ipairs{
    { inputs = { S.randn { 3 }, long({ 1 }, { 1 }) }, error = "sorted ones' dtype float64, got int64" },
    { inputs = { S.randn { 2, 3 }, S.randn { 3, 3 } }, error = "don't fit numbers of size %(3 x 3%)" },
    { inputs = { S.randn {}, S.randn { 3 } }, error = "don't fit" },
  } do table.insert(samples.searchsorted, sample) end

  --- The places that index tensors lead to: a size, and fn(index in the result) -> index in the input.
  local function indexed(a, indices)
    local picked, first, last, count = {}, nil, nil, 0
    for d = 1, #a.size do
      local index = indices[d]
      if index then
        first, last, count = first or d, d, count + 1
        picked = S.zip(S.array(picked, 0), index, function() return 0 end).size
      end
    end
    local at = last - first + 1 == count and first or 1
    local size, source = {}, {} -- source: for each dim of the result, the input's dim, or -k for dim k of the indices
    local function place()
      for k, s in ipairs(picked) do size[#size + 1], source[#source + 1] = s, -k end
    end
    for d = 1, #a.size do
      if #size + 1 == at and not source.placed then
        source.placed = true
        place()
      end
      if not indices[d] then size[#size + 1], source[#source + 1] = a.size[d], d end
    end
    if not source.placed then place() end
    return size, function(index)
      local from, own = {}, {}
      for i, d in ipairs(source) do
        if d > 0 then from[d] = index[i] else own[-d] = index[i] end
      end
      for d = 1, #a.size do
        if indices[d] then from[d] = nth(stretched(indices[d], own), a.size[d]) end
      end
      return from
    end
  end
  local function index_reference(inputs)
    local indices = {}
    for d = 1, #inputs[1].size do indices[d] = inputs[d + 1] end
    local size, from = indexed(inputs[1], indices)
    return build(size, function(index) return S.at(inputs[1], from(index)) end)
  end
  samples.index = {
    { inputs = { S.randn { 4, 3 }, long({ 2 }, { 3, 1 }) }, reference = index_reference },
    { inputs = { S.randn { 4, 3 }, long({ 2, 2 }, { 3, 1, 4, 3 }) }, reference = index_reference },
    { inputs = { S.randn { 4, 3 }, long({ 2, 1 }, { 3, 1 }), long({ 3 }, { 1, 3, 3 }) }, reference = index_reference },
    { inputs = { S.randn { 2, 4, 3 }, false, long({ 2 }, { 3, 3 }) }, reference = index_reference },
    { inputs = { S.randn { 2, 3, 2, 2 }, false, long({ 2 }, { 3, 1 }), long({ 3, 1 }, { 2, 1, 1 }) },
      reference = index_reference },
    { inputs = { S.randn { 2, 4, 3 }, long({ 2 }, { 2, 1 }), false, long({ 2 }, { 3, 3 }) },
      reference = index_reference },
    { inputs = { S.randn { 3, 2, 3, 2 }, false, long({ 2 }, { 2, 1 }), false, long({ 2 }, { 2, 2 }) },
      reference = index_reference },
    { inputs = { S.randn { 4 }, long({}, { 2 }) }, reference = index_reference },
    { inputs = { S.randn { 4, 2 }, long({ 0 }, {}) }, reference = index_reference },
    { inputs = { S.randn { 4, 3 }, long({ 3 }, { -1, 2, -4 }), long({}, { -3 }) }, reference = index_reference },
    { inputs = { S.randn { 4 }, long({ 2 }, { -1, -5 }) }, error = 'index %-5 is out of range 1..4' },
    { inputs = { S.randn { 4 }, long({ 2 }, { -1, 0 }) }, error = 'index 0 is out of range 1..4 .*count from 1' },
    { inputs = { S.randn { 4, 2 }, long({ 1 }, { 1 }), long({ 1 }, { 3 }) },
      error = 'index 3 is out of range 1..2 %(dim 2 has size 2%)' },
    { inputs = { S.randn { 4 }, S.values({ 4 }, { 1, 0, 1, 0 }, 'bool') },
      error = 'got bool; give a mask as the positions' },
    { inputs = { S.randn { 4 }, long({ 1 }, { 1 }), long({ 1 }, { 1 }) },
      error = '2 indices are too many for a tensor with 1 dims' },
    { inputs = { S.randn { 4, 4 }, long({ 2 }, { 1, 2 }), long({ 3 }, { 1, 2, 3 }) },
      error = 'sizes don\'t broadcast' },
    { inputs = { S.randn { 4 }, false }, error = 'at least one index tensor' },
  }

  local function index_put_reference(inputs, attrs)
    local result, indices = copy_of(inputs[1]), {}
    for d = 1, #result.size do indices[d] = inputs[d + 2] end
    local size, to = indexed(result, indices)
    S.each(size, function(index)
      local place = to(index)
      local before = attrs and attrs.accumulate and S.at(result, place) or 0
      S.set(result, place, before + stretched(inputs[2], index))
    end)
    return result
  end
  samples.index_put = {
    { inputs = { S.randn { 4, 3 }, S.randn { 2, 3 }, long({ 2 }, { 3, 1 }) }, reference = index_put_reference },
    { inputs = { S.randn { 4, 3 }, S.randn { 3 }, long({ 2, 1 }, { 3, 1 }), long({ 3 }, { 1, 3, 2 }) },
      reference = index_put_reference },
    { inputs = { S.randn { 2, 4, 3 }, S.randn { 2, 1 }, long({ 2 }, { 2, 1 }), false, long({ 2 }, { 3, 3 }) },
      reference = index_put_reference },
    { inputs = { S.randn { 2, 4, 3 }, S.randn { 2, 3, 3 }, false, long({ 3 }, { 3, 3, 1 }) },
      attrs = { accumulate = true },
      reference = index_put_reference },
    { inputs = { S.randn { 3, 2, 3, 2 }, S.randn { 3, 1 }, false, long({ 2 }, { 2, 1 }), false, long({ 2 }, { 2, 2 }) },
      attrs = { accumulate = true }, reference = index_put_reference },
    { inputs = { S.randn { 4 }, S.randn {}, long({ 3 }, { 2, 2, 2 }) }, attrs = { accumulate = true },
      reference = index_put_reference },
    { inputs = { S.randn { 4, 2 }, S.randn { 0, 2 }, long({ 0 }, {}) }, reference = index_put_reference },
    -- The last one of those with one place counts, in derivatives too.
    { inputs = { S.randn { 4, 3 }, S.randn { 4, 3 }, long({ 4 }, { 3, -2, 1, 3 }) }, reference = index_put_reference },
    { inputs = { S.randn { 2, 3, 3, 2 }, S.randn { 2, 1, 3, 2 }, false, long({ 2, 1 }, { 2, -2 }),
      long({ 3 }, { 1, 3, 1 }) }, reference = index_put_reference },
    { inputs = { S.randn { 2, 4, 3 }, S.randn { 3, 1 }, long({ 3 }, { 2, 2, -1 }), false, long({ 3 }, { 3, 3, 3 }) },
      reference = index_put_reference },
    { inputs = { S.randn { 4 }, S.randn { 2 }, long({ 2 }, { 1, 9 }) },
      error = 'index_put: index 9 is out of range 1..4' },
    { inputs = { S.randn { 4 }, S.randn { 3 }, long({ 2 }, { 1, 2 }) },
      error = "values of size %(3%) don't broadcast to the indexed size %(2%)" },
    { inputs = { S.randn { 4 }, S.values({ 2 }, { 1, 2 }, 'float32'), long({ 2 }, { 1, 2 }) },
      error = 'dtype float64, got float32' },
  }

  local function nonzero_reference(inputs)
    local a, data = inputs[1], {}
    local count = 0
    S.each(a.size, function(index)
      if S.at(a, index) == 0 then return end
      count = count + 1
      for _, i in ipairs(index) do data[#data + 1] = i end
    end)
    return S.array({ count, #a.size }, data)
  end
  samples.nonzero = {
    { inputs = { S.values({ 2, 3 }, { 0, 1.5, 0, -2, 0, 3 }) }, reference = nonzero_reference },
    { inputs = { S.values({ 4 }, { true, false, false, true }, 'bool') }, reference = nonzero_reference },
    { inputs = { S.values({ 2, 2, 2 }, { 0, 1, 0, 0, 2, 0, 3, 0 }, 'int64') }, reference = nonzero_reference },
    { inputs = { S.values({ 3 }, { 0, 0, 0 }) }, reference = nonzero_reference },
    { inputs = { S.values({}, { 5 }) }, reference = nonzero_reference },
    { inputs = { S.values({ 0, 3 }, {}) }, reference = nonzero_reference },
  }

  local function one_hot_reference(inputs, attrs)
    local size = copied(inputs[1].size)
    size[#size + 1] = attrs.num_classes
    return build(size, function(index)
      local own = copied(index)
      own[#own] = nil
      return S.at(inputs[1], own) == index[#index] and 1 or 0
    end)
  end
  samples.one_hot = {
    { inputs = { long({ 4 }, { 2, 1, 3, 2 }) }, attrs = { num_classes = 3 }, reference = one_hot_reference },
    { inputs = { long({ 2, 2 }, { 2, 1, 3, 2 }) }, attrs = { num_classes = 4, dtype = 'float32' },
      reference = one_hot_reference },
    { inputs = { S.values({}, { 2 }) }, attrs = { num_classes = 2, dtype = 'bool' }, reference = one_hot_reference },
    { inputs = { long({ 0 }, {}) }, attrs = { num_classes = 2 }, reference = one_hot_reference },
    { inputs = { long({ 2 }, { 1, 4 }) }, attrs = { num_classes = 3 }, error = 'index 4 is out of range 1..3' },
    { inputs = { long({ 1 }, { 1 }) }, attrs = { num_classes = 0 }, error = 'num_classes must be at least 1' },
  }

  local function bincount_reference(inputs, attrs)
    local size = attrs.minlength or 0
    for _, v in ipairs(inputs[1].data) do size = math.max(size, v) end
    local result = S.array({ size }, 0)
    for i, v in ipairs(inputs[1].data) do
      result.data[v] = result.data[v] + (inputs[2] and inputs[2].data[i] or 1)
    end
    return result
  end
  samples.bincount = {
    { inputs = { long({ 6 }, { 2, 1, 4, 2, 2, 4 }), false }, attrs = {}, reference = bincount_reference },
    { inputs = { long({ 3 }, { 2, 1, 2 }), false }, attrs = { minlength = 5 }, reference = bincount_reference },
    { inputs = { long({ 4 }, { 3, 1, 3, 1 }), S.randn { 4 } }, attrs = {}, reference = bincount_reference },
    { inputs = { long({ 0 }, {}), false }, attrs = { minlength = 2 }, reference = bincount_reference },
    { inputs = { long({ 2 }, { 1, 0 }), false }, attrs = {}, error = 'index 0 .*indices count from 1' },
    { inputs = { long({ 1, 1 }, { 1 }), false }, attrs = {}, error = 'expected a tensor with 1 dim' },
    { inputs = { long({ 2 }, { 1, 2 }), S.randn { 3 } }, attrs = {}, error = 'as many weights as elements' },
  }

  return samples
end
