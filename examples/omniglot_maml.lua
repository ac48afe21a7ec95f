-- Few-shot classification of handwritten characters: a convnet learns to tell five characters that it has never seen
-- apart from one drawing of each. After Finn, Abbeel and Levine, "Model-agnostic meta-learning", ICML 2017.
local here = arg[0]:match '^(.*/)' or './'
package.path = ('%s../lua/?.lua;%s../lua/?/init.lua;%s'):format(here, here, package.path)
local found, argparse = pcall(require, 'argparse')
if not found then error('this example needs argparse (on Debian and Ubuntu: apt-get install lua-argparse)', 0) end
local metann = require 'metann'
local data, meta, nn, train = metann.data, metann.meta, metann.nn, metann.train
local safetensors = metann.io.safetensors

-- What the parser calls to read a whole number from 1 on; nil is an error that it tells of.
local function count(text)
  local n = tonumber(text)
  if n and n >= 1 and n % 1 == 0 then return n end
end

local parser = argparse('omniglot_maml', 'Meta-learn Omniglot by MAML, and test on alphabets kept apart.')
parser:option('--data', 'folders or zip files with SET/Alphabet/characterNN/IMAGE.png'):args '+':count '1'
parser:option('--test-data', 'the same for testing, less the alphabets of --data; without it, a quarter of the '
  .. 'alphabets of --data is kept for testing'):args '+'
parser:option('--ways', 'characters in an episode', '5', count)
parser:option('--shots', 'drawings of each to adapt to', '1', count)
parser:option('--queries', 'other drawings of each to classify', '15', count)
parser:option('--steps', 'gradient steps of the adaptation', '5', tonumber)
parser:option('--inner-lr', 'their learning rate', '0.1', tonumber)
parser:option('--meta-batch', 'episodes in a meta-step', '8', count)
parser:option('--iterations', 'meta-steps', '1000', tonumber)
parser:option('--time-limit', 'seconds of training at most', nil, tonumber)
parser:option('--lr', 'learning rate of Adam', '0.001', tonumber)
parser:option('--channels', 'width of the convolutions', '64', count)
parser:option('--test-episodes', 'episodes to measure the accuracy on', '600', count)
parser:option('--seed', 'of weights and episodes', '1', tonumber)
parser:option('--threads', 'threads to compute with', nil, tonumber)
parser:option '--save':description 'write the weights to this file (safetensors)'
parser:option '--eval':description 'only test the weights in this file'
parser:flag('--first-order', 'leave out second derivatives')
parser:help_max_width(100)
local options = parser:parse()

if options.threads then metann.set_num_threads(options.threads) end
metann.manual_seed(options.seed)
io.stdout:setvbuf 'line'
-- Said now, not when the work is done.
if options.save then train.check_writable(options.save) end

-- Characters to train on, turned ones included, and characters of other alphabets to test on.
local known = data.Omniglot(options.data)
local unseen
if options.test_data then
  unseen = data.Omniglot(options.test_data):without(known:alphabets())
else
  local names = known:alphabets()
  local kept = {unpack(names, #names - math.max(1, math.floor(#names / 4)) + 1)}
  known, unseen = known:without(kept), known:only(kept)
end
known = known:with_rotations()
print(('%d characters to train on, %d to test on'):format(#known.classes, #unseen.classes))
local function episodes(set, seed)
  return data.Episodes(set.classes,
    {ways = options.ways, shots = options.shots, queries = options.queries, seed = seed})
end

-- Four blocks: 28x28 -> 14x14 -> 7x7 -> 3x3 -> 1x1. Batch norm always uses the statistics of its batch.
local function block(inputs, outputs)
  return nn.Sequential(nn.Conv2d(inputs, outputs, 3, {padding = 1}),
    nn.BatchNorm2d(outputs, {track_running_stats = false}), nn.ReLU(), nn.MaxPool2d(2))
end
local c = options.channels
local net = nn.Sequential(block(1, c), block(c, c), block(c, c), block(c, c), nn.Flatten(), nn.Linear(c, options.ways))
local maml = meta.MAML(net, {
  steps_train = options.steps, steps_eval = options.steps, lr = options.inner_lr, first_order = options.first_order,
})

local tests = episodes(unseen, options.seed + 1000000)

local function train_net()
  local sampler, optimizer = episodes(known, options.seed), metann.optim.Adam(net:parameters(), {lr = options.lr})
  local function one_episode()
    local episode = sampler:sample()
    local loss = meta.default_evaluator_classification(maml(episode.support), episode.query) / options.meta_batch
    loss:backward()
    return loss:item()
  end
  local progress = train.Progress{steps = options.iterations, seconds = options.time_limit}
  local function meta_steps()
    while progress:more() do
      local loss = 0
      optimizer:zero_grad()
      for _ = 1, options.meta_batch do loss = loss + metann.scope(one_episode) end
      optimizer:step()
      progress:step{loss = loss}
    end
  end
  -- Ctrl-C ends the training only: what was learned until then is saved and tested.
  local ended, message = pcall(metann.catch_interrupt, meta_steps)
  if not ended and not tostring(message):find 'interrupted' then error(message, 0) end
  print(('%d meta-steps in %.0f s'):format(progress:finish()))
end

local function test_net()
  local accuracy = train.Mean()
  local function one_episode()
    local episode = tests:sample()
    local answers = maml(episode.support)(episode.query[1]):argmax(2)
    return answers:eq(episode.query[2]):float():mean():item()
  end
  maml:eval()
  local progress = train.Progress{steps = options.test_episodes}
  while progress:more() do
    local correct = metann.scope(one_episode)
    accuracy:add(correct)
    progress:step{accuracy = correct}
  end
  progress:finish()
  print(('accuracy %.2f ± %.2f %% over %d episodes of %d ways, %d shots'):format(100 * accuracy:mean(),
    100 * accuracy:interval(), options.test_episodes, options.ways, options.shots))
end

if options.eval then
  net:load_state_dict((safetensors.load(options.eval)))
else
  train_net()
  if options.save then safetensors.save(options.save, net:state_dict()) end
end
test_net()
