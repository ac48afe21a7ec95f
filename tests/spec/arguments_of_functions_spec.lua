-- How shapes, indices, products, factorizations and windows take their arguments: by position, in one table behind the
-- first ones, or all by name, always with the same result; what has no such name is refused in the function's own name.
local metann = require 'metann'

local t = metann.arange(6, { dtype = 'float64' }):view(2, 3)
local square = metann.tensor({ { 4, 1 }, { 1, 3 } }, { dtype = 'float64' })
local picture = metann.arange(32, { dtype = 'float64' }):view(1, 2, 4, 4)
local kernel = metann.ones(2, 2, 2, 2, { dtype = 'float64' })
local f64 = { dtype = 'float64' }
local at = metann.tensor({ { 1, 2, 1 } }, { dtype = 'int64' })
local line = metann.tensor({ 2, 1 }, { dtype = 'int64' })
local row = metann.ones(1, 3, { dtype = 'float64' })

-- function, names, values: as many are given as there are values
local cases = {
  { 'reshape', 'input shape', t, { 3, 2 } }, { 'broadcast_to', 'input size', t, { 2, 2, 3 } },
  { 'flatten', 'input start_dim end_dim', picture, 2, 3 }, { 'unflatten', 'input dim sizes', t, 2, { 3, -1 } },
  { 'contiguous', 'input', t:t() }, { 'ravel', 'input', t }, { 't', 'input', t }, { 'reshape_as', 'input other', t, t:t() },
  { 'view_as', 'input other', t, metann.ones(3, 2) }, { 'expand_as', 'input other', row, t },
  { 'movedim', 'input source destination', picture, { 1, 2 }, { 2, 3 } }, { 'repeat_', 'input repeats', t, { 2, 2 } },
  { 'tile', 'input dims', t, { 2, 1 } }, { 'narrow', 'input dim start length', t, 2, 2, 2 },
  { 'split', 'input split_size dim', t, 2, 2 }, { 'split', 'input split_size dim', t, { 1, 2 }, -1 },
  { 'chunk', 'input chunks dim', t, 2, 2 }, { 'unbind', 'input dim', t, 2 }, { 'stack', 'tensors dim', { t, t }, 2 },
  { 'roll', 'input shifts dims', t, 1, 2 }, { 'roll', 'input shifts', t, 4 }, { 'flip', 'input dims', t, { 1, 2 } },
  { 'fliplr', 'input', t }, { 'flipud', 'input', t }, { 'diag', 'input diagonal', t, 1 },
  { 'pad', 'input pad mode value', t, { 1, 1 }, 'constant', 5 }, { 'pad', 'input pad mode', t, { 1, -1 }, 'circular' },
  { 'meshgrid', 'tensors', { line, line } },

  { 'index_select', 'input dim index', t, 1, line }, { 'gather', 'input dim index', t, 1, at },
  { 'scatter', 'input dim index source reduce', t, 1, at, row, 'add' },
  { 'scatter_', 'input dim index source', t:clone(), 1, at, row },
  { 'scatter_add', 'input dim index source', t, 1, at, row },
  { 'scatter_add_', 'input dim index source', t * 0, 1, at[{ {}, { 1, 2 } }], row[{ {}, { 1, 2 } }] * 0 },
  { 'index_add', 'input dim index source alpha', t, 1, line, t, 2 },
  { 'index_add_', 'input dim index source alpha', t * 0, 1, line, t * 0, 2 },
  { 'take_along_dim', 'input index dim', t, at, 1 }, { 'where_true', 'mask', t:gt(2) },
  { 'nonzero', 'input as_tuple', t, true }, { 'masked_select', 'input mask', t, t:gt(2) },
  { 'index_put', 'input indices values accumulate', t, { line }, 5, true },
  { 'index_put_', 'input indices values accumulate', t:clone(), { line }, 5, false },
  { 'index_fill', 'input dim index value', t, 1, line, 7 }, { 'one_hot', 'input num_classes dtype', line, 3, 'float32' },
  { 'one_hot', 'input num_classes', line, -1 },

  { 'matmul', 'input other transpose_input', square, square, true }, { 'mm', 'input other', square, square },
  { 'mv', 'input other', square, square[1] }, { 'bmm', 'input other', square:view(1, 2, 2), square:view(1, 2, 2) },
  { 'dot', 'input other', square[1], square[2] }, { 'outer', 'input other', square[1], square[2] },
  { 'addmm', 'input mat1 mat2 beta alpha', square, square, square, 2, 3 },
  { 'addmv', 'input mat vec beta', square[1], square, square[1], 2 },
  { 'baddbmm', 'input batch1 batch2', square, square:view(1, 2, 2), square:view(1, 2, 2) },
  { 'addbmm', 'input batch1 batch2', square, square:view(1, 2, 2), square:view(1, 2, 2) },
  { 'addr', 'input vec1 vec2 beta alpha', square, square[1], square[2], 0, 2 }, { 'trace', 'input', square },
  { 'tensordot', 'input other dims', t, t:t(), 1 }, { 'tensordot', 'input other dims', t, t, { { 1 }, { 1 } } },
  { 'inner', 'input other', t, t }, { 'kron', 'input other', square, t }, { 'cross', 'input other dim', t, t * 2 + 1, 2 },
  { 'cdist', 'input other p', t, t * 2, 1 }, { 'multi_dot', 'tensors', { square, square, t } },
  { 'einsum', 'equation operands', 'ij,kj->ik', { t, t } },

  { 'solve', 'input other left', square, square + 1, false },
  { 'solve_ex', 'input other left check_errors', square, square + 1, false, true },
  { 'lu_solve', 'B LU pivots', square, square, metann.tensor({ 1, 2 }, { dtype = 'int32' }) },
  { 'lu_unpack', 'LU pivots', square, metann.tensor({ 2, 2 }, { dtype = 'int32' }) },
  { 'solve_triangular', 'input other upper left unitriangular', square, square, true, false, true },
  { 'triangular_solve', 'b A upper transpose unitriangular', square, square, false, true, false },
  { 'cholesky_solve', 'b factor upper', square, square, true }, { 'cholesky_inverse', 'factor upper', square, true },
  { 'logdet', 'input', square }, { 'svd', 'input some', t, false }, { 'svdvals', 'input', t },
  { 'eigvalsh', 'input UPLO', square, 'U' }, { 'qr', 'input mode', t, 'complete' },
  { 'matrix_power', 'input n', square, -2 }, { 'pinverse', 'input rcond', t, 0.1 }, { 'matrix_exp', 'input', square },

  { 'pdist', 'input p', t, 3 },
  { 'conv1d', 'input weight bias stride padding dilation groups', picture[1], metann.ones(2, 4, 2, f64), nil, 1, 1, 2, 1 },
  { 'conv2d', 'input weight bias stride padding dilation groups', picture, kernel, nil, 2, { 1, 0 }, { 2 }, 1 },
  { 'conv2d', 'input weight bias stride padding', picture, kernel, kernel[{ 1, 1, 1 }], 1, 'same' },
  { 'conv3d', 'input weight bias stride padding', picture, kernel:view(2, 1, 2, 2, 2), nil, 1, 1 },
  { 'conv_transpose2d', 'input weight bias stride padding output_padding groups dilation', picture, kernel, nil, 2, 1, 1,
    2, 1 },
  { 'conv_transpose1d', 'input weight bias stride padding output_padding groups dilation', picture[1],
    metann.ones(4, 1, 2, f64), nil, 2, 1, 1, 2, 1 },
  { 'conv_transpose3d', 'input weight bias stride padding output_padding groups dilation', picture,
    kernel:view(2, 1, 2, 2, 2):narrow(1, 1, 1), nil, 2, 1, 1, 1, 1 },
  { 'im2col', 'input kernel_size dilation padding stride', picture, 2, 1, 1, 2 },
  { 'col2im', 'input output_size kernel_size dilation padding stride', t:view(1, 6, 1), { 3, 2 }, { 3, 2 }, 1, 0, 1 },
  { 'max_pool1d', 'input kernel_size stride padding dilation ceil_mode return_indices', picture[1], 2, 1, 1, 1, false,
    true },
  { 'max_pool2d', 'input kernel_size stride padding dilation ceil_mode return_indices', picture, 2, 1, 1, 1, false, true },
  { 'avg_pool1d', 'input kernel_size stride padding ceil_mode count_include_pad', picture[1], 2, 1, 1, true, false },
  { 'avg_pool2d', 'input kernel_size stride padding ceil_mode count_include_pad divisor_override', picture, 2, 1, 1, true,
    false, 3 },
  { 'max_pool3d', 'input kernel_size stride padding dilation ceil_mode return_indices', picture, 2, 1, 1, 1, false, true },
  { 'avg_pool3d', 'input kernel_size stride padding ceil_mode count_include_pad divisor_override', picture, 2, 1, 1, true,
    false, 3 },
  { 'adaptive_avg_pool1d', 'input output_size', picture[1], 2 },
  { 'adaptive_avg_pool3d', 'input output_size', picture, 2 },
  { 'adaptive_max_pool1d', 'input output_size return_indices', picture[1], 3, true },
  { 'adaptive_max_pool3d', 'input output_size return_indices', picture, { 1, 2, 3 }, true },
  { 'adaptive_avg_pool2d', 'input output_size', picture, 2 },
  { 'adaptive_max_pool2d', 'input output_size return_indices', picture, { 2, 3 }, true },
  { 'interpolate', 'input size scale_factor mode align_corners', picture, { 3, 5 }, nil, 'bilinear', true },
}

--- A result as numbers and sizes.
local function read(...)
  local list = {}
  for i = 1, select('#', ...) do
    local x = select(i, ...)
    if metann.is_tensor(x) then
      list[i] = { x.shape, x.dtype, x:to_flat_table() }
    elseif type(x) == 'table' then
      list[i] = read(unpack(x))
    end
  end
  return list
end

local function names_of(case)
  local names = {}
  for name in case[2]:gmatch '%S+' do names[#names + 1] = name end
  return names
end

describe('arguments of', function()
  for _, case in ipairs(cases) do
    local name, names, values = case[1], names_of(case), {}
    for i = 1, #names do values[i] = case[2 + i] end
    local fn = metann[name]

    it(name .. ' stand by position or by name', function()
      local want = read(fn(unpack(values, 1, #names)))
      for first = 1, #names do
        local given, options = {}, {}
        for i = 1, first - 1 do given[i] = values[i] end
        for i = first, #names do options[names[i]] = values[i] end
        given[first] = options
        assert.same(want, read(fn(unpack(given, 1, first))), 'by name from ' .. names[first])
      end
    end)

    it(name .. ' are refused by its own name when there is no such', function()
      local given = { unpack(values, 1, #names) }
      given[#names + 1] = { no_such_option = 1 }
      local ok, message = pcall(fn, unpack(given, 1, #names + 1))
      assert.is_false(ok)
      assert.truthy(message:find('spec%.lua:%d+: ' .. name .. ": unknown option 'no_such_option'"), message)
      ok, message = pcall(fn, 'x')
      assert.is_false(ok)
      assert.truthy(message:find(name .. ': ', 1, true), message)
    end)
  end

  it('every function of these families is among them', function()
    local seen = {}
    for _, case in ipairs(cases) do seen[case[1]] = true end
    for _, part in ipairs{ 'shape', 'index', 'products', 'factorizations', 'einsum', 'conv', 'pool', 'interpolate' } do
      for name in pairs(require('metann.tensor.compose.' .. part)) do assert.truthy(seen[name], name) end
    end
  end)
end)

describe('what is read as a list and options', function()
  it('a table with both', function()
    assert.same({ 2, 2, 3 }, metann.stack{ t, t }.shape)
    assert.same({ 2, 3, 2 }, metann.stack{ t, t, dim = 3 }.shape)
    assert.same({ 3, 2 }, metann.meshgrid(metann.ones(2), metann.ones(3), { indexing = 'xy' })[1].shape)
    assert.same({ 3, 2 }, metann.meshgrid{ metann.ones(2), metann.ones(3), indexing = 'xy' }[1].shape)
    assert.same({ 2, 3 }, t:new_zeros{ 2, 3, dtype = 'int64' }.shape)
    assert.equal('int64', t:new_zeros{ 2, 3, dtype = 'int64' }.dtype)
  end)
end)

describe('new tensors', function()
  local whole = metann.tensor{ 1LL }

  it('take dtype, device and requires_grad', function()
    assert.equal('int64', whole:new_zeros(2).dtype)
    assert.equal('float64', whole:new_zeros({ 2 }, { dtype = 'float64' }).dtype)
    assert.equal('float64', whole:new_ones(2, 3, { dtype = 'float64', device = 'cpu' }).dtype)
    assert.same({ 1.5 }, whole:new_full({ 1 }, 1.5, { dtype = 'float64' }):to_table())
    assert.is_true(whole:new_empty(2, { dtype = 'float32', requires_grad = true }).requires_grad)
    assert.is_true(whole:new_tensor({ 1.5 }, { dtype = 'float32', requires_grad = true }).requires_grad)
    assert.same({}, whole:new_ones().shape)
    for _, name in ipairs{ 'new_zeros', 'new_ones', 'new_empty' } do
      assert.has_error(function() whole[name](whole, 2, { junk = 1 }) end)
    end
    assert.has_error(function() whole:new_full({ 1 }, 1.5) end)
  end)

  it('and to takes copy', function()
    assert.is_true(rawequal(t, t:to('float64')))
    local copy = t:to('float64', { copy = true })
    assert.is_false(copy:shares_storage(t))
    assert.same(t:to_table(), copy:to_table())
    assert.is_false(t:to{ copy = true, non_blocking = true }:shares_storage(t))
    assert.equal('int64', t:to('cpu', 'int64').dtype)
    assert.has_error(function() t:to('float32', { dtype = 'float64' }) end)
  end)
end)

describe('edges', function()
  local function fails(pattern, fn, ...)
    local ok, message = pcall(fn, ...)
    assert.is_false(ok)
    assert.truthy(message:find(pattern), message)
  end

  it('a dim without elements has as many chunks as are asked for', function()
    local parts = metann.zeros(0, 2):chunk(3, 1)
    assert.equal(3, #parts)
    for _, part in ipairs(parts) do assert.same({ 0, 2 }, part.shape) end
    assert.equal(2, #metann.zeros(4):chunk(3)) -- 2 and 2, as before
    assert.equal(1, #metann.zeros(0):split(3))
    fails("chunk: 'chunks' must be at most 1000000", metann.chunk, metann.zeros(0), 1e9)
    fails("chunk: 'input' must have at least 1 dim", metann.chunk, metann.tensor(1), 2)
  end)

  it('an empty tensor of one dim joins with any', function()
    local none = metann.zeros(0, { requires_grad = true })
    local x = metann.ones(2, 2, { requires_grad = true })
    for dim = 1, 2 do
      local y = metann.cat({ none, x, none, x }, dim)
      assert.same(dim == 1 and { 4, 2 } or { 2, 4 }, y.shape)
      assert.same({ { 2, 2 }, { 2, 2 } }, metann.grad(y:sum(), x):to_table())
      assert.same({ 0 }, metann.grad(metann.cat({ none, x }, dim):sum(), none).shape)
    end
    assert.same({ 0 }, metann.cat{ none, none }.shape)
    fails("cat: tensor 3 of size %(3.-1%) doesn't fit", metann.cat, { none, x, metann.ones(3, 1) })
  end)

  it('circular padding crops before it goes round', function()
    local four = metann.tensor{ { 1, 2, 3, 4 } }
    assert.same({ { 2, 3, 4, 2 } }, four:pad({ -1, 1 }, 'circular'):to_table())
    assert.same({ { 2, 1, 2 } }, four:pad({ 1, -2 }, 'circular'):to_table())
    assert.same({ { 2, 3 } }, four:pad({ -1, -1 }, 'circular'):to_table())
    assert.same({ { 4, 1, 2, 3, 4, 1 } }, four:pad({ 1, 1 }, 'circular'):to_table())
    fails('pad: %-3 and %-2 crop more than dim 2 of size 4 has', metann.pad, four, { -3, -2 }, 'circular')
    fails('pad: 4 is too much for mode circular', metann.pad, four, { -1, 4 }, 'circular')
    fails("pad: 'pad' must be a list of pairs, got 1 numbers", metann.pad, four, { 1 })
  end)

  it('narrow takes a tensor for its start', function()
    assert.same({ { 1, 2 }, { 4, 5 } }, t:narrow(2, metann.tensor(2LL), 2):to_table())
    assert.same({ { 2 }, { 5 } }, t:narrow(2, metann.tensor{ -1LL }, 1):to_table())
    fails("narrow: 'start' must have one element", metann.narrow, t, 1, line, 1)
    fails("narrow: 'dim' is 3", metann.narrow, t, 3, 1, 1)
  end)

  it('tensordot stretches a dim of 1', function()
    -- the sum of all of the longer one, times the other
    assert.same({ { 2 * (0 + 1 + 2) }, { 2 * (3 + 4 + 5) } }, metann.tensordot(t, metann.full({ 1, 1 }, 2, { dtype = 'float64' }),
      { { 2 }, { 1 } }):to_table())
    fails('size mismatch', metann.tensordot, t, metann.ones(2, 2, { dtype = 'float64' }), { { 2 }, { 1 } })
  end)

  it('nonzero gives a list, one_hot counts classes, index_put takes masks', function()
    local places = t:nonzero{ as_tuple = true }
    assert.same({ { 1, 1, 2, 2, 2 }, { 2, 3, 1, 2, 3 } }, { places[1]:to_table(), places[2]:to_table() })
    assert.same({ 1 }, metann.tensor(3):nonzero{ as_tuple = true }[1]:to_table())
    assert.same({ 0 }, metann.tensor(0):nonzero{ as_tuple = true }[1].shape)
    fails("one_hot: 'num_classes' must be given for a tensor without elements", metann.one_hot,
      metann.zeros(0, { dtype = 'int64' }))
    local put = metann.index_put(t, { metann.tensor{ false, true }, metann.tensor{ 3LL } }, 9)
    assert.same({ { 0, 1, 2 }, { 3, 4, 9 } }, put:to_table())
    assert.same({ { 0, 1, 2 }, { 9, 9, 9 } }, metann.index_put(t, { t:gt(2) }, 9):to_table())
    fails('index_put: the mask has size 3 in its dim 1', metann.index_put, t, { metann.tensor{ true, true, true } }, 9)
  end)

  it('sums of bools take true for alpha', function()
    local bools = metann.tensor{ false, true, false }
    local added = bools:index_add(1, metann.tensor{ 3LL }, metann.tensor{ true }, { alpha = true })
    assert.same({ 0, 1, 1 }, added:to_table())
    added = bools:index_add(1, metann.tensor{ 3LL }, metann.tensor{ true }, { alpha = false })
    assert.same({ 0, 1, 0 }, added:to_table())
  end)

  it('flips want the dims that they flip', function()
    fails("flipud: 'input' must have at least 1 dim, got 0", metann.flipud, metann.tensor(1))
    fails("fliplr: 'input' must have at least 2 dims, got 1", metann.fliplr, line)
  end)
end)
