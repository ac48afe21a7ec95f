--- JSON to Lua values and back, by jansson: strict, UTF-8 checked, repeated keys refused.
-- Owns the calls into jansson and the conversion of values.
local pairs = require('metann.binding.traversal').pairs
local ffi = require 'ffi'
local bytes = require 'metann.binding.bytes'
local clib = require 'metann.binding.clib'
local errors = require 'metann.binding.errors'

clib.declare('metann_json', [[
typedef struct { int type; size_t refcount; } metann_json;
typedef struct { int line, column, position; char source[80], text[160]; } metann_json_error;
metann_json *metann_json_loadb(const char *buffer, size_t size, size_t flags, metann_json_error *error)
  __asm__("json_loadb");
char *metann_json_dumps(const metann_json *json, size_t flags) __asm__("json_dumps");
void metann_json_delete(metann_json *json) __asm__("json_delete");
metann_json *metann_json_stringn(const char *value, size_t size) __asm__("json_stringn");
metann_json *metann_json_real(double value) __asm__("json_real");
void *metann_json_object_iter(metann_json *object) __asm__("json_object_iter");
void *metann_json_object_iter_next(metann_json *object, void *iter) __asm__("json_object_iter_next");
const char *metann_json_object_iter_key(void *iter) __asm__("json_object_iter_key");
metann_json *metann_json_object_iter_value(void *iter) __asm__("json_object_iter_value");
size_t metann_json_array_size(const metann_json *array) __asm__("json_array_size");
metann_json *metann_json_array_get(const metann_json *array, size_t index) __asm__("json_array_get");
const char *metann_json_string_value(const metann_json *string) __asm__("json_string_value");
size_t metann_json_string_length(const metann_json *string) __asm__("json_string_length");
long long metann_json_integer_value(const metann_json *integer) __asm__("json_integer_value");
double metann_json_real_value(const metann_json *real) __asm__("json_real_value");
void metann_free(void *memory) __asm__("free");
]])

local jansson = clib.open('jansson', {'libjansson.so.4', 'jansson'}, 'libjansson4')
local REJECT_DUPLICATES, DECODE_ANY = 0x1, 0x4
local ENCODE_ANY = 0x200
local OBJECT, ARRAY, STRING, INTEGER, REAL, TRUE, FALSE = 0, 1, 2, 3, 4, 5, 6
local EXACT = 2LL ^ 53
-- jansson and to_lua call themselves for each level, on a stack that a host may have made small. What metann.save writes
-- needs two levels for each of the 500 tables that may lie in one another.
local DEEPEST = 1010
-- What values take while they are both jansson's and Lua's, in bytes: for each character of the text and, beyond that, for
-- each that begins an object or a list, or parts two values or a key from its value. Up to LITTLE no limit is asked.
local EACH_BYTE, EACH_BEGIN, EACH_COMMA, EACH_COLON, LITTLE = 3, 280, 60, 200, 2 ^ 20

local json = {}

--- What `decode` gives for null, and `encode` writes as null.
json.null = setmetatable({}, {__tostring = function() return 'null' end})

local array_mark = {}

--- Mark a table as an array, so that an empty one is written as [] and not {}.
function json.array(t) return setmetatable(t, array_mark) end

--- Whether a decoded table was an array.
function json.is_array(t) return getmetatable(t) == array_mark end

local to_lua

local function object_to_lua(value, whole)
  local t = {}
  local iter = jansson.metann_json_object_iter(value)
  while iter ~= nil do
    local key = ffi.string(jansson.metann_json_object_iter_key(iter))
    t[key] = to_lua(jansson.metann_json_object_iter_value(iter), whole)
    iter = jansson.metann_json_object_iter_next(value, iter)
  end
  return t
end

local function array_to_lua(value, whole)
  local t = json.array {}
  for i = 1, tonumber(jansson.metann_json_array_size(value)) do
    t[i] = to_lua(jansson.metann_json_array_get(value, i - 1), whole)
  end
  return t
end

local function integer_to_lua(value)
  local n = jansson.metann_json_integer_value(value)
  if n > EXACT or n < -EXACT then error('the integer ' .. tostring(n):gsub('LL$', '') .. ' is beyond 2^53', 0) end
  return tonumber(n)
end

local readers = {
  [OBJECT] = object_to_lua,
  [ARRAY] = array_to_lua,
  [STRING] = function(v)
    return ffi.string(jansson.metann_json_string_value(v), jansson.metann_json_string_length(v))
  end,
  [INTEGER] = integer_to_lua,
  [REAL] = function(v, whole)
    local value = jansson.metann_json_real_value(v)
    if whole then error(('%.17g is not written as a whole number'):format(value), 0) end
    return value
  end,
  [TRUE] = function() return true end,
  [FALSE] = function() return false end,
}

function to_lua(value, whole)
  local read = readers[value.type]
  if read then return read(value, whole) end
  return json.null
end

local QUOTE, BACKSLASH, COMMA, COLON = ('"\\,:'):byte(1, 4)
local OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT = ('[]{}'):byte(1, 4)

--- How deep the objects and lists of a text lie in one another, and how many bytes its values may take.
local function measure(text)
  local place, n = ffi.cast('const uint8_t *', text), #text
  local depth, deepest, memory, quoted, i = 0, 0, n * EACH_BYTE, false, 0
  while i < n do
    local c = place[i]
    if quoted then
      if c == BACKSLASH then i = i + 1 elseif c == QUOTE then quoted = false end
    elseif c == QUOTE then
      quoted = true
    elseif c == COMMA then
      memory = memory + EACH_COMMA
    elseif c == COLON then
      memory = memory + EACH_COLON
    elseif c == OPEN_LIST or c == OPEN_OBJECT then
      depth, memory = depth + 1, memory + EACH_BEGIN
      deepest = math.max(deepest, depth)
    elseif c == CLOSE_LIST or c == CLOSE_OBJECT then
      depth = depth - 1
    end
    i = i + 1
  end
  return deepest, memory
end

local function decoded(text, whole)
  local err = ffi.new 'metann_json_error'
  local root = jansson.metann_json_loadb(text, #text, REJECT_DUPLICATES + DECODE_ANY, err)
  if root == nil then
    return nil, ('JSON, line %d, column %d: %s'):format(err.line, err.column, ffi.string(err.text))
  end
  root = ffi.gc(root, jansson.metann_json_delete)
  local ok, value = pcall(to_lua, root, whole)
  jansson.metann_json_delete(ffi.gc(root, nil))
  if not ok then return nil, 'JSON: ' .. tostring(value) end
  return value
end

--- Read a JSON text. Objects become tables, arrays tables that `json.is_array` knows. One that is nested too deeply, or
-- whose values would take more memory than there is left of metann's limit, is refused before it is read.
-- @param text the text
-- @param[opt] options {whole=true}: numbers written with a fraction or an exponent are errors; {depth=1010}: how deeply
-- objects and lists may be nested
-- @return the value; or nil and a message, with line and column where the text is wrong
function json.decode(text, options)
  local depth, memory = measure(text)
  local most = options and options.depth or DEEPEST
  if depth > most then return nil, ('JSON: nested %d deep, where %d are read'):format(depth, most) end
  local reserved
  if memory > LITTLE then
    local ok, failure = pcall(bytes.new_tensor, 'uint8', { memory })
    if not ok then return nil, 'JSON: ' .. errors.without_place(failure) end
    reserved = failure
  end
  local value, message = decoded(text, options and options.whole)
  return value, message, reserved -- which is named so that it lives until here
end

local encode

--- A string or a number as jansson writes it.
local function scalar(value, refusal)
  if value == nil then error('json.encode: ' .. refusal, 0) end
  value = ffi.gc(value, jansson.metann_json_delete)
  local text = jansson.metann_json_dumps(value, ENCODE_ANY)
  jansson.metann_json_delete(ffi.gc(value, nil))
  if text == nil then error('json.encode: out of memory', 0) end
  local result = ffi.string(text)
  ffi.C.metann_free(text)
  return result
end

local function string_text(s)
  if not s:find '[%z\1-\31"\\\128-\255]' then return '"' .. s .. '"' end -- stands for itself
  return scalar(jansson.metann_json_stringn(s, #s), ('%q is not UTF-8'):format(s))
end

local function list_text(t)
  local parts = {}
  for i = 1, #t do parts[i] = encode(t[i]) end
  return '[' .. table.concat(parts, ',') .. ']'
end

local function object_text(t)
  local keys, parts = {}, {}
  for key in pairs(t) do
    if type(key) ~= 'string' or key:find '%z' then
      error('json.encode: a key must be a string without zero bytes, got ' .. tostring(key), 0)
    end
    keys[#keys + 1] = key
  end
  table.sort(keys)
  for i, key in ipairs(keys) do parts[i] = string_text(key) .. ':' .. encode(t[key]) end
  return '{' .. table.concat(parts, ',') .. '}'
end

local writers = {
  table = function(t)
    if t == json.null then return 'null' end
    if json.is_array(t) or #t > 0 then return list_text(t) end
    return object_text(t)
  end,
  string = string_text,
  number = function(n)
    if n % 1 == 0 and math.abs(n) <= 2 ^ 53 then return ('%.0f'):format(n == 0 and 0 or n) end
    return scalar(jansson.metann_json_real(n), 'JSON has no number for ' .. tostring(n))
  end,
  boolean = tostring,
}

--- Write a value as one line of JSON, keys sorted. A table with elements from 1 on, or marked by `json.array`, is an
-- array; any other is an object. Tables are written here and not by jansson, which takes much of the stack for each level.
-- @raise a value that JSON can't hold
function json.encode(value)
  local write = writers[type(value)]
  if not write then error('json.encode: a ' .. type(value) .. ' has no JSON form', 0) end
  return write(value)
end
encode = json.encode

return json
