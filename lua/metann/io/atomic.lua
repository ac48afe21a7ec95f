--- Files that appear whole or not at all: written beside their place, synced to the disk, then renamed.
-- Until the renaming, what stood there stays; after a failure it still does, and the file beside it is gone. A path that
-- is a link keeps being one: what it points to is replaced, or made where nothing stands there. The permissions of a
-- replaced file are kept.
local posix = require 'metann.binding.posix'

local atomic = {}

local NEW_FILE = 438 -- rw-rw-rw-, narrowed by the process's mask
local ATTEMPTS = 1000

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

--- Creates a file beside `target` that nobody else has. Returns it and its path; or nil and the system's message.
local function create_beside(target, mode)
  for attempt = 1, ATTEMPTS do
    local temporary = ('%s.%d-%d.tmp'):format(target, posix.pid(), attempt)
    local file, message, kind = posix.create(temporary, NEW_FILE)
    if file then
      if mode then file:set_mode(mode) end
      return file, temporary
    end
    if kind ~= 'exists' then return nil, message end
  end
  return nil, ('%d files %s.*.tmp stand beside it'):format(ATTEMPTS, target)
end

--- Opens the file beside the one that is to be replaced. Returns it, its path, and the target; or nil and the path with
-- the system's message.
local function begin(path)
  local target, mode = target_of(path)
  if not target then return nil, path .. ': ' .. mode end
  local file, temporary = create_beside(target, mode)
  if not file then return nil, path .. ': ' .. temporary end
  return file, temporary, target
end

--- Replaces `target` by what `produce(temporary, file)` leaves at the path `temporary`; produce returns a message when it
-- failed. What it raises is passed on.
local function replace(path, produce)
  local file, temporary, target = begin(path)
  if not file then return nil, temporary end
  local ran, failure = pcall(produce, temporary, file)
  local closed, message = file:close()
  failure = failure or not closed and message
  if not failure then
    local synced
    synced, message = posix.sync(temporary)
    if synced then synced, message = os.rename(temporary, target) end
    failure = not synced and message
  end
  if failure then
    os.remove(temporary)
    if not ran then error(failure, 0) end
    return nil, path .. ': ' .. failure
  end
  -- The file is in place; where a folder can't be synced (some network disks) nothing is wrong with it.
  posix.sync(folder_of(target))
  return true
end

--- Write a file.
-- @param path where it shall stand
-- @param write function(file) that writes with file:write(string) or file:write(pointer, n)
-- @return true; or nil and the path with the system's message
function atomic.write(path, write)
  return replace(path, function(_, file)
    write(file)
    return file.failure
  end)
end

--- Whether a file could be written, as far as that can be known beforehand. Leaves everything as it is.
-- @param path where it shall stand
-- @return true; or nil and the path with the system's message
function atomic.check(path)
  local file, temporary = begin(path)
  if not file then return nil, temporary end
  file:close()
  os.remove(temporary)
  return true
end

--- Have a library write a file.
-- @param path where it shall stand
-- @param produce function(temporary) that writes the file at that path (an empty one stands there) and returns true; or
-- nil and a message
-- @return true; or nil and the path with the message
function atomic.produce(path, produce)
  return replace(path, function(temporary)
    local ok, message = produce(temporary)
    return not ok and message or nil
  end)
end

return atomic
