--- What a function reads out of places that may be filled anew later on: the slots of views. Internal.
-- While a checkpoint runs its function, whoever keeps tensors in such places says which it hands out (`note`). When the
-- function runs again the places hold the same tensors for as long, whatever they hold by then.
local reads = {}

--- The notes of the innermost function that is being watched, or false: looked at on every read.
reads.current = false

--- Notes that store[key] is read, or about to be written. The first one counts: what was there when the function began.
function reads.note(store, key, value)
  local notes = reads.current
  while notes do
    local keys = notes.seen[store]
    if not keys then
      keys = {}
      notes.seen[store] = keys
    end
    if not keys[key] then
      keys[key] = true
      notes[#notes + 1] = { store = store, key = key, value = value }
    end
    notes = notes.outer
  end
end

local Watch = {}
Watch.__index = Watch

function Watch:save() self.notes.outer = reads.current end
function Watch:enter() reads.current = self.notes end
function Watch:leave() reads.current = self.notes.outer end

--- A mode for scope.with that fills `notes`, a list of {store, key, value}.
function reads.watch(notes)
  notes.seen = {}
  return setmetatable({ notes = notes }, Watch)
end

-- An error may come between any two of the instructions below: a place is marked before it is changed, and what it held
-- is noted before that.

--- Puts what the list says into the places.
local function put(list)
  for i = 1, #list do
    local place = list[i]
    place.before = rawget(place.store, place.key)
    place.changed = true
    rawset(place.store, place.key, place.value)
  end
end

--- Notes what the places hold, and puts back what they held before.
local function put_back(list)
  for i = 1, #list do
    local place = list[i]
    if place.changed then
      place.value = rawget(place.store, place.key)
      rawset(place.store, place.key, place.before)
      place.changed = false
    end
  end
end

local Replay = {}
Replay.__index = Replay

-- Nothing is noted meanwhile for a function around: what it would see is not what the places hold.
function Replay:save() self.outer = reads.current end
function Replay:enter()
  reads.current = false
  put(self.places)
end
function Replay:leave()
  put_back(self.places)
  reads.current = self.outer
end

--- A mode for scope.with in which places hold what a list of {store, key, value} says.
function reads.replay(places) return setmetatable({ places = places }, Replay) end

return reads
