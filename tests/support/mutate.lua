-- Damages files: random changes of bytes, of numbers in a text, and of values in a JSON tree. All drawn from one seed.
local json = require 'metann.binding.json'

local mutate = {}

--- A source of random whole numbers: `draw(n)` gives one from 1 to n.
function mutate.source(seed)
  local state = seed % 2147483646 + 1
  return function(n)
    state = state * 16807 % 2147483647
    return state % n + 1
  end
end

local function splice(text, from, to, piece) return text:sub(1, from - 1) .. piece .. text:sub(to + 1) end

local function random_bytes(draw, n)
  local list = {}
  for i = 1, n do list[i] = string.char(draw(256) - 1) end
  return table.concat(list)
end

local byte_changes = {
  function(text, draw) -- one byte
    local at = draw(#text)
    return splice(text, at, at, random_bytes(draw, 1))
  end,
  function(text, draw) -- one bit
    local at = draw(#text)
    return splice(text, at, at, string.char(bit.bxor(text:byte(at), 2 ^ (draw(8) - 1))))
  end,
  function(text, draw) -- several bytes with extreme ones
    local at = draw(#text)
    local to = math.min(#text, at + draw(8) - 1)
    return splice(text, at, to, (draw(2) == 1 and '\0' or '\255'):rep(to - at + 1))
  end,
  function(text, draw) -- cut out
    local at = draw(#text)
    return splice(text, at, at + draw(16) - 1, '')
  end,
  function(text, draw) return splice(text, draw(#text), -1, '') end, -- cut off
  function(text, draw) -- put in
    local at = draw(#text)
    return splice(text, at, at - 1, random_bytes(draw, draw(8)))
  end,
  function(text, draw) -- said twice
    local at = draw(#text)
    local piece = text:sub(at, at + draw(40) - 1)
    return splice(text, at, at - 1, piece)
  end,
}

--- The text with one to three random changes of its bytes.
function mutate.bytes(text, draw)
  for _ = 1, draw(3) do
    if #text == 0 then return text end
    text = byte_changes[draw(#byte_changes)](text, draw)
  end
  return text
end

local NUMBERS = {
  '0', '-1', '1', '2', '7', '255', '2147483648', '4294967296', '9007199254740992', '9007199254740993',
  '9223372036854775807', '9223372036854775808', '18446744073709551615', '18446744073709551616', '1e3', '1e999', '0.5',
  '-0', '00', '0x10', 'null', 'true', '""', '[]', '{}', ('9'):rep(400),
}

--- The text with one of its numbers replaced by one that asks for trouble.
function mutate.number(text, draw)
  local places = {}
  for from, to in text:gmatch '()%d+()' do places[#places + 1] = { from, to - 1 } end
  if #places == 0 then return text end
  local place = places[draw(#places)]
  return splice(text, place[1], place[2], NUMBERS[draw(#NUMBERS)])
end

-- ---- JSON trees ----

local function copy(value)
  if type(value) ~= 'table' or value == json.null then return value end
  local result = json.is_array(value) and json.array {} or {}
  for k, v in pairs(value) do result[k] = copy(v) end
  return result
end

--- Every place of the tree: lists of {holder, key}, in an order that depends on the tree alone.
local function places_of(tree, list)
  local keys = {}
  for key in pairs(tree) do keys[#keys + 1] = key end
  table.sort(keys)
  for _, key in ipairs(keys) do
    list[#list + 1] = { tree, key }
    local value = tree[key]
    if type(value) == 'table' and value ~= json.null then places_of(value, list) end
  end
  return list
end

local SCALARS = { 0, -1, 1, 3, 1.5, 1e300, 2 ^ 31, 2 ^ 53, true, false, '', 'x', 'F32', 'BOOL', 'U64', '__metadata__' }

local tree_changes = {
  function(holder, key, draw) holder[key] = SCALARS[draw(#SCALARS)] end,
  function(holder, key) holder[key] = json.null end,
  function(holder, key) holder[key] = json.array {} end,
  function(holder, key) holder[key] = {} end,
  function(holder, key) holder[key] = json.array { copy(holder[key]) } end,
  function(holder, key, draw, places) -- another part of the tree
    local other = places[draw(#places)]
    holder[key] = copy(other[1][other[2]])
  end,
  function(holder, key) -- gone
    if json.is_array(holder) then table.remove(holder, key) else holder[key] = nil end
  end,
  function(holder, key) -- once more
    if json.is_array(holder) then
      table.insert(holder, key, copy(holder[key]))
    else
      holder[key .. '2'] = copy(holder[key])
    end
  end,
}

--- A copy of a JSON text with one or two values of its tree changed.
function mutate.json(text, draw)
  local tree = assert(json.decode(text))
  for _ = 1, draw(2) do
    local places = places_of(tree, {})
    if #places == 0 then break end
    local place = places[draw(#places)]
    tree_changes[draw(#tree_changes)](place[1], place[2], draw, places)
  end
  return json.encode(tree)
end

return mutate
