--- What files, folders and terminals need of POSIX beyond Lua's io library.
-- Owns the calls into the C library; Linux's layout of a folder's entries.
local ffi = require 'ffi'
local clib = require 'metann.binding.clib'

clib.declare('metann_timespec', [[
typedef struct metann_folder metann_folder;
typedef struct { uint64_t inode; int64_t offset; uint16_t length; uint8_t type; char name[256]; } metann_entry;
metann_folder *metann_opendir(const char *path) __asm__("opendir");
metann_entry *metann_readdir64(metann_folder *folder) __asm__("readdir64");
int metann_closedir(metann_folder *folder) __asm__("closedir");
int metann_fileno(void *file) __asm__("fileno");
int metann_fsync(int fd) __asm__("fsync");
int metann_fchmod(int fd, unsigned int mode) __asm__("fchmod");
int metann_open(const char *path, int flags, ...) __asm__("open");
int metann_close(int fd) __asm__("close");
long metann_read(int fd, void *buffer, size_t size) __asm__("read");
long metann_pread(int fd, void *buffer, size_t size, long offset) __asm__("pread");
long metann_write(int fd, const void *buffer, size_t size) __asm__("write");
long metann_readlink(const char *path, char *buffer, size_t size) __asm__("readlink");
char *metann_realpath(const char *path, char *resolved) __asm__("realpath");
void metann_free(void *memory) __asm__("free");
typedef struct {
  uint32_t mask, block_size;
  uint64_t attributes;
  uint32_t links, uid, gid;
  uint16_t mode, unused;
  uint64_t inode, size;
  uint64_t blocks_and_times[10];
  uint32_t special_major, special_minor, device_major, device_minor;
  uint64_t rest[14];
} metann_stats;
int metann_statx(int folder, const char *path, int flags, unsigned int mask, metann_stats *result) __asm__("statx");
int metann_flock(int fd, int operation) __asm__("flock");
unsigned int metann_geteuid(void) __asm__("geteuid");
int metann_isatty(int fd) __asm__("isatty");
typedef struct { long seconds, nanoseconds; } metann_timespec;
int metann_clock_gettime(int clock, metann_timespec *time) __asm__("clock_gettime");
char *metann_strerror(int code) __asm__("strerror");
]])

local C = ffi.C
local MONOTONIC = 1
local NO_ENTRY, INTERRUPTED, NO_ACCESS, EXISTS, NOT_A_FOLDER = 2, 4, 13, 17, 20
local WRITE_ONLY, CREATE, EXCLUSIVE, NO_WAIT, NO_LINK, CLOSE_ON_EXEC = 0x1, 0x40, 0x80, 0x800, 0x20000, 0x80000
local HERE, NO_FOLLOW, EMPTY_PATH, BASIC_STATS = -100, 0x100, 0x1000, 0x7ff
local LOCK_ALONE_NOW, WOULD_BLOCK = 6, 11
local FORMAT_BITS, REGULAR, FOLDER = 0xf000, 0x8000, 0x4000
local LONGEST_PATH = 4096
-- Linux moves at most 0x7ffff000 bytes in one call.
local LARGEST_MOVE = 2 ^ 30

local posix = {}

local function last_error() return ffi.string(C.metann_strerror(ffi.errno())) end

-- An open folder, closed also when listing it is interrupted.
local function each_name(folder, use)
  local guard = ffi.gc(folder, C.metann_closedir)
  local entry = C.metann_readdir64(folder)
  while entry ~= nil do
    local name = ffi.string(entry.name)
    if name ~= '.' and name ~= '..' then use(name) end
    entry = C.metann_readdir64(folder)
  end
  C.metann_closedir(ffi.gc(guard, nil))
end

--- Names in a folder, sorted, without '.' and '..'.
-- @param path of the folder
-- @param[opt=''] start only names that begin with this
-- @return list; or nil, a message, and 'missing' or 'file' where nothing stands there or something that is no folder
function posix.list(path, start)
  local folder = C.metann_opendir(path)
  if folder == nil then
    local code = ffi.errno()
    local kind = code == NO_ENTRY and 'missing' or code == NOT_A_FOLDER and 'file' or nil
    return nil, ffi.string(C.metann_strerror(code)), kind
  end
  local names = {}
  start = start or ''
  each_name(folder, function(name)
    if name:sub(1, #start) == start then names[#names + 1] = name end
  end)
  table.sort(names)
  return names
end

-- ---- files by number ----
-- Tensors go to and come from the disk without passing through Lua strings: these files move bytes at pointers.

local function kind_of(mode)
  local format = bit.band(mode, FORMAT_BITS)
  return format == REGULAR and 'file' or format == FOLDER and 'folder' or 'other'
end

-- What the system knows of a file; nil and a message, and 'missing' where nothing is. `identity` is equal for two looks
-- at one file. The memory is this call's own: a finalizer may look at another file at any time.
local function look(fd, path, flags)
  local stats = ffi.new 'metann_stats'
  if C.metann_statx(fd, path, flags, BASIC_STATS, stats) ~= 0 then
    local code = ffi.errno()
    return nil, ffi.string(C.metann_strerror(code)), code == NO_ENTRY and 'missing' or nil
  end
  return {
    kind = kind_of(stats.mode), size = tonumber(stats.size), mode = bit.band(stats.mode, 0xfff), links = stats.links,
    owner = stats.uid,
    identity = ('%d:%d:%s'):format(stats.device_major, stats.device_minor, tostring(stats.inode)),
  }
end

--- What stands at a path, links followed.
-- @return {kind='file'|'folder'|'other', size, mode (permissions), links, owner, identity}; or nil, a message, and
-- 'missing' where nothing is
function posix.status(path) return look(HERE, path, 0) end

--- The path without links, '.' and '..', or nil and a message.
function posix.real_path(path)
  local resolved = C.metann_realpath(path, nil)
  if resolved == nil then return nil, last_error() end
  local result = ffi.string(resolved)
  C.metann_free(resolved)
  return result
end

--- What a link says, as it stands there; nil for what is none.
function posix.link_target(path)
  local buffer = ffi.new('char[?]', LONGEST_PATH)
  local n = tonumber(C.metann_readlink(path, buffer, LONGEST_PATH))
  return n >= 0 and ffi.string(buffer, n) or nil
end

-- Closes what was forgotten.
local function guarded(fd)
  return ffi.gc(ffi.new('int[1]', fd), function(guard) C.metann_close(guard[0]) end)
end

local File = {}
File.__index = File

--- Open a regular file for reading at positions. A path that names no regular file (a pipe, a device) doesn't block.
-- @return a file with `size`, `read(offset, pointer, n)`, `text(offset, n)` and `close()`; or nil and a message
function posix.open(path)
  local fd = C.metann_open(path, NO_WAIT + CLOSE_ON_EXEC)
  if fd < 0 then return nil, last_error() end
  local status, message = look(fd, '', EMPTY_PATH)
  if status and status.kind ~= 'file' then message = 'not a regular file' end
  if message then
    C.metann_close(fd)
    return nil, message
  end
  return setmetatable({ fd = fd, guard = guarded(fd), size = status.size }, File)
end

--- Read n bytes at an offset into memory. Returns true; or nil and a message, also when the file has become shorter.
function File:read(offset, pointer, n)
  if not self.fd then return nil, 'the file is closed' end
  local place = ffi.cast('uint8_t *', pointer)
  local done = 0
  while done < n do
    local got = tonumber(C.metann_pread(self.fd, place + done, math.min(n - done, LARGEST_MOVE), offset + done))
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
  local status = self.fd and look(self.fd, '', EMPTY_PATH)
  return status ~= nil and status.size >= self.size
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
  if C.metann_close(fd) ~= 0 then return nil, last_error() end
  return true
end

--- The number of the open file, which the caller closes from now on.
function File:release()
  local fd = self.fd
  ffi.gc(self.guard, nil)
  self.fd, self.guard = nil, nil
  return fd
end

local Output = { close = File.close }
Output.__index = Output

local function output(fd) return setmetatable({ fd = fd, guard = guarded(fd) }, Output) end

--- Create a file that doesn't exist yet, for writing.
-- @param mode permissions, which the process's mask narrows
-- @return a file with `write(data, n)`, `sync()`, `lock()` and `close()`; or nil, a message, and 'exists' where something
-- stands there
function posix.create(path, mode)
  local flags = WRITE_ONLY + CREATE + EXCLUSIVE + CLOSE_ON_EXEC
  local fd = C.metann_open(path, flags, ffi.cast('unsigned int', mode))
  if fd < 0 then
    local code = ffi.errno()
    return nil, ffi.string(C.metann_strerror(code)), code == EXISTS and 'exists' or nil
  end
  return output(fd)
end

--- Open what stands at a path without changing it, whatever its permissions leave: for writing, else for reading. A link
-- is not followed. Returns a file as `create` does; or nil and a message.
function posix.hold(path)
  local flags = NO_WAIT + NO_LINK + CLOSE_ON_EXEC
  local fd = C.metann_open(path, WRITE_ONLY + flags)
  if fd < 0 then fd = C.metann_open(path, flags) end
  if fd < 0 then return nil, last_error() end
  return output(fd)
end

--- What the file is, as `posix.status` says it.
function Output:status() return look(self.fd, '', EMPTY_PATH) end

--- Whether the path still names this file.
function Output:is_at(path)
  local mine, there = self:status(), look(HERE, path, NO_FOLLOW)
  return mine ~= nil and there ~= nil and mine.identity == there.identity
end

--- Lock the file for this process's open file, until it is closed or the process ends, however it ends. Returns true; or
-- nil and 'locked' when somebody else has it, nil and nothing on a disk without locks.
function Output:lock()
  if C.metann_flock(self.fd, LOCK_ALONE_NOW) == 0 then return true end
  return nil, ffi.errno() == WOULD_BLOCK and 'locked' or nil
end

--- Write what the file holds down to the disk. Returns true, or nil and a message.
function Output:sync()
  if C.metann_fsync(self.fd) ~= 0 then return nil, last_error() end
  return true
end

--- Write a string, or n bytes at a pointer, at the end. After a failure nothing more is written: `failure` has the
-- message, so that whoever writes much looks once.
function Output:write(data, n)
  local place = ffi.cast('const uint8_t *', data)
  local left = n or #data
  while left > 0 and not self.failure do
    local put = tonumber(C.metann_write(self.fd, place, math.min(left, LARGEST_MOVE)))
    if put <= 0 then
      if put == 0 or ffi.errno() ~= INTERRUPTED then self.failure = put == 0 and 'nothing was written' or last_error() end
    else
      place, left = place + put, left - put
    end
  end
end

--- Set the permissions of a file that was created here.
function Output:set_mode(mode) C.metann_fchmod(self.fd, mode) end

--- Write down to the disk what stands at a path: a file's contents, a folder's renamings. Returns true, or nil and a
-- message.
function posix.sync(path)
  local fd = C.metann_open(path, CLOSE_ON_EXEC)
  -- a file may be one that its owner can only write
  if fd < 0 and ffi.errno() == NO_ACCESS then fd = C.metann_open(path, WRITE_ONLY + CLOSE_ON_EXEC) end
  if fd < 0 then return nil, last_error() end
  local result = C.metann_fsync(fd)
  local message = result ~= 0 and last_error()
  C.metann_close(fd)
  if message then return nil, message end
  return true
end

--- Number of the user that this process acts as.
function posix.user() return C.metann_geteuid() end

--- Whether an open file (io.stderr, say) is a terminal.
function posix.is_terminal(file) return C.metann_isatty(C.metann_fileno(ffi.cast('void *', file))) == 1 end

--- Seconds since some point in the past, by a clock that is never set back.
function posix.clock()
  local now = ffi.new 'metann_timespec'
  C.metann_clock_gettime(MONOTONIC, now)
  return tonumber(now.seconds) + tonumber(now.nanoseconds) * 1e-9
end

return posix
