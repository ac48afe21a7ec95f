--- Answers `require` for the names that modules of metann had before they moved.
-- The searcher is the last one asked, so that it costs nothing where a name is found, and reads the list only then.

local function search(name)
  if type(name) ~= 'string' or name:sub(1, 7) ~= 'metann.' then return nil end
  local now = require('metann.renamed')[name]
  if not now then return nil end
  return function() return require(now) end
end

-- A host may have taken the searchers away; then old names are simply not found.
local loaders = package and package.loaders
if loaders then loaders[#loaders + 1] = search end
