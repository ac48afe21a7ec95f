--- Files that appear whole or not at all: written beside their place, synced to the disk, then renamed.
-- Until the renaming, what stood there stays; after a failure it still does, and the file beside it is gone. A path that
-- is a link keeps being one: what it points to is replaced, or made where nothing stands there. The permissions of a
-- replaced file are kept.
--
-- The file beside is NAME.metann-1.tmp (2 and so on while others write the same target). Its writer holds a lock on it,
-- which the system takes back however the process ends: one without a lock was left by a killed process, and the next
-- writer of the same target removes it. A library that writes by path gets NAME.metann-1.tmp.out, since it may put
-- another file in its place; what begins with that name goes with the locked one.
local posix = require 'metann.binding.posix'

local atomic = {}

local NEW_FILE = 438 -- rw-rw-rw-, narrowed by the process's mask
local OWN_FILE = 384 -- rw-------
local ATTEMPTS = 1000
-- File systems allow 255 bytes a name, some 143, of which the ending and libzip's own take 27.
local LONGEST_NAME = 100
-- So many names are looked through for what killed writers left; more than write one file at once.
local LOOKED_AT = 16
local PRODUCED = '.out'

local function folder_of(path) return path:match '^(.*/)[^/]*$' or './' end

--- The path that is to be replaced, links followed, and its permissions; or nil and why it can't be.
local function target_of(path)
  local status, message, kind = posix.status(path)
  if not status then
    if kind ~= 'missing' or path == '' then return nil, message end
    local link = posix.link_target(path) -- to nothing so far, as the path would be missing otherwise
    if not link then return path end
    return target_of(link:sub(1, 1) == '/' and link or folder_of(path) .. link)
  end
  if status.kind ~= 'file' then return nil, 'not a regular file' end
  local real
  real, message = posix.real_path(path)
  if not real then return nil, message end
  return real, status.mode
end

--- The target's name, cut where a temporary one would be too long (not within a character of UTF-8).
local function stem_of(target)
  local folder = folder_of(target)
  local name = target:sub(1, #folder) == folder and target:sub(#folder + 1) or target
  if #name > LONGEST_NAME then name = name:sub(1, LONGEST_NAME):gsub('[\192-\255]?[\128-\191]*$', '') end
  return folder .. name
end

--- Removes a temporary file and what a library left beside it, the lock's own file last.
local function remove(temporary)
  local folder = folder_of(temporary)
  for _, name in ipairs(posix.list(folder, temporary:sub(#folder + 1) .. PRODUCED) or {}) do os.remove(folder .. name) end
  os.remove(temporary)
end

--- Removes the temporary file of a process that has ended. Returns whether the name may be free now.
local function clear(temporary)
  local file = posix.hold(temporary)
  if not file then return false end
  local status = file:status()
  local ours = status and status.kind == 'file' and status.links == 1 and status.owner == posix.user()
  local cleared = ours and file:lock() and file:is_at(temporary) or false
  if cleared then remove(temporary) end
  file:close()
  return cleared
end

--- Creates a temporary file and locks it. Returns it; or nil, the system's message, and 'exists' when the name is taken.
local function claim(temporary)
  local file, message, kind = posix.create(temporary, NEW_FILE)
  if not file then return nil, message, kind end
  local _, locked = file:lock()
  -- between the creation and the lock somebody may have taken it for a left one
  if locked or not file:is_at(temporary) then
    file:close()
    return nil, message, 'exists'
  end
  return file
end

local function temporary_of(stem, number) return ('%s.metann-%d.tmp'):format(stem, number) end

--- Removes what killed writers left under higher numbers.
local function clear_after(stem, number)
  for other = number + 1, LOOKED_AT do
    local temporary = temporary_of(stem, other)
    if posix.status(temporary) then clear(temporary) end
  end
end

--- Creates a file beside `target` that nobody else has. Returns it and its path; or nil and the system's message.
local function create_beside(target)
  local stem = stem_of(target)
  for attempt = 1, ATTEMPTS do
    local temporary = temporary_of(stem, attempt)
    local file, message, kind = claim(temporary)
    if kind == 'exists' and clear(temporary) then file, message, kind = claim(temporary) end
    if file then
      clear_after(stem, attempt)
      return file, temporary
    end
    if kind ~= 'exists' then return nil, message end
  end
  return nil, ('%d files %s.metann-*.tmp stand beside it'):format(ATTEMPTS, stem)
end

--- Opens the file beside the one that is to be replaced. Returns {file, temporary, target, mode}; or nil and the path
-- with the system's message.
local function begin(path)
  local target, mode = target_of(path)
  if not target then return nil, path .. ': ' .. mode end
  local file, temporary = create_beside(target)
  if not file then return nil, path .. ': ' .. temporary end
  if mode then file:set_mode(mode) end
  return { file = file, temporary = temporary, target = target, mode = mode or file:status().mode }
end

--- Replaces a target by what `produce(job)` makes; it returns the path of a synced file, or nil and a message. What it
-- raises is passed on.
local function replace(path, produce)
  local job, trouble = begin(path)
  if not job then return nil, trouble end
  local ran, made, message = pcall(produce, job)
  local renamed = false
  if ran and made then renamed, message = os.rename(made, job.target) end
  if not renamed or made ~= job.temporary then remove(job.temporary) end
  job.file:close()
  if not ran then error(made, 0) end
  if not renamed then return nil, path .. ': ' .. message end
  -- The file is in place; where a folder can't be synced (some network disks) nothing is wrong with it.
  posix.sync(folder_of(job.target))
  return true
end

--- Write a file.
-- @param path where it shall stand
-- @param write function(file) that writes with file:write(string) or file:write(pointer, n)
-- @return true; or nil and the path with the system's message
function atomic.write(path, write)
  return replace(path, function(job)
    write(job.file)
    if job.file.failure then return nil, job.file.failure end
    local synced, message = job.file:sync()
    return synced and job.temporary, message
  end)
end

--- Whether a file could be written, as far as that can be known beforehand. Leaves everything as it is.
-- @param path where it shall stand
-- @return true; or nil and the path with the system's message
function atomic.check(path)
  local job, message = begin(path)
  if not job then return nil, message end
  remove(job.temporary)
  job.file:close()
  return true
end

--- Makes an empty file for a library to write, has it written, and gives it its permissions.
local function produced(job, produce)
  local out = job.temporary .. PRODUCED
  local file, message = posix.create(out, OWN_FILE)
  if not file then return nil, message end
  file:close()
  local ok
  ok, message = produce(out)
  if not ok then return nil, message end
  file, message = posix.hold(out)
  if not file then return nil, message end
  file:set_mode(job.mode)
  ok, message = file:sync()
  file:close()
  return ok and out, message
end

--- Have a library write a file.
-- @param path where it shall stand
-- @param produce function(temporary) that writes the file at that path (an empty one stands there) and returns true; or
-- nil and a message
-- @return true; or nil and the path with the message
function atomic.produce(path, produce)
  return replace(path, function(job) return produced(job, produce) end)
end

return atomic
