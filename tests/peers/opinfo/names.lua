--- How the library spells PyTorch's names: which of them it has.
local metann = require 'metann'

local names = {}

-- Parts of PyTorch's database that are not counted: about other kinds of numbers and tensors, windows, and what PyTorch
-- is made of.
local APART = {
  '^masked%.', '^special%.', '^signal%.windows%.', '^sparse%.', '^jiterator', '^ops%.', '^_', '_copy$', '^torch%.ops',
  '^view_as_', '^resolve_', '^sparse', '^to_sparse', '^nn%.functional%.scaled_mm', '^fft%.h', '^fft%.ih',
  '^unsafe_', '^alias', '^__r[ao][nr]', '^__rxor', '^detach$', '^lift', '^nn%.functional%.channel_shuffle_',
}
local COMPLEX = {
  complex = true, polar = true, conj = true, conj_physical = true, imag = true, real = true, angle = true, isreal = true,
  cfloat = true, cdouble = true, chalf = true, sgn = true, stft = true, istft = true, to_sparse = true, geqrf = true,
  ormqr = true, svd_lowrank = true, pca_lowrank = true, ['linalg.ldl_factor'] = true, ['linalg.ldl_factor_ex'] = true,
  ['linalg.ldl_solve'] = true, tensor_split_copy = true, char = true, short = true, as_strided = true,
  as_strided_scatter = true, as_strided_partial_views = true,
}

--- Does a name of op_db count among those that a user of real numbers may look for?
function names.counts(name)
  if COMPLEX[name] then return false end
  for _, pattern in ipairs(APART) do
    if name:find(pattern) then return false end
  end
  return true
end

local tensor = metann.zeros(2, 2)

local function has(space, key)
  local ok, value = pcall(function() return space[key] end)
  return ok and value ~= nil
end

local function space_of(name)
  local space, short = name:match '^(%l+)%.(.*)$'
  if not space then return nil, name end
  if space == 'nn' then return metann.nn.functional, short:match '[^.]+$', 'metann.nn.functional' end
  return has(metann, space) and metann[space] or nil, short, 'metann.' .. space
end

-- Lua's words and the library's own, where PyTorch's can't be had.
local SPELLED = { ['repeat'] = 't:repeat_', ['__getitem__'] = 't[]', T = 't.T', mT = 't.mT' }
local OPERATORS = { __radd__ = '+', __rmul__ = '*', __rsub__ = '-', __rdiv__ = '/', __rpow__ = '^', __rmod__ = '%' }
-- Functions of metann beside which the method is the one with PyTorch's arguments.
local METHODS = { item = true, to = true, expand = true, unfold = true, view = true, new_full = true }

--- The text by which a function is called, such as 'metann.linalg.inv' or 't:item'; nil where it is missing.
function names.spelled(name)
  if SPELLED[name] or OPERATORS[name] then return SPELLED[name] or OPERATORS[name] end
  local space, short, prefix = space_of(name)
  if prefix then return space and has(space, short) and prefix .. '.' .. short or nil end
  if METHODS[short] then return 't:' .. short end
  if has(metann, short) then return 'metann.' .. short end
  if has(tensor, short) then return 't:' .. short end
end

--- Of lines 'name aliases': the spelling by name, and lists of the names that are had and missing among those that
-- count. An alias that is had makes a name had, too.
function names.operators(lines)
  local heads, had, missing, apart = {}, {}, {}, {}
  for _, line in ipairs(lines) do
    local all = {}
    for name in line:gmatch '[^\t]+' do all[#all + 1] = name end
    for _, name in ipairs(all) do heads[all[1]] = heads[all[1]] or names.spelled(name) end
    local list = heads[all[1]] and had or names.counts(all[1]) and missing or apart
    list[#list + 1] = all[1]
  end
  return heads, had, missing, apart
end

--- Of names, those that a table has and those that it lacks.
function names.members(space, list)
  local had, missing = {}, {}
  for _, name in ipairs(list) do
    local into = has(space, name) and had or missing
    into[#into + 1] = name
  end
  return had, missing
end

return names
