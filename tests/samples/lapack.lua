-- Samples of factorizations, solutions and determinants: against textbook algorithms on tables of rows. What is unique
-- only up to signs or a choice of basis (eigenvectors, singular vectors) is checked by its definition instead, and its
-- derivative through functions that don't depend on the choice.
local raw = require('metann.binding').stub.ops

-- ---- matrices as tables of rows ----

local function zeros(rows, cols)
  local a = {}
  for i = 1, rows do
    a[i] = {}
    for j = 1, cols do a[i][j] = 0 end
  end
  return a
end

local function identity(n)
  local a = zeros(n, n)
  for i = 1, n do a[i][i] = 1 end
  return a
end

local function product(a, b, inner, cols)
  local c = zeros(#a, cols)
  for i = 1, #a do
    for j = 1, cols do
      for k = 1, inner do c[i][j] = c[i][j] + a[i][k] * b[k][j] end
    end
  end
  return c
end

local function turned(a, cols)
  local t = {}
  for j = 1, cols do
    t[j] = {}
    for i = 1, #a do t[j][i] = a[i][j] end
  end
  return t
end

-- ---- algorithms ----

--- The lower factor, row by row (Cholesky and Banachiewicz).
local function cholesky(a)
  local n = #a
  local l = zeros(n, n)
  for i = 1, n do
    for j = 1, i do
      local sum = a[i][j]
      for k = 1, j - 1 do sum = sum - l[i][k] * l[j][k] end
      l[i][j] = i == j and math.sqrt(sum) or sum / l[j][j]
    end
  end
  return l
end

--- X of a x = b by elimination with the largest pivot (Gauss and Jordan).
local function solve(a, b, cols)
  local n, work = #a, {}
  for i = 1, n do
    work[i] = {}
    for j = 1, n do work[i][j] = a[i][j] end
    for j = 1, cols do work[i][n + j] = b[i][j] end
  end
  for c = 1, n do
    local best = c
    for i = c, n do
      if math.abs(work[i][c]) > math.abs(work[best][c]) then best = i end
    end
    work[c], work[best] = work[best], work[c]
    for i = 1, n do
      local factor = i ~= c and work[i][c] / work[c][c] or 0
      for j = c, n + cols do work[i][j] = work[i][j] - factor * work[c][j] end
    end
  end
  local x = zeros(n, cols)
  for i = 1, n do
    for j = 1, cols do x[i][j] = work[i][n + j] / work[i][i] end
  end
  return x
end

--- Triangles of a in one matrix, pivots and the first row without one, by elimination with the largest pivot (Doolittle).
local function triangles(a, rows, cols)
  local lu, pivots, info = product(a, identity(cols), cols, cols), {}, 0
  for c = 1, math.min(rows, cols) do
    local best = c
    for i = c, rows do
      if math.abs(lu[i][c]) > math.abs(lu[best][c]) then best = i end
    end
    pivots[c] = best
    lu[c], lu[best] = lu[best], lu[c]
    if lu[c][c] == 0 and info == 0 then info = c end
    for i = c + 1, lu[c][c] == 0 and 0 or rows do
      lu[i][c] = lu[i][c] / lu[c][c]
      for j = c + 1, cols do lu[i][j] = lu[i][j] - lu[i][c] * lu[c][j] end
    end
  end
  return lu, pivots, info
end

--- a with row i and row pivots[i] exchanged, for one i after the other, or backwards.
local function swapped(a, pivots, backwards)
  for step = 1, #pivots do
    local i = backwards and #pivots + 1 - step or step
    a[i], a[pivots[i]] = a[pivots[i]], a[i]
  end
  return a
end

local function minor(a, row, col)
  local m = {}
  for i = 1, #a do
    if i ~= row then
      local line = {}
      for j = 1, #a do
        if j ~= col then line[#line + 1] = a[i][j] end
      end
      m[#m + 1] = line
    end
  end
  return m
end

--- The determinant by expansion along the first row (Laplace).
local function det(a)
  if #a == 0 then return 1 end
  local sum = 0
  for j = 1, #a do sum = sum + (-1) ^ (1 + j) * a[1][j] * det(minor(a, 1, j)) end
  return sum
end

local function cofactor(a)
  local c = zeros(#a, #a)
  for i = 1, #a do
    for j = 1, #a do c[i][j] = (-1) ^ (i + j) * det(minor(a, i, j)) end
  end
  return c
end

--- Eigenvalues of a symmetric matrix, ascending, by rotations (Jacobi).
local function eigenvalues(a)
  local n = #a
  local s = product(a, identity(n), n, n)
  for _ = 1, 60 do
    for p = 1, n - 1 do
      for q = p + 1, n do
        if s[p][q] ~= 0 then
          local angle = 0.5 * math.atan2(2 * s[p][q], s[q][q] - s[p][p])
          local c, t = math.cos(angle), math.sin(angle)
          local rotation = identity(n)
          rotation[p][p], rotation[q][q], rotation[p][q], rotation[q][p] = c, c, t, -t
          s = product(product(turned(rotation, n), s, n, n), rotation, n, n)
        end
      end
    end
  end
  local w = {}
  for i = 1, n do w[i] = s[i][i] end
  table.sort(w)
  return w
end

--- Singular values, descending: roots of the eigenvalues of the smaller of a a^T and a^T a.
local function singular_values(a, rows, cols)
  local t = turned(a, cols)
  local w = eigenvalues(rows < cols and product(a, t, cols, rows) or product(t, a, rows, cols))
  local s = {}
  for i = #w, 1, -1 do s[#s + 1] = math.sqrt(math.max(w[i], 0)) end
  return s
end

--- Q (rows x rows) and R by reflections (Householder), the sign of R's diagonal being the opposite of what it stands
-- for, and a column that is done already being left alone: LAPACK's choice.
local function householder(a, rows, cols)
  local q, r = identity(rows), product(a, identity(cols), cols, cols)
  for c = 1, math.min(rows, cols) do
    local below, norm = 0, 0
    for i = c, rows do
      norm = norm + r[i][c] ^ 2
      if i > c then below = below + r[i][c] ^ 2 end
    end
    if below > 0 then
      local v, length = {}, 0
      for i = 1, rows do v[i] = i < c and 0 or r[i][c] end
      v[c] = v[c] + (v[c] >= 0 and 1 or -1) * math.sqrt(norm)
      for i = 1, rows do length = length + v[i] ^ 2 end
      local h = identity(rows)
      for i = 1, rows do
        for j = 1, rows do h[i][j] = h[i][j] - 2 * v[i] * v[j] / length end
      end
      r, q = product(h, r, rows, cols), product(q, h, rows, rows)
    end
  end
  return q, r
end

return function(S)
  -- ---- batches ----

  local function batch_of(x, dims)
    local size = {}
    for d = 1, #x.size - (dims or 2) do size[d] = x.size[d] end
    return size
  end

  --- The matrix of x at a batch index, x being stretched over it; and its rows and columns.
  local function matrix_at(x, index)
    local own, n = {}, #x.size - 2
    for d = 1, n do own[d] = x.size[d] == 1 and 1 or index[#index - n + d] end
    local rows, cols = x.size[n + 1], x.size[n + 2]
    local a = zeros(rows, cols)
    for i = 1, rows do
      for j = 1, cols do
        own[n + 1], own[n + 2] = i, j
        a[i][j] = S.at(x, own)
      end
    end
    return a, rows, cols
  end

  local function append(array, rows)
    for i = 1, #rows do
      for j = 1, #rows[i] do array.data[#array.data + 1] = rows[i][j] end
    end
  end

  local function extended(size, ...)
    local all = {}
    for d = 1, #size do all[d] = size[d] end
    for i = 1, select('#', ...) do all[#all + 1] = (select(i, ...)) end
    return all
  end

  --- A reference that makes one matrix of the same size of each matrix.
  local function square(fn)
    return function(inputs, attrs)
      local x = inputs[1]
      local y = S.array(x.size, {})
      S.each(batch_of(x), function(index) append(y, fn(matrix_at(x, index), attrs)) end)
      return y
    end
  end

  --- A reference that makes a number of each matrix, or two.
  local function numbers(fn, two)
    return function(inputs)
      local x = inputs[1]
      local first, second = S.array(batch_of(x), {}), S.array(batch_of(x), {})
      S.each(batch_of(x), function(index)
        local p, q = fn((matrix_at(x, index)))
        first.data[#first.data + 1], second.data[#second.data + 1] = p, q
      end)
      if two then return first, second end
      return first
    end
  end

  local function solution(prepare)
    return function(inputs, attrs)
      local a, b = inputs[1], inputs[2]
      local batch = S.zip(S.array(batch_of(a), 0), S.array(batch_of(b), 0), function() return 0 end).size
      local x = S.array(extended(batch, b.size[#b.size - 1], b.size[#b.size]), {})
      S.each(batch, function(index)
        local right, _, cols = matrix_at(b, index)
        append(x, solve(prepare(matrix_at(a, index), attrs), right, cols))
      end)
      return x
    end
  end

  local function info_like(size, values)
    local info = S.array(size, values)
    info.dtype = 'int32'
    return info
  end

  --- The reference of what has an info: what has none, and zeros.
  local function without_failure(reference)
    return function(inputs, attrs)
      local y = reference(inputs, attrs)
      return y, info_like(batch_of(y), 0)
    end
  end

  local function lu(inputs)
    local x = inputs[1]
    local batch, rows, cols = batch_of(x), x.size[#x.size - 1], x.size[#x.size]
    local out = S.array(x.size, {})
    local pivots = info_like(extended(batch, math.min(rows, cols)), {})
    local infos = info_like(batch, {})
    S.each(batch, function(index)
      local both, order, info = triangles(matrix_at(x, index), rows, cols)
      append(out, both)
      append(pivots, { order })
      append(infos, { { info } })
    end)
    return out, pivots, infos
  end

  local function with_swaps(inputs, attrs)
    local a, pivots = inputs[1], inputs[2]
    local columns = S.array(extended(pivots.size, 1), pivots.data)
    local batch = S.zip(S.array(batch_of(a), 0), S.array(batch_of(columns), 0), function() return 0 end).size
    local y = S.array(extended(batch, a.size[#a.size - 1], a.size[#a.size]), {})
    S.each(batch, function(index)
      local order = {}
      for i, line in ipairs((matrix_at(columns, index))) do order[i] = line[1] end
      append(y, swapped(matrix_at(a, index), order, attrs.inverse))
    end)
    return y
  end

  local function triangle(a, attrs)
    local t = zeros(#a, #a)
    for i = 1, #a do
      for j = 1, #a do
        if i == j then t[i][j] = attrs.unitriangular and 1 or a[i][j]
        elseif (j > i) == attrs.upper then t[i][j] = a[i][j] end
      end
    end
    return t
  end

  local function qr(inputs, attrs)
    local x = inputs[1]
    local batch, rows, cols = batch_of(x), x.size[#x.size - 1], x.size[#x.size]
    local k = attrs.mode == 'complete' and rows or math.min(rows, cols)
    local q, r = S.array(extended(batch, rows, k), {}), S.array(extended(batch, k, cols), {})
    S.each(batch, function(index)
      local whole_q, whole_r = householder(matrix_at(x, index), rows, cols)
      append(q, product(whole_q, identity(rows), k, k))
      local top = {}
      for i = 1, k do
        top[i] = whole_r[i]
        for j = 1, math.min(i - 1, cols) do top[i][j] = 0 end
      end
      append(r, top)
    end)
    return q, r
  end

  --- Of matrices of full rank: (a^T a)^-1 a^T, or a^T (a a^T)^-1 of wide ones.
  local function pseudoinverse(inputs)
    local x = inputs[1]
    local rows, cols = x.size[#x.size - 1], x.size[#x.size]
    local y = S.array(extended(batch_of(x), cols, rows), {})
    S.each(batch_of(x), function(index)
      local a = matrix_at(x, index)
      local t = turned(a, cols)
      if rows >= cols then
        append(y, solve(product(t, a, rows, cols), t, rows))
      else
        append(y, turned(solve(product(a, t, cols, rows), a, cols), cols))
      end
    end)
    return y
  end

  --- The transpose of one matrix, with fn of each element.
  local function turned_by(fn)
    return function(inputs)
      local a, rows, cols = matrix_at(inputs[1], {})
      local y = S.array({ cols, rows }, {})
      append(y, turned(a, cols))
      return S.map(y, fn)
    end
  end
  local function cut(v) return v > 0.6 and 1 / v or 0 end

  -- ---- checks by definition ----

  local function close(got, want, tolerance, what)
    local near = math.abs(got - want) <= tolerance -- false for NaN
    if not near then error(('%s is %.17g, expected %.17g'):format(what, got, want), 0) end
  end

  local function same(a, b, rows, cols, tolerance, what)
    for i = 1, rows do
      for j = 1, cols do close(a[i][j], b[i][j], tolerance, what) end
    end
  end

  local function orthonormal(a, rows, cols, tolerance, what)
    same(product(turned(a, cols), a, rows, cols), identity(cols), cols, cols, tolerance, what)
  end

  local function sized(got, size, what)
    local a, b = table.concat(got.size, 'x'), table.concat(size, 'x')
    if a ~= b then error(('%s has size %s, expected %s'):format(what, a, b), 0) end
  end

  local function tolerance_of(got) return got.dtype == 'float32' and 1e-4 or 1e-9 end

  local function row_at(x, index)
    local own, row = { unpack(index) }, {}
    for i = 1, x.size[#x.size] do
      own[#index + 1] = i
      row[i] = S.at(x, own)
    end
    return row
  end

  local function mirrored(a, upper)
    local m = zeros(#a, #a)
    for i = 1, #a do
      for j = 1, #a do
        local swap = upper and j < i or not upper and j > i
        m[i][j] = swap and a[j][i] or a[i][j]
      end
    end
    return m
  end

  local function check_eigh(got, inputs, attrs)
    local x, n, tolerance = inputs[1], inputs[1].size[#inputs[1].size], tolerance_of(got[1])
    sized(got[1], batch_of(x, 1), 'w')
    sized(got[2], x.size, 'V')
    S.each(batch_of(x), function(index)
      local a, w, v = mirrored(matrix_at(x, index), attrs.UPLO == 'U'), row_at(got[1], index), matrix_at(got[2], index)
      local want = eigenvalues(a)
      for i = 1, n do close(w[i], want[i], tolerance, 'eigenvalue ' .. i) end
      orthonormal(v, n, n, tolerance, 'V^T V')
      local scaled = zeros(n, n)
      for i = 1, n do
        for j = 1, n do scaled[i][j] = v[i][j] * w[j] end
      end
      same(product(a, v, n, n), scaled, n, n, tolerance, 'A V')
    end)
  end

  local function check_eig(got, inputs)
    local x, n, tolerance = inputs[1], inputs[1].size[#inputs[1].size], tolerance_of(got[1])
    sized(got[1], batch_of(x, 1), 'w')
    sized(got[2], x.size, 'V')
    S.each(batch_of(x), function(index)
      local a, w, v = matrix_at(x, index), row_at(got[1], index), matrix_at(got[2], index)
      local scaled = zeros(n, n)
      for j = 1, n do
        local length = 0
        for i = 1, n do
          scaled[i][j] = v[i][j] * w[j]
          length = length + v[i][j] ^ 2
        end
        close(length, 1, tolerance, 'the square of the length of column ' .. j)
      end
      same(product(a, v, n, n), scaled, n, n, tolerance, 'A V')
      if math.abs(det(v)) < 1e-3 then error('the eigenvectors are no basis', 0) end
    end)
  end

  local function check_svd(got, inputs, attrs)
    local x, tolerance = inputs[1], tolerance_of(got[1])
    local batch, m, n = batch_of(x), x.size[#x.size - 1], x.size[#x.size]
    local k, full = math.min(m, n), attrs.full_matrices ~= false
    local rows, cols = full and m or k, full and n or k
    sized(got[1], extended(batch, m, rows), 'U')
    sized(got[2], extended(batch, k), 'S')
    sized(got[3], extended(batch, cols, n), 'Vh')
    S.each(batch, function(index)
      local a, u, s, vh = matrix_at(x, index), matrix_at(got[1], index), row_at(got[2], index), matrix_at(got[3], index)
      local want = singular_values(a, m, n)
      for i = 1, k do close(s[i], want[i], tolerance, 'singular value ' .. i) end
      orthonormal(u, m, rows, tolerance, 'U^T U')
      orthonormal(turned(vh, n), n, cols, tolerance, 'V^T V')
      local scaled = zeros(m, k)
      for i = 1, m do
        for j = 1, k do scaled[i][j] = u[i][j] * s[j] end
      end
      same(product(scaled, vh, k, n), a, m, n, tolerance, 'U S Vh')
    end)
  end

  -- ---- inputs ----

  --- Matrices that differ from a multiple of the identity by `noise`, and on the diagonal from row to row.
  local function near_diagonal(size, first, step, noise)
    local rows, cols = size[#size - 1], size[#size]
    local a = S.uniform(size, -noise, noise)
    for e = 1, #a.data do
      local i, j = math.floor((e - 1) / cols) % rows + 1, (e - 1) % cols + 1
      if i == j then a.data[e] = a.data[e] + first + step * (i - 1) end
    end
    return a
  end
  local function regular(size) return near_diagonal(size, 1.5, 0.3, 0.7) end
  local function apart(size) return near_diagonal(size, 1, 1.2, 0.35) end

  local function with_real_eigenvalues(size) return near_diagonal(size, 1, 1.2, 0.15) end

  local function symmetric(size)
    local a = apart(size)
    local y = S.array(size, {})
    S.each(batch_of(a), function(index) append(y, mirrored((matrix_at(a, index)))) end)
    y.dtype = 'float64'
    return y
  end

  -- For derivatives of what reads one triangle only: the moved inputs are made symmetric, as PyTorch's gradients are.
  local function made_symmetric(inputs)
    return { raw.mul(raw.add(inputs[1], raw.transpose(inputs[1], -2, -1)), 0.5) }
  end

  local function sample(fields, inputs, attrs, options)
    local s = { inputs = inputs, attrs = attrs }
    for k, v in pairs(fields) do s[k] = v end
    for k, v in pairs(options or {}) do s[k] = v end
    return s
  end
  local function kind(fields)
    return function(...) return sample(fields, ...) end
  end

  local function fails(message, ...) return { inputs = { ... }, error = message } end
  local function common_errors(list, is_square)
    list[#list + 1] = fails('expected a matrix or a batch of matrices, got %(3%)', S.randn { 3 })
    list[#list + 1] = fails('expected float32 or float64, got int64', S.values({ 1, 1 }, { 1 }, 'int64'))
    if is_square then list[#list + 1] = fails('expected square matrices, got %(2 x 3%)', S.randn { 2, 3 }) end
    return list
  end

  --- Samples of a row of square matrices: sizes, batches, empty ones.
  local function sizes(make, input, attrs)
    return {
      make({ input { 3, 3 } }, attrs), make({ input { 1, 1 } }, attrs), make({ input { 2, 3, 3 } }, attrs),
      make({ input { 2, 1, 2, 2 } }, attrs), make({ input { 5, 5 } }, attrs, { order = 1 }),
      make({ input { 0, 0 } }, attrs), make({ input { 2, 0, 0 } }, attrs), make({ input { 0, 3, 3 } }, attrs),
    }
  end
  local function with(list, more)
    for _, s in ipairs(more) do list[#list + 1] = s end
    return list
  end

  local factor = kind {
    reference = square(function(a, attrs)
      if attrs.upper then return turned(cholesky(mirrored(a, true)), #a) end
      return cholesky(a)
    end),
    before = made_symmetric,
  }
  local inverted = kind { reference = square(function(a) return solve(a, identity(#a), #a) end) }
  local solved = kind { reference = solution(function(a) return a end) }
  local substituted = kind { reference = solution(triangle) }
  local determined = kind { reference = numbers(det) }
  local with_cofactors = kind { reference = square(cofactor) }
  local logged = kind {
    reference = numbers(function(a)
      local d = det(a)
      return d > 0 and 1 or d < 0 and -1 or 0, math.log(math.abs(d))
    end, true),
  }
  local diagonalised = kind { check = check_eigh, before = made_symmetric }
  local with_vectors = kind { check = check_eig }
  local decomposed = kind { check = check_svd }
  local least_squares = kind { reference = pseudoinverse }
  local eliminated = kind { reference = lu }
  local exchanged = kind { reference = with_swaps }
  local function pivots(size, values) return S.values(size, values, 'int32') end
  local factor_ex = kind{ reference = without_failure(factor({}).reference), before = made_symmetric }
  local inverted_ex = kind{ reference = without_failure(inverted({}).reference) }
  local solved_ex = kind{ reference = without_failure(solved({}).reference) }
  local triangularised = kind { reference = qr }

  -- What only completes a basis is seen through the projection onto its span.
  local function completed(outputs, k, first)
    local all = outputs[first]
    local n = raw.transpose(all, -2, -1)
    local count = tonumber(require('metann.binding').handle.array(n).size[0])
    local thin, rest = raw.slice(all, 2, 1, k), raw.slice(all, 2, k + 1, count - k)
    return thin, raw.matmul(rest, rest, false, true)
  end
  local function through_u(k)
    return function(outputs)
      local thin, rest = completed(outputs, k, 1)
      return { thin, outputs[2], outputs[3], rest }
    end
  end
  local function through_v(k)
    return function(outputs)
      local thin, rest = completed({ raw.transpose(outputs[3], 1, 2) }, k, 1)
      return { outputs[1], outputs[2], thin, rest }
    end
  end
  local function through_q(k)
    return function(outputs)
      local thin, rest = completed(outputs, k, 1)
      return { thin, rest, raw.slice(outputs[2], 1, 1, k) }
    end
  end

  local checked, backwards = { check_errors = true }, { inverse = true }
  local lower, upper = { upper = false }, { upper = true }
  local unit_lower, unit_upper = { upper = false, unitriangular = true }, { upper = true, unitriangular = true }
  local thin, complete = { full_matrices = false }, { mode = 'complete' }
  local singular = S.values({ 3, 3 }, { 1, 2, 3, 2, 4, 6, 1, 0, 1 })
  local second_bad = S.values({ 2, 2, 2 }, { 1, 0, 0, 1, 1, 0, 0, 0 })

  return {
    cholesky = common_errors(with(with(sizes(factor, symmetric), {
      factor({ symmetric { 3, 3 } }, upper),
      factor({ symmetric { 2, 3, 3 } }, upper),
      -- Only one triangle is read.
      factor({ S.values({ 2, 2 }, { 4, 77, 2, 5 }) }, nil, { order = 0 }),
      factor({ S.values({ 2, 2 }, { 4, 2, 77, 5 }) }, upper, { order = 0 }),
    }), {
      fails('cholesky: the matrix is not positive definite %(at row 2%)', S.values({ 2, 2 }, { 1, 2, 2, 1 })),
      fails('matrix 2 of the batch is not positive definite', second_bad),
      fails('has an element that is not finite', S.values({ 1, 1 }, { 0 / 0 })),
    }), true),
    cholesky_ex = common_errors(with(sizes(factor_ex, symmetric), {
      factor_ex({ symmetric { 3, 3 } }, { upper = true }),
      factor_ex({ symmetric { 3, 3 } }, checked),
      { inputs = { S.values({ 2, 2 }, { 1, 2, 2, 1 }) }, attrs = checked, error = 'cholesky_ex: the matrix is not positive' },
    }), true),
    inv_ex = common_errors(with(sizes(inverted_ex, regular), {
      inverted_ex({ regular { 3, 3 } }, checked),
      { inputs = { second_bad }, attrs = checked, error = 'inv_ex: matrix 2 of the batch is singular %(at row 2%)' },
    }), true),
    inverse = common_errors(with(sizes(inverted, regular), {
      fails('inverse: the matrix is singular', S.values({ 2, 2 }, { 1, 2, 2, 4 })),
      fails('matrix 2 of the batch is singular', second_bad),
    }), true),
    solve = {
      solved { regular { 3, 3 }, S.randn { 3, 2 } },
      solved { regular { 1, 1 }, S.randn { 1, 1 } },
      solved { regular { 2, 3, 3 }, S.randn { 2, 3, 2 } },
      solved { regular { 3, 3 }, S.randn { 2, 3, 2 } },
      solved { regular { 2, 1, 3, 3 }, S.randn { 4, 3, 1 } },
      solved { regular { 2, 3, 3 }, S.randn { 3, 2 } },
      solved { regular { 0, 0 }, S.randn { 0, 2 } },
      solved { regular { 3, 3 }, S.randn { 3, 0 } },
      solved { regular { 0, 3, 3 }, S.randn { 3, 2 } },
      fails('solve: the matrix is singular', S.values({ 2, 2 }, { 1, 2, 2, 4 }), S.randn { 2, 1 }),
      fails('matrix 2 of the batch is singular', second_bad, S.randn { 2, 1 }),
      fails('size mismatch, the matrix %(3 x 3%) and the right%-hand side %(2 x 3%)', S.randn { 3, 3 }, S.randn { 2, 3 }),
      fails('expected square matrices, got %(2 x 3%)', S.randn { 2, 3 }, S.randn { 2, 1 }),
      fails("batch dims %(all but the last two%) don't broadcast, %(2 x 3 x 3%)", S.randn { 2, 3, 3 }, S.randn { 3, 3, 1 }),
      fails('got %(3%)', S.randn { 3, 3 }, S.randn { 3 }),
      fails('expected float32 or float64, got int64', S.values({ 1, 1 }, { 1 }, 'int64'), S.randn { 1, 1 }),
      fails('the matrix is float32 but the right%-hand side is float64', S.values({ 1, 1 }, { 1 }, 'float32'),
        S.randn { 1, 1 }),
    },
    solve_ex = {
      solved_ex { regular { 3, 3 }, S.randn { 3, 2 } },
      solved_ex({ regular { 2, 3, 3 }, S.randn { 3, 2 } }, checked),
      solved_ex { regular { 3, 3 }, S.randn { 2, 3, 1 } },
      solved_ex { regular { 0, 0 }, S.randn { 0, 2 } },
      solved_ex { regular { 0, 3, 3 }, S.randn { 3, 2 } },
      { inputs = { S.values({ 2, 2 }, { 1, 2, 2, 4 }), S.randn { 2, 1 } }, attrs = checked,
        error = 'solve_ex: the matrix is singular %(at row 2%)' },
      fails('size mismatch, the matrix %(3 x 3%) and the right%-hand side %(2 x 3%)', S.randn { 3, 3 }, S.randn { 2, 3 }),
    },
    lu_factor_ex = common_errors(with(sizes(eliminated, S.randn), {
      eliminated { S.randn { 4, 2 } }, eliminated { S.randn { 2, 4 } }, eliminated { S.randn { 2, 3, 1 } },
      eliminated({ S.randn { 2, 1, 3 } }, checked), eliminated { S.randn { 3, 0 } }, eliminated { S.randn { 0, 2 } },
      eliminated({ singular }, nil, { order = 0 }), eliminated({ second_bad }, nil, { order = 0 }),
      { inputs = { second_bad }, attrs = checked, error = 'lu_factor_ex: matrix 2 of the batch is singular %(at row 2%)' },
    })),
    swap_rows = {
      exchanged { S.randn { 3, 2 }, pivots({ 3 }, { 3, 3, 3 }) },
      exchanged({ S.randn { 3, 2 }, pivots({ 3 }, { 3, 3, 3 }) }, backwards),
      exchanged { S.randn { 2, 3, 2 }, pivots({ 2, 2 }, { 2, 3, 1, 2 }) },
      exchanged { S.randn { 3, 2 }, pivots({ 2, 2 }, { 2, 3, 1, 2 }) },
      exchanged({ S.randn { 2, 1, 2, 2 }, pivots({ 3, 1 }, { 2, 1, 2 }) }, backwards),
      exchanged { S.randn { 2, 2 }, pivots({ 0 }, {}) }, exchanged { S.randn { 0, 2 }, pivots({ 0 }, {}) },
      exchanged { S.randn { 0, 2, 2 }, pivots({ 1 }, { 2 }) },
      fails('swap_rows: the matrix has a pivot that is not one of its rows %(at row 2%)', S.randn { 2, 2 },
        pivots({ 2 }, { 1, 3 })),
      fails('matrix 2 of the batch has a pivot that is not', S.randn { 2, 2 }, pivots({ 2, 1 }, { 1, 0 })),
      fails('expected pivots %(%.%.%., k%) of up to 2 rows, got %(3%)', S.randn { 2, 2 }, pivots({ 3 }, { 1, 1, 1 })),
      fails('expected pivots %(%.%.%., k%) of up to 2 rows, got %(%)', S.randn { 2, 2 }, pivots({}, { 1 })),
      fails('expected a matrix or a batch of matrices, got %(3%)', S.randn { 3 }, pivots({ 1 }, { 1 })),
      fails('expected float32 or float64, got int64', S.values({ 1, 1 }, { 1 }, 'int64'), pivots({ 1 }, { 1 })),
      fails('expected pivots of int32, got int64', S.randn { 2, 2 }, S.values({ 1 }, { 1 }, 'int64')),
    },
    solve_triangular = {
      substituted({ regular { 3, 3 }, S.randn { 3, 2 } }, lower),
      substituted({ regular { 3, 3 }, S.randn { 3, 2 } }, upper),
      substituted({ regular { 3, 3 }, S.randn { 3, 2 } }, unit_lower),
      substituted({ regular { 3, 3 }, S.randn { 3, 2 } }, unit_upper),
      substituted({ regular { 2, 3, 3 }, S.randn { 3, 2 } }, lower),
      substituted({ regular { 3, 3 }, S.randn { 2, 3, 1 } }, upper),
      substituted({ S.values({ 2, 2 }, { 0, 1, 2, 0 }), S.randn { 2, 1 } }, unit_upper),
      substituted({ regular { 0, 0 }, S.randn { 0, 2 } }, upper),
      substituted({ regular { 2, 3, 3 }, S.randn { 3, 0 } }, lower),
      { inputs = { S.values({ 2, 2 }, { 1, 9, 0, 0 }), S.randn { 2, 1 } }, attrs = lower,
        error = 'the matrix is singular, its diagonal has a 0 %(at row 2%)' },
      { inputs = { S.randn { 2, 2 }, S.randn { 3, 1 } }, attrs = lower, error = 'size mismatch' },
      { inputs = { S.randn { 2, 2 }, S.randn { 2, 1 } }, error = "'upper' must be given" },
    },
    det = common_errors(with(sizes(determined, regular), {
      determined({ S.values({ 2, 2 }, { 0, 1, 1, 0 }) }),
      -- Of singular matrices the first derivative is exact.
      determined({ singular }, nil, { order = 1 }),
      determined({ S.values({ 2, 3, 3 }, { 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0 }) }, nil, { order = 1 }),
    }), true),
    cofactor = common_errors(with(sizes(with_cofactors, regular), {
      with_cofactors({ singular }, nil, { order = 0 }),
      with_cofactors({ S.values({ 2, 2 }, { 0, 0, 0, 0 }) }, nil, { order = 0 }),
    }), true),
    slogdet = common_errors(with(sizes(logged, regular), {
      logged({ S.values({ 2, 2 }, { 0, 1, 1, 0 }) }),
      logged({ S.values({ 2, 2 }, { 1, 2, 2, 4 }) }, nil, { order = 0 }),
    }), true),
    eigh = common_errors(with(sizes(diagonalised, symmetric), {
      diagonalised({ symmetric { 3, 3 } }, { UPLO = 'U' }),
      diagonalised({ S.values({ 2, 2 }, { 4, 77, 2, 5 }) }, nil, { order = 0 }),
      diagonalised({ S.values({ 2, 2 }, { 4, 2, 77, 5 }) }, { UPLO = 'U' }, { order = 0 }),
      diagonalised({ S.values({ 3, 3 }, { 1, 0, 0, 0, 1, 0, 0, 0, 2 }) }, nil, { order = 0 }),
      fails('the matrix has an element that is not finite', S.values({ 2, 2 }, { 1, 0, 0 / 0, 1 })),
      { inputs = { S.randn { 2, 2 } }, attrs = { UPLO = 'X' }, error = "'UPLO' must be one of L, U" },
    }), true),
    eig = common_errors(with(sizes(with_vectors, with_real_eigenvalues), {
      with_vectors({ S.values({ 2, 2 }, { 0, 1, 1, 0 }) }, nil, { order = 0 }),
      with_vectors({ S.values({ 3, 3 }, { 1, 0, 0, 0, 1, 0, 0, 0, 2 }) }, nil, { order = 0 }),
      fails('eig: the matrix has eigenvalues that are not real', S.values({ 2, 2 }, { 0, 1, -1, 0 })),
      fails('matrix 2 of the batch has eigenvalues that are not real',
        S.values({ 2, 2, 2 }, { 1, 0, 0, 2, 0, 1, -1, 0 })),
      fails('the matrix has an element that is not finite', S.values({ 1, 1 }, { 1 / 0 })),
    }), true),
    svd = common_errors({
      decomposed({ apart { 3, 3 } }), decomposed({ apart { 3, 3 } }, thin), decomposed({ apart { 1, 1 } }),
      decomposed({ apart { 4, 2 } }, thin), decomposed({ apart { 2, 4 } }, thin),
      decomposed({ apart { 4, 2 } }, nil, { after = through_u(2) }),
      decomposed({ apart { 2, 4 } }, nil, { after = through_v(2) }),
      decomposed({ apart { 2, 3, 2 } }, thin), decomposed({ apart { 2, 2, 3 } }, nil, { order = 0 }),
      decomposed({ S.values({ 2, 2 }, { 1, 2, 2, 4 }) }, nil, { order = 0 }),
      decomposed { S.randn { 0, 0 } }, decomposed { S.randn { 3, 0 } }, decomposed { S.randn { 0, 2 } },
      decomposed({ S.randn { 3, 0 } }, thin), decomposed({ S.randn { 0, 3, 2 } }),
      fails('matrix 1 of the batch has an element that is not finite', S.values({ 1, 1, 1 }, { 1 / 0 })),
    }),
    pinverse = common_errors({
      least_squares { regular { 3, 3 } }, least_squares { regular { 4, 2 } }, least_squares { regular { 2, 4 } },
      least_squares { regular { 1, 1 } }, least_squares { regular { 2, 3, 2 } }, least_squares { regular { 2, 1, 2, 3 } },
      least_squares { S.randn { 0, 0 } }, least_squares { S.randn { 3, 0 } }, least_squares { S.randn { 0, 2, 3 } },
      -- Of rank 1: the transpose, divided by the sum of squares. The cut-off: what is below it counts as 0.
      { inputs = { S.values({ 2, 2 }, { 1, 2, 2, 4 }) }, order = 0, reference = turned_by(function(v) return v / 25 end) },
      { inputs = { S.values({ 2, 2 }, { 2, 0, 0, 0.5 }) }, attrs = { rtol = 0.3 }, reference = turned_by(cut), order = 0 },
      { inputs = { S.values({ 2, 2 }, { 2, 0, 0, 0.5 }) }, attrs = { atol = 0.6 }, reference = turned_by(cut), order = 0 },
      fails('pinverse: the matrix has an element that is not finite', S.values({ 1, 1 }, { 0 / 0 })),
    }),
    qr = common_errors({
      triangularised({ regular { 3, 3 } }), triangularised({ regular { 1, 1 } }),
      triangularised({ regular { 4, 2 } }), triangularised({ regular { 2, 4 } }),
      triangularised({ regular { 4, 2 } }, complete, { after = through_q(2) }),
      triangularised({ regular { 2, 4 } }, complete), triangularised({ regular { 2, 3, 2 } }),
      triangularised({ regular { 2, 2, 3 } }), triangularised { S.randn { 0, 0 } },
      triangularised({ S.randn { 3, 0 } }, complete), triangularised({ S.randn { 3, 0 } }),
      triangularised({ S.randn { 0, 2 } }), triangularised({ S.randn { 0, 3, 2 } }),
      { inputs = { S.randn { 2, 2 } }, attrs = { mode = 'full' }, error = "'mode' must be one of reduced, complete" },
    }),
  }
end
