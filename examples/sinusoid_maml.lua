-- Meta-learning on sine waves: a small network learns to learn a new wave from ten of its points by a few gradient
-- steps. After Finn, Abbeel and Levine, "Model-agnostic meta-learning", ICML 2017; --iterations 70000 is their run.
local here = arg[0]:match '^(.*/)' or './'
package.path = ('%s../lua/?.lua;%s../lua/?/init.lua;%s'):format(here, here, package.path)
local found, argparse = pcall(require, 'argparse')
if not found then error('this example needs argparse (on Debian and Ubuntu: apt-get install lua-argparse)', 0) end
local metann = require 'metann'
local data, meta, nn, train = metann.data, metann.meta, metann.nn, metann.train

-- What the parser calls to read a whole number from 1 on; nil is an error that it tells of.
local function count(text)
  local n = tonumber(text)
  if n and n >= 1 and n % 1 == 0 then return n end
end

local parser = argparse('sinusoid_maml', 'Meta-learn sine waves by MAML, print errors, draw three unseen waves.')
parser:option('--iterations', 'meta-steps (default: 4000, or as many as 45 seconds allow)', nil, tonumber)
parser:option('--time-limit', 'seconds of training at most', nil, tonumber)
parser:option('--k', 'points of a wave to adapt to', '10', count)
parser:option('--tasks', 'waves in a meta-step', '25', count)
parser:option('--inner-lr', 'learning rate of the adaptation', '0.01', tonumber)
parser:option('--lr', 'learning rate of Adam', '0.001', tonumber)
parser:option('--test-tasks', 'unseen waves to measure the error on', '1000', count)
parser:option('--seed', 'of weights and waves', '1', tonumber)
parser:option('--threads', 'threads to compute with', nil, tonumber)
parser:option('--out', 'the picture', 'sinusoid.png')
parser:flag('--first-order', 'leave out second derivatives')
parser:help_max_width(100)
local options = parser:parse()
if not options.iterations then options.iterations, options.time_limit = 4000, options.time_limit or 45 end

if options.threads then metann.set_num_threads(options.threads) end
metann.manual_seed(options.seed)
io.stdout:setvbuf 'line'
train.check_writable(options.out) -- said now, not when the work is done
local function network()
  return nn.Sequential(nn.Linear(1, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1))
end
local function squared_error(model, points) return nn.functional.mse_loss(model(points[1]), points[2]) end

-- Meta-training: adapt to each wave by one step, then improve the starting weights for how that went.
local untrained, net = network(), network()
local maml = meta.MAML(net, {
  steps_train = 1, steps_eval = 10, lr = options.inner_lr, first_order = options.first_order, evaluator = squared_error,
})
local optimizer = metann.optim.Adam(net:parameters(), {lr = options.lr})
local waves = data.Sinusoid{seed = options.seed}
local function one_wave()
  local wave = waves:sample(options.k)
  local loss = squared_error(maml(wave.support), wave.query) / options.tasks
  loss:backward()
  return loss:item()
end
local progress = train.Progress{steps = options.iterations, seconds = options.time_limit}
while progress:more() do
  local loss = 0
  optimizer:zero_grad()
  for _ = 1, options.tasks do loss = loss + metann.scope(one_wave) end
  optimizer:step()
  progress:step{loss = loss}
end
print(('%d meta-steps in %.1f s'):format(progress:finish()))

-- Testing on waves that nobody has seen: the models after 0 to 10 steps, adapted[1] to adapted[11].
local learner = meta.GDLearner{steps = 10, lr = options.inner_lr, create_graph = false, evaluator = squared_error}
local function errors_of(start, wave)
  local adapted = learner(start, wave.support, {mimo = true})
  local result = {}
  for _, steps in ipairs{0, 1, 10} do result[steps] = squared_error(adapted[steps + 1], wave.query):item() end
  return result, adapted
end
local function test(name, start)
  local unseen = data.Sinusoid{seed = options.seed + 1000000}
  local means = {[0] = train.Mean(), train.Mean(), [10] = train.Mean()}
  local diverged = 0 -- gradient descent may: a step too long for a steep wave makes the next one longer
  for _ = 1, options.test_tasks do
    local result = metann.scope(errors_of, start, unseen:sample(options.k, 100))
    if result[10] < math.huge then
      for steps, mean in pairs(means) do mean:add(result[steps]) end
    else
      diverged = diverged + 1
    end
  end
  local function cell(mean) return ('%.3f ± %.3f'):format(mean:mean(), mean:interval()) end
  print(('%-18s %s   %s   %s'):format(name, cell(means[0]), cell(means[1]), cell(means[10])))
  if diverged > 0 then print(('%d of these waves diverged within 10 steps and are left out'):format(diverged)) end
  return means[10]:mean()
end
print(('mean squared error over %d unseen waves, %d points each, after adapting'):format(options.test_tasks, options.k))
print(('%-18s %-13s   %-13s   %-13s'):format('(95 % interval)', 'before', '1 step', '10 steps'))
local without, with = test('not meta-learned', untrained), test('meta-learned', net)
print(('meta-learning makes the error after 10 steps %.1f times smaller'):format(without / with))

-- The picture.
local line = metann.linspace(-5, 5, 201):reshape(201, 1)
local function list(tensor) return tensor:flatten():to_table() end
local function curve(model) return {x = list(line), y = list(model(line))} end
local function with_style(series, style)
  for key, value in pairs(style) do series[key] = value end
  return series
end
local unseen, panels = data.Sinusoid{seed = options.seed + 2000000}, {}
for i = 1, 3 do
  local wave = unseen:sample(options.k, 100)
  local result, adapted = errors_of(net, wave)
  panels[i] = {
    title = ('error %.2f before, %.2f after 1 step, %.2f after 10'):format(result[0], result[1], result[10]),
    series = {
      with_style(curve(function(x) return (x - wave.phase):sin() * wave.amplitude end),
        {label = 'true wave', color = '#b0b0b0', width = 7}),
      with_style(curve(adapted[1]), {label = 'before adapting', color = '#1f77b4', dashed = true}),
      with_style(curve(adapted[2]), {label = 'after 1 step', color = '#ff7f0e'}),
      with_style(curve(adapted[11]), {label = 'after 10 steps', color = '#d62728'}),
      {x = list(wave.support[1]), y = list(wave.support[2]), label = 'points adapted to', points = true},
    },
  }
end
train.plot.png(options.out, {
  title = ('MAML: a network adapts to three unseen waves from %d points each'):format(options.k), panels = panels,
  x_label = 'x', y_label = 'y',
})
local folder = options.out:find '^/' and '' or io.popen('pwd'):read() .. '/'
print('picture: ' .. folder .. options.out)
