--- Files with a certain ending under a folder or in a zip file, read one after the other.
local posix = require 'metann.binding.posix'
local errors = require 'metann.binding.errors'
local kinds = require 'metann.io.kinds'

local files = {}

-- More than any picture here has: what says so is no picture, or unfolds to one that would take all memory.
local LARGEST_FILE = 2 ^ 26

local function check_size(size)
  return size > LARGEST_FILE and ('%.0f bytes are more than the %d that are read'):format(size, LARGEST_FILE) or nil
end

local function hidden(name) return name:sub(1, 1) == '.' or name:find '__MACOSX' end

local function read_file(path, room)
  local file, message = posix.open(path)
  if not file then return nil, message end
  local size, ran, ok = file.size
  ran, ok, message = pcall(function()
    local wrong = check_size(size)
    if wrong then return nil, wrong end
    return file:read(0, room(size), size)
  end)
  file:close()
  if not ran then error(ok, 0) end
  if not ok then return nil, message end
  return size
end

-- `above` are the folders that lead here, by identity: a link to one of them would lead round and round.
local function walk(what, folder, inside, ending, found, above)
  local names, message, kind = posix.list(folder)
  if not names then
    if kind == 'file' then return end -- a file of another kind
    errors.raise('%s: %s: %s', what, folder, message)
  end
  local status = posix.status(folder)
  local identity = status and status.identity or folder
  if above[identity] then return end
  above[identity] = true
  for _, name in ipairs(names) do
    local path, below = folder .. '/' .. name, inside .. '/' .. name
    if name:lower():sub(-#ending) == ending and not hidden(name) then
      found[#found + 1] = {name = below, path = path, read = function(room) return read_file(path, room) end}
    elseif not hidden(name) then
      walk(what, path, below, ending, found, above)
    end
  end
  above[identity] = nil
end

local function in_zip(what, path, ending, found, archives)
  local zip = require 'metann.binding.zip'
  local archive, message = zip.open(path)
  local entries
  if archive then
    archives[#archives + 1] = archive
    entries, message = archive:entries()
  end
  if not entries then
    errors.raise('%s: %s: %s (wanted a folder or a zip file%s)', what, path, message, kinds.hint(path, 'zip'))
  end
  for _, entry in ipairs(entries) do
    local name = entry.name
    local last = name:match '[^/]*$'
    if not hidden(name) and not hidden(last) and last:lower():sub(-#ending) == ending then
      entry.wrong = entry.wrong or check_size(entry.size)
      found[#found + 1] = {
        name = '/' .. name, path = path .. ': ' .. name, read = function(room) return archive:read(entry, room) end,
      }
    end
  end
end

--- List the files.
-- @param what the function that errors name
-- @param path a folder or a zip file
-- @param ending lower-case end of the names wanted, for example '.png'
-- @param archives list that gets the zip files that were opened, to be closed by the caller when all is read
-- @return list of {name (path below `path`, after the last part of `path` itself), path (for errors), read(room)}; read
-- puts the bytes where room(n) points to and returns n; or nil and a message
-- @raise a path that is neither, with the system's reason
function files.list(what, path, ending, archives)
  local found = {}
  local trimmed = path:gsub('(.)/+$', '%1')
  local _, message, kind = posix.list(trimmed)
  if kind == 'file' then
    in_zip(what, trimmed, ending, found, archives)
  elseif message then
    errors.raise('%s: %s: %s', what, path, message)
  else
    walk(what, trimmed, trimmed:match '[^/]*$', ending, found, {})
  end
  return found
end

return files
