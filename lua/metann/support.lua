--- What all folders above the tensors share: sizes, flags and lists of tensors, writing all of several or none.
-- The only file outside binding/ and tensor/ that looks into handles; layers call the rows of the op table through
-- `support.ops`.
local binding = require 'metann.binding'
local facts = require 'metann.binding.facts'
local devices = require 'metann.binding.devices'
require 'metann.tensor'
local common = require 'metann.tensor.compose.common'
local layout = require 'metann.tensor.compose.layout'
local lists = require 'metann.tensor.compose.lists'
local handle, errors, scope = binding.handle, binding.errors, binding.scope
local C, ctx, array = handle.C, handle.ctx, handle.array
local raise, describe = errors.raise, errors.describe
local is_tensor, ffi = handle.is_tensor, handle.ffi

local support = {
  ops = binding.stub.ops,
  functions = require 'metann.tensor.ops', -- the rows and what is composed of them
  volumes = require 'metann.tensor.compose.volumes', -- pooling of any number of sides
  is_tensor = is_tensor,
  is_recording = handle.is_recording,
  is_callable = scope.is_callable,
  keep = scope.keep,
  raise = raise,
  errors = errors,
  to_list = lists.to_list,
  tensors = lists.tensors,
}

--- What a value is, for a message; tensors with their dtype and size.
function support.describe(value)
  if not is_tensor(value) then return describe(value) end
  return ('%s tensor of size %s'):format(support.dtype(value), support.shape_text(value))
end

--- Raises that a layer was called with more than the n values that it takes, in the words of metann.arguments.
function support.too_many(name, n) raise('%s: takes %d argument%s, got %d', name, n, n == 1 and '' or 's', n + 1) end

--- Number of dims, number of elements; size of dim d, which must exist, counted from 1 or, negative, from the end; the
-- sizes, a fresh list.
support.ndim, support.numel, support.size, support.shape = facts.ndim, facts.numel, facts.side, facts.sizes

--- True when the elements lie row by row without gaps; when two tensors have the same sizes.
support.is_contiguous, support.same_shape = facts.is_contiguous, facts.same_size

--- The dtype's name; whether it is a float; the dtype of tensors of which nothing else is said.
support.dtype, support.is_float, support.default_dtype = facts.dtype, facts.is_float, common.default_dtype
support.as_float = common.as_float

--- A list as modules print it: (5, 100), and (5,) for one entry.
support.tuple, support.nan_unless = common.tuple, common.nan_unless

--- The sizes as text, (5, 100).
function support.shape_text(t) return support.tuple(support.shape(t)) end

--- t with other sizes (a list; -1 for what is left): a view where possible, else a copy.
support.reshape = layout.reshape

--- A (C) tensor so that it broadcasts along dim 2 of a tensor with n dims: (C, 1, ...).
function support.along_channels(t, n)
  if n <= 2 then return t end
  local c, view = support.size(t, 1), support.ops.view
  if n == 4 then return view(t, c, 1, 1) end
  if n == 3 then return view(t, c, 1) end
  local shape = { c }
  for d = 3, n do shape[d - 1] = 1 end
  return view(t, shape)
end

--- What make(...) gives, up to three values, with what it makes on the device of a tensor.
support.beside = common.beside

--- A tensor of these sizes full of a number, on the device of `like`, in its dtype unless another is given.
function support.full(like, shape, value, dtype)
  return common.beside(like, support.ops.full, shape, value, dtype or facts.dtype(like))
end

--- A tensor of a dtype (by name) and sizes whose elements are still to be written.
function support.empty(dtype, shape) return handle.empty(handle.dtypes[dtype], shape) end

--- A new leaf with t's storage that is marked as a parameter.
function support.parameter(t, requires_grad)
  local p = support.ops.detach(t)
  support.mark_parameter(p)
  if requires_grad ~= false then support.set_requires_grad(p, true) end
  return p
end

support.dtypes, support.dtype_names = handle.dtypes, handle.dtype_names

--- The number that stands for a tensor over all its handles.
function support.id(t)
  array(t)
  return C.mn_tensor_id(t.p)
end

--- The number that stands for the memory of a tensor, which its views share.
function support.storage(t)
  array(t)
  return C.mn_storage_id(t.p)
end

--- How often the memory of a tensor has been written to.
function support.version(t)
  array(t)
  return C.mn_tensor_version(t.p)
end

--- Whether a tensor is a leaf, a parameter, requires gradients, and setting that; its gradient or nil, and setting
-- that (false for none).
support.is_leaf, support.is_parameter = facts.is_leaf, facts.is_parameter
support.requires_grad, support.set_requires_grad = facts.requires_grad, facts.set_requires_grad
support.grad, support.set_grad = facts.grad, facts.set_grad

--- Marks t as a parameter: modules that it is assigned to list it.
function support.mark_parameter(t) C.mn_tensor_set_parameter(t.p, 1) end

--- Makes sources anew that aren't of their target's dtype, or on its device, not dense, or share memory with a target.
local function prepare(targets, sources)
  local written, ready = {}, {}
  for i = 1, #targets do written[C.mn_storage_id(targets[i].p)] = true end
  for i = 1, #targets do
    local source = sources[i]
    if source then
      local to, a = array(targets[i]), array(source)
      if a.dtype ~= to.dtype then source = support.ops.cast(source, handle.dtype_names[to.dtype]) end
      if a.device ~= to.device then
        source = support.ops.transfer(source, devices.name(to.device))
      elseif a.dtype == to.dtype and (a.contiguous == 0 or written[C.mn_storage_id(source.p)]) then
        source = support.ops.clone(source)
      end
    end
    ready[i] = source
  end
  return ready
end

-- Room for the pointers of a few tensors, as to make an array is slow and keeps a caller's loop from being compiled. It
-- is taken away while it is in use: a finalizer or a hook may write tensors in the middle of filling it.
local FEW = 4
local spare

--- One try: as mn_tensors_write answers.
local function write(what, targets, sources)
  local n = #targets
  local pointers = n <= FEW and spare
  if pointers then spare = nil else pointers = ffi.new('mn_tensor *[?]', 2 * (n <= FEW and FEW or n)) end
  for i = 1, n do
    local source = sources[i]
    pointers[i - 1], pointers[n + i - 1] = targets[i].p, source and source.p or handle.NONE
  end
  local failed = C.mn_tensors_write(ctx, what, n, pointers, pointers + n)
  if n <= FEW then spare = pointers end
  return failed
end

--- Overwrites tensors, all of them or none: an interruption or the end of memory can only come before the first write.
-- Nothing is recorded; call it within no_grad and a scope, or by `overwrite`.
-- @param what the function's name, for messages
-- @param targets list of tensors
-- @param sources list of tensors of the same sizes, cast where the dtypes differ; false stands for zeros
function support.write_all(what, targets, sources)
  local failed = write(what, targets, sources)
  if failed > 0 then
    sources = prepare(targets, sources)
    failed = write(what, targets, sources)
  end
  if failed == 0 then return end
  local all = {}
  for i = 1, #targets do all[2 * i - 1], all[2 * i] = targets[i], sources[i] end
  handle.fail_list(all)
end

--- True where what is computed is recorded for derivatives.
function support.records_grad() return C.mn_grad_enabled(ctx) ~= 0 end

--- Calls fn(...) without recording.
function support.no_grad(fn, ...) return scope.with_grad(false, 'no_grad', fn, ...) end

--- Calls fn(...) with recording.
function support.enable_grad(fn, ...) return scope.with_grad(true, 'enable_grad', fn, ...) end

--- Calls fn(...), in which nothing of the user's runs, and releases the handles that it made but doesn't return or file.
support.scope = scope.run_unseen

--- write_all outside no_grad and scopes: what is made on the way is given back at once.
function support.overwrite(what, targets, sources)
  support.no_grad(support.scope, support.write_all, what, targets, sources)
end

--- Forgets the gradients of tensors, or, with set_to_none false, makes them zeros; all of them or none.
function support.zero_grads(what, list, set_to_none)
  if set_to_none ~= false then
    for i = 1, #list do support.set_grad(list[i], false) end
    return
  end
  local grads, zeros = {}, {}
  for i = 1, #list do
    local n, grad = #grads + 1, support.grad(list[i])
    if grad then grads[n], zeros[n] = grad, false end
  end
  support.overwrite(what, grads, zeros)
end

--- Iterates over names and values (lists): one closure, so that it may stand before further arguments.
function support.pairs_of(names, values)
  local i = 0
  return function()
    i = i + 1
    if values[i] == nil then return nil end
    return names[i], values[i]
  end
end

--- Iterates over a list's values.
function support.values_of(values)
  local i = 0
  return function()
    i = i + 1
    return values[i]
  end
end

return support
