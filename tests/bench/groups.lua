-- Ten pointwise rows on floats as one group (core/cpu/group.c), row by row, and as a share of the rate at which the machine
-- copies memory. usage: groups.lua [ROUNDS]. One thread. Bytes that count are those of inputs and output.
local metann = require 'metann'
local handle = require('metann.binding').handle
local posix = require 'metann.binding.posix'
local groups = require 'tests.support.groups'
local ffi, C = handle.ffi, handle.C

local ROUNDS = tonumber(arg and arg[1]) or 15
local FLOAT = 4

-- Each the row's name and the values it takes: 1 and 2 are the inputs, 3 what the first step makes, and so on.
local STEPS = {
  { 'add', 1, 2 }, { 'mul', 3, 1 }, { 'sub', 4, 2 }, { 'relu', 5 }, { 'maximum', 6, 1 }, { 'mul', 7, 2 }, { 'add', 8, 3 },
  { 'sub', 9, 1 }, { 'maximum', 10, 2 }, { 'relu', 11, out = 1 },
}

local function rows(inputs)
  local values = groups.one_by_one(metann, inputs, STEPS)
  return values[#values]
end

local function median(list)
  table.sort(list)
  return list[math.ceil(#list / 2)]
end

local function measure(n)
  local inputs, y = { metann.randn(n), metann.randn(n) }, metann.zeros(n)
  local g, held = groups.make(inputs, STEPS, 'float32')
  assert(C.mn_cpu_group_plan(g) == 0)
  local from, to = groups.addresses(inputs), groups.addresses{ y }
  local jobs = {
    group = function() C.mn_cpu_group_run(g, from, to, n) end,
    rows = function() metann.scope(function() rows(inputs) end) end,
    copy = function() ffi.copy(to[0], from[0], n * FLOAT) end,
  }
  jobs.group()
  assert(rows(inputs):eq(y):all():item() ~= 0, 'the group gives other numbers than the rows')
  local times = { group = {}, rows = {}, copy = {} }
  for round = 1, ROUNDS do
    for _, name in ipairs{ 'copy', 'group', 'rows' } do
      local start = posix.clock()
      jobs[name]()
      times[name][round] = posix.clock() - start
    end
  end
  local copied, grouped, apart = median(times.copy), median(times.group), median(times.rows)
  local rate, own = 2 * n * FLOAT / copied, 3 * n * FLOAT / grouped
  print(('%8d floats: group %.3f ms, rows %.3f ms (%.1fx), copy rate %.1f GB/s, group %.1f GB/s = %.0f %% of it'):format(n,
    grouped * 1e3, apart * 1e3, apart / grouped, rate / 1e9, own / 1e9, 100 * own / rate))
  return held
end

metann.set_num_threads(1)
for _, n in ipairs{ 1e6, 1e7 } do measure(n) end
