-- The samples of the op table's rows, from the files of tests/samples.
local S = require 'tests.samples.support'
local scratch = require 'tests.support.scratch'

local samples = {}

--- Lists of samples by op.
-- @param known rows by name: a sample of anything else is an error
function samples.load(known)
  local found = {}
  local _, listing = scratch.run 'ls tests/samples'
  for file in listing:gmatch '[%w_]+%.lua' do
    if file ~= 'support.lua' then
      for op, list in pairs(dofile('tests/samples/' .. file)(S)) do
        assert(not found[op], op .. ' has samples in two files')
        assert(known[op], file .. ' has samples of ' .. op .. ', which is no row of the table')
        found[op] = list
      end
    end
  end
  return found
end

return samples
