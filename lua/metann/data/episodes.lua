--- N-way K-shot episodes: small classification tasks drawn from many classes.
-- Source of the protocol: Vinyals and others, "Matching networks for one shot learning", NeurIPS 2016.
local errors = require 'metann.binding.errors'
local metann = require 'metann'
local Random = require 'metann.data.random'
local arguments = require 'metann.arguments'
local describe = require('metann.nn.support').describe

local Episodes = {}
Episodes.__index = Episodes

local DEFAULTS = {ways = 5, shots = 1, queries = 15, seed = 1}
local NAMES = {'ways', 'shots', 'queries', 'seed'}

local function checked(options)
  options = options or {}
  errors.check_options('Episodes', options, NAMES)
  local result = {}
  for _, name in ipairs(NAMES) do
    local value = options[name]
    if value == nil then value = DEFAULTS[name] end
    if name == 'seed' then
      arguments.count('Episodes', name, value, 0, 2 ^ 53)
    else
      arguments.count('Episodes', name, value, 1)
    end
    result[name] = value
  end
  return result
end

local function check_classes(classes, o)
  if type(classes) ~= 'table' then
    errors.raise('Episodes: a list of classes expected, got %s', errors.describe(classes))
  end
  if #classes < o.ways then
    errors.raise('Episodes: %.0f ways asked for, but there are only %d classes', o.ways, #classes)
  end
  for i, class in ipairs(classes) do
    local images = type(class) == 'table' and class.images
    if not metann.is_tensor(images) or images.ndim == 0 then
      errors.raise("Episodes: class %d must be a table whose 'images' is a tensor with a row for each image, got %s", i,
        type(class) ~= 'table' and describe(class) or "'images' = " .. describe(class.images))
    end
    local count = images:size(1)
    if count < o.shots + o.queries then
      errors.raise('Episodes: class %s has %d drawings, but %.0f shots and %.0f queries need %.0f', class.name or i, count,
        o.shots, o.queries, o.shots + o.queries)
    end
  end
end

--- A source of episodes.
-- @param classes list; each has `images`, a tensor of size (count, ...), and perhaps a `name` for errors. uint8 images
-- come out as floats from 0 to 1.
-- @param[opt] options `ways` (5), `shots` (1) and `queries` (15) per class, `seed` (1) of its own random stream
-- @raise too few classes, or a class with too few images, with the numbers
local function new(classes, options)
  local o = checked(options)
  check_classes(classes, o)
  local self = setmetatable({classes = classes, random = Random(o.seed)}, Episodes)
  self.ways, self.shots, self.queries = o.ways, o.shots, o.queries
  local labels = function(n) -- 1..ways, each n times
    return metann.arange(1, o.ways + 1):reshape(o.ways, 1):expand(o.ways, n):reshape(o.ways * n):long()
  end
  self.support_labels, self.query_labels = labels(o.shots), labels(o.queries)
  return self
end

local function floats(parts)
  local x = metann.cat(parts, 1)
  if x.dtype == 'uint8' then return x:float() * (1 / 255) end
  return x
end

--- Draw one episode: other classes each time, support and query without an image in common.
-- @return table with `support` {x, y}: x (ways * shots, ...), y int64 labels 1..ways, class by class; and `query`
-- likewise with ways * queries rows
function Episodes:sample()
  local shots, queries = self.shots, self.queries
  local support, query = {}, {}
  for way, number in ipairs(self.random:choose(#self.classes, self.ways)) do
    local images = self.classes[number].images
    local picked = metann.tensor(self.random:choose(images:size(1), shots + queries), {dtype = 'int64'})
    local chosen = images:index_select(1, picked)
    support[way] = chosen:narrow(1, 1, shots)
    query[way] = chosen:narrow(1, shots + 1, queries)
  end
  return {support = {floats(support), self.support_labels}, query = {floats(query), self.query_labels}}
end

return setmetatable({}, {__call = function(_, ...) return new(...) end, __index = Episodes})
