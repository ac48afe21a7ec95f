--- Shrinking pictures by exact area averaging: each new pixel is the mean of the part of the old picture that it
-- covers, where an old pixel that is covered in part counts in part.
local metann = require 'metann'

--- A tensor beside `like`. Row i holds how much each of `old` cells counts in cell i of `new`; rows add up to 1.
local function averaging_matrix(like, old, new)
  local width, rows = old / new, {}
  for i = 1, new do
    local from, to = (i - 1) * width, i * width
    local row = {}
    for j = 1, old do row[j] = math.max(0, math.min(to, j) - math.max(from, j - 1)) / width end
    rows[i] = row
  end
  return like:new_tensor(rows, {dtype = metann.get_default_dtype()})
end

--- Average pictures of size (..., h, w), a float tensor, down (or up) to (..., height, width).
return function(pictures, height, width)
  local down = averaging_matrix(pictures, pictures:size(-2), height)
  local across = averaging_matrix(pictures, pictures:size(-1), width)
  return down:matmul(pictures):matmul(across:transpose(1, 2))
end
