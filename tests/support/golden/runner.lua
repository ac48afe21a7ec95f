--- Reference vectors: the cases of a folder, and checking one of them from its metadata alone.
-- A folder has an index.json that lists the cases, or just their files, in it or in folders below it. Nothing here knows
-- which cases there are.
local metann = require 'metann'
local cases = require 'tests.support.golden.case'
local json = require 'metann.binding.json'
local posix = require 'metann.binding.posix'

local runner = {}

local KINDS = {}
for _, kind in ipairs{ 'op', 'layer', 'optim', 'meta', 'high' } do
  KINDS[kind] = require('tests.support.golden.' .. kind)
end

-- ---- finding ----

local function exists(path)
  local file = io.open(path, 'rb')
  if file then file:close() end
  return file ~= nil
end

--- The files of a case that begins with `path`.
local function parts(path)
  local files, n = { path }, 2
  while true do
    local more = path:gsub('%.safetensors$', '.part' .. n .. '.safetensors')
    if not exists(more) then return files end
    files[n], n = more, n + 1
  end
end

--- The entry of an index as a case; a path that leads out of the folder is refused when the case is checked.
local function listed(folder, entry, i)
  if type(entry) ~= 'table' or type(entry.files) ~= 'table' or #entry.files == 0 then
    return { name = 'entry ' .. i .. ' of index.json', fault = 'has no list of files' }
  end
  local files = {}
  for k, file in ipairs(entry.files) do
    if type(file) ~= 'string' or file:find '^/' or ('/' .. file .. '/'):find('/../', 1, true) then
      return { name = 'entry ' .. i .. ' of index.json', fault = 'has a file outside the folder: ' .. tostring(file) }
    end
    files[k] = folder .. '/' .. file
  end
  return { name = (entry.files[1]:gsub('%.safetensors$', '')), files = files }
end

local function from_index(folder, prefix, text, list)
  local index, message = json.decode(text)
  if type(index) ~= 'table' or type(index.list) ~= 'table' then
    list[#list + 1] = { name = prefix .. 'index.json', fault = tostring(message or "has no 'list'") }
    return
  end
  for i, entry in ipairs(index.list) do
    local case = listed(folder, entry, i)
    case.name = prefix .. case.name
    list[#list + 1] = case
  end
end

-- Links may lead round in a circle.
local DEEPEST = 16

--- Adds the cases of a folder to a list: those of its index, or all files in it and in the folders below.
local function scan(folder, prefix, list, depth)
  local ok, names = pcall(posix.list, folder)
  if not ok or not names or depth > DEEPEST then return end
  local file = io.open(folder .. '/index.json', 'rb')
  if file then
    local text = file:read '*a'
    file:close()
    from_index(folder, prefix, text or '', list)
    return
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local path = folder .. '/' .. name
    if not name:find '%.safetensors$' then
      scan(path, prefix .. name .. '/', list, depth + 1)
    elseif not name:find '%.part%d+%.safetensors$' then
      list[#list + 1] = { name = prefix .. name:gsub('%.safetensors$', ''), files = parts(path) }
    end
  end
end

--- The cases of a folder: {name, files}, or {name, fault} where an index is wrong. A folder without any is an error.
function runner.cases(folder)
  local list = {}
  scan(folder, '', list, 0)
  if #list == 0 then error(folder .. ': no index.json and no .safetensors file is in it', 0) end
  return list
end

-- ---- checking ----

--- Checks a case; says which kind it is as soon as that is known.
local function check(found, note)
  if found.fault then error(found.fault, 0) end
  local case = cases.load(found.files)
  local kind = KINDS[case.kind]
  if not kind then error(("the kind '%s' is not understood"):format(tostring(case.kind)), 0) end
  note.kind = case.kind
  metann.set_default_dtype(case.dtype)
  kind.run(case)
  note.verdict = case:verdict(kind.inputs)
end

--- An error on one line, without the runner's own places in it.
local function explained(message)
  return (message:gsub('%s+', ' '):gsub('%.?/?tests/support/golden/[%w_/]+%.lua:%d+: ', '')
    :gsub("attempt to call field '([%w_]+)' %(a nil value%)", "metann has no '%1'"))
end

--- Checks a case of runner.cases.
-- @return nil, or a line of text that names the case and says what is wrong with it; and the case's kind
function runner.check(found)
  local note = { kind = 'unknown' }
  local ok, fault = pcall(check, found, note)
  metann.set_default_dtype('float32')
  if not ok then
    note.verdict = 'not understood, or not computed: ' .. explained(tostring(fault))
  end
  return note.verdict and found.name .. ': ' .. note.verdict, note.kind
end

return runner
