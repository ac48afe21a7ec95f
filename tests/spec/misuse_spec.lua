-- What a user gets wrong first: each mistake has an error of its own that says what was wrong, at the line that made it.
local metann = require 'metann'
local nn, optim, meta = metann.nn, metann.optim, metann.meta

local function here() return debug.getinfo(2, 'l').currentline end

--- fn, which sets `line` right before its mistake on the same line, fails there with exactly that message.
local line
local function says(want, fn)
  local ok, message = pcall(fn)
  assert.is_false(ok)
  assert.equal(('tests/spec/misuse_spec.lua:%d: %s'):format(line, want), tostring(message))
end

local t = metann.tensor{ { 1, 2, 3 }, { 4, 5, 6 } }

describe('an in-place write', function()
  it('to a tensor that a derivative needs', function()
    local function changed(op)
      return ('backward: a tensor that %s saved for its derivative has been changed in place since; change a clone() of it')
        :format(op)
    end
    local x = metann.ones(2, { requires_grad = true })
    local y = x * 1
    local loss = (y * y):sum()
    y:add_(1)
    says(changed 'mul', function() line = here() loss:backward() end)
    local e = x:exp()
    local through = e:sum()
    e[1] = 0 -- by index, too
    says(changed 'exp', function() line = here() through:backward() end)
    local row = metann.ones(2, 2)
    local product = (row * x:view(1, 2)):sum()
    metann.no_grad(function() row[1]:zero_() end) -- and through a view
    says(changed 'mul', function() line = here() product:backward() end)
  end)

  it('to a leaf that requires a gradient', function()
    local x = metann.ones(2, { requires_grad = true })
    says("add_: a leaf that requires grad can't be changed in place; use cat, stack or index_put to make a new tensor, or "
      .. 'no_grad', function() line = here() x:add_(1) end)
  end)
end)

describe('a wrong dtype', function()
  local integers = metann.tensor({ 1, 2 }, { dtype = 'int64' })

  it('of a tensor', function()
    local image, kernel = metann.ones(1, 1, 3, 3), metann.ones(1, 1, 2, 2, { dtype = 'float64' })
    says('conv2d: weight is float64 but the first input is float32', function()
      line = here() local _ = image:conv2d(kernel)
    end)
    says('neg: not defined for dtype bool', function() line = here() local _ = -metann.tensor{ true } end)
    says("add: the number 1.5 doesn't fit a int64 tensor; make it a float tensor first, with :float()", function()
      line = here() local _ = integers + 1.5
    end)
    says('index_select: index 1.5 is not an integer', function()
      line = here() local _ = t:index_select(1, metann.tensor{ 1.5 })
    end)
    says('requires_grad_: expected a tensor of a float dtype, got int64', function()
      line = here() integers:requires_grad_()
    end)
  end)

  it('by name', function()
    says("ones: 'dtype' must be a dtype such as 'float32', got string 'float23'", function()
      line = here() local _ = metann.ones(2, { dtype = 'float23' })
    end)
    says("to: unknown dtype 'int46', did you mean 'int64'?", function() line = here() local _ = t:to('int46') end)
  end)

  it('of a Lua value', function()
    says("add: 'other' must be a tensor or a number, got string 'x'", function() line = here() local _ = t + 'x' end)
    says("sum: 'keepdim' must be true or false, got number 1", function() line = here() local _ = t:sum(1, 1) end)
    says('tensor: expected numbers, booleans or nested tables of them, got function', function()
      line = here() local _ = metann.tensor(print)
    end)
  end)
end)

describe('a wrong device', function()
  it('is named', function()
    says("to: there is no device 'cuda' here, only 'cpu'", function() line = here() local _ = t:to('cuda') end)
    says("cuda: there is no device 'cuda' here, only 'cpu'", function() line = here() local _ = t:cuda() end)
    says("zeros: 'device' must be 'cpu', the only device here, got string 'cuda:0'", function()
      line = here() local _ = metann.zeros(2, { device = 'cuda:0' })
    end)
  end)
end)

describe('a wrong shape', function()
  it("is given with the one that it doesn't fit", function()
    says("add: sizes don't broadcast, (2 x 3) and (2)", function() line = here() local _ = t + metann.ones(2) end)
    says('matmul: size mismatch, (2 x 3) and (2 x 3)', function() line = here() local _ = t:matmul(t) end)
    says("view: size (4 x 2) doesn't fit a tensor of 6 elements", function() line = here() local _ = t:view(4, 2) end)
    says("cat: tensor 2 of size (2 x 2) doesn't fit the first one's (2 x 3) outside of dim 1", function()
      line = here() local _ = metann.cat({ t, metann.ones(2, 2) }, 1)
    end)
    says('conv2d: input (1 x 3 x 4 x 4) has 3 channels, weight (2 x 2 x 3 x 3) with groups 1 expects 2', function()
      line = here() local _ = metann.ones(1, 3, 4, 4):conv2d(metann.ones(2, 2, 3, 3))
    end)
  end)
end)

describe('an index out of range', function()
  it('is given with the range', function()
    says('index 3 is out of range for dim 1 of size 2', function() line = here() local _ = t[3] end)
    says('index -4 is out of range for dim 2 of size 3', function() line = here() local _ = t[{ 1, -4 }] end)
    says('range 2..4 is out of range for dim 2 of size 3', function() line = here() local _ = t[{ 1, { 2, 4 } }] end)
    says('index 3 is out of range for dim 1 of size 2', function() line = here() t[3] = 0 end)
    says('index 0 of dim 1: indices count from 1 (-1 is the last)', function() line = here() local _ = t[0] end)
    says('gather: index 4 is out of range 1..3 (dim 2 has size 3)', function()
      line = here() local _ = t:gather(2, metann.tensor{ { 1, 4 }, { 1, 1 } })
    end)
    says('index_select: index 0 is out of range 1..3 (dim 2 has size 3); indices count from 1', function()
      line = here() local _ = t:index_select(2, metann.tensor{ 0 })
    end)
  end)
end)

describe('dim 0', function()
  it('is an error that says where dims begin', function()
    local function zero(op, name) return ("%s: '%s' is 0, but dims count from 1 (-1 is the last)"):format(op, name) end
    says(zero('sum', 'dim'), function() line = here() local _ = t:sum(0) end)
    says(zero('softmax', 'dim'), function() line = here() local _ = t:softmax(0) end)
    says("softmax: 'dim' must be a dim (they count from 1, -1 is the last), got number 0", function()
      line = here() local _ = t:softmax{ dim = 0 }
    end)
    says(zero('size', 'dim'), function() line = here() local _ = t:size(0) end)
    says(zero('transpose', 'dim0'), function() line = here() local _ = t:transpose(0, 1) end)
    says(zero('permute', 'dims'), function() line = here() local _ = t:permute(1, 0) end)
    says(zero('cat', 'dim'), function() line = here() local _ = metann.cat({ t, t }, 0) end)
    says("stack: 'dim' must be a dim (they count from 1, -1 is the last), got number 0", function()
      line = here() local _ = metann.stack({ t, t }, 0)
    end)
    says('sum: dim 3 is out of range for a tensor with 2 dims', function() line = here() local _ = t:sum(3) end)
  end)
end)

describe('label 0', function()
  it('is an error that says where labels begin', function()
    local labels = metann.tensor{ 0, 1 }
    says('cross_entropy: target 0 is out of range 1..3; labels count from 1', function()
      line = here() local _ = nn.functional.cross_entropy(t, labels)
    end)
    says('one_hot: index 0 is out of range 1..3 (dim 2 has size 3); indices count from 1', function()
      line = here() local _ = metann.one_hot(labels, 3)
    end)
    says('nll_loss: target 4 is out of range 1..3', function()
      line = here() local _ = nn.functional.nll_loss(t, metann.tensor{ 4, 1 })
    end)
  end)
end)

describe('a typo', function()
  it('in an option', function()
    says("sum: unknown option 'dims', did you mean 'dim'?", function() line = here() local _ = t:sum{ dims = 1 } end)
    says("ones: unknown option 'dtyp', did you mean 'dtype'?", function()
      line = here() local _ = metann.ones(3, { dtyp = 'float64' })
    end)
    says("Linear: unknown option 'bais', did you mean 'bias'?", function()
      line = here() local _ = nn.Linear(3, 2, { bais = false })
    end)
    says("SGD: unknown option 'lrr', did you mean 'lr'?", function()
      line = here() local _ = optim.SGD({ nn.Parameter(metann.ones(2)) }, { lrr = 1 })
    end)
    says("MAML: unknown option 'steps_trian', did you mean 'steps_train'?", function()
      line = here() local _ = meta.MAML(nn.Linear(1, 1), { steps_trian = 1 })
    end)
    says("grad: unknown option 'create_grap', did you mean 'create_graph'?", function()
      line = here() local _ = metann.grad(t, t, { create_grap = true })
    end)
  end)

  it('in a name', function()
    says("a tensor has no field or method 'summ', did you mean 'sum'?", function() line = here() local _ = t:summ() end)
    says("metann has no 'onez', did you mean 'ones'?", function() line = here() local _ = metann.onez(2) end)
    says("metann.nn has no 'Liner', did you mean 'Linear'?", function() line = here() local _ = nn.Liner(2, 1) end)
    says("metann.train has no 'Progres', did you mean 'Progress'?", function()
      line = here() local _ = metann.train.Progres
    end)
    says("metann.data has no 'Omnigot', did you mean 'Omniglot'?", function() line = here() local _ = metann.data.Omnigot end)
    says("metann.io has no 'safetensor', did you mean 'safetensors'?", function()
      line = here() local _ = metann.io.safetensor
    end)
    says("metann.meta has no 'MAMLp', did you mean 'MAML'?", function() line = here() local _ = meta.MAMLp end)
    says("metann.utils has no 'OrderdDict', did you mean 'OrderedDict'?", function()
      line = here() local _ = metann.utils.OrderdDict
    end)
    says("metann.optim has no 'Adan', did you mean 'Adam'?", function() line = here() local _ = optim.Adan end)
    says("metann.io has no '1'; known are npy, npz, safetensors", function() line = here() local _ = metann.io[1] end)
  end)

  it('but not where code probes', function()
    for _, name in ipairs{ 'data', 'io', 'meta', 'nn', 'optim', 'train', 'utils' } do
      assert.is_nil(rawget(metann[name], 'none'))
      for key, value in pairs(metann[name]) do assert.are.equal(value, metann[name][key]) end
      assert.are.equal(metann[name], require('metann.' .. name))
    end
    local Progress = metann.train.Progress
    assert.are.equal(require 'metann.train.progress', Progress)
    assert.are.equal(Progress, rawget(metann.train, 'Progress'))
  end)
end)
