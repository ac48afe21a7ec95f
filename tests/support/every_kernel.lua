-- For exit_spec, run as a process of its own: uses every row of the op table that has samples, wakes the threads, and
-- leaves tensors and graphs alive. Argument 'close' ends by os.exit with the state closed; else the script just ends.
package.path = './?.lua;' .. package.path
local metann = require 'metann'
local rows = require 'tests.support.rows'
local S = require 'tests.samples.support'

local kept = {}
_G.kept = kept -- alive until the state is closed

local function use(op, sample)
  for _, dtype in ipairs { 'float64', 'float32' } do
    local inputs = {}
    for i, d in ipairs(sample.inputs) do
      inputs[i] = d and rows.tensor(d.dtype == 'float64' and rows.with(d, { dtype = dtype }) or d)
      if d and d.dtype == 'float64' and d.grad ~= false then rows.requires_grad(inputs[i]) end
    end
    kept[#kept + 1] = rows.call(op, inputs, sample.attrs)
  end
end

for file in io.popen('ls tests/samples'):read '*a':gmatch '[%w_]+%.lua' do
  if file ~= 'support.lua' then
    for op, list in pairs(dofile('tests/samples/' .. file)(S)) do
      for _, sample in ipairs(list) do
        if not sample.error then
          use(op, sample)
          break
        end
      end
    end
  end
end

local wide = metann.ones({ 600, 600 }, { requires_grad = true })
kept[#kept + 1] = metann.matmul(wide, wide):sum()
kept[#kept]:backward()

io.write(#kept, ' uses\n')
if arg[1] == 'close' then os.exit(0, true) end
