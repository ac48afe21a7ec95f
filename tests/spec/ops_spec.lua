-- Every row of the op table, by its samples (tests/samples): values against plain Lua in every dtype, empty and 0-dim
-- inputs, other layouts, wide inputs, derivatives of orders 1 to 3 against central differences, in place, errors,
-- threads, leaks. A row fails without samples, and where nothing of a kind that makes sense for it has been tested.
-- METANN_COVERAGE_TABLE=1 prints what each row was tested with.
local metann = require 'metann'
local binding = require 'metann.binding'
local rows = require 'tests.support.rows'
local S = require 'tests.samples.support'
local table_rows, order = binding.stub.rows, binding.stub.order

local samples = require('tests.support.samples').load(table_rows)

-- What was done, by op, for the coverage table.
-- 'reference': samples with values from plain Lua; 'property': samples whose values are not unique (factors up to their
-- signs, random numbers), of which properties are tested; 'no empty', 'no 0-dim': such inputs were refused, properly.
local columns = {
  'reference', 'property', 'float64', 'float32', 'half', 'integer', 'bool', 'no dtype', 'empty', 'no empty', '0-dim',
  'no 0-dim', 'layouts', 'wide', 'order 1', 'order 2', 'order 3', 'in place', 'threads', 'errors', 'no leak',
}
local coverage = {}
local function note(op, column, n)
  coverage[op] = coverage[op] or {}
  coverage[op][column] = (coverage[op][column] or 0) + (n or 1)
end

-- ---- helpers on samples ----

local function is_float(d) return d and d.dtype == 'float64' end

local function each_input(sample, fn)
  local inputs = {}
  for i = 1, #sample.inputs do inputs[i] = sample.inputs[i] and fn(sample.inputs[i], i) end
  return inputs
end

local function tensors(descriptions, layout)
  local list, got_any = {}, false
  for i = 1, #descriptions do
    local got = false
    if descriptions[i] then list[i], got = rows.tensor(descriptions[i], layout) else list[i] = false end
    got_any = got_any or got
  end
  return list, got_any
end

-- Random rows draw the same numbers in every call of one sample.
local function call(op, inputs, attrs)
  metann.manual_seed(17)
  return rows.call(op, inputs, attrs)
end

local function compute(op, descriptions, attrs, layout)
  local outputs = call(op, tensors(descriptions, layout), attrs)
  local arrays = {}
  for k, t in ipairs(outputs) do arrays[k] = rows.read(t) end
  return arrays
end

local float_buffer = require('ffi').new 'float[1]'
local function to_float32(d)
  if not is_float(d) then return d end
  local data = {}
  for i, v in ipairs(d.data) do
    float_buffer[0] = v
    data[i] = tonumber(float_buffer[0])
  end
  return rows.with(d, { data = data, dtype = 'float32' })
end

local function has_float(sample)
  for i = 1, #sample.inputs do
    if is_float(sample.inputs[i]) then return true end
  end
  return false
end

local function largest(array)
  local m = 1
  for _, v in ipairs(array.data) do
    if math.abs(v) > m and math.abs(v) < math.huge then m = math.abs(v) end
  end
  return m
end

-- ---- values ----

local function check_values(op, sample, descriptions, rtol, scale_atol)
  local got = compute(op, descriptions, sample.attrs)
  if sample.check then return sample.check(got, descriptions, sample.attrs or {}) end
  local want = { sample.reference(descriptions, sample.attrs or {}) }
  assert(#want == #got, ('%d outputs, but the reference gives %d'):format(#got, #want))
  for k = 1, #want do
    rows.compare(got[k], want[k], rtol, scale_atol(want[k]), 'output ' .. k)
  end
end

-- Plain Lua computes in float64, in another order: what is left is rounding.
local function check_float64(op, sample)
  check_values(op, sample, sample.inputs, sample.rtol or 1e-9, function() return sample.atol or 1e-10 end)
  note(op, 'float64')
end

-- The reference gets the rounded inputs; 2e-5 is some 170 roundings of float32, of the largest element where sums
-- cancel.
local function check_float32(op, sample)
  if not has_float(sample) then return end
  check_values(op, sample, each_input(sample, to_float32), math.max(sample.rtol or 0, 2e-5), function(want)
    return math.max(sample.atol or 0, 2e-5 * largest(want))
  end)
  note(op, 'float32')
end

-- ---- other dtypes, empty and 0-dim inputs ----

--- A float64 description in another dtype: small numbers for integers, which float16 and bfloat16 round.
local function converted(d, dtype)
  if not is_float(d) then return d end
  local data = {}
  for i, v in ipairs(d.data) do
    if dtype:find 'float' then
      data[i] = v
    elseif v ~= v or math.abs(v) == math.huge then
      data[i] = 1
    elseif dtype == 'bool' then
      data[i] = v > 0 and 1 or 0
    elseif dtype == 'uint8' then
      data[i] = math.min(5, math.floor(math.abs(v) * 2))
    else
      data[i] = math.max(-5, math.min(5, math.floor(v * 2 + 0.5)))
    end
  end
  local c = rows.with(d, { dtype = dtype, data = data })
  if dtype:find 'float16' then c.data = rows.read((rows.tensor(c))).data end
  return c
end

-- How exact a dtype is; float32 for integers that became floats.
local EXACT = { float16 = 2e-3, bfloat16 = 2e-2, float64 = 1e-9 }
-- Integers wrap, and a bool holds whether a number is not 0.
local WRAP = {
  uint8 = function(v) return v % 256 end,
  bool = function(v) return v ~= 0 and 1 or 0 end,
}

local function compare_loosely(got, want, name)
  local wrap, tolerance = WRAP[got.dtype], EXACT[got.dtype] or 1e-4
  local wanted = wrap and S.map(want, wrap) or want
  rows.compare(got, wanted, tolerance, tolerance * largest(want), name)
end

--- The row on other inputs than the sample's: either as the reference has it, or refused by the row's own message,
-- which must match `refusal`. Returns true, or false where refused; nil where the reference has no answer.
local function check_derived(op, sample, descriptions, what, refusal)
  local inputs = tensors(descriptions)
  local ok, outputs = pcall(call, op, inputs, sample.attrs)
  if not ok then
    local message = tostring(outputs)
    local own = message:match('^[^\n]-:%d+: (' .. op .. ': .*)$') or message:match('^(' .. op .. ': .*)$')
    if not own or not refusal(own) then error(what .. ': ' .. message, 0) end
    return false
  end
  -- a reference without parameters knows its own sample's values only
  if not sample.reference or debug.getinfo(sample.reference, 'u').nparams == 0 then return nil end
  local want = { sample.reference(descriptions, sample.attrs or {}) }
  for k = 1, #want do compare_loosely(rows.read(outputs[k]), want[k], what .. ', output ' .. k) end
  return true
end

local KIND_OF = {
  float16 = 'half', bfloat16 = 'half', int64 = 'integer', int32 = 'integer', uint8 = 'integer', bool = 'bool',
}

-- Samples past the edges of tiles and blocks, which other dtypes need not repeat.
local function is_large(sample)
  local n = 0
  for i = 1, #sample.inputs do n = n + (sample.inputs[i] and #sample.inputs[i].data or 0) end
  return n > 400
end

local function has_input(sample, test)
  for i = 1, #sample.inputs do
    if sample.inputs[i] and test(sample.inputs[i]) then return true end
  end
  return false
end

--- A row does with a dtype what plain Lua does with its numbers, or says that it doesn't take the dtype.
local function check_dtypes(op, sample)
  if not has_float(sample) then -- its values were checked in the dtypes that it has
    has_input(sample, function(d)
      if KIND_OF[d.dtype] then note(op, KIND_OF[d.dtype]) end
    end)
    return
  end
  if is_large(sample) then return end
  for dtype, kind in pairs(KIND_OF) do
    local function refusal(message)
      return message:find(dtype, 1, true) or message:find 'dtype' or message:find 'storage' or message:find "doesn't fit a"
        or message:find 'negative power' or message:find "can't hold" or message:find 'out of range'
        or message:find 'is not a probability' -- integers as such
    end
    local descriptions = each_input(sample, function(d) return converted(d, dtype) end)
    local answer = check_derived(op, sample, descriptions, dtype .. ' inputs', refusal)
    if answer then note(op, kind) end
    if answer == false then note(op, 'no dtype') end
  end
end

--- The sample's inputs with nothing in the first dim, where it is as long as the first input's.
local function emptied(sample)
  local first = sample.inputs[1]
  if not first or #first.size == 0 then return nil end
  return each_input(sample, function(d)
    if #d.size == 0 or d.size[1] ~= first.size[1] then return d end
    local size = { unpack(d.size) }
    size[1] = 0
    return rows.with(d, { size = size, data = {} })
  end)
end

local function without_dims(sample)
  return each_input(sample, function(d) return rows.with(d, { size = {}, data = { d.data[1] or 1 } }) end)
end

local function check_edges(op, sample)
  local function refusal() return true end -- any message of the row's own
  local kinds = {
    empty = { inputs = emptied, test = function(d) return #d.data == 0 end },
    ['0-dim'] = { inputs = without_dims, test = function(d) return #d.size == 0 end },
  }
  for name, kind in pairs(kinds) do
    if has_input(sample, kind.test) then note(op, name) end -- tested as every sample is
    local descriptions = kind.inputs(sample)
    if descriptions and #sample.inputs > 0 then
      local answer = check_derived(op, sample, descriptions, name .. ' inputs', refusal)
      if answer then note(op, name) end
      if answer == false then note(op, 'no ' .. name) end
    end
  end
end

-- ---- layouts ----

-- Values made equal along a dim may be refused, by the row itself: a matrix of equal columns has no inverse.
local REFUSED = {
  cholesky = 'is not positive definite', cholesky_ex = 'is not positive definite', eig = 'has eigenvalues that are not real',
  inverse = 'is singular', inv_ex = 'is singular', solve = 'is singular', solve_ex = 'is singular',
  lu_factor_ex = 'is singular', multinomial = 'all weights are 0',
}

local function check_layout(op, sample, layout)
  local descriptions = sample.inputs
  if layout == 'expanded' then descriptions = each_input(sample, rows.constant_along) end
  local _, possible = tensors(descriptions, layout)
  if not possible then return end
  local ok, want = pcall(compute, op, descriptions, sample.attrs)
  if not ok then
    local refused = layout == 'expanded' and REFUSED[op] and tostring(want):find(REFUSED[op], 1, true)
    if not refused then error(layout .. ' inputs: ' .. tostring(want), 0) end
    return
  end
  local possible_too, got = pcall(compute, op, descriptions, sample.attrs, layout)
  if not possible_too then
    -- a view may not exist without a copy, and says so
    if rows.has(table_rows[op], 'VIEW') and tostring(got):find 'use reshape' then return end
    error(layout .. ' inputs: ' .. tostring(got), 0)
  end
  for k = 1, #want do
    rows.compare(got[k], want[k], 1e-12, 1e-13 * largest(want[k]), layout .. ' inputs, output ' .. k)
  end
  note(op, 'layouts')
end

local function check_layouts(op, sample)
  for _, layout in ipairs { 'transposed', 'stepped', 'expanded' } do check_layout(op, sample, layout) end
end

-- ---- wide inputs and threads ----

rows.limit_memory(3e8) -- where repeated inputs make no sense, the result may be beyond all bounds

local WIDE = 70001 -- enough for several threads, and not a multiple of a vector

--- The description repeated along a new length of its first dim.
local function widened(d, times)
  local data, n = {}, #d.data
  for i = 0, n * times - 1 do data[i + 1] = d.data[i % n + 1] end
  local size = {}
  for k, s in ipairs(d.size) do size[k] = s end
  size[1] = size[1] * times
  return rows.with(d, { size = size, data = data })
end

--- Inputs repeated along the first dim where it is as long as the first input's; nil where that makes no sense.
-- @return descriptions, how many times, whether all inputs were the same size
local function wide_inputs(sample)
  local first = sample.inputs[1]
  if not first or #first.size == 0 or #first.data == 0 then return nil end
  local times, alike = math.ceil(WIDE / #first.data), true
  local wide = each_input(sample, function(d)
    if #d.size == 0 then return d end
    if table.concat(d.size, 'x') ~= table.concat(first.size, 'x') then alike = false end
    if #d.size ~= #first.size or d.size[1] ~= first.size[1] or #d.data == 0 then return d end
    return widened(d, times)
  end)
  return wide, times, alike
end

-- Rows that treat each element by itself: the wide result repeats the small one, by the vector path this time.
local function is_elementwise(row)
  if not (rows.has(row, 'INPLACE') or row.value_slot) or #row.bases > 0 then return false end
  for _, a in ipairs(row.attrs) do
    if a.kind == 'DIM' or a.kind == 'DIMS' or a.kind == 'LIST' or a.kind == 'PAIR' or a.kind == 'INDEX' then return false end
  end
  return not row.inputs[1].variadic
end

local function check_wide(op, sample, convert, tolerance)
  local wide, times, alike = wide_inputs(sample)
  if not wide or not alike or not is_elementwise(table_rows[op]) or sample.check then return end
  local small = compute(op, each_input(sample, convert), sample.attrs)[1]
  local got = compute(op, each_input({ inputs = wide }, convert), sample.attrs)[1]
  local want = widened(small, times)
  rows.compare(got, want, tolerance, tolerance * largest(small), 'wide inputs')
  note(op, 'wide')
end

local function check_threads(op, sample)
  local wide = wide_inputs(sample)
  local function run(n, descriptions)
    metann.set_num_threads(n)
    local ok, outputs = pcall(call, op, tensors(descriptions), sample.attrs)
    if not ok then return nil end
    local bytes = {}
    for k, t in ipairs(outputs) do bytes[k] = rows.bytes(t) end
    return table.concat(bytes, '|')
  end
  local before = metann.get_num_threads()
  local descriptions = wide or sample.inputs
  local one = run(1, descriptions)
  if not one then -- this row's shapes can't be repeated so
    descriptions = sample.inputs
    one = run(1, descriptions)
  end
  local two, three = run(2, descriptions), run(3, descriptions)
  metann.set_num_threads(before)
  assert(one and one == two and one == three, 'the results of 1, 2 and 3 threads differ')
  note(op, 'threads')
end

-- ---- derivatives ----

-- Numbers of the harness's own, so that adding samples doesn't change them.
local function directions(seed)
  local state = S.seed + seed
  return function()
    state = (state % 2147483646 + 1) * 48271 % 2147483647
    return 2 * state / 2147483647 - 1
  end
end

--- Numbers beside a tensor, of its size.
local function filled(like, draw)
  local size, data = like.shape, {}
  for i = 1, rows.count(size) do data[i] = draw() end
  return rows.tensor { size = size, data = data, dtype = 'float64' }:to(like.device)
end

local function inner(a, b) return metann.sum(metann.mul(a, b)) end

--- sum of c y + d y^2 / 2 over the differentiable outputs: its derivative by y depends on y, so that derivatives by
-- what comes from above are tested too.
local function scalar_of(row, outputs)
  local draw, total = directions(1), nil
  for k = 1, rows.has(row, 'FIRST') and 1 or #outputs do
    local y = outputs[k]
    local c, d = filled(y, draw), filled(y, draw)
    local term = metann.add(inner(c, y), inner(metann.mul(d, y), metann.mul(y, 0.5)))
    total = total and metann.add(total, term) or term
  end
  return total
end

local function is_checked(d) return is_float(d) and d.grad ~= false end

--- The n-th derivative of the sample's scalar along the first n directions, with the inputs moved by shift * the next
-- direction. A number.
local function derivative(op, sample, n, shift)
  local row = table_rows[op]
  local moved = directions(100 + n + 1)
  local descriptions = each_input(sample, function(d)
    if not is_checked(d) then return d end
    local data = {}
    for i, v in ipairs(d.data) do data[i] = v + shift * moved() end
    return rows.with(d, { data = data })
  end)
  local inputs, leaves = tensors(descriptions), {}
  for i, t in ipairs(inputs) do
    if is_checked(descriptions[i]) then leaves[#leaves + 1] = rows.requires_grad(t) end
  end
  -- `before` and `after`: where the row is not a function of free inputs (it reads one triangle), or its outputs are
  -- no function of them (a basis), what it is differentiated through
  local outputs = call(op, sample.before and sample.before(inputs) or inputs, sample.attrs)
  local value = scalar_of(row, sample.after and sample.after(outputs) or outputs)
  for k = 1, n do
    if not value.requires_grad then return 0 end
    local draw, sum = directions(100 + k), nil
    local grads = metann.grad(value, leaves, { create_graph = true, allow_unused = true })
    for i, leaf in ipairs(leaves) do
      local v = filled(leaf, draw)
      if grads[i] then
        local term = inner(grads[i], v)
        sum = sum and metann.add(sum, term) or term
      end
    end
    if not sum then return 0 end
    value = sum
  end
  return rows.read(value).data[1]
end

-- A fourth-order difference with this step errs by about 1e-12 of the function's size, and truncates by h^4 times its
-- fifth derivative; 1e-6 leaves room for functions that bend strongly.
local STEP = 1e-4

local function check_order(op, sample, n)
  local function f(shift) return derivative(op, sample, n - 1, shift) end
  local near, far = f(STEP) - f(-STEP), f(2 * STEP) - f(-2 * STEP)
  local want = (8 * near - far) / (12 * STEP)
  local got = derivative(op, sample, n, 0)
  local scale = math.max(1, math.abs(want), math.abs(f(0)))
  local close = math.abs(got - want) <= (sample.grad_tolerance or 1e-6) * scale -- false for a NaN
  if not close then
    error(('order %d: the derivative along a random direction is %.12g, central differences give %.12g'):format(n, got,
      want), 0)
  end
  note(op, 'order ' .. n)
end

local function check_gradients(op, sample)
  if rows.has(table_rows[op], 'NODIFF') then return end
  local any = false
  for i = 1, #sample.inputs do any = any or is_checked(sample.inputs[i]) end
  if not any then return end
  -- differences of numbers rounded to less than float64 say nothing
  if compute(op, sample.inputs, sample.attrs)[1].dtype ~= 'float64' then return end
  for n = 1, sample.order or 3 do check_order(op, sample, n) end
end

-- ---- in place ----

--- Gradients of the sample's scalar; with `inplace`, of the row working on a clone. Nil and a message where the row's
-- derivative needs the input that was overwritten: that it says so is right.
local function first_gradient(op, sample, inplace)
  local inputs, leaves, used = tensors(sample.inputs), {}, {}
  for i, t in ipairs(inputs) do
    used[i] = t
    if is_checked(sample.inputs[i]) then leaves[#leaves + 1] = rows.requires_grad(t) end
  end
  if inplace then
    used[1] = metann.clone(used[1])
    call(op .. '_', used, sample.attrs)
  end
  local outputs = inplace and { used[1] } or call(op, used, sample.attrs)
  local ok, grads = pcall(metann.grad, scalar_of(table_rows[op], outputs), leaves, { allow_unused = true })
  if not ok then
    if tostring(grads):find 'changed in place since' then return nil, grads end
    error(grads, 0)
  end
  local arrays = {}
  for i, g in ipairs(grads) do arrays[i] = g and rows.read(g) or { size = {}, data = {} } end
  return arrays
end

local function check_inplace(op, sample)
  local row, first = table_rows[op], sample.inputs[1]
  if not rows.has(row, 'INPLACE') or not first or sample.check then return end
  local want = compute(op, sample.inputs, sample.attrs)[1]
  local fits = want.dtype == first.dtype and table.concat(want.size, ' ') == table.concat(first.size, ' ')
  if not fits then return end -- the result is another shape or dtype than what would be overwritten
  for _, layout in ipairs { 'dense', 'transposed', 'stepped' } do
    local inputs = tensors(sample.inputs, layout ~= 'dense' and layout)
    local result = call(op .. '_', inputs, sample.attrs)[1]
    assert(rawequal(result, inputs[1]), 'in place must return its first argument')
    rows.compare(rows.read(inputs[1]), want, 1e-12, 1e-13 * largest(want), 'in place, ' .. layout)
  end
  -- without a derivative the target would keep the history of what was overwritten
  assert(not rows.has(row, 'NODIFF'), 'a row that writes in place has a derivative, if one of 0')
  if is_checked(first) then
    local a, b = first_gradient(op, sample, false), first_gradient(op, sample, true)
    for i = 1, b and #a or 0 do
      rows.compare(b[i], a[i], 1e-12, 1e-13 * largest(a[i]), 'gradient in place, input ' .. i)
    end
  end
  note(op, 'in place')
end

-- ---- changed afterwards ----

--- What happens to the sample's gradient where one tensor of its inputs or outputs is overwritten before it is
-- asked for: the numbers, or nil where the derivative needs that tensor and says so.
local function gradient_after(op, sample, overwritten)
  local used, leaves = {}, {}
  for i, t in ipairs(tensors(sample.inputs)) do
    if is_checked(sample.inputs[i]) then leaves[#leaves + 1] = rows.requires_grad(t) end
    used[i] = t and metann.clone(t)
  end
  local outputs = call(op, used, sample.attrs)
  local scalar, all = scalar_of(table_rows[op], outputs), {}
  for _, t in ipairs(used) do all[#all + 1] = t or nil end
  for _, t in ipairs(outputs) do all[#all + 1] = t end
  if overwritten then
    local ok, message = pcall(metann.no_grad, function() metann.zero_(all[overwritten]) end)
    if not ok and not message:find 'elements share memory' then error(message, 0) end
  end
  local ok, grads = pcall(metann.grad, scalar, leaves, { allow_unused = true })
  if not ok then
    if overwritten and tostring(grads):find 'changed in place since' then return nil, #all end
    error(grads, 0)
  end
  local arrays = {}
  for i, g in ipairs(grads) do arrays[i] = g and rows.read(g) or { size = {}, data = {} } end
  return arrays, #all
end

local function check_changed_afterwards(op, sample)
  local any = false
  for _, input in ipairs(sample.inputs) do any = any or is_checked(input) end
  local row = table_rows[op]
  if not any or sample.check or sample.order == 0 or rows.has(row, 'NODIFF') or rows.has(row, 'RANDOM') then return end
  if compute(op, sample.inputs, sample.attrs)[1].dtype ~= 'float64' then return end
  local want, count = gradient_after(op, sample)
  for k = 1, count do
    local got = gradient_after(op, sample, k)
    for i = 1, got and #want or 0 do
      rows.compare(got[i], want[i], 1e-12, 1e-13 * largest(want[i]), ('tensor %d overwritten, input %d'):format(k, i))
    end
  end
end

-- ---- errors ----

local function check_error(op, sample)
  local inputs = tensors(sample.inputs)
  local ok, message = pcall(call, op, inputs, sample.attrs)
  assert(not ok, 'no error, expected one that matches: ' .. sample.error)
  message = tostring(message)
  assert(message:find(sample.error), ('the error is "%s", expected one that matches: %s'):format(message, sample.error))
  note(op, 'errors')
end

--- Arguments that are wrong for every row: no tensor, an unknown option.
local function check_arguments(op)
  local row, first = table_rows[op], nil
  local function fails(pattern, ...)
    local ok, message = pcall(binding.stub.ops[op], ...)
    assert(not ok, 'no error, expected one that matches: ' .. pattern)
    message = tostring(message)
    assert(message:find(pattern), ('the error is "%s", expected one that matches: %s'):format(message, pattern))
    note(op, 'errors')
  end
  for _, sample in ipairs(samples[op]) do
    if not sample.error and not first then first = sample end
  end
  local variadic = row.inputs[1] and row.inputs[1].variadic
  local attrs = {}
  for k, v in pairs(first.attrs or {}) do
    if not (k == 'value' and row.value_slot) then attrs[k] = v end
  end
  local wrong = {}
  for i = 1, #row.inputs do wrong[i] = 'x' end
  wrong[#wrong + 1] = attrs
  if variadic then wrong[1] = { 'x' } end
  if row.inputs[1] then fails(op .. ': .*must be a tensor', unpack(wrong)) end
  if #row.attrs > 0 and not variadic then
    local arguments, n = tensors(first.inputs), #row.inputs
    for i = 1, n do
      if not arguments[i] then arguments[i] = row.value_slot and 1 or false end
    end
    arguments[n + 1] = { no_such_option = 1 }
    fails(op .. ": unknown option 'no_such_option'", unpack(arguments, 1, n + 1))
  end
end

-- ---- the spec ----

local function identity(d) return d end

local checks = {
  { 'values', function(op, sample)
    note(op, sample.reference and 'reference' or 'property')
    check_float64(op, sample)
    check_float32(op, sample)
  end },
  { 'dtypes', check_dtypes },
  { 'empty and 0-dim inputs', check_edges },
  { 'layouts', check_layouts },
  { 'wide inputs', function(op, sample)
    check_wide(op, sample, identity, 1e-12)
    check_wide(op, sample, to_float32, 1e-5)
  end },
  { 'threads', check_threads },
  { 'derivatives', check_gradients },
  { 'in place', check_inplace },
  { 'changed afterwards', check_changed_afterwards },
}

--- Runs fn on samples; an error names the sample, and whatever was made must be gone afterwards.
local function over(op, wanted, fn)
  local before = rows.live()
  for i, sample in ipairs(samples[op]) do
    if (sample.error ~= nil) == wanted then
      local ok, message = pcall(fn, op, sample)
      if not ok then
        error(('sample %d of %s: %s (METANN_TEST_SEED=%d)'):format(i, op, tostring(message), S.seed), 0)
      end
    end
  end
  assert.equal(before, rows.live())
  note(op, 'no leak')
end

--- What a row must have been tested with, as columns; of several in one entry, any will do.
local function required(op)
  local row = table_rows[op]
  local factors = op == 'eigh' or op == 'eig' or op == 'svd' -- unique up to signs
  local list = { rows.has(row, 'RANDOM') and 'property' or factors and 'property' or 'reference', 'float64', 'threads',
    'errors', 'no leak' }
  local function want(column) list[#list + 1] = column end
  if #row.inputs > 0 then
    want 'layouts'
    want 'empty|no empty'
    want '0-dim|no 0-dim'
    want 'half|integer|bool|no dtype'
  end
  if has_float(samples[op][1]) then want 'float32' end
  if rows.has(row, 'INPLACE') then want 'in place' end
  if not rows.has(row, 'NODIFF') then
    for n = 1, 3 do want('order ' .. n) end
  end
  return list
end

local function check_coverage(op)
  for _, columns_of_one in ipairs(required(op)) do
    local any = false
    for column in columns_of_one:gmatch '[^|]+' do any = any or coverage[op][column] end
    assert(any, ('%s: no sample has tested: %s'):format(op, (columns_of_one:gsub('|', ' or '))))
  end
end

describe('op', function()
  for _, op in ipairs(order) do
    describe(op, function()
      if not samples[op] then
        it('has samples', function() error('no samples for ' .. op .. ' in tests/samples', 0) end)
        return
      end
      for _, check in ipairs(checks) do
        it(check[1], function() over(op, false, check[2]) end)
      end
      it('errors', function()
        over(op, true, check_error)
        check_arguments(op)
      end)
      it('is covered', function() check_coverage(op) end)
    end)
  end
end)

describe('the coverage table', function()
  it('has every row', function()
    local lines = { ('%-24s'):format 'row' .. '  ' .. table.concat(columns, '  ') }
    for _, op in ipairs(order) do
      local cells = {}
      for i, column in ipairs(columns) do
        cells[i] = ('%' .. #column .. 's'):format((coverage[op] or {})[column] or '-')
      end
      lines[#lines + 1] = ('%-24s'):format(op) .. '  ' .. table.concat(cells, '  ')
    end
    if os.getenv 'METANN_COVERAGE_TABLE' then print(table.concat(lines, '\n')) end
    assert.equal(#order + 1, #lines)
  end)
end)
