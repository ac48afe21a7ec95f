--- One step of an optimizer: the rule is run over the parameters that have a gradient, and what it gives is written.
-- Owns what is held meanwhile. All is computed before anything is written, so that a step that fails changes nothing:
-- that takes the memory of the parameters and of their state once more. What the rule makes on the way is given back
-- piece by piece; of a rule that works element by element a piece may be a part of a large parameter.
local pairs = require('metann.binding.traversal').pairs
local counts = require 'metann.optim.counts'
local support = require 'metann.support'
local ops, keep = support.ops, support.keep

local step = {}

-- What the rule makes on the way is given back each time that so many elements have been updated: of all of them the
-- 256th part, but no fewer than keep the threads busy. (A little less than a power of two: with what the core adds, such
-- a tensor takes no larger a block.)
local SMALLEST, PARTS = 32768 - 64, 256
local NO_STATE = {}

-- ---- pieces ----
-- A piece is a parameter with what is known of it, {p, g, group, key, state, size}, or some elements of one, {whole =
-- that, group, first, size}. To it come lists of what is to be written, `into`, and of the values, `from`; and to the
-- parameter's what counts.lua knows of it, state that is there for the first time, `fresh`, and its last piece, `last`.

local function is_dense(entry)
  if not (support.is_contiguous(entry.p) and support.is_contiguous(entry.g)) then return false end
  for _, t in pairs(entry.state or NO_STATE) do
    if not support.is_contiguous(t) then return false end
  end
  return true
end

local function split(entry, portion, work)
  for first = 1, entry.size, portion do
    local piece = { whole = entry, group = entry.group, first = first, size = math.min(portion, entry.size - first + 1) }
    entry.last = piece
    work[#work + 1] = piece
  end
end

--- The parameters of an optimizer that have a gradient, and how many elements they have together.
local function entries_of(optimizer)
  local entries, resting, total = {}, {}, 0
  for _, group in ipairs(optimizer.param_groups) do
    for _, p in ipairs(group.params) do
      local g, key = support.grad(p), support.id(p)
      local state = optimizer.state[key]
      if g then
        local size = support.numel(p)
        entries[#entries + 1] = { p = p, g = g, group = group, key = key, state = state, size = size }
        total = total + size
      else
        resting[#resting + 1] = state
      end
    end
  end
  counts.prepare(optimizer.rule, entries, resting)
  return entries, total
end

--- What is to be done, as pieces, and how many elements of them make a portion.
local function pieces_of(optimizer)
  local entries, total = entries_of(optimizer)
  local portion = math.max(SMALLEST, math.ceil(total / PARTS))
  if total <= portion or not optimizer.rule.elementwise then return entries, portion end
  local work = {}
  for _, entry in ipairs(entries) do
    if entry.size > portion and is_dense(entry) then split(entry, portion, work) else work[#work + 1] = entry end
  end
  return work, portion
end

--- A piece's elements of a tensor of its parameter's size. What is 0-dim, a count, holds for all of them.
local function part(piece, t)
  if support.ndim(t) == 0 then return t end
  return ops.slice(ops.view(t, -1), 1, piece.first, piece.size)
end

local function parts_of(piece, names, state)
  local parts = {}
  for i = 1, #names do
    local t = state[names[i]]
    if t then parts[names[i]] = part(piece, t) end
  end
  return parts
end

-- ---- computing ----

--- State that is there for the first time gets storage of its own: a rule may hand back the gradient itself.
local function first_state(what, piece, name, value)
  local entry = piece.whole or piece
  local fresh = entry.fresh or {}
  entry.fresh = fresh
  if not piece.whole or support.ndim(value) == 0 then
    fresh[name] = fresh[name] or ops.clone(value)
    return
  end
  fresh[name] = fresh[name] or support.beside(value, support.empty, support.dtype(value), support.shape(entry.p))
  support.write_all(what, { part(piece, fresh[name]) }, { value })
end

--- Notes what a rule gave for a piece. What holds for all of them changes with the last, as each starts from the old.
local function note(rule, piece, p, state, new_p, new_state)
  local into, from, names = { p }, { new_p }, rule.state
  local shared = (piece.whole or piece).cohort and rule.known_counts or NO_STATE -- what counts.lua hands on
  piece.into, piece.from = into, from
  if new_state == state then return end
  for i = 1, #names do
    local old, value = state[names[i]], not shared[names[i]] and new_state[names[i]]
    if value and not old then
      first_state(rule.step.what, piece, names[i], value)
    elseif value and (not piece.whole or piece == piece.whole.last or support.ndim(value) > 0) then
      into[#into + 1], from[#from + 1] = old, value
    end
  end
end

--- Runs the rule on a piece.
local function run_rule(rule, piece)
  local entry = piece.whole or piece
  local p, g, state = entry.p, entry.g, entry.state or NO_STATE
  if piece.whole then p, g, state = part(piece, p), part(piece, g), parts_of(piece, rule.state, state) end
  note(rule, piece, p, state, support.beside(p, rule.update, p, g, state, piece.group, entry.numbers))
end

--- The same for the pieces from first to last; returns what must outlive the scope around.
local function compute(first, last, rule, work)
  local made = {}
  for i = first, last do
    local piece = work[i]
    run_rule(rule, piece)
    made[i - first + 1] = { piece.into, piece.from, (piece.whole or piece).fresh }
  end
  return made
end
-- The loop is interpreted, what it calls is compiled: in one trace a rule for several parameters is more than LuaJIT's
-- register allocation takes, and it tries again and again, at every step.
if jit then jit.off(compute) end

--- Calls fn(first, last, ...) for portions of the work, in scopes of their own where there is more than one.
local function each_portion(work, portion, fn, ...)
  local first, size, n = 1, 0, #work
  for i = 1, n do
    size = size + work[i].size
    if i == n and first == 1 then return fn(first, i, ...) end
    if size >= portion or i == n then
      support.scope(fn, first, i, ...)
      first, size = i + 1, 0
    end
  end
end

-- ---- writing ----

--- Files the state that is there for the first time.
local function file(states, entry)
  if not entry.state then
    states[entry.key] = entry.fresh or {}
  elseif entry.fresh then
    for name, t in pairs(entry.fresh) do entry.state[name] = t end
  end
end

local function append(list, more)
  for i = 1, #more do list[#list + 1] = more[i] end
end

--- Writes what was computed for the pieces from first to last, all or nothing; files the state of the parameters that
-- end with one of them.
local function commit(optimizer, work, first, last)
  local into, from, done = {}, {}, {}
  for i = first, last do
    local piece = work[i]
    local entry = piece.whole or piece
    append(into, piece.into)
    append(from, piece.from)
    if not entry.last or entry.last == piece then
      done[#done + 1] = entry
      local cohort = entry.cohort
      if cohort and cohort.last == entry then
        append(into, cohort.into)
        append(from, cohort.from)
      end
      for _, t in pairs(entry.fresh or NO_STATE) do keep(t) end
    end
  end
  support.write_all(optimizer.rule.step.what, into, from)
  for i = 1, #done do file(optimizer.state, done[i]) end
end

--- A step: all is computed before anything is written, so that one that fails changes nothing.
local function run(optimizer)
  local work, portion = pieces_of(optimizer)
  each_portion(work, portion, compute, optimizer.rule, work)
  commit(optimizer, work, 1, #work)
end

local function update_portion(first, last, optimizer, work)
  compute(first, last, optimizer.rule, work)
  commit(optimizer, work, first, last)
  local entry = work[last].whole
  return entry and entry.last ~= work[last] and entry.fresh -- which the parameter's other pieces go on filling
end

local function run_quick(optimizer)
  local work, portion = pieces_of(optimizer)
  each_portion(work, portion, update_portion, optimizer, work)
end

local function scoped(optimizer) support.scope(run, optimizer) end
local function scoped_quick(optimizer) support.scope(run_quick, optimizer) end

--- Makes a step with the gradients in `.grad`, all or nothing.
function step.make(optimizer) support.no_grad(scoped, optimizer) end

--- The same for those who can undo a step that fails: each portion is written at once, so nothing of the size of all is
-- held.
function step.make_quickly(optimizer) support.no_grad(scoped_quick, optimizer) end

return step
