--- How the library spells PyTorch's names: which of them it has.
local metann = require 'metann'

local names = {}

-- What is not counted, had or missing: functions that have other names in PyTorch, masked reductions, windows.
local UNCOUNTED = { '^masked%.', '^special%.', '^signal%.windows%.' }
-- Where it is missing, a name that fits one of these is not one that a user of real numbers looks for.
local OUTSIDE = {
  -- complex numbers
  '^complex$', '^polar$', '^conj', '^imag$', '^real$', '^angle$', '^isreal$', '^cfloat$', '^cdouble$', '^chalf$', '^sgn$', '^i?stft$',
  '^view_as_', '^resolve_', '^fft%.i?hfft', '^H$', '^mH$', '^linalg%.polar$',
  -- sparse and quantised tensors, and dtypes that aren't here
  '^sparse', '^to_sparse', '_scaled_mm', '%.scaled_mm', '^char$', '^short$',
  -- copies instead of views for compilers, kernels behind public functions, reflected operators
  '^_', '_copy$', '^torch%.ops', '^ops%.', '^jiterator', '^unsafe_', '^alias', '^detach$', '^lift', '^native_', '_backward$',
  '^grid_sampler_%dd$', '_partial_views$', '^constant_pad_nd$', '^hash_tensor$', '^nn%.functional%.multi_head_attention_forward$',
}

local function fits(name, patterns)
  for _, pattern in ipairs(patterns) do
    if name:find(pattern) then return true end
  end
  return false
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
local SPELLED = { ['repeat'] = 't:repeat_', ['__getitem__'] = 't[]', T = 't.T', mT = 't.mT', uniform = 't:uniform_' }
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

--- Of lines 'name aliases': the spelling by name, and lists of the names that are had; that are missing and about real
-- numbers, for users; that are missing and about other things; and that don't count. An alias that is had makes a name
-- had, too.
function names.operators(lines)
  local heads, found = {}, { had = {}, missing = {}, outside = {}, uncounted = {} }
  for _, line in ipairs(lines) do
    local all = {}
    for name in line:gmatch '[^\t]+' do all[#all + 1] = name end
    local name = all[1]
    for _, spelling in ipairs(all) do heads[name] = heads[name] or names.spelled(spelling) end
    local kind = fits(name, UNCOUNTED) and 'uncounted' or heads[name] and 'had' or fits(name, OUTSIDE) and 'outside' or 'missing'
    table.insert(found[kind], name)
  end
  return heads, found
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
