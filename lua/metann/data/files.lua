--- Files with a certain ending under a folder or in a zip file, read one after the other.
local posix = require 'metann.binding.posix'
local errors = require 'metann.binding.errors'

local files = {}

local function hidden(name) return name:sub(1, 1) == '.' or name:find '__MACOSX' end

local function read_file(path)
  local file, message = io.open(path, 'rb')
  if not file then return nil, (message:gsub('^' .. path:gsub('%p', '%%%0') .. ': ', '')) end
  local text, why = file:read '*a'
  file:close()
  return text, why
end

local function walk(what, folder, inside, ending, found)
  local names, message, kind = posix.list(folder)
  if not names then
    if kind == 'file' then return end -- a file of another kind
    errors.raise('%s: %s: %s', what, folder, message)
  end
  for _, name in ipairs(names) do
    local path, below = folder .. '/' .. name, inside .. '/' .. name
    if name:lower():sub(-#ending) == ending and not hidden(name) then
      found[#found + 1] = {name = below, path = path, read = function() return read_file(path) end}
    elseif not hidden(name) then
      walk(what, path, below, ending, found)
    end
  end
end

local function in_zip(what, path, ending, found)
  local zip = require 'metann.binding.zip'
  local archive, message = zip.open(path)
  if not archive then errors.raise('%s: %s: %s (wanted a folder or a zip file)', what, path, message) end
  for index, name in ipairs(archive:names()) do
    local last = name:match '[^/]*$'
    if not hidden(name) and not hidden(last) and last:lower():sub(-#ending) == ending then
      found[#found + 1] = {
        name = '/' .. name, path = path .. ': ' .. name, read = function() return archive:read(index) end,
      }
    end
  end
end

--- List the files.
-- @param what the function that errors name
-- @param path a folder or a zip file
-- @param ending lower-case end of the names wanted, for example '.png'
-- @return list of {name (path below `path`, after the last part of `path` itself), path (for errors), read()}; read
-- gives the bytes, or nil and a message
-- @raise a path that is neither, with the system's reason
function files.list(what, path, ending)
  local found = {}
  local trimmed = path:gsub('(.)/+$', '%1')
  local _, message, kind = posix.list(trimmed)
  if kind == 'file' then
    in_zip(what, trimmed, ending, found)
  elseif message then
    errors.raise('%s: %s: %s', what, path, message)
  else
    walk(what, trimmed, trimmed:match '[^/]*$', ending, found)
  end
  return found
end

return files
