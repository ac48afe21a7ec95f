--- JSON to Lua values and back, by jansson: strict, UTF-8 checked, repeated keys refused.
-- Owns the calls into jansson and the conversion of values.
local pairs = require('metann.binding.traversal').pairs
local ffi = require 'ffi'
local clib = require 'metann.binding.clib'

clib.declare('metann_json', [[
typedef struct { int type; size_t refcount; } metann_json;
typedef struct { int line, column, position; char source[80], text[160]; } metann_json_error;
metann_json *metann_json_loadb(const char *buffer, size_t size, size_t flags, metann_json_error *error)
  __asm__("json_loadb");
char *metann_json_dumps(const metann_json *json, size_t flags) __asm__("json_dumps");
void metann_json_delete(metann_json *json) __asm__("json_delete");
metann_json *metann_json_object(void) __asm__("json_object");
metann_json *metann_json_array(void) __asm__("json_array");
metann_json *metann_json_stringn(const char *value, size_t size) __asm__("json_stringn");
metann_json *metann_json_integer(long long value) __asm__("json_integer");
metann_json *metann_json_real(double value) __asm__("json_real");
metann_json *metann_json_true(void) __asm__("json_true");
metann_json *metann_json_false(void) __asm__("json_false");
metann_json *metann_json_null(void) __asm__("json_null");
int metann_json_object_set_new(metann_json *object, const char *key, metann_json *value)
  __asm__("json_object_set_new");
int metann_json_array_append_new(metann_json *array, metann_json *value) __asm__("json_array_append_new");
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
local COMPACT, SORT_KEYS, ENCODE_ANY = 0x20, 0x80, 0x200
local OBJECT, ARRAY, STRING, INTEGER, REAL, TRUE, FALSE = 0, 1, 2, 3, 4, 5, 6
local EXACT = 2LL ^ 53

local json = {}

--- What `decode` gives for null, and `encode` writes as null.
json.null = setmetatable({}, {__tostring = function() return 'null' end})

local array_mark = {}

--- Mark a table as an array, so that an empty one is written as [] and not {}.
function json.array(t) return setmetatable(t, array_mark) end

--- Whether a decoded table was an array.
function json.is_array(t) return getmetatable(t) == array_mark end

local to_lua
local whole_only -- set while a text is read in which a number must be a whole one

local function object_to_lua(value)
  local t = {}
  local iter = jansson.metann_json_object_iter(value)
  while iter ~= nil do
    t[ffi.string(jansson.metann_json_object_iter_key(iter))] = to_lua(jansson.metann_json_object_iter_value(iter))
    iter = jansson.metann_json_object_iter_next(value, iter)
  end
  return t
end

local function array_to_lua(value)
  local t = json.array {}
  for i = 1, tonumber(jansson.metann_json_array_size(value)) do
    t[i] = to_lua(jansson.metann_json_array_get(value, i - 1))
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
  [REAL] = function(v)
    local value = jansson.metann_json_real_value(v)
    if whole_only then error(('%.17g is not written as a whole number'):format(value), 0) end
    return value
  end,
  [TRUE] = function() return true end,
  [FALSE] = function() return false end,
}

function to_lua(value)
  local read = readers[value.type]
  if read then return read(value) end
  return json.null
end

--- Read a JSON text. Objects become tables, arrays tables that `json.is_array` knows.
-- @param text the text
-- @param[opt] options {whole=true}: numbers written with a fraction or an exponent are errors
-- @return the value; or nil and a message with line and column
function json.decode(text, options)
  local err = ffi.new 'metann_json_error'
  local root = jansson.metann_json_loadb(text, #text, REJECT_DUPLICATES + DECODE_ANY, err)
  if root == nil then
    return nil, ('JSON, line %d, column %d: %s'):format(err.line, err.column, ffi.string(err.text))
  end
  whole_only = options and options.whole
  local ok, value = pcall(to_lua, root)
  jansson.metann_json_delete(root)
  if not ok then return nil, 'JSON: ' .. tostring(value) end
  return value
end

local from_lua

local function list_from_lua(t)
  local array = ffi.gc(jansson.metann_json_array(), jansson.metann_json_delete)
  for i = 1, #t do jansson.metann_json_array_append_new(array, from_lua(t[i])) end
  return ffi.gc(array, nil)
end

local function map_from_lua(t)
  local object = ffi.gc(jansson.metann_json_object(), jansson.metann_json_delete)
  for key, value in pairs(t) do
    if type(key) ~= 'string' or key:find '%z' then
      error('json.encode: a key must be a string without zero bytes, got ' .. tostring(key), 0)
    end
    if jansson.metann_json_object_set_new(object, key, from_lua(value)) ~= 0 then
      error(('json.encode: the key %q is not UTF-8'):format(key), 0)
    end
  end
  return ffi.gc(object, nil)
end

local writers = {
  table = function(t)
    if t == json.null then return jansson.metann_json_null() end
    if json.is_array(t) or #t > 0 then return list_from_lua(t) end
    return map_from_lua(t)
  end,
  string = function(s)
    local value = jansson.metann_json_stringn(s, #s)
    if value == nil then error(('json.encode: %q is not UTF-8'):format(s), 0) end
    return value
  end,
  number = function(n)
    if n % 1 == 0 and math.abs(n) <= 2 ^ 53 then return jansson.metann_json_integer(n) end
    local value = jansson.metann_json_real(n)
    if value == nil then error('json.encode: JSON has no number for ' .. tostring(n), 0) end
    return value
  end,
  boolean = function(b) return b and jansson.metann_json_true() or jansson.metann_json_false() end,
}

function from_lua(value)
  local write = writers[type(value)]
  if not write then error('json.encode: a ' .. type(value) .. ' has no JSON form', 0) end
  return write(value)
end

--- Write a value as one line of JSON, keys sorted. A table with elements from 1 on, or marked by `json.array`, is an
-- array; any other is an object.
-- @raise a value that JSON cannot hold
function json.encode(value)
  local root = ffi.gc(from_lua(value), jansson.metann_json_delete)
  local text = jansson.metann_json_dumps(root, COMPACT + SORT_KEYS + ENCODE_ANY)
  jansson.metann_json_delete(ffi.gc(root, nil))
  if text == nil then error('json.encode: jansson could not write the value', 0) end
  local result = ffi.string(text)
  ffi.C.metann_free(text)
  return result
end

return json
