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
int open(const char *path, int flags, ...);
int close(int fd);
int getpid(void);
int isatty(int fd);
struct metann_timespec { long seconds, nanoseconds; };
int clock_gettime(int clock, struct metann_timespec *time);
char *strerror(int code);
]]

local C = ffi.C
local MONOTONIC = 1
local NO_ENTRY, NOT_A_FOLDER = 2, 20

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

--- Write out what an open file (of io.open) holds, down to the disk. Returns true, or nil and a message.
function posix.sync(file)
  local ok, message = file:flush()
  if not ok then return nil, message end
  if C.fsync(C.fileno(ffi.cast('void *', file))) ~= 0 then return nil, last_error() end
  return true
end

--- Make a renaming in a folder last, down to the disk. Returns true, or nil and a message.
function posix.sync_folder(path)
  local fd = C.open(path, 0)
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
