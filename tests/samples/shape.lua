-- Samples of views and of the rows that move elements about (core/ops/shape.c). The references say, element by element,
-- where each element of the result comes from.
return function(S)
  --- An array of that size whose element at `index` is fn(index).
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

  --- The list without its entry at i, or with v put in before it.
  local function without(t, i)
    local c = copied(t)
    table.remove(c, i)
    return c
  end
  local function with(t, i, v)
    local c = copied(t)
    table.insert(c, i, v)
    return c
  end
  local function changed(t, i, v)
    local c = copied(t)
    c[i] = v
    return c
  end

  local function nth(dim, n) return dim < 0 and dim + n + 1 or dim end

  --- The same elements in the same order under another size, one entry of which may be -1.
  local function resized(a, size)
    local n, unknown = 1, nil
    size = copied(size)
    for i, s in ipairs(size) do
      if s == -1 then unknown = i else n = n * s end
    end
    if unknown then size[unknown] = #a.data / n end
    return S.array(size, a.data)
  end

  local function identity(inputs) return S.array(inputs[1].size, inputs[1].data) end

  local function permuted(a, dims)
    local size = {}
    for i, d in ipairs(dims) do size[i] = a.size[d] end
    return build(size, function(index)
      local from = {}
      for i, d in ipairs(dims) do from[d] = index[i] end
      return S.at(a, from)
    end)
  end

  --- source as if broadcast to n dims, at that index.
  local function stretched(source, index)
    local own, shift = {}, #index - #source.size
    for d = 1, #source.size do own[d] = source.size[d] == 1 and 1 or index[d + shift] end
    return S.at(source, own)
  end

  local samples = {}

  samples.detach = {
    { inputs = { S.randn { 2, 3 } }, reference = identity },
    { inputs = { S.randn {} }, reference = identity },
  }

  samples.transfer = { -- to the host; tests/spec/devices_spec.lua has others
    { inputs = { S.randn { 3, 4 } }, attrs = { device = 'cpu' }, reference = identity },
    { inputs = { S.randn {} }, attrs = { device = 'cpu' }, reference = identity },
    { inputs = { S.randn { 0, 2 } }, attrs = { device = 'cpu' }, reference = identity },
    { inputs = { S.values({ 2 }, { 1, 2 }, 'int64') }, attrs = { device = 'cpu' }, reference = identity },
    { inputs = { S.values({ 2 }, { 0, 1 }, 'bool') }, attrs = { device = 'cpu' }, reference = identity },
    { inputs = { S.randn { 2 } }, attrs = { device = 'none' }, error = "there is no 'none' here" },
  }

  local function view_reference(inputs, attrs) return resized(inputs[1], attrs.size) end
  samples.view = {
    { inputs = { S.randn { 2, 6 } }, attrs = { size = { 3, 4 } }, reference = view_reference },
    { inputs = { S.randn { 2, 6 } }, attrs = { size = { 2, -1, 3 } }, reference = view_reference },
    { inputs = { S.randn { 1, 1 } }, attrs = { size = {} }, reference = view_reference },
    { inputs = { S.randn {} }, attrs = { size = { 1, 1 } }, reference = view_reference },
    { inputs = { S.randn { 0, 3 } }, attrs = { size = { 3, 0, 2 } }, reference = view_reference },
    { inputs = { S.randn { 2, 3 } }, attrs = { size = { 4, 2 } }, error = "size %(4.-2%) doesn't fit a tensor of 6" },
    { inputs = { S.randn { 2, 3 } }, attrs = { size = { -1, 4 } }, error = "doesn't fit a tensor of 6 elements" },
    { inputs = { S.randn { 2, 3 } }, attrs = { size = { -1, -1 } }, error = 'only one entry may be %-1' },
  }

  local function transpose_reference(inputs, attrs)
    local a, dims = inputs[1], {}
    local d0, d1 = nth(attrs.dim0, #a.size), nth(attrs.dim1, #a.size)
    for d = 1, #a.size do dims[d] = d end
    if #a.size > 0 then dims[d0], dims[d1] = d1, d0 end
    return permuted(a, dims)
  end
  samples.transpose = {
    { inputs = { S.randn { 2, 3 } }, attrs = { dim0 = 1, dim1 = 2 }, reference = transpose_reference },
    { inputs = { S.randn { 2, 3, 4 } }, attrs = { dim0 = -1, dim1 = 1 }, reference = transpose_reference },
    { inputs = { S.randn { 0, 3 } }, attrs = { dim0 = 1, dim1 = 2 }, reference = transpose_reference },
    { inputs = { S.randn {} }, attrs = { dim0 = 1, dim1 = -1 }, reference = transpose_reference },
    { inputs = { S.randn { 2, 3 } }, attrs = { dim0 = 1, dim1 = 3 }, error = 'dim 3 is out of range' },
  }

  local function permute_reference(inputs, attrs)
    local dims = {}
    for i, d in ipairs(attrs.dims) do dims[i] = nth(d, #inputs[1].size) end
    return permuted(inputs[1], dims)
  end
  samples.permute = {
    { inputs = { S.randn { 2, 3, 4 } }, attrs = { dims = { 3, 1, 2 } }, reference = permute_reference },
    { inputs = { S.randn { 2, 3, 2, 2 } }, attrs = { dims = { -2, 2, 1, 4 } }, reference = permute_reference },
    { inputs = { S.randn {} }, attrs = { dims = {} }, reference = permute_reference },
    { inputs = { S.randn { 2, 3 } }, attrs = { dims = { 1 } }, error = 'dims must have 2 entries' },
    { inputs = { S.randn { 2, 3 } }, attrs = { dims = { 1, 1 } }, error = 'dim 1 is given twice' },
  }

  local function expand_reference(inputs, attrs)
    local a, size = inputs[1], copied(attrs.size)
    for d = 1, #size do
      if size[d] == -1 then size[d] = a.size[d - #size + #a.size] end
    end
    return build(size, function(index) return stretched(a, index) end)
  end
  samples.expand = {
    { inputs = { S.randn { 3, 1 } }, attrs = { size = { 3, 4 } }, reference = expand_reference },
    { inputs = { S.randn { 3 } }, attrs = { size = { 2, -1 } }, reference = expand_reference },
    { inputs = { S.randn {} }, attrs = { size = { 2, 2 } }, reference = expand_reference },
    { inputs = { S.randn { 1, 2 } }, attrs = { size = { 0, 2 } }, reference = expand_reference },
    { inputs = { S.randn { 3 } }, attrs = { size = { 4 } }, error = '%(3%) can\'t be expanded to %(4%)' },
    { inputs = { S.randn { 2, 3 } }, attrs = { size = { 3 } }, error = 'fewer dims' },
    { inputs = { S.randn { 3 } }, attrs = { size = { -1, 3 } }, error = 'can\'t be expanded' },
  }

  local function squeeze_reference(inputs, attrs)
    local a, drop, size = inputs[1], {}, {}
    if attrs and attrs.dim then
      for _, d in ipairs(attrs.dim) do drop[nth(d, #a.size)] = true end
    end
    for d, s in ipairs(a.size) do
      if s ~= 1 or (attrs and attrs.dim and not drop[d]) then size[#size + 1] = s end
    end
    return S.array(size, a.data)
  end
  samples.squeeze = {
    { inputs = { S.randn { 1, 3, 1, 2 } }, attrs = {}, reference = squeeze_reference },
    { inputs = { S.randn { 1, 3, 1, 2 } }, attrs = { dim = { 1 } }, reference = squeeze_reference },
    { inputs = { S.randn { 1, 3, 1 } }, attrs = { dim = { 2, -1 } }, reference = squeeze_reference },
    { inputs = { S.randn {} }, attrs = {}, reference = squeeze_reference },
    { inputs = { S.randn { 1, 3 } }, attrs = { dim = { 4 } }, error = 'dim 4 is out of range' },
  }

  local function unsqueeze_reference(inputs, attrs)
    local a = inputs[1]
    return S.array(with(a.size, nth(attrs.dim, #a.size + 1), 1), a.data)
  end
  samples.unsqueeze = {
    { inputs = { S.randn { 2, 3 } }, attrs = { dim = 1 }, reference = unsqueeze_reference },
    { inputs = { S.randn { 2, 3 } }, attrs = { dim = 2 }, reference = unsqueeze_reference },
    { inputs = { S.randn { 2, 3 } }, attrs = { dim = 3 }, reference = unsqueeze_reference },
    { inputs = { S.randn { 2, 0 } }, attrs = { dim = -1 }, reference = unsqueeze_reference },
    { inputs = { S.randn {} }, attrs = { dim = 1 }, reference = unsqueeze_reference },
    { inputs = { S.randn { 2, 3 } }, attrs = { dim = 4 }, error = 'dim 4 is out of range' },
    { inputs = { S.randn { 1, 1, 1, 1, 1, 1, 1, 1 } }, attrs = { dim = 1 }, error = 'at most 8 dims' },
  }

  local function select_reference(inputs, attrs)
    local a = inputs[1]
    local dim = nth(attrs.dim, #a.size)
    local at = nth(attrs.index, a.size[dim])
    return build(without(a.size, dim), function(index) return S.at(a, with(index, dim, at)) end)
  end
  samples.select = {
    { inputs = { S.randn { 3, 4 } }, attrs = { dim = 1, index = 2 }, reference = select_reference },
    { inputs = { S.randn { 3, 4, 2 } }, attrs = { dim = -2, index = -1 }, reference = select_reference },
    { inputs = { S.randn { 3 } }, attrs = { dim = 1, index = 3 }, reference = select_reference },
    { inputs = { S.randn { 3, 0 } }, attrs = { dim = 1, index = 1 }, reference = select_reference },
    { inputs = { S.randn { 3, 4 } }, attrs = { dim = 1, index = 4 },
      error = 'index 4 is out of range 1..3 %(dim 1 has size 3%)' },
    { inputs = { S.randn {} }, attrs = { dim = 1, index = 1 }, error = 'at least 1 dim' },
  }

  local function slice_reference(inputs, attrs)
    local a, step = inputs[1], attrs.step or 1
    local dim = nth(attrs.dim, #a.size)
    local start = nth(attrs.start, a.size[dim])
    return build(changed(a.size, dim, attrs.length), function(index)
      return S.at(a, changed(index, dim, start + (index[dim] - 1) * step))
    end)
  end
  samples.slice = {
    { inputs = { S.randn { 5, 3 } }, attrs = { dim = 1, start = 2, length = 3 }, reference = slice_reference },
    { inputs = { S.randn { 2, 7 } }, attrs = { dim = 2, start = 2, length = 3, step = 2 },
      reference = slice_reference },
    { inputs = { S.randn { 5 } }, attrs = { dim = -1, start = -3, length = 3 }, reference = slice_reference },
    { inputs = { S.randn { 5 } }, attrs = { dim = 1, start = 6, length = 0 }, reference = slice_reference },
    { inputs = { S.randn { 5 } }, attrs = { dim = 1, start = 4, length = 3 },
      error = '3 elements from 4 by 1 don\'t fit in dim 1 of size 5' },
    { inputs = { S.randn { 5 } }, attrs = { dim = 1, start = 1, length = 2, step = 0 },
      error = 'step must be at least 1' },
    { inputs = { S.randn { 5 } }, attrs = { dim = 1, start = 1, length = -1 }, error = 'length must not be negative' },
  }

  local function unslice_reference(inputs, attrs)
    local a, step = inputs[1], attrs.step or 1
    local dim = nth(attrs.dim, #a.size)
    local start = nth(attrs.start, attrs.size)
    local result = S.array(changed(a.size, dim, attrs.size), 0)
    S.each(a.size, function(index)
      S.set(result, changed(index, dim, start + (index[dim] - 1) * step), S.at(a, index))
    end)
    return result
  end
  samples.unslice = {
    { inputs = { S.randn { 3, 2 } }, attrs = { dim = 1, start = 2, size = 5 }, reference = unslice_reference },
    { inputs = { S.randn { 2, 3 } }, attrs = { dim = 2, start = 2, size = 7, step = 2 },
      reference = unslice_reference },
    { inputs = { S.randn { 0 } }, attrs = { dim = 1, start = 3, size = 4 }, reference = unslice_reference },
    { inputs = { S.randn { 3 } }, attrs = { dim = 1, start = 3, size = 4 },
      error = '3 elements from 3 by 1 don\'t fit' },
  }

  local function diagonal_length(rows, cols, offset)
    return math.max(0, math.min(offset < 0 and rows + offset or rows, offset > 0 and cols - offset or cols))
  end
  --- Calls fn(index in the matrix, index in the diagonal) for every element of a diagonal.
  local function each_diagonal(size, attrs, fn)
    local d1, d2, offset = nth(attrs.dim1 or 1, #size), nth(attrs.dim2 or 2, #size), attrs.offset or 0
    local rest = without(without(size, math.max(d1, d2)), math.min(d1, d2))
    rest[#rest + 1] = diagonal_length(size[d1], size[d2], offset)
    S.each(rest, function(index)
      local full, at = {}, 1
      for d = 1, #size do
        if d == d1 then full[d] = index[#index] + math.max(0, -offset)
        elseif d == d2 then full[d] = index[#index] + math.max(0, offset)
        else
          full[d] = index[at]
          at = at + 1
        end
      end
      fn(full, index)
    end)
    return rest
  end
  local function diagonal_reference(inputs, attrs)
    local data = {}
    local size = each_diagonal(inputs[1].size, attrs, function(full) data[#data + 1] = S.at(inputs[1], full) end)
    return S.array(size, data)
  end
  local function undiagonal_reference(inputs, attrs)
    local result = S.array(attrs.size, 0)
    each_diagonal(attrs.size, attrs, function(full, index) S.set(result, full, S.at(inputs[1], index)) end)
    return result
  end
  samples.diagonal = {
    { inputs = { S.randn { 3, 4 } }, attrs = {}, reference = diagonal_reference },
    { inputs = { S.randn { 3, 4 } }, attrs = { offset = 1 }, reference = diagonal_reference },
    { inputs = { S.randn { 3, 4 } }, attrs = { offset = -2 }, reference = diagonal_reference },
    { inputs = { S.randn { 3, 4 } }, attrs = { offset = 7 }, reference = diagonal_reference },
    { inputs = { S.randn { 3, 2, 4 } }, attrs = { dim1 = 3, dim2 = 1 }, reference = diagonal_reference },
    { inputs = { S.randn { 3, 4 } }, attrs = { dim1 = 2, dim2 = -1 }, error = 'dim1 and dim2 must differ, both are 2' },
  }
  samples.undiagonal = {
    { inputs = { S.randn { 3 } }, attrs = { size = { 3, 3 } }, reference = undiagonal_reference },
    { inputs = { S.randn { 3 } }, attrs = { size = { 3, 4 }, offset = 1 }, reference = undiagonal_reference },
    { inputs = { S.randn { 2 } }, attrs = { size = { 4, 2 }, offset = -1 }, reference = undiagonal_reference },
    { inputs = { S.randn { 2, 3 } }, attrs = { size = { 3, 2, 4 }, dim1 = 3, dim2 = 1 },
      reference = undiagonal_reference },
    { inputs = { S.randn { 0 } }, attrs = { size = { 2, 2 }, offset = 2 }, reference = undiagonal_reference },
    { inputs = { S.randn { 3 } }, attrs = { size = { 2, 2 } }, error = 'is not a diagonal of size %(2.-2%)' },
  }

  local function unfold_reference(inputs, attrs)
    local a = inputs[1]
    local dim = nth(attrs.dim, #a.size)
    local size = changed(a.size, dim, math.floor((a.size[dim] - attrs.size) / attrs.step) + 1)
    size[#size + 1] = attrs.size
    return build(size, function(index)
      local from = without(index, #index)
      from[dim] = (index[dim] - 1) * attrs.step + index[#index]
      return S.at(a, from)
    end)
  end
  local function fold_reference(inputs, attrs)
    local a = inputs[1]
    local dim = nth(attrs.dim, #a.size - 1)
    local result = S.array(changed(without(a.size, #a.size), dim, attrs.length), 0)
    S.each(a.size, function(index)
      local to = without(index, #index)
      to[dim] = (index[dim] - 1) * attrs.step + index[#index]
      S.set(result, to, S.at(result, to) + S.at(a, index))
    end)
    return result
  end
  samples.unfold = {
    { inputs = { S.randn { 7 } }, attrs = { dim = 1, size = 3, step = 2 }, reference = unfold_reference },
    { inputs = { S.randn { 6, 2 } }, attrs = { dim = 1, size = 3, step = 1 }, reference = unfold_reference },
    { inputs = { S.randn { 2, 7 } }, attrs = { dim = -1, size = 2, step = 3 }, reference = unfold_reference },
    { inputs = { S.randn { 2, 3 } }, attrs = { dim = 2, size = 4, step = 1 }, error = 'size must be in 0..3' },
    { inputs = { S.randn { 2, 3 } }, attrs = { dim = 2, size = 2, step = 0 }, error = 'step must be at least 1' },
  }
  samples.fold = {
    { inputs = { S.randn { 3, 3 } }, attrs = { dim = 1, length = 7, step = 2 }, reference = fold_reference },
    { inputs = { S.randn { 4, 2, 3 } }, attrs = { dim = 1, length = 6, step = 1 }, reference = fold_reference },
    { inputs = { S.randn { 2, 2, 2 } }, attrs = { dim = -1, length = 6, step = 3 }, reference = fold_reference },
    { inputs = { S.randn { 3, 3 } }, attrs = { dim = 1, length = 9, step = 2 }, error = 'don\'t make length 9' },
  }

  local function cat_reference(inputs, attrs)
    local first = inputs[1]
    local dim, total = nth(attrs and attrs.dim or 1, #first.size), 0
    for _, a in ipairs(inputs) do total = total + a.size[dim] end
    return build(changed(first.size, dim, total), function(index)
      local at = index[dim]
      for _, a in ipairs(inputs) do
        if at <= a.size[dim] then return S.at(a, changed(index, dim, at)) end
        at = at - a.size[dim]
      end
    end)
  end
  samples.cat = {
    { inputs = { S.randn { 2, 3 }, S.randn { 1, 3 } }, attrs = { dim = 1 }, reference = cat_reference },
    { inputs = { S.randn { 2, 3 }, S.randn { 2, 2 }, S.randn { 2, 1 } }, attrs = { dim = -1 },
      reference = cat_reference },
    { inputs = { S.randn { 2, 3 } }, attrs = {}, reference = cat_reference },
    { inputs = { S.randn { 0, 3 }, S.randn { 2, 3 } }, attrs = {}, reference = cat_reference },
    { inputs = { S.randn { 2, 3 }, S.randn { 2, 4 } }, attrs = { dim = 1 },
      error = "tensor 2 of size %(2.-4%) doesn't fit the first one's %(2.-3%) outside of dim 1" },
    { inputs = { S.randn {}, S.randn {} }, attrs = {}, error = '0%-dim tensors can\'t be concatenated' },
  }

  local function flip_reference(inputs, attrs)
    local a = inputs[1]
    return build(a.size, function(index)
      local from = copied(index)
      for _, d in ipairs(attrs.dims) do
        d = nth(d, #a.size)
        from[d] = a.size[d] + 1 - index[d]
      end
      return S.at(a, from)
    end)
  end
  samples.flip = {
    { inputs = { S.randn { 2, 3 } }, attrs = { dims = { 2 } }, reference = flip_reference },
    { inputs = { S.randn { 2, 3, 4 } }, attrs = { dims = { 1, -1 } }, reference = flip_reference },
    { inputs = { S.randn { 0, 3 } }, attrs = { dims = { 1, 2 } }, reference = flip_reference },
    { inputs = { S.randn { 2, 3 } }, attrs = { dims = { 3 } }, error = 'dim 3 is out of range' },
  }

  local function roll_reference(inputs, attrs)
    local a = inputs[1]
    return build(a.size, function(index)
      local from = copied(index)
      for i, d in ipairs(#a.size > 0 and attrs.dims or {}) do -- a 0-dim tensor has nothing to roll
        d = nth(d, #a.size)
        from[d] = (index[d] - 1 - attrs.shifts[i]) % a.size[d] + 1
      end
      return S.at(a, from)
    end)
  end
  samples.roll = {
    { inputs = { S.randn { 5 } }, attrs = { shifts = { 2 }, dims = { 1 } }, reference = roll_reference },
    { inputs = { S.randn { 3, 4 } }, attrs = { shifts = { -1, 7 }, dims = { 1, -1 } }, reference = roll_reference },
    { inputs = { S.randn { 0, 2 } }, attrs = { shifts = { 1 }, dims = { 1 } }, reference = roll_reference },
    { inputs = { S.randn { 3, 4 } }, attrs = { shifts = { 1 }, dims = { 1, 2 } }, error = '1 shifts and 2 dims' },
  }

  local function pad_reference(inputs, attrs)
    local a, size = inputs[1], {}
    for d, s in ipairs(a.size) do size[d] = s + attrs.before[d] + attrs.after[d] end
    return build(size, function(index)
      local from = {}
      for d, i in ipairs(index) do
        from[d] = i - attrs.before[d]
        if from[d] < 1 or from[d] > a.size[d] then return attrs.value or 0 end
      end
      return S.at(a, from)
    end)
  end
  samples.pad = {
    { inputs = { S.randn { 2, 3 } }, attrs = { before = { 1, 0 }, after = { 0, 2 } }, reference = pad_reference },
    { inputs = { S.randn { 3, 4 } }, attrs = { before = { -1, 2 }, after = { 1, -1 }, value = 0.5 },
      reference = pad_reference },
    { inputs = { S.randn { 4 } }, attrs = { before = { 3 }, after = { -5 }, value = 2 }, reference = pad_reference },
    { inputs = { S.randn { 0, 2 } }, attrs = { before = { 1, 0 }, after = { 1, 0 }, value = 3 },
      reference = pad_reference },
    { inputs = { S.randn {} }, attrs = { before = {}, after = {} }, reference = pad_reference },
    { inputs = { S.randn { 2 } }, attrs = { before = { -2 }, after = { -1 } }, error = 'padding dim 1 of size 2' },
    { inputs = { S.values({ 2 }, { 1, 2 }, 'int64') }, attrs = { before = { 1 }, after = { 1 }, value = 0.5 },
      error = "the value 0.5 doesn't fit a int64 tensor" },
    { inputs = { S.randn { 2, 2 } }, attrs = { before = { 1 }, after = { 1 } }, error = 'before must have 2 entries' },
  }

  local function triangle_reference(keep)
    return function(inputs, attrs)
      local a, diagonal = inputs[1], attrs.diagonal or 0
      return build(a.size, function(index)
        return keep(index[#index] - index[#index - 1], diagonal) and S.at(a, index) or 0
      end)
    end
  end
  local lower = triangle_reference(function(off, diagonal) return off <= diagonal end)
  local upper = triangle_reference(function(off, diagonal) return off >= diagonal end)
  for name, reference in pairs { tril = lower, triu = upper } do
    samples[name] = {
      { inputs = { S.randn { 3, 4 } }, attrs = {}, reference = reference },
      { inputs = { S.randn { 4, 3 } }, attrs = { diagonal = 1 }, reference = reference },
      { inputs = { S.randn { 2, 3, 3 } }, attrs = { diagonal = -1 }, reference = reference },
      { inputs = { S.randn { 3, 3 } }, attrs = { diagonal = 9 }, reference = reference },
      { inputs = { S.randn { 0, 3 } }, attrs = { diagonal = -9 }, reference = reference },
      { inputs = { S.randn { 3 } }, attrs = {}, error = 'at least 2 dims' },
    }
  end

  local function assign_reference(inputs)
    return build(inputs[1].size, function(index) return stretched(inputs[2], index) end)
  end
  samples.assign = {
    { inputs = { S.randn { 2, 3 }, S.randn { 2, 3 } }, reference = assign_reference },
    { inputs = { S.randn { 2, 3 }, S.randn { 3 } }, reference = assign_reference },
    { inputs = { S.randn { 2, 3 }, S.randn {} }, reference = assign_reference },
    { inputs = { S.randn { 0, 3 }, S.randn { 1, 3 } }, reference = assign_reference },
    { inputs = { S.randn { 2, 2 }, S.values({ 2 }, { 3, -4 }, 'int64') }, reference = assign_reference },
    { inputs = { S.randn { 3 }, S.randn { 2 } }, error = "source of size %(2%) doesn't broadcast to size %(3%)" },
    { inputs = { S.randn { 3 }, S.randn { 1, 3 } }, error = "doesn't broadcast" },
  }

  local function fill_reference(inputs, attrs) return S.array(inputs[1].size, attrs.value) end
  samples.fill = {
    { inputs = { S.randn { 2, 3 } }, attrs = { value = 2.5 }, reference = fill_reference },
    { inputs = { S.randn {} }, attrs = { value = -1 }, reference = fill_reference },
    { inputs = { S.randn { 0 } }, attrs = { value = 1 }, reference = fill_reference },
    { inputs = { S.values({ 2 }, { 1, 2 }, 'int64') }, attrs = { value = 7 }, reference = fill_reference },
    { inputs = { S.values({ 2 }, { 1, 2 }, 'int64') }, attrs = { value = 1.5 }, error = 'can\'t hold the value 1.5' },
    { inputs = { S.values({ 2 }, { 1, 2 }, 'uint8') }, attrs = { value = 256 }, error = 'can\'t hold the value 256' },
  }

  --- The lists of region_put count from 0, as in the core: `t[...] = v` makes them.
  local function region_put_reference(inputs, attrs)
    local result = S.array(inputs[1].size, copied(inputs[1].data))
    S.each(attrs.size, function(index)
      local to = {}
      for d, i in ipairs(index) do to[d] = attrs.start[d] + (i - 1) * attrs.step[d] + 1 end
      S.set(result, to, stretched(inputs[2], index))
    end)
    return result
  end
  samples.region_put = {
    { inputs = { S.randn { 4, 5 }, S.randn { 2, 3 } }, attrs = { start = { 1, 0 }, size = { 2, 3 }, step = { 1, 2 } },
      reference = region_put_reference },
    { inputs = { S.randn { 4, 5 }, S.randn {} }, attrs = { start = { 0, 4 }, size = { 4, 1 }, step = { 1, 1 } },
      reference = region_put_reference },
    { inputs = { S.randn { 3, 2 }, S.randn { 1, 2 } }, attrs = { start = { 0, 0 }, size = { 2, 2 }, step = { 2, 1 } },
      reference = region_put_reference },
    { inputs = { S.randn { 3 }, S.randn { 1 } }, attrs = { start = { 1 }, size = { 0 }, step = { 1 } },
      reference = region_put_reference },
    { inputs = { S.randn {}, S.randn {} }, attrs = { start = {}, size = {}, step = {} },
      reference = region_put_reference },
    { inputs = { S.randn { 3 }, S.randn {} }, attrs = { start = { 2 }, size = { 2 }, step = { 1 } },
      error = '2 elements from 3 by 1 don\'t fit in dim 1 of size 3' },
    { inputs = { S.randn { 3 }, S.randn { 3 } }, attrs = { start = { 0 }, size = { 2 }, step = { 1 } },
      error = "source of size %(3%) doesn't broadcast to size %(2%)" },
  }

  return samples
end
