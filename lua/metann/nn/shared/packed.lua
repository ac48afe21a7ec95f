--- Packed sequences: sequences of different lengths as one tensor without padding, as the recurrent layers take them.
-- All elements of the first step stand first, then those of the second: data (elements, ...), and batch_sizes, how many
-- sequences each step has. They are ordered by length, the longest first; where that is not the order they came in,
-- sorted_indices says which was where, and unsorted_indices the way back, both counted from 1.
local support = require 'metann.support'
local ops = support.ops

local packed = {}

local Packed = {}
Packed.__index = Packed

function Packed:__tostring()
  return ('PackedSequence(data=%s, steps=%d)'):format(support.describe(self.data), #self._sizes)
end

--- An int64 tensor of a list of numbers, where `like` lies; without it on the host, as what is only to be read.
function packed.numbers(list, like)
  return support.functions.tensor(list, { dtype = 'int64', device = like and like.device or 'cpu' })
end

--- A packed sequence.
-- @param data (elements, ...)
-- @param sizes list of how many sequences each step has
-- @param batch_sizes the same as a tensor, made where it is nil
function packed.new(data, sizes, batch_sizes, sorted_indices, unsorted_indices)
  return setmetatable({
    data = data, batch_sizes = batch_sizes or packed.numbers(sizes), sorted_indices = sorted_indices or nil,
    unsorted_indices = unsorted_indices or nil, _sizes = sizes,
  }, Packed)
end

function packed.is(value) return getmetatable(value) == Packed end

--- The same sequences with other data, of as many elements; the order goes where they lie.
function Packed:with(data)
  local sorted, unsorted = self.sorted_indices, self.unsorted_indices
  return packed.new(data, self._sizes, self.batch_sizes, sorted and sorted:to(data.device), unsorted and unsorted:to(data.device))
end

--- The sequences with their data converted, as tensors are.
function Packed:to(...) return self:with(self.data:to(...)) end

function Packed:double() return self:to 'float64' end
function Packed:float() return self:to 'float32' end

--- t with its rows along dim 2, sequences, in the order `index`; t itself where there is none.
function packed.reordered(t, index) return index and t and ops.index_select(t, index, 2) or t end

return packed
