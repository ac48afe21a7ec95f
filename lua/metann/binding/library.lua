--- Finds and opens the core: libmetann and its header.
-- Owns where they are looked for and the check that they fit together. Knows nothing of tensors.
local errors = require 'metann.binding.errors'
local version = require 'metann.version'

local library = {}

local function exists(path)
  local file = io.open(path, 'rb')
  if file then file:close() end
  return file ~= nil
end

local function read(path)
  local file = assert(io.open(path, 'rb'))
  local text = file:read('*a')
  file:close()
  return text
end

-- The folder of this file; the tree's root is three levels up, an installed header lies beside it.
local here = errors.root .. 'binding/'
local tree = here .. '../../../'
local extension = jit and jit.os == 'OSX' and '.dylib' or '.so'

local function find_header()
  for _, path in ipairs{tree .. 'core/include/metann.h', here .. 'metann.h'} do
    if exists(path) then return path end
  end
  error("metann: the header metann.h is neither in the source tree nor beside " .. here .. ": install metann again", 0)
end

local function find_library(header)
  local chosen = os.getenv('METANN_LIBRARY')
  if chosen and chosen ~= '' then
    if not exists(chosen) then error('metann: METANN_LIBRARY names ' .. chosen .. ', which is not there', 0) end
    return chosen
  end
  local tried = {}
  local function try(path)
    tried[#tried + 1] = path
    return exists(path) and path
  end
  local found = header:find(tree, 1, true) == 1 and try(tree .. 'build/libmetann' .. extension)
  if found then return found end
  for template in package.cpath:gmatch('[^;]+') do
    found = template:find('?', 1, true) and try((template:gsub('%?', 'libmetann')))
    if found then return found end
  end
  error("metann: libmetann" .. extension .. " was not found; build it (cmake -S . -B build && cmake --build build), "
    .. "install it, or name it in METANN_LIBRARY. Looked for:\n  " .. table.concat(tried, '\n  '), 0)
end

local PATHS = { c = true, avx2 = true, avx512 = true }

--- A word that the core doesn't know would silently mean the best.
local function check_cpu()
  local wanted = os.getenv('METANN_CPU')
  if wanted and wanted ~= '' and not PATHS[wanted] then
    error(("METANN_CPU: must be one of c, avx2, avx512, got '%s'"):format(wanted), 0)
  end
end

--- Declares the header's types to ffi and opens the library.
-- @return the ffi namespace
function library.open(ffi)
  check_cpu()
  local header = find_header()
  local path = find_library(header)
  if not pcall(ffi.typeof, 'mn_handle') then
    local text = read(header)
    local _, first = text:find('/* ffi: begin */', 1, true)
    local last = text:find('/* ffi: end */', 1, true)
    ffi.cdef(text:sub(first + 1, last - 1))
  end
  local ok, C = pcall(ffi.load, path)
  if not ok then error("metann: can't open " .. path .. ': ' .. C, 0) end
  local compatible, abi = pcall(function() return C.mn_abi() end)
  if not compatible then error('metann: ' .. path .. ' is not metann\'s library', 0) end
  local core = ffi.string(C.mn_version())
  if abi ~= C.MN_ABI or core ~= version then
    error(('metann: %s is version %s (interface %d), but the Lua files beside %s are version %s (interface %d): '
      .. 'build or install both again'):format(path, core, abi, header, version, tonumber(C.MN_ABI)), 0)
  end
  return C, path
end

return library
