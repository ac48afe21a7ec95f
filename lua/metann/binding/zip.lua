--- Zip files: the names inside and their contents, and writing whole archives, by libzip.
-- Owns the calls into libzip and the life of its handles.
local ffi = require 'ffi'
local clib = require 'metann.binding.clib'
local posix = require 'metann.binding.posix'

clib.declare('metann_zip', [[
typedef struct metann_zip metann_zip;
typedef struct metann_zip_file metann_zip_file;
typedef struct { int zip_err, sys_err; char *str; } metann_zip_error;
typedef struct {
  uint64_t valid;
  const char *name;
  uint64_t index, size, comp_size;
  long mtime;
  uint32_t crc;
  uint16_t comp_method, encryption_method;
  uint32_t flags;
} metann_zip_stat;
typedef struct metann_zip_source metann_zip_source;
void *metann_fdopen(int fd, const char *mode) __asm__("fdopen");
int metann_fclose(void *file) __asm__("fclose");
metann_zip_source *metann_zip_source_filep_create(void *file, uint64_t start, int64_t length, metann_zip_error *error)
  __asm__("zip_source_filep_create");
metann_zip *metann_zip_open_from_source(metann_zip_source *source, int flags, metann_zip_error *error)
  __asm__("zip_open_from_source");
void metann_zip_error_init(metann_zip_error *error) __asm__("zip_error_init");
metann_zip *metann_zip_open(const char *path, int flags, int *error) __asm__("zip_open");
void metann_zip_discard(metann_zip *archive) __asm__("zip_discard");
int64_t metann_zip_get_num_entries(metann_zip *archive, uint32_t flags) __asm__("zip_get_num_entries");
const char *metann_zip_get_name(metann_zip *archive, uint64_t index, uint32_t flags) __asm__("zip_get_name");
int metann_zip_stat_index(metann_zip *archive, uint64_t index, uint32_t flags, metann_zip_stat *stat)
  __asm__("zip_stat_index");
metann_zip_file *metann_zip_fopen_index(metann_zip *archive, uint64_t index, uint32_t flags) __asm__("zip_fopen_index");
int64_t metann_zip_fread(metann_zip_file *file, void *buffer, uint64_t size) __asm__("zip_fread");
int metann_zip_fclose(metann_zip_file *file) __asm__("zip_fclose");
const char *metann_zip_strerror(metann_zip *archive) __asm__("zip_strerror");
const char *metann_zip_file_strerror(metann_zip_file *file) __asm__("zip_file_strerror");
void metann_zip_error_init_with_code(metann_zip_error *error, int code) __asm__("zip_error_init_with_code");
const char *metann_zip_error_strerror(metann_zip_error *error) __asm__("zip_error_strerror");
void metann_zip_error_fini(metann_zip_error *error) __asm__("zip_error_fini");
typedef struct { const uint8_t *data; uint64_t length; } metann_zip_fragment;
metann_zip_source *metann_zip_source_buffer_fragment(metann_zip *archive, const metann_zip_fragment *fragments,
  uint64_t count, int free) __asm__("zip_source_buffer_fragment");
void metann_zip_source_free(metann_zip_source *source) __asm__("zip_source_free");
int64_t metann_zip_file_add(metann_zip *archive, const char *name, metann_zip_source *source, uint32_t flags)
  __asm__("zip_file_add");
int metann_zip_set_file_compression(metann_zip *archive, uint64_t index, int32_t method, uint32_t flags)
  __asm__("zip_set_file_compression");
int metann_zip_file_set_dostime(metann_zip *archive, uint64_t index, uint16_t time, uint16_t date, uint32_t flags)
  __asm__("zip_file_set_dostime");
int metann_zip_close(metann_zip *archive) __asm__("zip_close");
]])

local libzip = clib.open('libzip', {'libzip.so.5', 'libzip.so.4', 'zip'}, 'libzip4')
local CREATE, TRUNCATE, READ_ONLY, RAW_NAME, UTF8_NAME = 1, 8, 16, 64, 2048
local METHODS = { [0] = 'stored', [8] = 'deflated' }
local STORED, DEFLATED = 0, 8
local FIRST_OF_1980 = 0x21 -- the earliest date of the format: equal contents give equal files
-- Deflate can't make more than this of a byte, so a larger size is a lie that would ask for memory.
local LARGEST_RATIO, SMALL = 1032, 1024

local Archive = {}
Archive.__index = Archive

local zip = {}

--- libzip's words for an error, which is given back.
local function words_of(err)
  local message = ffi.string(libzip.metann_zip_error_strerror(err))
  libzip.metann_zip_error_fini(err)
  return message
end

local function open_error(code)
  local err = ffi.new 'metann_zip_error'
  libzip.metann_zip_error_init_with_code(err, code)
  return words_of(err)
end

--- libzip's source of an open file, which owns it; or nil and a message.
local function source_of(file)
  local stream = ffi.C.metann_fdopen(file.fd, 'rb')
  if stream == nil then return nil, 'out of memory' end
  file:release()
  local err = ffi.new 'metann_zip_error'
  libzip.metann_zip_error_init(err)
  local source = libzip.metann_zip_source_filep_create(stream, 0, -1, err)
  if source ~= nil then return source end
  ffi.C.metann_fclose(stream)
  return nil, words_of(err)
end

--- Open a zip file for reading. The path is looked at once: the archive is the file that stood there then, also when
-- another one is put in its place.
-- @return an archive with `names()`, `entries()`, `read(index, room)` and `close()`; or nil and a message
function zip.open(path)
  local file, message = posix.open(path)
  if not file then return nil, message end
  local size = file.size
  local source
  source, message = source_of(file)
  if not source then
    file:close()
    return nil, message
  end
  local err = ffi.new 'metann_zip_error'
  libzip.metann_zip_error_init(err)
  local handle = libzip.metann_zip_open_from_source(source, READ_ONLY, err)
  if handle == nil then
    libzip.metann_zip_source_free(source)
    return nil, words_of(err)
  end
  return setmetatable({ handle = ffi.gc(handle, libzip.metann_zip_discard), size = size }, Archive)
end

--- Names of all entries, folders included (they end in a slash), in the order of `read`'s index, from 1.
function Archive:names()
  local names = {}
  for i = 1, tonumber(libzip.metann_zip_get_num_entries(self.handle, 0)) do
    local name = libzip.metann_zip_get_name(self.handle, i - 1, RAW_NAME)
    names[i] = name ~= nil and ffi.string(name) or ''
  end
  return names
end

local function failure(archive) return nil, ffi.string(libzip.metann_zip_strerror(archive.handle)) end

--- Why what an entry is said to be can't be true, or isn't read; or nil.
local function lie(method, size, packed)
  if not METHODS[method] then return ('compressed by method %d, which is not read'):format(method) end
  local most = method == STORED and packed or packed * LARGEST_RATIO + SMALL
  if size > most then return ('said to hold %.0f bytes, more than fit into %.0f'):format(size, packed) end
  return nil
end

--- What the entry with this index (from 1) is said to be.
-- @return {index, name, size, packed (bytes in the file), wrong (why it can't be read, or nil)}; or nil and a message
local function status(self, index)
  local stat = ffi.new 'metann_zip_stat'
  if libzip.metann_zip_stat_index(self.handle, index - 1, RAW_NAME, stat) ~= 0 then return failure(self) end
  local size, packed = tonumber(stat.size), tonumber(stat.comp_size)
  return {
    index = index, name = ffi.string(stat.name), size = size, packed = packed,
    wrong = lie(tonumber(stat.comp_method), size, packed),
  }
end

--- What all entries are, after checks that don't read them: sizes that the file can't hold are found here.
-- @return list of {index, name, size, packed, wrong}; `wrong` says why an entry can't be read. Or nil and a message
function Archive:entries()
  local entries, packed = {}, 0
  for index in ipairs(self:names()) do
    local entry, message = status(self, index)
    if not entry then return nil, message end
    packed = packed + entry.packed
    entries[index] = entry
  end
  if packed > self.size then return nil, 'the entries overlap' end
  return entries
end

local Stream = {}
Stream.__index = Stream

--- Open an entry to read it from its start.
-- @return a stream with `take(pointer, n)`, `finish()` and `close()`; or nil and libzip's message
function Archive:stream(index)
  local file = libzip.metann_zip_fopen_index(self.handle, index - 1, 0)
  if file == nil then return failure(self) end
  return setmetatable({ file = ffi.gc(file, libzip.metann_zip_fclose) }, Stream)
end

--- Read up to n bytes to a pointer: how many there were; or nil and libzip's message.
local function read_some(self, pointer, n)
  local place, done = ffi.cast('uint8_t *', pointer), 0
  while done < n do
    local got = tonumber(libzip.metann_zip_fread(self.file, place + done, n - done))
    if got < 0 then return nil, ffi.string(libzip.metann_zip_file_strerror(self.file)) end
    if got == 0 then break end
    done = done + got
  end
  return done
end

--- Read the next n bytes to a pointer. Returns true, or nil and what is wrong.
function Stream:take(pointer, n)
  local got, message = read_some(self, pointer, n)
  if not got then return nil, message end
  if got < n then return nil, ('the data ends %d bytes too early'):format(n - got) end
  return true
end

--- At the end of the data: compares the checksum. Returns true, or nil and what is wrong, also where data is left.
function Stream:finish()
  local got, message = read_some(self, ffi.new 'uint8_t[1]', 1)
  if not got then return nil, message end
  if got > 0 then return nil, 'there is more data than announced' end
  return true
end

function Stream:close()
  if self.file then
    libzip.metann_zip_fclose(ffi.gc(self.file, nil))
    self.file = nil
  end
end

--- Read an entry of `entries()`, checked by its CRC.
-- @param entry one of the list
-- @param room function(n) that gives a pointer to memory for the entry's n bytes
-- @return how many bytes there are; or nil and what is wrong
function Archive:read(entry, room)
  if entry.wrong then return nil, entry.wrong end
  local stream, message = self:stream(entry.index)
  if not stream then return nil, message end
  local ran, ok
  ran, ok, message = pcall(function() return stream:take(room(entry.size), entry.size) end)
  if ran and ok then ok, message = stream:finish() end
  stream:close()
  if not ran then error(ok, 0) end
  if not ok then return nil, message end
  return entry.size
end

--- Let go of the file; the archive can't be used afterwards.
function Archive:close()
  if self.handle then
    libzip.metann_zip_discard(ffi.gc(self.handle, nil))
    self.handle = nil
  end
end

-- ---- writing ----

-- libzip removes an archive that has no entries; the format has one, an end record alone.
local EMPTY = 'PK\5\6' .. ('\0'):rep(18)

local function write_empty(path)
  local file, message = io.open(path, 'wb')
  if not file then return nil, message end
  local ok
  ok, message = file:write(EMPTY)
  local closed, trouble = file:close()
  if not ok or not closed then return nil, message or trouble end
  return true
end

local function add(archive, entry, method)
  local count = #entry.parts
  local fragments = ffi.new('metann_zip_fragment[?]', count)
  for i, part in ipairs(entry.parts) do
    fragments[i - 1].data, fragments[i - 1].length = ffi.cast('const uint8_t *', part[1]), part[2] or #part[1]
  end
  local source = libzip.metann_zip_source_buffer_fragment(archive, fragments, count, 0)
  if source == nil then return false end
  local index = libzip.metann_zip_file_add(archive, entry.name, source, UTF8_NAME)
  if index < 0 then
    libzip.metann_zip_source_free(source)
    return false
  end
  return libzip.metann_zip_set_file_compression(archive, index, method, 0) == 0
    and libzip.metann_zip_file_set_dostime(archive, index, 0, FIRST_OF_1980, 0) == 0
end

--- Write a zip file in place of what stands at the path.
-- @param path of the file
-- @param entries list of {name, parts = list of {string} or {pointer, n}}; the memory must stay until this returns
-- @param deflate whether to compress
-- @return true; or nil and libzip's message
function zip.write(path, entries, deflate)
  if #entries == 0 then return write_empty(path) end
  local code = ffi.new('int[1]')
  local archive = libzip.metann_zip_open(path, CREATE + TRUNCATE, code)
  if archive == nil then return nil, open_error(code[0]) end
  for _, entry in ipairs(entries) do
    if not add(archive, entry, deflate and DEFLATED or STORED) then
      local message = ('%s: %s'):format(entry.name, ffi.string(libzip.metann_zip_strerror(archive)))
      libzip.metann_zip_discard(archive)
      return nil, message
    end
  end
  if libzip.metann_zip_close(archive) ~= 0 then
    local message = ffi.string(libzip.metann_zip_strerror(archive))
    libzip.metann_zip_discard(archive)
    return nil, message
  end
  return true
end

return zip
