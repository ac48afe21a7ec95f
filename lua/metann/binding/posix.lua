--- What files, folders and terminals need of POSIX beyond Lua's io library.
-- Owns the calls into the C library; Linux's layout of a folder's entries.
local ffi = require 'ffi'

ffi.cdef [[
typedef struct metann_folder metann_folder;
typedef struct { uint64_t inode; int64_t offset; uint16_t length; uint8_t type; char name[256]; } metann_entry;
metann_folder *opendir(const char *path);
metann_entry *readdir64(metann_folder *folder);
int closedir(metann_folder *folder);
int fileno(void *file);
int fsync(int fd);
int fchmod(int fd, unsigned int mode);
int open(const char *path, int flags, ...);
int close(int fd);
long read(int fd, void *buffer, size_t size);
long pread(int fd, void *buffer, size_t size, long offset);
long write(int fd, const void *buffer, size_t size);
long readlink(const char *path, char *buffer, size_t size);
char *realpath(const char *path, char *resolved);
void free(void *memory);
typedef struct {
  uint32_t mask, block_size;
  uint64_t attributes;
  uint32_t links, uid, gid;
  uint16_t mode, unused;
  uint64_t inode, size;
  uint64_t rest[26];
} metann_statx;
int statx(int folder, const char *path, int flags, unsigned int mask, metann_statx *result);
int getpid(void);
int isatty(int fd);
struct metann_timespec { long seconds, nanoseconds; };
int clock_gettime(int clock, struct metann_timespec *time);
char *strerror(int code);
]]

local C = ffi.C
local MONOTONIC = 1
local NO_ENTRY, INTERRUPTED, EXISTS, NOT_A_FOLDER = 2, 4, 17, 20
local WRITE_ONLY, CREATE, EXCLUSIVE, NO_WAIT, CLOSE_ON_EXEC = 0x1, 0x40, 0x80, 0x800, 0x80000
local HERE, EMPTY_PATH, BASIC_STATS = -100, 0x1000, 0x7ff
local FORMAT_BITS, REGULAR, FOLDER = 0xf000, 0x8000, 0x4000
local LONGEST_PATH = 4096
-- Linux moves at most 0x7ffff000 bytes in one call.
local LARGEST_MOVE = 2 ^ 30

local posix = {}

local function last_error() return ffi.string(C.strerror(ffi.errno())) end

--- Names in a folder, sorted, without '.' and '..'.
-- @return list; or nil, a message, and 'missing' or 'file' where nothing stands there or something that is no folder
function posix.list(path)
  local folder = C.opendir(path)
  if folder == nil then
    local code = ffi.errno()
    return nil, ffi.string(C.strerror(code)), code == NO_ENTRY and 'missing' or code == NOT_A_FOLDER and 'file' or nil
  end
  local names = {}
  local entry = C.readdir64(folder)
  while entry ~= nil do
    local name = ffi.string(entry.name)
    if name ~= '.' and name ~= '..' then names[#names + 1] = name end
    entry = C.readdir64(folder)
  end
  C.closedir(folder)
  table.sort(names)
  return names
end

-- ---- files by number ----
-- Tensors go to and come from the disk without passing through Lua strings: these files move bytes at pointers.

local stats = ffi.new 'metann_statx'

local function kind_of(mode)
  local format = bit.band(mode, FORMAT_BITS)
  return format == REGULAR and 'file' or format == FOLDER and 'folder' or 'other'
end

--- What stands at a path, links followed.
-- @return {kind='file'|'folder'|'other', size, mode (permissions)}; or nil, a message, and 'missing' where nothing is
function posix.status(path)
  if C.statx(HERE, path, 0, BASIC_STATS, stats) ~= 0 then
    local code = ffi.errno()
    return nil, ffi.string(C.strerror(code)), code == NO_ENTRY and 'missing' or nil
  end
  return { kind = kind_of(stats.mode), size = tonumber(stats.size), mode = bit.band(stats.mode, 0xfff) }
end

--- The path without links, '.' and '..', or nil and a message.
function posix.real_path(path)
  local resolved = C.realpath(path, nil)
  if resolved == nil then return nil, last_error() end
  local result = ffi.string(resolved)
  C.free(resolved)
  return result
end

--- What a link says, as it stands there; nil for what is none.
function posix.link_target(path)
  local buffer = ffi.new('char[?]', LONGEST_PATH)
  local n = tonumber(C.readlink(path, buffer, LONGEST_PATH))
  return n >= 0 and ffi.string(buffer, n) or nil
end

-- Closes what was forgotten.
local function guarded(fd)
  return ffi.gc(ffi.new('int[1]', fd), function(guard) C.close(guard[0]) end)
end

local File = {}
File.__index = File

--- Open a regular file for reading at positions.
-- @return a file with `size`, `read(offset, pointer, n)`, `text(offset, n)` and `close()`; or nil and a message
function posix.open(path)
  local fd = C.open(path, NO_WAIT + CLOSE_ON_EXEC)
  if fd < 0 then return nil, last_error() end
  local known = C.statx(fd, '', EMPTY_PATH, BASIC_STATS, stats) == 0
  local message = not known and last_error() or kind_of(stats.mode) ~= 'file' and 'not a regular file'
  if message then
    C.close(fd)
    return nil, message
  end
  return setmetatable({ fd = fd, guard = guarded(fd), size = tonumber(stats.size) }, File)
end

--- Read n bytes at an offset into memory. Returns true; or nil and a message, also when the file has become shorter.
function File:read(offset, pointer, n)
  if not self.fd then return nil, 'the file is closed' end
  local place = ffi.cast('uint8_t *', pointer)
  local done = 0
  while done < n do
    local got = tonumber(C.pread(self.fd, place + done, math.min(n - done, LARGEST_MOVE), offset + done))
    if got == 0 then return nil, 'the file has become shorter' end
    if got < 0 then
      if ffi.errno() ~= INTERRUPTED then return nil, last_error() end
    else
      done = done + got
    end
  end
  return true
end

--- Whether the file still has the size that it had when it was opened.
function File:is_whole()
  return self.fd ~= nil and C.statx(self.fd, '', EMPTY_PATH, BASIC_STATS, stats) == 0 and stats.size >= self.size
end

--- n bytes at an offset as a string; or nil and a message.
function File:text(offset, n)
  local buffer = ffi.new('uint8_t[?]', math.max(n, 1))
  local ok, message = self:read(offset, buffer, n)
  if not ok then return nil, message end
  return ffi.string(buffer, n)
end

--- Let go of the file; reading is an error afterwards. Returns true, or nil and a message.
function File:close()
  local fd = self.fd
  if not fd then return true end
  ffi.gc(self.guard, nil)
  self.fd, self.guard = nil, nil
  if C.close(fd) ~= 0 then return nil, last_error() end
  return true
end

local Output = { close = File.close }
Output.__index = Output

--- Create a file that does not exist yet, for writing.
-- @param mode permissions, which the process's mask narrows
-- @return a file with `write(data, n)` and `close()`; or nil, a message, and 'exists' where something stands there
function posix.create(path, mode)
  local flags = WRITE_ONLY + CREATE + EXCLUSIVE + CLOSE_ON_EXEC
  local fd = C.open(path, flags, ffi.cast('unsigned int', mode))
  if fd < 0 then
    local code = ffi.errno()
    return nil, ffi.string(C.strerror(code)), code == EXISTS and 'exists' or nil
  end
  return setmetatable({ fd = fd, guard = guarded(fd) }, Output)
end

--- Write a string, or n bytes at a pointer, at the end. After a failure nothing more is written: `failure` has the
-- message, so that whoever writes much looks once.
function Output:write(data, n)
  local place = ffi.cast('const uint8_t *', data)
  local left = n or #data
  while left > 0 and not self.failure do
    local put = tonumber(C.write(self.fd, place, math.min(left, LARGEST_MOVE)))
    if put < 0 then
      if ffi.errno() ~= INTERRUPTED then self.failure = last_error() end
    else
      place, left = place + put, left - put
    end
  end
end

--- Set the permissions of a file that was created here.
function Output:set_mode(mode) C.fchmod(self.fd, mode) end

--- Write what a file or a folder holds down to the disk: a file's contents, a folder's renamings. Returns true, or nil
-- and a message.
function posix.sync(path)
  local fd = C.open(path, CLOSE_ON_EXEC)
  if fd < 0 then return nil, last_error() end
  local result = C.fsync(fd)
  local message = result ~= 0 and last_error()
  C.close(fd)
  if message then return nil, message end
  return true
end

--- Number of this process.
function posix.pid() return C.getpid() end

--- Whether an open file (io.stderr, say) is a terminal.
function posix.is_terminal(file) return C.isatty(C.fileno(ffi.cast('void *', file))) == 1 end

local now = ffi.new 'struct metann_timespec'

--- Seconds since some point in the past, by a clock that is never set back.
function posix.clock()
  C.clock_gettime(MONOTONIC, now)
  return tonumber(now.seconds) + tonumber(now.nanoseconds) * 1e-9
end

return posix
