--- What keeps a run of random calls from doing harm: a folder of its own to write to, and an alarm for calls that hang.
local ffi = require 'ffi'
local scratch = require 'tests.support.scratch'

ffi.cdef[[
  int metann_fuzz_chdir(const char *path) __asm__("chdir");
  unsigned metann_fuzz_alarm(unsigned seconds) __asm__("alarm");
  int metann_fuzz_setitimer(int which, const long *interval_and_value, void *old) __asm__("setitimer");
]]

local guard = {}

--- Goes to a new folder, in which files with random names do no harm. Modules must have absolute paths by then.
-- @return the folder, for scratch.remove
function guard.enter()
  local folder = scratch.folder()
  assert(ffi.C.metann_fuzz_chdir(folder) == 0)
  return folder
end

function guard.go(path) assert(ffi.C.metann_fuzz_chdir(path) == 0) end

local PROF = 2 -- the timer that counts the process's own time
local WAITING = 20 -- times as long may pass when others have the machine

--- The process is ended unless this is called again before it has computed for so many seconds; 0 for no limit.
function guard.alarm(seconds)
  ffi.C.metann_fuzz_setitimer(PROF, ffi.new('long[4]', 0, 0, seconds, 0), nil)
  ffi.C.metann_fuzz_alarm(seconds * WAITING)
end

return guard
