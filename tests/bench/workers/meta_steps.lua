-- Times MAML meta-steps, second order, task by task. usage: meta_steps.lua JOB THREADS STEPS [WEIGHTS_FILE]
-- JOB sinusoid: net 1-40-40-1, 25 tasks of 10 points, one inner step. JOB omniglot: convnet of four layers of 64 on
-- 28x28, one task of 5 ways, 1 shot, 15 queries, five inner steps. Adam after each meta-step. Data is made before the
-- clock starts. Prints 'kernel NAME', then 'ms NUMBER' for each step; WEIGHTS_FILE gets the final weights.
local ffi = require 'ffi'
local metann = require 'metann'
local posix = require 'metann.binding.posix'
local meta, nn = metann.meta, metann.nn

local job, threads, steps, file = arg[1], tonumber(arg[2]), tonumber(arg[3]), arg[4]
metann.set_num_threads(threads)
metann.manual_seed(0)

local jobs = {}

function jobs.sinusoid()
  local waves = metann.data.Sinusoid()
  return {
    net = nn.Sequential(nn.Linear(1, 40), nn.ReLU(), nn.Linear(40, 40), nn.ReLU(), nn.Linear(40, 1)),
    evaluator = function(model, data) return nn.functional.mse_loss(model(data[1]), data[2]) end,
    sample = function() return waves:sample(10) end,
    tasks = 25, inner_steps = 1, lr = 0.01,
  }
end

function jobs.omniglot()
  local layers, channels = {}, 1
  for _ = 1, 4 do
    layers[#layers + 1] = nn.Conv2d(channels, 64, 3, {padding = 1})
    layers[#layers + 1] = nn.BatchNorm2d(64)
    layers[#layers + 1] = nn.ReLU()
    layers[#layers + 1] = nn.MaxPool2d(2)
    channels = 64
  end
  layers[#layers + 1] = nn.Flatten()
  layers[#layers + 1] = nn.Linear(64, 5)
  local classes = {}
  for i = 1, 8 do classes[i] = {images = metann.rand(20, 1, 28, 28)} end
  local episodes = metann.data.Episodes(classes)
  return {
    net = nn.Sequential(unpack(layers)), evaluator = meta.default_evaluator_classification,
    sample = function() return episodes:sample() end,
    tasks = 1, inner_steps = 5, lr = 0.1,
  }
end

local setting = jobs[job]()
local batches = {}
for i = 1, 10 do
  batches[i] = {}
  for k = 1, setting.tasks do batches[i][k] = setting.sample() end
end
local net, evaluator = setting.net, setting.evaluator
local maml = meta.MAML(net, {
  steps_train = setting.inner_steps, steps_eval = setting.inner_steps, lr = setting.lr, evaluator = evaluator,
})
local optimizer = metann.optim.Adam(net:parameters(), {lr = 0.001})

local function one_task(task)
  local loss = evaluator(maml(task.support), task.query) / setting.tasks
  loss:backward()
  return loss:item()
end
local function meta_step(batch)
  optimizer:zero_grad()
  local loss = 0
  for _, task in ipairs(batch) do loss = loss + metann.scope(one_task, task) end
  optimizer:step()
  return loss
end

local WARM_UP = 3
local function openblas_core()
  local ok, library = pcall(ffi.load, 'libopenblas.so.0')
  if not ok then return 'BLAS unknown' end
  ffi.cdef 'char *openblas_get_corename(void);'
  return 'OpenBLAS ' .. ffi.string(library.openblas_get_corename())
end
for i = 1, steps + WARM_UP do
  local batch, start = batches[(i - 1) % #batches + 1], posix.clock()
  meta_step(batch)
  if i > WARM_UP then print(('ms %.4f'):format(1e3 * (posix.clock() - start))) end
end
local handle = require 'metann.binding.handle'
print(('kernel %s, %s'):format(ffi.string(handle.C.mn_cpu_path()), openblas_core()))
if file then metann.io.safetensors.save(file, net:state_dict()) end
