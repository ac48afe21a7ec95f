-- topk of few of many elements goes another way than sorting does: here it must give what sorting all of them gives.
local metann = require 'metann'

local NAN = 0 / 0

--- The first k of a line in order, by Lua's sort: NaN is larger than any number, equal ones stay as they came.
local function expected(values, k, largest)
  local places = {}
  for i = 1, #values do places[i] = i end
  local function before(a, b)
    local x, y = values[a], values[b]
    if x ~= x or y ~= y then
      if x ~= x and y ~= y then return a < b end
      return (x ~= x) == largest
    end
    if x == y then return a < b end
    return (x > y) == largest
  end
  table.sort(places, before)
  local first = {}
  for i = 1, k do first[i] = places[i] end
  return first
end

local LINES = {
  ties = function(i) return i * 7 % 11 end,
  rising = function(i) return i end,
  falling = function(i) return -i end,
  equal = function() return 3 end,
  ['NaN among them'] = function(i) return i % 50 == 7 and NAN or i * 37 % 101 - 50 end,
  ['zeros of both signs'] = function(i) return i % 2 == 0 and 0 or -0.0 end,
}

describe('topk of few of many', function()
  for name, number in pairs(LINES) do
    it('gives the leading ones, those of equal ones that come first: ' .. name, function()
      local values = {}
      for i = 1, 600 do values[i] = number(i) end
      for _, dtype in ipairs{ 'float32', 'float64' } do
        local t = metann.tensor(values, { dtype = dtype })
        for _, k in ipairs{ 1, 2, 7, 64, 65, 75 } do
          for _, largest in ipairs{ true, false } do
            local _, places = metann.topk(t, k, 1, { largest = largest })
            assert.are.same(expected(values, k, largest), places:to_table())
            local columns = metann.stack({ t, t }, 2)
            local _, both = metann.topk(columns, k, 1, { largest = largest })
            assert.is_true(metann.equal(metann.stack({ places, places }, 2), both))
          end
        end
      end
    end)
  end
end)
