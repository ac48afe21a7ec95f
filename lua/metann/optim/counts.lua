--- The counts of an optimizer: how many steps a parameter has made, and what else its rule's `counts` name.
-- Parameters of one group that have made equally many form a cohort. What the rule prepares from their counts is made
-- once for all of them, and so are the new counts: each has tensors of its own, whose memory those of a cohort share,
-- so that one write is enough. Whoever changes the count of one parameter by hand puts another tensor in its place; it
-- is a cohort of its own then. A cohort of which only some make a step parts: these get new counts.
local pairs = require('metann.binding.traversal').pairs
local support = require 'metann.support'
local ops, keep, is_tensor = support.ops, support.keep, support.is_tensor

local counts = {}

local NO_STATE = {}

--- What is the same for two states of parameters on one device that share their counts; nil where a count isn't 0-dim,
-- and is shared with nobody.
local function key_of(names, state, p)
  local key = p.device
  for i = 1, #names do
    local t = state[names[i]]
    if t and support.ndim(t) > 0 then return nil end
    local storage = t and support.storage(t) or 0
    key = key .. '/' .. storage
  end
  return key
end

--- The numbers that a rule prepared, in the dtype of a parameter, to which each op that combines them with it would
-- cast them. With a 0-dim parameter they stay, as there the wider dtype wins.
local function numbers_for(cohort, rule, p)
  if support.ndim(p) == 0 then return cohort.numbers end
  local dtype = support.dtype(p)
  local made = cohort.by_dtype[dtype]
  if made then return made end
  made = {}
  for name, value in pairs(cohort.numbers) do
    local fits = not is_tensor(value) or rule.known_counts[name] or support.ndim(value) > 0
      or not support.is_float(value) or support.dtype(value) == dtype
    made[name] = fits and value or ops.cast(value, dtype)
  end
  cohort.by_dtype[dtype] = made
  return made
end

--- Adds the storages of a state's counts to how many states have each.
local function hold(holders, names, state)
  for i = 1, #names do
    local t = state[names[i]]
    if t then
      local storage = support.storage(t)
      holders[storage] = (holders[storage] or 0) + 1
    end
  end
end

--- Says what becomes of a cohort's counts: lists of what to write, `into` and `from`, when its entry `last` is done, or
-- new ones in the entries' `fresh`.
local function hand_on(cohort, names, holders)
  local entries, state = cohort.entries, cohort.state
  cohort.into, cohort.from, cohort.last = {}, {}, entries[#entries]
  for _, name in ipairs(names) do
    local old, value = state[name], cohort.numbers[name]
    if old and holders[support.storage(old)] == #entries then
      cohort.into[#cohort.into + 1], cohort.from[#cohort.from + 1] = old, value
    else
      for i, entry in ipairs(entries) do
        entry.fresh = entry.fresh or {}
        entry.fresh[name] = i == 1 and value or ops.detach(value)
      end
    end
  end
end

--- Gives the parameters that are to make a step what their rule prepares.
-- @param rule of metann.optim
-- @param entries list of {p, group, state}, which get `cohort`, `numbers` and perhaps `fresh`
-- @param resting list of the states of the parameters that make no step
function counts.prepare(rule, entries, resting)
  if not rule.prepare then return end
  local names, holders, groups, cohorts = rule.counts, {}, {}, {}
  for _, state in ipairs(resting) do hold(holders, names, state) end
  for _, entry in ipairs(entries) do
    local state, group = entry.state or NO_STATE, entry.group
    hold(holders, names, state)
    local key = key_of(names, state, entry.p)
    if key then
      groups[group] = groups[group] or {}
      local cohort = groups[group][key]
      if not cohort then
        cohort = { state = state, entries = {}, by_dtype = {} }
        cohort.numbers = support.beside(entry.p, rule.prepare, state, group)
        groups[group][key], cohorts[#cohorts + 1] = cohort, cohort
      end
      cohort.entries[#cohort.entries + 1] = entry
      entry.cohort, entry.numbers = cohort, numbers_for(cohort, rule, entry.p)
    end
  end
  for _, cohort in ipairs(cohorts) do hand_on(cohort, names, holders) end
end

--- Lets states of one group that have equal counts share them, as those do that were never saved.
-- @param rule of metann.optim
-- @param states list
function counts.join(rule, states)
  local first = {}
  for _, state in ipairs(rule.prepare and states or NO_STATE) do
    local key = ''
    for _, name in ipairs(rule.counts) do
      local t = state[name]
      local fits = key and t and support.ndim(t) == 0
      key = fits and ('%s %s %s %.17g'):format(key, t.device, support.dtype(t), t:item())
    end
    local like = key and first[key]
    for _, name in ipairs(like and rule.counts or NO_STATE) do state[name] = keep(ops.detach(like[name])) end
    if key and not like then first[key] = state end
  end
end

return counts
