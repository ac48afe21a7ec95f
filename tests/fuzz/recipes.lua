--- Sizes that fit each other, for functions that want more of their tensors than to broadcast: a recipe makes the
-- arguments by name that such a function could be given. The rest is drawn as for any other function.
local values = require 'tests.fuzz.values'

local recipes = {}

local function text(value) return values.text(tostring(value)) end

--- An input (N, C, ...) with n spatial dims, or without N.
local function image(self, n, channels)
  local size = { self.draw(3) - (self:chance(8) and 1 or 0), channels }
  for i = 1, n do size[2 + i] = 2 + self.draw(4) end
  return size
end

local function window(self, n, most)
  local size = {}
  for i = 1, n do size[i] = self.draw(most or 2) end
  return size
end

local function joined(first, second)
  local list = { unpack(first) }
  for _, v in ipairs(second) do list[#list + 1] = v end
  return list
end

local function convolution(self, name)
  local n = tonumber(name:match '(%d)d')
  local groups, into, out = self.draw(2), self.draw(2), self.draw(2)
  local given = { input = self:tensor(image(self, n, groups * into)), groups = text(groups) }
  local weight = name:find 'transpose' and { groups * into, out } or { groups * out, into }
  given.weight = self:tensor(joined(weight, window(self, n, 3)))
  if self:chance(2) then given.bias = self:tensor{ groups * out } end
  return given
end

local function pool(self, name)
  local n = tonumber(name:match '(%d)d')
  return { input = self:tensor(image(self, n, self.draw(3))), kernel_size = text(self.draw(2)), output_size = text(self.draw(4)) }
end

local function classes(self)
  local n, c = self.draw(3), 2 + self.draw(2)
  return {
    input = self:tensor{ n, c }, target = self:tensor({ n }, { dtype = 'int64', style = 'index' }),
    weight = self:chance(2) and self:tensor({ c }, { style = 'positive' }) or nil,
  }
end

local function losses(self)
  local size = { unpack(self.size) }
  local function one() return self:tensor({ unpack(size) }, { style = 'unit' }) end
  return { input = one(), target = one(), input1 = one(), input2 = one(), anchor = one(), positive = one(), negative = one() }
end

local function normalization(self)
  local c = self.draw(3)
  local function channel() return self:chance(2) and self:tensor({ c }, { style = 'positive' }) or nil end
  return {
    input = self:tensor(image(self, self.draw(2), c)), weight = channel(), bias = channel(), num_groups = text(1),
    running_mean = channel(), running_var = channel(),
  }
end

--- A dim, and an index with as many dims whose numbers are positions along it.
local function at_positions(self)
  local size = { 2 + self.draw(2), 2 + self.draw(2) }
  local smaller = { self.draw(size[1]), self.draw(size[2]) }
  local dim = self.draw(2)
  local index = self:tensor(smaller, { dtype = 'int64', style = 'index' })
  return {
    input = self:tensor(size), dim = text(dim), index = index, indices = index, src = self:tensor(smaller),
    source = self:tensor(smaller), value = self:number(),
  }
end

local function along(self)
  local n, dim = self.draw(3), self.draw(2)
  local size = { 3, 4 }
  local part = { 3, 4 }
  part[dim] = n
  return {
    input = self:tensor(size), dim = text(dim), index = self:tensor({ n }, { dtype = 'int64', style = 'index' }),
    source = self:tensor(part), src = self:tensor(part), value = self:number(),
  }
end

local function matrices(self)
  local n, m, k = self.draw(3), self.draw(3), self.draw(3)
  local function t(...) return self:tensor{ ... } end
  return {
    input = t(n, k), mat1 = t(n, m), mat2 = t(m, k), vec = t(m), mat = t(n, m), batch1 = t(2, n, m), batch2 = t(2, m, k),
    vec1 = t(n), vec2 = t(k), other = t(k, m), tensor1 = t(n, m), tensor2 = t(m, k),
  }
end

local function square(self)
  local n = self.draw(3)
  local batch = self:chance(3) and { 2 } or {}
  local t = self:tensor(joined(batch, { n, n }), { dtype = self:chance(2) and 'float64' or 'float32' })
  local other = self:tensor(joined(batch, { n, self.draw(2) }), { dtype = t.dtype })
  return { input = t, A = t, L = t, other = other, B = other, b = other, n = self:small() }
end

local function parts(self)
  return {
    input = self:tensor{ 4, 3 }, dim = text(self.draw(2)), start = text(self.draw(2)), length = text(self.draw(2)),
    chunks = text(self.draw(3)), split_size_or_sections = text(self.draw(3)), k = text(self.draw(3)), step = text(1),
    dimension = text(self.draw(2)), size = text(self.draw(3)), sizes = values.table{ text(-1), text(1) }, index = text(1),
  }
end

local function attention(self)
  local function t() return self:tensor({ 2, 3, 4 }, { dtype = self.dtype }) end
  return { query = t(), key = t(), value = t(), attn_mask = self:chance(3) and self:tensor({ 3, 3 }, { dtype = 'bool' }) or nil }
end

local function linear(self)
  local into, out = self.draw(3), self.draw(3)
  return {
    input = self:tensor{ 2, into }, weight = self:tensor{ out, into }, bias = self:tensor{ out },
    input1 = self:tensor{ 2, into }, input2 = self:tensor{ 2, into },
  }
end

local function points(self)
  local k = self.draw(3)
  return { x1 = self:tensor{ 2, k }, x2 = self:tensor{ self.draw(3), k }, input = self:tensor{ 2, k }, other = self:tensor{ 3, k } }
end

local function vectors(self)
  local n = self.draw(4)
  return { input = self:tensor{ n }, other = self:tensor{ n }, vec = self:tensor{ n } }
end

local function products(self, name)
  local n, m, k = self.draw(3), self.draw(3), self.draw(3)
  local batch = name == 'bmm' and { self.draw(2) } or {}
  local other = name == 'mv' and { m } or joined(batch, { m, k })
  return { input = self:tensor(joined(batch, { n, m })), other = self:tensor(other) }
end

--- A condition or mask, and numbers where it holds.
local function choices(self)
  local mask = self:tensor(self:broadcast_size(), { dtype = 'bool' })
  return {
    condition = mask, mask = mask, input = self:tensor({ unpack(self.size) }), other = self:tensor(self:broadcast_size()),
    value = self:chance(2) and self:number() or self:tensor{},
  }
end

local function weights(self)
  local size = self:chance(2) and { 4 } or { 2, 4 }
  return { input = self:tensor(size, { style = 'positive' }), num_samples = text(self.draw(3)) }
end

local function places(self)
  local index = self:tensor({ 2 }, { dtype = 'int64', style = 'index' })
  return {
    input = self:tensor{ 3, 4 }, indices = values.table{ index, self:chance(2) and index or nil },
    values = self:chance(2) and self:tensor{} or self:tensor{ 2 }, boundaries = index,
  }
end

--- Schedules of one optimizer.
local function several()
  return {
    optimizer = values.text "require('tests.fuzz.schedules').optimizer", milestones = values.text '{}',
    schedulers = values.text "require('tests.fuzz.schedules').list()",
  }
end

-- What names begin with, in the order in which they are looked for, and the recipe.
local PREFIXES = {
  { 'conv', convolution }, { 'nll_loss_grad', nil }, { 'nll_loss', classes }, { 'cross_entropy', classes },
  { 'binary_cross kl_div mse_loss l1_loss smooth_l1 huber cosine_embedding margin_rank triplet soft_margin', losses },
  { 'batch_norm instance_norm group_norm', normalization }, { 'gather scatter take_along', at_positions },
  { 'index_put', places }, { 'index_', along }, { 'addr addm addb baddbmm', matrices },
  { 'inv solve cholesky det logdet slogdet matrix_ eig triangular', square },
  { 'narrow chunk split select unfold kthvalue topk slice', parts }, { 'outer dot inner', vectors }, { 'mm bmm mv', products },
  { 'where masked', choices }, { 'multinomial', weights }, { 'scaled_dot', attention }, { 'linear', linear },
  { 'cdist cosine_similarity', points }, { 'SequentialLR ChainedScheduler', several },
}

--- Arguments by name that fit each other, for a function of that name; nil where none are needed.
-- @param self a context of generator.lua
function recipes.of(self, name)
  if name:find 'pool%dd$' then return pool(self, name) end
  for _, pair in ipairs(PREFIXES) do
    for prefix in pair[1]:gmatch '%S+' do
      if name:sub(1, #prefix) == prefix then return pair[2] and pair[2](self, name) end
    end
  end
  return nil
end

return recipes
