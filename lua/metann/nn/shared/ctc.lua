--- Connectionist temporal classification (Graves et al. 2006): the probability of a sequence of labels, summed over all
-- the ways in which blanks and repetitions stretch it over time. Forward along time in logarithms, made of ops, so that it
-- has derivatives of every order.
local kinds = require('metann.nn.machinery.options').kinds
local losses = require 'metann.nn.shared.losses'
local support = require 'metann.support'
local ops, raise, size = support.ops, support.raise, support.size
local logaddexp, add, where, select = ops.logaddexp, ops.add, ops.where, ops.select

local ctc = {}

support.errors.inner_name 'CTCLoss'

-- Stands for the logarithm of 0: an infinite one would make NaN of derivatives. Nothing that is possible comes near.
local NEVER, IMPOSSIBLE = -1e30, 1e29

local LENGTHS = kinds.either(kinds.tensor, kinds.integers)

ctc.OPTIONS = {
  { 'blank', kinds.count, 1 }, losses.REDUCTION, { 'zero_infinity', kinds.boolean, false },
}
ctc.INPUTS = {
  { 'log_probs', kinds.tensor }, { 'targets', kinds.tensor }, { 'input_lengths', LENGTHS }, { 'target_lengths', LENGTHS },
}

local function whole_numbers(list) return support.functions.tensor(list, { dtype = 'int64' }) end

--- Lengths as a list of numbers, one for each of n samples, from 0 to `most`.
local function lengths_of(name, given, n, most)
  local list = given
  if support.is_tensor(given) then
    if support.is_float(given) then raise("CTCLoss: '%s' must be whole numbers, got %s", name, support.describe(given)) end
    list = {}
    local flat = support.reshape(given, { support.numel(given) })
    for i = 1, support.numel(given) do list[i] = select(flat, 1, i):item() end
  end
  if #list ~= n then raise("CTCLoss: '%s' must have %d numbers, one for each sample, got %d", name, n, #list) end
  for i = 1, n do
    if list[i] < 0 or list[i] > most then
      raise("CTCLoss: '%s' must be from 0 to %d, got %s", name, most, tostring(list[i]))
    end
  end
  return list
end

--- Targets of one row for each sample: (N, S) as they are, one after another in one dim cut at their lengths.
local function rows_of(targets, lengths, longest)
  if support.ndim(targets) == 2 then return targets end
  local places, first = {}, 1
  for i = 1, #lengths do
    places[i] = {}
    for k = 1, longest do places[i][k] = k <= lengths[i] and first + k - 1 or 1 end
    first = first + lengths[i]
  end
  local flat = support.reshape(whole_numbers(places), { #lengths * longest })
  return support.reshape(ops.index_select(targets, flat, 1), { #lengths, longest })
end

--- The labels with a blank before, between and behind them: (N, 2 S + 1). What is beyond a length becomes a blank.
local function with_blanks(targets, lengths, blank)
  local n, longest = size(targets, 1), size(targets, 2)
  local first = ops.full({ n, 1 }, blank, 'int64')
  if longest == 0 then return first end
  local here = ops.le(ops.arange(1, 1, longest, 'int64'), ops.unsqueeze(whole_numbers(lengths), 2))
  targets = where(here, ops.cast(targets, 'int64'), ops.full({}, blank, 'int64'))
  local both = ops.cat({ ops.unsqueeze(targets, 3), ops.full({ n, longest, 1 }, blank, 'int64') }, 3)
  return ops.cat({ first, support.reshape(both, { n, 2 * longest }) }, 2)
end

local function number(value, like) return support.full(like, {}, value) end

--- alpha moved `by` places to the right.
local function moved(alpha, by) return ops.pad(alpha, { 0, by }, { 0, -by }, NEVER) end

--- One step: a place is reached from itself, from the one before and, past a blank between different labels, from two
-- before.
local function step(alpha, emitted, may_skip, never)
  local from = alpha
  if may_skip then
    from = logaddexp(from, moved(alpha, 1))
    from = logaddexp(from, where(may_skip, moved(alpha, 2), never))
  end
  return add(from, emitted)
end

--- The log-probabilities of being at each place of the labels at the end: (N, L).
-- @param log_p (T, N, C)
-- @param labels (N, L) with blanks
-- @param times list of how many steps each sample has
local function forward(log_p, labels, times, blank)
  local steps, n, places = size(log_p, 1), size(log_p, 2), size(labels, 2)
  local never = number(NEVER, log_p)
  local at = ops.expand(ops.unsqueeze(labels, 1), { steps, n, places })
  local emitted = ops.clamp(ops.gather(log_p, at, 3), NEVER, math.huge)
  local may_skip
  if places > 1 then
    local before = ops.pad(labels, { 0, 2 }, { 0, -2 }, blank)
    may_skip = ops.logical_and(ops.ne(labels, blank), ops.ne(labels, before))
  end
  local starts = ops.le(ops.arange(1, 1, places, 'int64'), 2)
  local alpha, ends = where(starts, select(emitted, 1, 1), never), ops.unsqueeze(whole_numbers(times), 2)
  local shortest = math.min(unpack(times))
  for t = 2, steps do
    local new = step(alpha, select(emitted, 1, t), may_skip, never)
    alpha = t <= shortest and new or where(ops.ge(ends, t), new, alpha)
  end
  return alpha
end

--- What the last label and the blank behind it make of alpha.
local function at_the_end(alpha, lengths)
  local last, before, empty = {}, {}, {}
  for i = 1, #lengths do last[i], before[i], empty[i] = 2 * lengths[i] + 1, math.max(2 * lengths[i], 1), lengths[i] == 0 end
  local function read(list) return ops.gather(alpha, ops.unsqueeze(whole_numbers(list), 2), 2) end
  local label = where(ops.unsqueeze(support.functions.tensor(empty), 2), number(NEVER, alpha), read(before))
  return ops.neg(ops.squeeze(logaddexp(read(last), label), 2))
end

--- The loss of samples that have no time at all: nothing is said for certain, and something never.
local function without_time(loss, times, lengths)
  if math.min(unpack(times)) > 0 then return loss end
  local none, value = {}, {}
  for i = 1, #times do none[i], value[i] = times[i] == 0, lengths[i] == 0 and 0 or 2 * IMPOSSIBLE end
  return where(support.functions.tensor(none), support.functions.tensor(value, { dtype = support.dtype(loss) }), loss)
end

local function check(log_p, targets, o)
  local n, m = support.ndim(log_p), support.ndim(targets)
  if (n ~= 2 and n ~= 3) or size(log_p, 1) == 0 or (m ~= 1 and m ~= 2) or support.is_float(targets) then
    raise("CTCLoss: 'log_probs' must be a tensor of size (T, N, C) or (T, C) and 'targets' whole numbers of size (N, S) or, "
      .. 'one after another, in one dim, got %s and %s', support.describe(log_p), support.describe(targets))
  end
  if o.blank > size(log_p, n) then
    raise("CTCLoss: 'blank' must be from 1 to %d, the number of classes, got %d", size(log_p, n), o.blank)
  end
end

local function loss_of(o, log_p, targets, input_lengths, target_lengths)
  check(log_p, targets, o)
  local alone = support.ndim(log_p) == 2
  if alone then log_p = ops.unsqueeze(log_p, 2) end
  local n = size(log_p, 2)
  if n == 0 then return losses.reduce(ops.sum(log_p, { 1, 3 }), o.reduction) end
  local times = lengths_of('input_lengths', input_lengths, n, size(log_p, 1))
  local lengths = lengths_of('target_lengths', target_lengths, n, size(targets, -1))
  local longest, total = 0, 0
  for i = 1, n do longest, total = math.max(longest, lengths[i]), total + lengths[i] end
  if support.ndim(targets) == 1 and total > size(targets, 1) or support.ndim(targets) == 2 and size(targets, 1) ~= n then
    raise("CTCLoss: 'targets' of size %s don't hold %d samples of %d labels in all", support.shape_text(targets), n, total)
  end
  local labels = with_blanks(rows_of(targets, lengths, longest), lengths, o.blank)
  local loss = at_the_end(forward(log_p, labels, times, o.blank), lengths)
  loss = without_time(loss, times, lengths)
  local value = number(o.zero_infinity and 0 or math.huge, loss)
  loss = where(ops.gt(loss, IMPOSSIBLE), value, loss)
  if o.reduction == 'mean' then
    for i = 1, n do lengths[i] = math.max(lengths[i], 1) end
    loss = ops.div(loss, ops.cast(whole_numbers(lengths), support.dtype(loss)))
  end
  if alone and o.reduction == 'none' then return ops.squeeze(loss, 1) end
  return losses.reduce(loss, o.reduction)
end

--- The losses of samples, reduced.
-- @param o options: blank, reduction, zero_infinity
-- @param log_p (T, N, C), or (T, C)
-- @param targets (N, S), or (sum of the target lengths), or, for one sample, (S)
-- @param input_lengths, target_lengths tensors or lists of numbers
function ctc.loss(o, log_p, targets, input_lengths, target_lengths)
  return (support.beside(log_p, loss_of, o, log_p, targets, input_lengths, target_lengths))
end

return ctc
