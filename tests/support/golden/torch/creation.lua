--- torch's constructors. Python's numbers say by their type which dtype a tensor gets; Lua has one type, so the dtype is
-- given here.
local metann = require 'metann'
local cases = require 'tests.support.golden.case'
local registry = require 'tests.support.golden.torch.registry'
local values = require 'tests.support.golden.python.values'

local creation = {}

--- The dtype that Python's values give, nested lists of them included; nil where there is no number.
local function dtype_of(v)
  if registry.is_tensor(v) then return v.dtype end
  if type(v) == 'boolean' then return 'bool' end
  if values.is_float(v) then return metann.get_default_dtype() end
  if type(v) == 'number' then return 'int64' end
  local found
  for i = 1, values.is_sequence(v) and v.n or 0 do
    local dtype = dtype_of(v[i])
    if not found or found == 'bool' or found == 'int64' and dtype ~= 'bool' then found = dtype end
  end
  return found
end

--- arange of several numbers: a float among them makes floats, nothing else does.
local function range_dtype(args, named)
  local list = values.list({ unpack(args, 1, args.n) }, args.n)
  for _, name in ipairs{ 'start', 'end', 'step' } do
    if named[name] ~= nil then
      list.n = list.n + 1
      list[list.n] = named[name]
    end
  end
  local dtype = dtype_of(list)
  return dtype == 'bool' and 'int64' or dtype
end

-- By function: the signature, and the dtype where the text gives none (without it: metann's own).
local FUNCTIONS = {
  { 'zeros ones empty', '(*size, dtype=None, device=None, requires_grad=False)' },
  { 'zeros_like ones_like empty_like rand_like randn_like', '(input, *, dtype=None, device=None, requires_grad=False)' },
  { 'rand randn', '(*size, dtype=None, device=None, requires_grad=False)' },
  { 'full', '(size, fill_value, *, dtype=None, device=None, requires_grad=False)', function(args, named)
    return dtype_of(args[2] == nil and named.fill_value or args[2])
  end },
  { 'full_like', '(input, fill_value, *, dtype=None, device=None, requires_grad=False)' },
  { 'arange', '(start, end=None, step=1, *, dtype=None, device=None, requires_grad=False)', range_dtype },
  { 'linspace', '(start, end, steps, *, dtype=None, device=None, requires_grad=False)' },
  { 'logspace', '(start, end: plain, steps: plain, base=10.0, *, dtype=None, device=None, requires_grad=False)' },
  { 'tril_indices triu_indices', "(row, col, offset=0, *, dtype='int64', device=None) -> indices" },
  { 'eye', '(n, m=None, *, dtype=None, device=None, requires_grad=False)' },
  { 'tensor', '(data, *, dtype=None, device=None, requires_grad=False)', function(args, named)
    return dtype_of(args[1] == nil and named.data or args[1])
  end },
  { 'new_zeros new_ones new_empty', '(input, *size, dtype=None, device=None, requires_grad=False)' },
  { 'new_full', '(input, size, fill_value, *, dtype=None, device=None, requires_grad=False)' },
  { 'new_tensor', '(input, data, *, dtype=None, device=None, requires_grad=False)' },
  { 'normal', '(mean, std=1.0, size=None, *, dtype=None, device=None, requires_grad=False)' },
  { 'randint', '(low, high=None, size=None, *, dtype=None, device=None, requires_grad=False)' },
  { 'randperm', '(n, *, dtype=None, device=None, requires_grad=False)' },
}

local dtypes = {}
local placed = {} -- by name: true where no tensor says the device

--- Adds the signatures of the constructors to a table by name.
function creation.add(signatures)
  for _, entry in ipairs(FUNCTIONS) do
    for name in entry[1]:gmatch '%S+' do
      signatures[name] = registry.signature(name .. entry[2])
      dtypes[name] = entry[3]
      placed[name] = not name:find '^new_' and not name:find '_like$'
    end
  end
end

--- The named arguments of a constructor, a dtype among them where Python's numbers mean one, and the cases' device.
function creation.named(name, args, named)
  local device = placed[name] and cases.device or nil
  local dtype
  if dtypes[name] and named.dtype == nil then dtype = dtypes[name](args, named) end
  if not device and not dtype then return named end
  local copy = { dtype = dtype }
  for key, value in pairs(named) do copy[key] = value end
  copy.device = device or copy.device -- whatever the text says, which is 'cpu'
  return copy
end

return creation
