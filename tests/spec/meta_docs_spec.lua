-- The guides to meta-learning: every public name has an example that runs, and the Lua side of the table beside MetaNN's
-- Python is Lua that runs.
local metann = require 'metann'
local support = require 'tests.support.meta'
local scratch = require 'tests.support.scratch'
local nn, meta, utils, DependentModule = metann.nn, metann.meta, metann.utils, metann.DependentModule

local NAMES = [[
metann.DependentModule to_dependentmodule stateless register_dependent named_dependents dependents substitute
substitute_from_list clear_params update_actives update_shapes metann.ProtoModule functional named_parameters
metann.tensor_copy meta.Learner forward_pure meta.GDLearner meta.SequentialGDLearner meta.RMSPropLearner
meta.OptimizerLearner meta.Reptile distance meta.MAML meta.MAMLpp meta.MultiModel meta.mamlpp_evaluator
meta.default_evaluator_classification meta.active_indices utils.OrderedDict utils.SubDict utils.DefaultList
utils.MultipleList inplace evaluator mimo buffers training create_graph first_order steps_train steps_eval gamma
momentum alpha centered criterion keep_order update_keys get set delete contains len keys values pairs pop clear
update iter fill
]]

describe('the guides to meta-learning', function()
  it('show every public name, method and option', function()
    local code = {}
    for _, page in ipairs{ 'meta-learning', 'modules-with-other-weights', 'learners', 'containers' } do
      local text = scratch.read(('docs/%s.md'):format(page))
      for snippet in text:gmatch '```lua\n(.-)```' do code[#code + 1] = snippet end
      -- options and methods may also be told of in the text around
      for span in text:gmatch '`([^`\n]+)`' do code[#code + 1] = span end
    end
    code = table.concat(code, '\n')
    for name in NAMES:gmatch '%S+' do
      assert.is_truthy(code:find('%f[%w_]' .. name:gsub('%.', '%%.') .. '%f[^%w_]'), 'no example of ' .. name)
    end
  end)

  it('name every public name of metann.meta and metann.utils', function()
    for name in pairs(meta) do assert.is_truthy(NAMES:find('meta.' .. name, 1, true), name) end
    for name in pairs(utils) do assert.is_truthy(NAMES:find('utils.' .. name, 1, true), name) end
  end)

  it('set Lua that runs beside the Python', function()
    local function mlp() return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3)) end
    local net = mlp()
    local data = { metann.randn(4, 3), support.labels{ 1, 2, 3, 1 } }
    local environment = setmetatable({
      net = net, f = function() return true end, t = metann.ones(2), x = data[1], y = data[2],
      params = support.list(net:parameters()), named_params = net:state_dict(), proto = metann.ProtoModule(net),
      ts = { metann.ones(1) }, meta = meta, utils = utils, nn = nn, metann = metann, DependentModule = DependentModule,
      data = data, batches = { data, data }, lr = 0.1, learner = meta.GDLearner(2, 0.1), steps = 2, model = net,
      e = meta.default_evaluator_classification, evaluator = meta.default_evaluator_classification,
      mm = meta.GDLearner(2, 0.1)(net, data, { mimo = true }), list = { metann.ones(1), false, metann.ones(1) },
      lists = { support.list(net:parameters()) }, factory = function() return 0 end,
      sub = utils.SubDict({ a = 1 }, { 'a' }), Mine = nn.class('Mine', meta.Learner),
    }, { __index = _G })
    local text = scratch.read 'docs/coming-from-metann.md'
    local rows = 0
    for row in text:match('## Side by side\n(.-)\n```'):gmatch '\n(| `[^\n]*)' do
      local lua = row:match '.*| (.-) |$'
      for code in lua:gmatch '`([^`]+)`' do
        rows = rows + 1
        -- what a row calls d is a dictionary where containers are shown
        environment.d = code:find('SubDict', 1, true) and { a = 1, b = 2 } or DependentModule(mlp()):clear_params(true)
        if code:find '^for .* do$' or code:find '^function ' then code = code .. ' end' end
        local chunk = loadstring('return ' .. code) or assert(loadstring(code))
        local ok, message = pcall(setfenv(chunk, environment))
        assert.is_true(ok, code .. ': ' .. tostring(message))
      end
    end
    assert.is_true(rows > 40)
  end)
end)
