--- Omniglot: handwritten characters of many alphabets, 20 drawings each.
-- Source: Lake, Salakhutdinov and Tenenbaum, "Human-level concept learning through probabilistic program induction",
-- Science 350(6266), 2015; files from github.com/brendenlake/omniglot, as they are.
local pairs = require('metann.binding.traversal').pairs
local bytes = require 'metann.binding.bytes'
local errors = require 'metann.binding.errors'
local files = require 'metann.data.files'
local metann = require 'metann'
local resize = require 'metann.data.resize'
local arguments = require 'metann.arguments'
local methods = require 'metann.utils.methods'
local kinds = require 'metann.io.kinds'
local paths_of = require 'metann.io.paths'

local raise = errors.raise

local Omniglot = {}
Omniglot.__index = Omniglot

-- Ten times the height and width of the drawings; a class of 20 has 20 MB then.
local LARGEST_SIZE = 1024

local function new(classes) return setmetatable({classes = classes}, Omniglot) end

--- Files by class: {['Greek/character01'] = {['0394_01.png'] = file, ...}, ...}. A drawing that stands in several sets
-- is taken once.
local function by_class(paths, archives)
  local classes = {}
  for _, path in ipairs(paths) do
    for _, file in ipairs(files.list('Omniglot', path, '.png', archives)) do
      local alphabet, character, image = file.name:match '([^/]+)/([^/]+)/([^/]+)$'
      if not image then raise('Omniglot: %s: expected .../Alphabet/characterNN/IMAGE.png', file.path) end
      local name = alphabet .. '/' .. character
      classes[name] = classes[name] or {alphabet = alphabet}
      classes[name][image] = classes[name][image] or file
    end
  end
  return classes
end

--- The picture in a file: a uint8 tensor (height, width); or nil and what is wrong. File and pixels lie in tensors' memory,
-- which is counted and limited.
local function picture_of(file)
  local png = require 'metann.binding.png'
  local text, picture, at
  local n, message = file.read(function(size)
    text, at = bytes.new_tensor('uint8', {size})
    return at
  end)
  if not n then return nil, message end
  local pixels, width = png.decode_gray(at, n, function(width, height)
    local pointer
    picture, pointer = bytes.new_tensor('uint8', {height, width})
    return pointer
  end)
  if not pixels then
    local first = bytes.of_tensor(text:narrow(1, 1, math.min(n, kinds.FIRST)))
    return nil, width .. kinds.hint_of(first, 'png')
  end
  return picture, text -- text is named so that it lives until here
end

local function decode(file)
  local ran, picture, message = pcall(picture_of, file)
  if not ran then paths_of.fail('Omniglot', file.path, picture) end
  if not picture then raise('Omniglot: %s: %s', file.path, message) end
  return picture
end

local function sorted_names(drawings)
  local names = {}
  for name in pairs(drawings) do
    if name ~= 'alphabet' then names[#names + 1] = name end
  end
  table.sort(names)
  return names
end

-- So many pixels of pictures are held at a time before they are made smaller: a class of 20 real drawings has 220,500.
local PIXELS_AT_A_TIME = 2 ^ 22

--- Decodes drawings from number `first` on, as many as are held at a time: uint8 (n, 1, size, size), 255 ink, 0 paper; and
-- how many there were. All have the sizes of `known`, which the first of all sets.
local function draw_some(drawings, names, first, size, known)
  local pictures, pixels = {}, 0
  for i = first, #names do
    local picture = decode(drawings[names[i]])
    local h, w = picture:size(1), picture:size(2)
    known.height, known.width = known.height or h, known.width or w
    if h ~= known.height or w ~= known.width then
      raise('Omniglot: %s: %d x %d pixels, but other drawings of the character have %d x %d', drawings[names[i]].path, w,
        h, known.width, known.height)
    end
    pictures[#pictures + 1] = picture:reshape(1, 1, h, w)
    pixels = pixels + h * w
    if pixels >= PIXELS_AT_A_TIME then break end
  end
  local ink = 255 - resize(metann.cat(pictures, 1):float(), size, size)
  return ink:round():to 'uint8', #pictures
end

--- The drawings of a class as uint8 (count, 1, size, size): 255 ink, 0 paper.
local function draw(drawings, size)
  local names, parts, known, first = sorted_names(drawings), {}, {}, 1
  while first <= #names do
    local part, n = metann.scope(draw_some, drawings, names, first, size, known)
    parts[#parts + 1], first = part, first + n
  end
  return bytes.placed(#parts == 1 and parts[1] or metann.cat(parts, 1))
end

local function sorted_keys(t)
  local keys = {}
  for key in pairs(t) do keys[#keys + 1] = key end
  table.sort(keys)
  return keys
end

local function check_strings(what, name, list)
  arguments.list(what, name, list, 'strings', function(member) return type(member) == 'string' end)
end

local function read_classes(paths, size, archives)
  local found, classes = by_class(paths, archives), {}
  for i, name in ipairs(sorted_keys(found)) do
    local images = metann.no_grad(metann.scope, draw, found[name], size)
    classes[i] = {name = name, alphabet = found[name].alphabet, images = images}
  end
  return classes
end

-- A list that has names besides is the paths and the options.
local paths_kind = arguments.kinds.list_kind(function(value) return value end)
local read = arguments.reader('Omniglot', { { 'paths', paths_kind, optional = true }, { 'size', default = 28 } })

--- Read drawings into memory.
-- @param paths a folder or zip file, or a list of them, with any part of the official layout
-- `SET/Alphabet/characterNN/IMAGE.png`, with or without the sets. A character that stands in several sets is one class,
-- a drawing that does is taken once.
-- @param[opt] options `size` (28): height and width, 1 to 1024, reached by exact area averaging
-- @return an Omniglot with `classes`, a list sorted by name of {name = 'Greek/character01', alphabet = 'Greek',
-- images = uint8 tensor (count, 1, size, size), 255 ink and 0 paper}, as `Episodes` takes it
-- @raise a wrong path, a broken zip file or drawing, or no drawings at all, by name
local function load(...)
  local o = read(...)
  local paths, size = o.paths, o.size
  if type(paths) == 'string' then paths = {paths} end
  if type(paths) ~= 'table' or #paths == 0 then
    raise('Omniglot: a path or a list of paths expected, got %s', errors.describe(paths))
  end
  check_strings('Omniglot', 'paths', paths)
  arguments.count('Omniglot', 'size', size, 1, LARGEST_SIZE)
  local archives = {}
  local ran, classes = pcall(read_classes, paths, size, archives)
  for _, archive in ipairs(archives) do archive:close() end
  if not ran then error(classes, 0) end
  if #classes == 0 then raise('Omniglot: no drawings (.png) in %s', table.concat(paths, ', ')) end
  return new(classes)
end

local define = methods.definer(Omniglot, 'Omniglot')

local function alphabets_of(self)
  local set = {}
  for _, class in ipairs(self.classes) do set[class.alphabet] = true end
  return sorted_keys(set)
end

--- Names of the alphabets, sorted.
-- @function Omniglot:alphabets
define('alphabets', {}, alphabets_of)

local function set_of(self, alphabets, method)
  check_strings('Omniglot:' .. method, 'alphabets', alphabets)
  local known, set = {}, {}
  for _, name in ipairs(alphabets_of(self)) do known[name] = true end
  for _, name in ipairs(alphabets) do
    if method == 'only' and not known[name] then
      raise("Omniglot:only: no alphabet '%s'%s", name, errors.suggestion(name, alphabets_of(self)))
    end
    set[name] = true
  end
  return set
end

local function filtered(self, keep)
  local classes = {}
  for _, class in ipairs(self.classes) do
    if keep(class) then classes[#classes + 1] = class end
  end
  return new(classes)
end

--- The classes of these alphabets (a list of names); a name that is not there is an error.
-- @function Omniglot:only
define('only', { { 'alphabets', opaque = true } }, function(self, alphabets)
  local set = set_of(self, alphabets, 'only')
  return filtered(self, function(class) return set[class.alphabet] end)
end)

--- The classes of all alphabets but these (a list of names, which need not be there).
-- @function Omniglot:without
define('without', { { 'alphabets', opaque = true } }, function(self, alphabets)
  local set = set_of(self, alphabets, 'without')
  return filtered(self, function(class) return not set[class.alphabet] end)
end)

local turns = {
  [90] = function(x) return x:transpose(3, 4):flip{3} end,
  [180] = function(x) return x:flip{3, 4} end,
  [270] = function(x) return x:transpose(3, 4):flip{4} end,
}

--- Four times as many classes: each also turned by 90, 180 and 270 degrees (anticlockwise), as new characters.
-- Source: Santoro and others, "Meta-learning with memory-augmented neural networks", ICML 2016.
-- @function Omniglot:with_rotations
define('with_rotations', {}, function(self)
  local classes = {}
  for _, class in ipairs(self.classes) do
    classes[#classes + 1] = class
    for _, degrees in ipairs{90, 180, 270} do
      classes[#classes + 1] = {
        name = ('%s turned by %d'):format(class.name, degrees), alphabet = class.alphabet,
        images = turns[degrees](class.images):contiguous(),
      }
    end
  end
  return new(classes)
end)

return setmetatable({}, {__call = methods.constructor('Omniglot', load), __index = Omniglot})
