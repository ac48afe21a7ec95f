--- torch's functions on shapes and positions, constructors, and methods of tensors.
local metann = require 'metann'
local host = require 'tests.support.golden.torch.tensors'
local registry = require 'tests.support.golden.torch.registry'
local values = require 'tests.support.golden.python.values'
local from_one, is_tensor = registry.from_one, registry.is_tensor

local function shapes(define, alias)
  for name in ('reshape view expand tile repeat_'):gmatch '%S+' do
    define(name:gsub('_$', '') .. '(input, *size)', function(a) return a.input[name](a.input, a.size) end)
  end
  for name in ('permute flip'):gmatch '%S+' do
    define(name .. '(input, *dims)', function(a) return a.input[name](a.input, a.dims) end)
  end
  define('view_as(input, other)', function(a) return a.input:view(a.other.shape) end)
  define('reshape_as(input, other)', function(a) return a.input:reshape(a.other.shape) end)
  define('expand_as(input, other)', function(a) return a.input:expand(a.other.shape) end)
  define('broadcast_to(input, size)', function(a) return a.input:expand(a.size) end)
  define('flatten(input, start_dim=0, end_dim=-1)', function(a) return a.input:flatten(a.start_dim, a.end_dim) end)
  define('ravel(input)', function(a) return a.input:flatten() end)
  define('unflatten(input, dim, sizes)', function(a) return a.input:unflatten(a.dim, a.sizes) end)
  define('transpose(input, dim0, dim1)', function(a) return a.input:transpose(a.dim0, a.dim1) end)
  for new in ('swapaxes swapdims'):gmatch '%S+' do alias(new, 'transpose') end
  define('t(input)', function(a) return a.input:t() end)
  define('movedim(input, source, destination)', function(a) return a.input:movedim(a.source, a.destination) end)
  alias('moveaxis', 'movedim')
  define('squeeze(input, dim=None)', function(a)
    if a.dim == nil then return a.input:squeeze() end
    -- PyTorch leaves a dim of another size alone
    if type(a.dim) == 'number' and a.input:dim() > 0 and a.input:size(a.dim) ~= 1 then return a.input end
    return a.input:squeeze(a.dim)
  end)
  define('unsqueeze(input, dim)', function(a)
    return a.input:unsqueeze(a.dim)
  end)
  define('narrow(input, dim, start: index, length)', function(a) return a.input:narrow(a.dim, a.start, a.length) end)
  define('select(input, dim, index)', function(a) return a.input:select(a.dim, a.index) end)
  define('chunk(input, chunks, dim=0)', function(a) return a.input:chunk(a.chunks, a.dim) end)
  define('split(tensor, split_size_or_sections, dim=0)', function(a)
    return a.tensor:split(a.split_size_or_sections, a.dim)
  end)
  define('unbind(input, dim=0)', function(a) return a.input:unbind(a.dim) end)
  define('roll(input, shifts, dims=None)', function(a)
    if a.dims == nil then return a.input:roll(a.shifts) end
    local shifts, dims = a.shifts, a.dims
    if type(shifts) == 'number' then shifts = { shifts } end
    if type(dims) == 'number' then dims = { dims } end
    return a.input:roll(shifts, dims)
  end)
  define('fliplr(input)', function(a) return a.input:flip(2) end)
  define('flipud(input)', function(a) return a.input:flip(1) end)
  define('unfold(input, dimension, size, step)', function(a) return a.input:unfold(a.dimension, a.size, a.step) end)
  define('diagonal(input, offset=0, dim1=0, dim2=1)', function(a) return a.input:diagonal(a.offset, a.dim1, a.dim2) end)
  define('diag(input, diagonal=0)', function(a) return a.input:diag(a.diagonal) end)
  define('tril(input, diagonal=0)', function(a) return a.input:tril(a.diagonal) end)
  define('triu(input, diagonal=0)', function(a) return a.input:triu(a.diagonal) end)
end

local function joins(define, alias)
  define('cat(tensors, dim=0)', function(a) return metann.cat(a.tensors, a.dim) end)
  for new in ('concat concatenate'):gmatch '%S+' do alias(new, 'cat') end
  define('stack(tensors, dim=0)', function(a) return metann.stack(a.tensors, a.dim) end)
  define('vstack(tensors)', function(a)
    local rows = {}
    for i, t in ipairs(a.tensors) do rows[i] = t:dim() < 2 and t:reshape{ 1, -1 } or t end
    return metann.cat(rows, 1)
  end)
  define('hstack(tensors)', function(a) return metann.cat(a.tensors, a.tensors[1]:dim() < 2 and 1 or 2) end)
  define("meshgrid(*tensors, indexing='ij')", function(a)
    return metann.meshgrid(a.tensors, { indexing = a.indexing })
  end)
  define('cartesian_prod(*tensors)', function(a)
    local grids = metann.meshgrid(a.tensors)
    for i, grid in ipairs(grids) do grids[i] = grid:reshape(-1) end
    return metann.stack(grids, 2)
  end)
end

local function positions(define)
  define('index_select(input, dim, index)', function(a) return metann.index_select(a.input, a.dim, a.index) end)
  define('gather(input, dim, index)', function(a) return metann.gather(a.input, a.dim, a.index) end)
  define('take_along_dim(input, indices, dim=None)', function(a)
    return metann.take_along_dim(a.input, a.indices, a.dim)
  end)
  define('take(input, index)', function(a) return a.input:reshape(-1)[a.index] end)
  for name in ('scatter scatter_'):gmatch '%S+' do
    define(name .. '(input, dim, index, src=None, value=None, *, reduce=None)', function(a)
      local source = a.src == nil and a.value or a.src
      if a.reduce == 'add' then return metann.scatter_add(a.input, a.dim, a.index, source) end
      if a.reduce then error('scatter: reduce is not understood', 0) end
      return metann[name](a.input, a.dim, a.index, source)
    end)
  end
  for name in ('scatter_add scatter_add_'):gmatch '%S+' do
    define(name .. '(input, dim, index, src)', function(a) return metann[name](a.input, a.dim, a.index, a.src) end)
  end
  for name in ('index_add index_add_'):gmatch '%S+' do
    define(name .. '(input, dim, index, source: plain, *, alpha=1)', function(a)
      return metann[name](a.input, a.dim, a.index, a.source, { alpha = a.alpha })
    end)
  end
  define('index_fill(input, dim, index, value)', function(a)
    return metann.index_fill(a.input, a.dim, a.index, a.value)
  end)
  for name in ('index_put index_put_'):gmatch '%S+' do
    define(name .. '(input, indices: value, values, accumulate=False)', function(a)
      local list, t = {}, a.input
      for i = 1, a.indices.n do
        local index = a.indices[i]
        if index == values.None then
          list[i] = false
        elseif index.dtype == 'bool' then
          for _, column in ipairs(metann.unbind(metann.nonzero(index), 2)) do list[#list + 1] = column end
        else
          list[i] = metann.where(index:lt(0), index + t:size(i), index) + 1
        end
      end
      return metann[name](t, list, a.values, a.accumulate)
    end)
  end
  define('masked_fill(input, mask, value)', function(a) return metann.masked_fill(a.input, a.mask, a.value) end)
  define('masked_fill_(input, mask, value)', function(a) return metann.masked_fill_(a.input, a.mask, a.value) end)
  define('masked_select(input, mask)', function(a) return metann.masked_select(a.input, a.mask) end)
  define('nonzero(input, *, as_tuple=False)', function(a)
    local places = from_one(metann.nonzero(a.input))
    if a.as_tuple then return metann.unbind(places, 2) end
    return places
  end)
  define('argwhere(input)', function(a) return from_one(metann.nonzero(a.input)) end)
  define('bincount(input, weights=None, minlength=0)', function(a)
    return metann.bincount(a.input + 1, { weights = a.weights, minlength = a.minlength })
  end)
  define('one_hot(input, num_classes=-1)', function(a) return metann.one_hot(a.input + 1, a.num_classes) end)
end

-- ---- constructors ----

--- The dtype that Python's numbers would give.
local function number_dtype(...)
  for i = 1, select('#', ...) do
    if values.is_float((select(i, ...))) then return metann.get_default_dtype() end
  end
  return 'int64'
end

local function options(a, dtype) return { dtype = a.dtype or dtype, requires_grad = a.requires_grad } end

local function filled(define)
  for name in ('zeros ones empty'):gmatch '%S+' do
    local from = name == 'empty' and 'zeros' or name -- what is in fresh memory is nothing to compare
    define(name .. '(*size, dtype=None, requires_grad=False)', function(a) return metann[from](a.size, options(a)) end)
    define(name .. '_like(input, *, dtype=None, requires_grad=False)', function(a)
      return metann[from .. '_like'](a.input, options(a))
    end)
  end
  define('full(size, fill_value: value, *, dtype=None, requires_grad=False)', function(a)
    local v = registry.plain(a.fill_value)
    if is_tensor(v) then v = host.number(v) end
    local dtype = type(v) == 'boolean' and 'bool' or number_dtype(a.fill_value)
    return metann.full(a.size, v, options(a, dtype))
  end)
  define('full_like(input, fill_value, *, dtype=None, requires_grad=False)', function(a)
    return metann.full_like(a.input, a.fill_value, options(a))
  end)
  for name in ('new_zeros new_ones'):gmatch '%S+' do
    define(name .. '(input, *size, dtype=None, requires_grad=False)', function(a)
      return metann[name:sub(5)](a.size, options(a, a.input.dtype))
    end)
  end
  define('new_full(input, size, fill_value, *, dtype=None)', function(a)
    return metann.full(a.size, a.fill_value, options(a, a.input.dtype))
  end)
end

local function lines(define)
  define('arange(start: value, end: value=None, step: value=1, *, dtype=None, requires_grad=False)', function(a)
    local start, stop, step = a.start, a['end'], a.step
    if stop == values.None then start, stop = 0, start end
    local o = options(a, number_dtype(start, stop, step))
    return metann.arange(registry.plain(start), registry.plain(stop), registry.plain(step), o)
  end)
  define('linspace(start, end, steps, *, dtype=None, requires_grad=False)', function(a)
    return metann.linspace(a.start, a['end'], a.steps, options(a))
  end)
  define('eye(n, m=None, *, dtype=None, requires_grad=False)', function(a)
    return metann.eye(a.n, a.m or a.n, options(a))
  end)
  local function tensor(a)
    local data = a.data
    if is_tensor(data) then return metann.tensor(data, options(a)) end
    local first, float = data, false
    local function look(v)
      if values.is_sequence(v) then
        for i = 1, v.n do look(v[i]) end
      else
        float = float or values.is_float(v)
        first = v
      end
    end
    look(data)
    if is_tensor(first) then
      local list = registry.plain(data)
      return metann.stack(list, 1):detach()
    end
    local dtype = type(first) == 'boolean' and 'bool' or float and metann.get_default_dtype() or 'int64'
    return metann.tensor(registry.plain(data), options(a, dtype))
  end
  define('tensor(data: value, *, dtype=None, requires_grad=False)', tensor)
  define('new_tensor(input, data: value, *, dtype=None, requires_grad=False)', function(a)
    a.dtype = a.dtype or a.input.dtype
    return tensor(a)
  end)
  define('as_tensor(data: value, dtype=None, requires_grad=False)', tensor)
  define('scalar_tensor(data: value, *, dtype=None, requires_grad=False)', tensor)
end

-- ---- methods ----

local CASTS = {
  float = 'float32', double = 'float64', long = 'int64', int = 'int32', bool = 'bool', half = 'float16', byte = 'uint8',
}

local function methods(define)
  define('size(input, dim=None)', function(a)
    if a.dim then return a.input:size(a.dim) end
    return a.input.shape
  end)
  for name in ('dim numel is_contiguous'):gmatch '%S+' do
    define(name .. '(input)', function(a) return a.input[name](a.input) end)
  end
  define('ndimension(input)', function(a) return a.input:dim() end)
  define('nelement(input)', function(a) return a.input:numel() end)
  define('item(input)', function(a) return host.item(a.input) end)
  define('tolist(input)', function(a)
    local list = a.input:to_table()
    return type(list) == 'number' and values.float(list) or list
  end)
  define('requires_grad_(input, requires_grad=True)', function(a) return a.input:requires_grad_(a.requires_grad) end)
  define('retain_grad(input)', function(a) a.input:retain_grad() end)
  define('backward(input, gradient=None, retain_graph=None, create_graph=False)', function(a)
    a.input:backward(a.gradient, { retain_graph = a.retain_graph or a.create_graph, create_graph = a.create_graph or nil })
  end)
  for name, dtype in pairs(CASTS) do
    define(name .. '(input)', function(a) return a.input:to(dtype) end)
  end
  define('to(input, dtype=None, *, copy=False)', function(a)
    if is_tensor(a.dtype) then return a.input:to(a.dtype.dtype) end
    if a.dtype == nil or a.dtype == 'cpu' then return a.input end
    return a.input:to(a.dtype)
  end)
  define('type(input, dtype=None)', function(a) return a.input:to(a.dtype) end)
  define('type_as(input, other)', function(a) return a.input:to(a.other.dtype) end)
  define('cpu(input)', function(a) return a.input end)
  define('numpy(input)', function(a) return a.input end)
  define('copy_(input, src)', function(a) return a.input:copy_(a.src) end)
  define('fill_(input, value)', function(a) return a.input:fill_(a.value) end)
  define('zero_(input)', function(a) return a.input:zero_() end)
  define('is_floating_point(input)', function(a) return a.input.dtype:find 'float' ~= nil end)
  define('sum_to_size(input, *size)', function(a) return metann.sum_to(a.input, a.size) end)
end

return function(torch)
  for _, part in ipairs{ shapes, joins, positions, filled, lines, methods } do part(torch.define, torch.alias) end
end
