--- Zip files: the names inside and their contents, by libzip.
-- Owns the calls into libzip and the life of its handles.
local ffi = require 'ffi'
local clib = require 'metann.binding.clib'

ffi.cdef [[
typedef struct zip zip_t;
typedef struct zip_file zip_file_t;
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
zip_t *zip_open(const char *path, int flags, int *error);
void zip_discard(zip_t *archive);
int64_t zip_get_num_entries(zip_t *archive, uint32_t flags);
const char *zip_get_name(zip_t *archive, uint64_t index, uint32_t flags);
int zip_stat_index(zip_t *archive, uint64_t index, uint32_t flags, metann_zip_stat *stat);
zip_file_t *zip_fopen_index(zip_t *archive, uint64_t index, uint32_t flags);
int64_t zip_fread(zip_file_t *file, void *buffer, uint64_t size);
int zip_fclose(zip_file_t *file);
const char *zip_strerror(zip_t *archive);
const char *zip_file_strerror(zip_file_t *file);
void zip_error_init_with_code(metann_zip_error *error, int code);
const char *zip_error_strerror(metann_zip_error *error);
void zip_error_fini(metann_zip_error *error);
]]

local libzip = clib.open('libzip', {'libzip.so.5', 'libzip.so.4', 'zip'}, 'libzip4')
local READ_ONLY, RAW_NAME = 16, 64
-- Above this an entry is refused: what is read here is drawings and the like, and a crafted size would ask for all
-- memory.
local LARGEST_ENTRY = 2 ^ 30

local Archive = {}
Archive.__index = Archive

local zip = {}

local function open_error(code)
  local err = ffi.new 'metann_zip_error'
  libzip.zip_error_init_with_code(err, code)
  local message = ffi.string(libzip.zip_error_strerror(err))
  libzip.zip_error_fini(err)
  return message
end

--- Open a zip file for reading.
-- @return an archive with `names()`, `read(index)` and `close()`; or nil and libzip's message
function zip.open(path)
  local code = ffi.new('int[1]')
  local handle = libzip.zip_open(path, READ_ONLY, code)
  if handle == nil then return nil, open_error(code[0]) end
  return setmetatable({handle = ffi.gc(handle, libzip.zip_discard)}, Archive)
end

--- Names of all entries, folders included (they end in a slash), in the order of `read`'s index, from 1.
function Archive:names()
  local names = {}
  for i = 1, tonumber(libzip.zip_get_num_entries(self.handle, 0)) do
    local name = libzip.zip_get_name(self.handle, i - 1, RAW_NAME)
    names[i] = name ~= nil and ffi.string(name) or ''
  end
  return names
end

--- Contents of the entry with this index (from 1), checked by its CRC; or nil and libzip's message.
function Archive:read(index)
  local stat = ffi.new 'metann_zip_stat'
  if libzip.zip_stat_index(self.handle, index - 1, 0, stat) ~= 0 then
    return nil, ffi.string(libzip.zip_strerror(self.handle))
  end
  local size = tonumber(stat.size)
  if size > LARGEST_ENTRY then return nil, ('%.0f bytes are too many to read'):format(size) end
  local file = libzip.zip_fopen_index(self.handle, index - 1, 0)
  if file == nil then return nil, ffi.string(libzip.zip_strerror(self.handle)) end
  -- One byte more than announced: only a read that meets the end compares the CRC.
  local buffer = ffi.new('uint8_t[?]', size + 1)
  local got = tonumber(libzip.zip_fread(file, buffer, size + 1))
  local message = got < 0 and ffi.string(libzip.zip_file_strerror(file))
  libzip.zip_fclose(file)
  if message then return nil, message end
  if got ~= size then return nil, ('%d bytes instead of %d'):format(got, size) end
  return ffi.string(buffer, size)
end

--- Let go of the file; the archive can't be used afterwards.
function Archive:close()
  if self.handle then
    libzip.zip_discard(ffi.gc(self.handle, nil))
    self.handle = nil
  end
end

return zip
