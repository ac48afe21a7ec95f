-- Names of modules that have moved: whoever wrote an old one gets the same module by it.
local scratch = require 'tests.support.scratch'
local renamed = require 'metann.renamed'

-- All modules that there were before any moved, by what their names begin with.
local WERE = {
  ['metann.'] = [[
    arguments autograd binding data dependent dependentmodule func gradcheck indexing io linalg meta nn ops
    optim plan printing proto tensor train utils version view viewcopy]],
  ['metann.arguments.'] = [[
    kinds]],
  ['metann.autograd.'] = [[
    anomaly checkpoint function reads tree walk]],
  ['metann.binding.'] = [[
    bytes callable clib derivatives errors guards handle json lazy library png posix record scope stub traversal
    zip]],
  ['metann.compose.'] = [[
    common conv create einsum index inplace interpolate layout linalg lists masks matrix pointwise pool random
    reduce shape windows]],
  ['metann.data.'] = [[
    episodes files omniglot random resize sinusoid]],
  [''] = [[
    metann]],
  ['metann.io.'] = [[
    atomic checkpoint header kinds npy npyformat npz paths safetensors structure]],
  ['metann.meta.'] = [[
    call evaluators gdlearner inner inplace learner maml mamlpp_evaluator multimodel optimizerlearner rates
    rmsproplearner rulelearner rules sequentialgdlearner]],
  ['metann.nn.'] = [[
    adaptiveavgpool2d adaptivemaxpool2d attention avgpool2d batchnorm1d batchnorm2d bceloss bcewithlogitsloss
    bilinear class classes container conv1d conv2d conv3d convolution convtranspose2d copy cosineembeddingloss
    crossentropyloss dropout dropout2d elu embedding flatten fresh functional gelu groupnorm gru grucell
    hardtanh huberloss identity initializers instancenorm2d kldivloss l1loss layernorm leakyrelu linear
    logsoftmax lookup losses lstm lstmcell marginrankingloss maxpool1d maxpool2d misspelt module moduledict
    modulelist mseloss multiheadattention nllloss normalization options parameterlist pooling positions prelu
    pure pytorch recurrent relu rnn rnncell sequential sigmoid silu slots smoothl1loss softmarginloss softmax
    softplus statedict support tanh transformerencoderlayer tripletmarginloss unflatten upsample utils where]],
  ['metann.nn.functional.'] = [[
    distances layers norms]],
  ['metann.optim.'] = [[
    adadelta adagrad adam adamax adamw common lr_scheduler nadam optimizer radam rmsprop sgd step]],
  ['metann.train.'] = [[
    mean plot progress scalar writable]],
  ['metann.utils.'] = [[
    defaultlist dictionary methods multiplelist ordereddict subdict]],
}

local old_names = {}
for prefix, names in pairs(WERE) do
  for name in names:gmatch '%S+' do old_names[#old_names + 1] = prefix .. name end
end
table.sort(old_names)

-- Each of the calls is a process of its own.
local function luajit(script, environment)
  local status, said = scratch.run(('%s luajit -e "%s"'):format(environment or '', script))
  assert(status == 0, said)
end

describe('the old names of modules', function()
  it('lead to modules that are there', function()
    for old, now in pairs(renamed) do
      assert.is_nil(renamed[now], old .. ' -> ' .. now)
      assert.is_truthy(package.searchpath(now, package.path), old .. ' -> ' .. now)
    end
  end)

  for _, old in ipairs(old_names) do
    it('work alone: ' .. old, function()
      luajit(("local old = require '%s' assert(rawequal(old, require '%s') and old ~= true)"):format(old,
        renamed[old] or old))
    end)
  end

  -- The path is that of a checkout: the files made for those who load nothing else are not on it.
  it('work after metann itself', function()
    local script = { "require 'metann'" }
    for _, old in ipairs(old_names) do
      script[#script + 1] = ("assert(rawequal(require '%s', require '%s'), '%s')"):format(old, renamed[old] or old, old)
    end
    luajit(table.concat(script, ' '), "LUA_PATH='lua/?.lua;lua/?/init.lua'")
  end)

  it('leave other names to those who know them', function()
    for _, name in ipairs{ 'metann.nowhere', 'metann.nn.nowhere', 'nowhere' } do
      local found, message = pcall(require, name)
      assert.is_false(found)
      assert.matches("module '" .. name .. "' not found", message, 1, true)
    end
  end)
end)
