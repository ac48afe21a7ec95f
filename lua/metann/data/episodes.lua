--- N-way K-shot episodes: small classification tasks drawn from many classes.
-- Source of the protocol: Vinyals and others, "Matching networks for one shot learning", NeurIPS 2016.
local errors = require 'metann.binding.errors'
local metann = require 'metann'
local Random = require 'metann.data.random'
local arguments = require 'metann.arguments'
local methods = require 'metann.utils.methods'
local describe = require('metann.support').describe

local Episodes = {}
Episodes.__index = Episodes

local read = arguments.reader('Episodes', {
  {'classes', opaque = true}, {'ways', default = 5}, {'shots', default = 1}, {'queries', default = 15},
  {'seed', default = 1},
})

local function check_numbers(o)
  for _, name in ipairs{'ways', 'shots', 'queries'} do arguments.count('Episodes', name, o[name], 1) end
  arguments.count('Episodes', 'seed', o.seed, 0, 2 ^ 53)
end

--- The list of classes: given as such, or as what has it (an Omniglot).
local function list_of(classes)
  if type(classes) ~= 'table' then
    errors.raise('Episodes: a list of classes expected, got %s', describe(classes))
  end
  if #classes == 0 and type(classes.classes) == 'table' then return classes.classes end
  return classes
end

local function check_classes(classes, o)
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
-- @param classes list, or an Omniglot; each class has `images`, a tensor of size (count, ...), and perhaps a `name` for
-- errors. uint8 images come out as floats from 0 to 1.
-- @param[opt] options `ways` (5), `shots` (1) and `queries` (15) per class, `seed` (1) of its own random stream
-- @raise too few classes, or a class with too few images, with the numbers
local function new(...)
  local o = read(...)
  check_numbers(o)
  local classes = list_of(o.classes)
  check_classes(classes, o)
  local self = setmetatable({classes = classes, random = Random(o.seed)}, Episodes)
  self.ways, self.shots, self.queries = o.ways, o.shots, o.queries
  local device = classes[1].images.device
  local labels = function(n) -- 1..ways, each n times, beside the images
    return metann.arange(1, o.ways + 1, {device = device}):reshape(o.ways, 1):expand(o.ways, n):reshape(o.ways * n):long()
  end
  self.support_labels, self.query_labels = labels(o.shots), labels(o.queries)
  return self
end

local function floats(parts)
  local x = metann.cat(parts, 1)
  if x.dtype == 'uint8' then return x:float() * (1 / 255) end
  return x
end

local function episode_of(self)
  local shots, queries = self.shots, self.queries
  local support, query = {}, {}
  for way, number in ipairs(self.random:choose(#self.classes, self.ways)) do
    local images = self.classes[number].images
    local picked = images:new_tensor(self.random:choose(images:size(1), shots + queries), {dtype = 'int64'})
    local chosen = images:index_select(1, picked)
    support[way] = chosen:narrow(1, 1, shots)
    query[way] = chosen:narrow(1, shots + 1, queries)
  end
  return {support = {floats(support), self.support_labels}, query = {floats(query), self.query_labels}}
end

--- Draw one episode: other classes each time, support and query without an image in common.
-- @return table with `support` {x, y}: x (ways * shots, ...), y int64 labels 1..ways, class by class; and `query`
-- likewise with ways * queries rows
-- @function Episodes:sample
methods.definer(Episodes, 'Episodes')('sample', {}, function(self) return self.random:_whole(episode_of, self) end)

return setmetatable({}, {__call = methods.constructor('Episodes', new), __index = Episodes})
