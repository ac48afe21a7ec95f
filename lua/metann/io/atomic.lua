--- Files that appear whole or not at all: written beside their place, synced to the disk, then renamed.
local posix = require 'metann.binding.posix'

--- Write a file.
-- @param path where it shall stand; what stood there stays until everything is on the disk
-- @param write function(file) that writes with file:write; what it raises is passed on, and nothing is left behind
-- @return true; or nil and the system's message
return function(path, write)
  local temporary = ('%s.%d.tmp'):format(path, posix.pid())
  local file, message = io.open(temporary, 'wb')
  if not file then return nil, message end
  local function give_up(why)
    os.remove(temporary)
    return nil, why
  end
  local wrote, why = pcall(write, file)
  local synced, sync_message
  if wrote then synced, sync_message = posix.sync(file) end
  local closed, close_message = file:close()
  if not wrote then
    os.remove(temporary)
    error(why, 0)
  end
  if not synced or not closed then return give_up(sync_message or close_message) end
  local renamed, rename_message = os.rename(temporary, path)
  if not renamed then return give_up(rename_message) end
  -- The file is in place; where a folder can't be synced (some network disks) nothing is wrong with it.
  posix.sync_folder(path:match '^(.*)/[^/]*$' or '.')
  return true
end
