-- Losses and distances against loops over Lua numbers and closed forms: what is broadcast, which norms, which numbers
-- and dtypes are taken.
local metann = require 'metann'
local checks = require 'tests.support.checks'
local record = require 'metann.binding.record'
local nn = metann.nn
local message, close = checks.message, checks.close
local F = nn.functional
local f64 = { dtype = 'float64' }

local function d(list) return metann.tensor(list, f64) end

local seed = os.time() % 100000
setup(function()
  print('seed ' .. seed)
  metann.manual_seed(seed)
end)

describe('cosine_similarity', function()
  local function cosine(x, y)
    local xy, xx, yy = 0, 0, 0
    for i = 1, #x do xy, xx, yy = xy + x[i] * y[i], xx + x[i] ^ 2, yy + y[i] ^ 2 end
    return xy / math.sqrt(xx * yy)
  end

  it('takes norms of what was broadcast', function()
    close(F.cosine_similarity(d{ { 1, 2 } }, d{ { 1 }, { 3 } }, { dim = 1 }),
      d{ cosine({ 1, 1 }, { 1, 3 }), cosine({ 2, 2 }, { 1, 3 }) })
    close(F.cosine_similarity(d{ { 1, 2 } }, d{ { 1 }, { 3 } }), d{ cosine({ 1, 2 }, { 1, 1 }), cosine({ 1, 2 }, { 3, 3 }) })
    close(F.cosine_similarity(d{ 1, 2, -3 }, d{ { 2 }, { -1 } }),
      d{ cosine({ 1, 2, -3 }, { 1, 1, 1 }), -cosine({ 1, 2, -3 }, { 1, 1, 1 }) })
    close(F.cosine_similarity(d{ { 1 }, { 2 } }, d{ 3, 4 }, { dim = -2 }), d{ cosine({ 1, 2 }, { 1, 1 }),
      cosine({ 1, 2 }, { 1, 1 }) })
    close(metann.cosine_similarity(d{ 1, 2 }, d(3), { dim = 1 }), d(cosine({ 1, 2 }, { 1, 1 })))
  end)

  it('has the derivatives of that', function()
    -- away from 0, near which derivatives are large and differences say little
    local function numbers(shape)
      return ((metann.rand(shape, f64) + 0.5) * metann.randn(shape, f64):sign()):requires_grad_(true)
    end
    for _, shapes in ipairs{ { { 1, 2 }, { 3, 1 } }, { { 3 }, { 2, 1 } }, { { 2, 1, 3 }, { 4, 1 } } } do
      local x, y = numbers(shapes[1]), numbers(shapes[2])
      for dim = 1, math.max(#shapes[1], #shapes[2]) do
        assert.is_true(metann.gradcheck(function(a, b) return F.cosine_similarity(a, b, { dim = dim }) end, { x, y },
          { order = 2 }))
      end
    end
  end)

  it("says what doesn't fit", function()
    assert.matches("cosine_similarity: sizes don't broadcast, %(2, 3%) and %(2, 2%)",
      message(F.cosine_similarity, metann.ones(2, 3), metann.ones(2, 2)))
    assert.matches('cosine_similarity: .*dim.* 3', message(F.cosine_similarity, metann.ones(2, 3), metann.ones(2, 3),
      { dim = 3 }))
  end)
end)

describe('distances', function()
  local function norm(list, p)
    local least, most, total, count = math.huge, 0, 0, 0
    for _, v in ipairs(list) do
      v = math.abs(v)
      least, most, total, count = math.min(least, v), math.max(most, v), total + v ^ p, count + (v ~= 0 and 1 or 0)
    end
    if p == 0 then return count end
    if p == math.huge then return most end
    if p == -math.huge then return least end
    return total ^ (1 / p)
  end
  local NORMS = { 2, 1, 3, 0.5, -1, -2.5, 0, math.huge, -math.huge }

  it('are of every p-norm', function()
    local a, b = { 1, 2, 3 }, { 1.5, -2, 2 }
    for _, p in ipairs(NORMS) do
      close(F.pairwise_distance(d(a), d(b), { p = p, eps = 0 }), d(norm({ -0.5, 4, 1 }, p)))
      close(F.pairwise_distance(d{ a, b }, d(b), p, 0, true), d{ { norm({ -0.5, 4, 1 }, p) }, { norm({ 0, 0, 0 }, p) } })
    end
  end)

  it('make the triplet loss', function()
    local a, near, far = d{ { 1, 2, 3 } }, d{ { 1.5, 2, 2 } }, d{ { 1.2, 1, 3.5 } }
    for _, p in ipairs(NORMS) do
      local right = norm({ -0.5, 0, 1 }, p) - norm({ -0.2, 1, -0.5 }, p) + 1
      close(F.triplet_margin_loss(a, near, far, { p = p, eps = 0 }), d(math.max(right, 0)))
      close(nn.TripletMarginLoss{ p = p, eps = 0, swap = true }(a, near, far),
        d(math.max(norm({ -0.5, 0, 1 }, p) - math.min(norm({ -0.2, 1, -0.5 }, p), norm({ 0.3, 1, -1.5 }, p)) + 1, 0)))
    end
    assert.equal(0, F.triplet_margin_loss(d{ 1, 2, 3 }, d{ 1.5, 2, 2 }, d{ 0, 0, 9 }, { p = math.huge }):item())
    local leaf = d{ { 1, 2, 3 } }:requires_grad_(true)
    assert.is_true(metann.gradcheck(function(t) return F.triplet_margin_loss(t, near, far, { p = math.huge }) end, { leaf }))
    assert.is_true(metann.gradcheck(function(t) return F.triplet_margin_loss(t, near + 0.1, far, { p = -1 }) end,
      { leaf }))
    assert.matches("'margin' must be a number above 0, got number %-1", message(nn.TripletMarginLoss, { margin = -1 }))
  end)

  it('scale rows of an embedding by every norm', function()
    for _, p in ipairs{ 1, 2, 3, math.huge } do
      local table_ = d{ { 3, -4 }, { 0.1, 0.1 } }
      local rows = F.embedding(metann.tensor({ 1, 2 }, { dtype = 'int64' }), table_, { max_norm = 1, norm_type = p })
      assert.near(1, norm(rows[1]:to_table(), p), 1e-6)
      close(rows[2], d{ 0.1, 0.1 })
    end
  end)

  it('are taken of integers and bools as floats of the default dtype', function()
    local I = { dtype = 'int64' }
    local a, b = metann.tensor({ { 1, 2 }, { 0, 4 } }, I), metann.tensor({ { 4, 6 }, { 0, 1 } }, I)
    local y = F.pairwise_distance(a, b, { eps = 0 })
    assert.equal('float32', y.dtype)
    assert.same({ 5, 3 }, y:to_table())
    assert.near(3.5, F.triplet_margin_loss(a, b, a, { eps = 0, margin = 0.5 }):item() - 1, 1e-6)
    local sign = metann.tensor({ 1, -1 }, I)
    assert.near((1 - 16 / math.sqrt(5 * 52)) / 2 + 0.5, F.cosine_embedding_loss(a, b, sign):item(), 1e-6)
    local yes = metann.tensor{ { true, false }, { true, true } }
    assert.near((1 - 1 / math.sqrt(2)) / 2, F.cosine_embedding_loss(yes, metann.ones(2, 2):eq(1), sign:abs()):item(), 1e-6)
    y = F.margin_ranking_loss(a, b, sign:reshape(2, 1):expand(2, 2), { margin = 0.5, reduction = 'none' })
    assert.equal('float32', y.dtype)
    assert.same({ { 3.5, 4.5 }, { 0.5, 3.5 } }, y:to_table())
    assert.near(2.5, F.huber_loss(metann.tensor(3LL), metann.tensor(0LL)):item(), 1e-6)
    assert.near(2.5, F.smooth_l1_loss(metann.tensor(3LL), metann.tensor(0LL)):item(), 1e-6)
  end)
end)

describe('losses', function()
  it('of rows want rows of one size and a target for each', function()
    local rows = metann.ones(2, 3)
    assert.matches("TripletMarginLoss: 'anchor' and 'negative' must have the same size, got %(2, 3%) and %(%)",
      message(nn.TripletMarginLoss(), rows, rows, metann.tensor(1)))
    assert.matches("CosineEmbeddingLoss: 'input1' and 'input2' must have the same size",
      message(nn.CosineEmbeddingLoss(), rows, metann.tensor(1), metann.ones(2)))
    assert.matches("'target' must have one number for each row of 'input1' of size %(2, 3%), got size %(2, 1%)",
      message(nn.CosineEmbeddingLoss(), rows, rows, metann.ones(2, 1)))
    assert.matches("MarginRankingLoss: 'input1' and 'target' must have the same size",
      message(nn.MarginRankingLoss(), metann.ones(2), metann.ones(2), metann.ones(2, 1)))
    assert.near(1, F.margin_ranking_loss(metann.ones(2), metann.zeros(2), metann.tensor(-1)):item(), 1e-6)
  end)

  it('of pairs are 0 where the target is neither 1 nor -1', function()
    local a, b = d{ { 1, 2 }, { 1, 2 }, { 1, 2 } }, d{ { 2, 1 }, { 2, 1 }, { 2, 1 } }
    local loss = F.cosine_embedding_loss(a, b, d{ 1, 0, -1 }, { margin = 0.3, reduction = 'none' }):to_table()
    assert.near(0.2, loss[1], 1e-9)
    assert.equal(0, loss[2])
    assert.near(0.5, loss[3], 1e-9)
    assert.equal(0, F.cosine_embedding_loss(a[1], b[1], metann.tensor(false)):item())
    assert.near(0.2, F.cosine_embedding_loss(a[1], b[1], metann.tensor(true)):item(), 1e-9)
  end)

  it('of distributions divide by the batch of what is broadcast', function()
    local target = d{ 0.5, 0.5 }
    close(F.kl_div(d(-1), target, { reduction = 'batchmean' }), d((math.log(0.5) + 1) / 2))
  end)

  it('of probabilities take nothing outside 0 to 1, NaN neither', function()
    local half, calls = metann.full({ 2 }, 0.5), { F.binary_cross_entropy, nn.BCELoss{ reduction = 'sum' } }
    for _, call in ipairs(calls) do
      for _, wrong in ipairs{ 0 / 0, -0.25, 1.25, math.huge, -math.huge } do
        local got = wrong ~= wrong and 'nan' or 'numbers from'
        assert.matches("'input' must be numbers from 0 to 1, got " .. got, message(call, metann.tensor{ 0.5, wrong }, half))
        assert.matches("'target' must be numbers from 0 to 1, got " .. got, message(call, half, metann.tensor{ wrong, 0.5 }))
      end
      assert.matches('got numbers from %-0.25 to 0.5', message(call, metann.tensor{ 0.5, -0.25 }, half))
    end
    assert.near(math.log(2), F.binary_cross_entropy(half, metann.tensor{ true, false }):item(), 1e-6)
    assert.equal(0, F.binary_cross_entropy(metann.tensor{ 0, 1 }, metann.tensor{ 0, 1 }):item())
    assert.equal(0, F.binary_cross_entropy(metann.zeros(0), metann.zeros(0), { reduction = 'sum' }):item())
  end)

  it("of yes and no take weights that don't make them larger", function()
    local half, wide = metann.full({ 3 }, 0.5), metann.ones(2, 3)
    close(F.binary_cross_entropy(half, half, { weight = metann.tensor(2), reduction = 'none' }),
      metann.full({ 3 }, 2 * math.log(2)), 1e-6)
    for _, call in ipairs{ F.binary_cross_entropy, F.binary_cross_entropy_with_logits } do
      assert.matches("'weight' must broadcast to the size of the losses, %(3,%), got size %(2, 3%)",
        message(call, half, half, { weight = wide }))
    end
    assert.matches("'pos_weight' must broadcast", message(F.binary_cross_entropy_with_logits, half, half,
      { pos_weight = wide }))
  end)

  it('of distributions are NaN where the target is negative', function()
    local y = F.kl_div(d{ 0.5, -1, 2, 1 }, d{ 0.25, -0.5, 0, 0 / 0 }, { reduction = 'none' }):to_table()
    assert.near(0.25 * (math.log(0.25) - 0.5), y[1], 1e-12)
    assert.is_true(y[2] ~= y[2])
    assert.equal(0, y[3])
    assert.is_true(y[4] ~= y[4])
  end)

  it('of classes check weights and ignore_index against probabilities too', function()
    local scores, shares = metann.randn(2, 3), metann.randn(2, 3):softmax(2)
    local labels = metann.tensor({ 1, 3 }, { dtype = 'int64' })
    for _, target in ipairs{ labels, shares } do
      assert.matches("CrossEntropyLoss: 'weight' must have size %(3,%), one for each class, and the input's dtype float32, "
        .. 'got int64 tensor', message(nn.CrossEntropyLoss{ weight = metann.ones(3, { dtype = 'int64' }) }, scores, target))
      assert.matches("'weight' must have size %(3,%)", message(nn.CrossEntropyLoss{ weight = metann.ones(2) }, scores, target))
    end
    assert.matches("'ignore_index' %(2%) is a class, but 'target' holds probabilities",
      message(nn.CrossEntropyLoss{ ignore_index = 2 }, scores, shares))
    close(F.cross_entropy(scores, shares, { ignore_index = -1 }), F.cross_entropy(scores, shares))
  end)
end)

it('weights of classes that require grad are refused where their derivative would be left out', function()
  local x, target = metann.randn(2, 3), metann.tensor{ 1, 3 }
  local weight = metann.tensor({ 1, 2, 3 }, { requires_grad = true })
  for _, call in ipairs{
    function() return F.nll_loss(x, target, weight) end, function() return F.cross_entropy(x, target, weight) end,
    function() return F.cross_entropy(x, target, { weight = weight, label_smoothing = 0.1 }) end,
  } do
    local ok, text = pcall(call)
    assert.is_false(ok)
    assert.matches("'weight' must not require grad: where 'target' holds classes, there is no derivative by it", text)
    assert.is_false(metann.no_grad(call).requires_grad)
  end
  -- probabilities are multiplied with them: sum of -p log p(x) over each class, by the mean over two
  local p = metann.tensor{ { 0.2, 0.3, 0.5 }, { 1, 0, 0 } }
  local got = metann.grad(F.cross_entropy(x, p, weight), weight):to_table()
  local want = (-(p * metann.log_softmax(x, 2)):sum(1) / 2):to_table()
  for i = 1, 3 do assert.near(want[i], got[i], 1e-6) end
end)

describe('ctc_loss', function()
  --- Without the blanks and repetitions.
  local function collapsed(path, blank)
    local labels, before = {}, nil
    for _, label in ipairs(path) do
      if label ~= before and label ~= blank then labels[#labels + 1] = label end
      before = label
    end
    return table.concat(labels, ' ')
  end

  --- Minus the logarithm of the sum over all paths of as many steps that say the labels.
  local function enumerated(log_p, labels, blank)
    local wanted, total, steps, classes = table.concat(labels, ' '), 0, #log_p, #log_p[1]
    for code = 0, classes ^ steps - 1 do
      local path, sum, rest = {}, 0, code
      for t = 1, steps do
        path[t], rest = rest % classes + 1, math.floor(rest / classes)
        sum = sum + log_p[t][path[t]]
      end
      if collapsed(path, blank) == wanted then total = total + math.exp(sum) end
    end
    return -math.log(total)
  end

  local log_p = metann.randn(5, 2, 3, f64):log_softmax(3)
  local function rows(n, steps) return log_p:select(2, n):narrow(1, 1, steps):to_table() end
  local function whole(list) return metann.tensor(list, { dtype = 'int64' }) end

  it('sums over all alignments, whatever the blank and the lengths are', function()
    for blank = 1, 3 do
      local a, b = blank % 3 + 1, (blank + 1) % 3 + 1
      for _, labels in ipairs{ {}, { a }, { a, a }, { a, b }, { b, b, a }, { a, b, a, b } } do
        for steps = math.max(#labels, 1), 5 do
          local given = #labels > 0 and whole(labels) or whole{ a }:narrow(1, 1, 0)
          local got = F.ctc_loss(log_p:select(2, 1), given, { steps }, { #labels }, { blank = blank, reduction = 'sum' }):item()
          local want = enumerated(rows(1, steps), labels, blank)
          if want == math.huge then assert.equal(math.huge, got) else assert.near(want, got, 1e-12) end
        end
      end
    end
  end)

  it('takes targets in rows, where the rest of a row is anything, or one after another, and lengths as tensors', function()
    local want = { enumerated(rows(1, 5), { 2, 3 }, 1), enumerated(rows(2, 4), { 3 }, 1) }
    close(F.ctc_loss(log_p, whole{ { 2, 3 }, { 3, -9 } }, { 5, 4 }, whole{ 2, 1 }, { reduction = 'none' }), d(want))
    close(F.ctc_loss(log_p, whole{ 2, 3, 3 }, whole{ 5, 4 }, { 2, 1 }, { reduction = 'none' }), d(want))
    assert.near((want[1] / 2 + want[2]) / 2, F.ctc_loss(log_p, whole{ 2, 3, 3 }, { 5, 4 }, { 2, 1 }):item(), 1e-12)
    close(nn.CTCLoss{ reduction = 'sum' }{ log_probs = log_p, targets = whole{ 2, 3, 3 }, input_lengths = { 5, 4 },
      target_lengths = { 2, 1 } }, d(want[1] + want[2]))
  end)

  it("has PyTorch's derivatives after log_softmax, and none where nothing is possible", function()
    local x = d{ { { 0.5, -1, 0.25 } }, { { 1.5, 0, -0.75 } }, { { -0.5, 0.125, 2 } }, { { 0.75, 1.25, -1 } } }
    x:requires_grad_(true)
    local loss = F.ctc_loss(x:log_softmax(3), whole{ { 2, 2 } }, { 4 }, { 2 })
    assert.near(2.036934732028312, loss:item(), 1e-14)
    close(metann.grad(loss, x):reshape(4, 3), d{ { 0.15405637691198498, -0.348568776480276, 0.19451239956829106 },
      { -0.00658740438041862, -0.03308022577322235, 0.03966763015364097 },
      { -0.17953812937500332, -0.22517599188969042, 0.40471412126469375 },
      { 0.0687030926598811, -0.09948683723086034, 0.03078374457097923 } })
    for _, zero in ipairs{ true, false } do
      local never = F.ctc_loss(x:log_softmax(3), whole{ { 2, 2 } }, { 2 }, { 2 }, { zero_infinity = zero })
      assert.equal(zero and 0 or math.huge, never:item())
      assert.equal(0, metann.grad(never, x):abs():sum():item())
    end
    -- a step that can't be
    local certain = d{ { 0, -math.huge }, { -math.huge, 0 } }:requires_grad_(true)
    local sure = F.ctc_loss(certain, whole{ 2 }, { 2 }, { 1 })
    assert.equal(0, sure:item())
    close(metann.grad(sure, certain), d{ { -1, 0 }, { 0, -1 } })
  end)

  it('refuses lengths, labels and blanks that are none', function()
    local target = whole{ { 2, 3 }, { 3, 2 } }
    assert.matches("ctc_loss: 'input_lengths' must have 2 numbers, one for each sample, got 1", message(F.ctc_loss, log_p, target,
      { 5 }, { 2, 2 }))
    assert.matches("ctc_loss: 'input_lengths' must be from 0 to 5, got 6", message(F.ctc_loss, log_p, target, { 6, 5 }, { 2, 2 }))
    assert.matches("ctc_loss: 'target_lengths' must be from 0 to 2, got 3", message(F.ctc_loss, log_p, target, { 5, 5 }, { 3, 2 }))
    assert.matches("ctc_loss: 'blank' must be from 1 to 3, the number of classes, got 4", message(F.ctc_loss, log_p, target,
      { 5, 5 }, { 2, 2 }, { blank = 4 }))
    assert.matches("CTCLoss: 'blank' must be a positive whole number", message(nn.CTCLoss, { blank = 0 }))
    assert.matches('ctc_loss: index 4 is out of range', message(F.ctc_loss, log_p, target + 1, { 5, 5 }, { 2, 2 }))
    assert.matches("ctc_loss: 'targets' of size %(3,%) don't hold 2 samples of 4 labels", message(F.ctc_loss, log_p,
      whole{ 2, 3, 3 }, { 5, 5 }, { 2, 2 }))
    assert.matches("CTCLoss: 'log_probs' must be a tensor of size", message(nn.CTCLoss(), metann.ones(2), target, { 1 }, { 1 }))
  end)
end)

describe('losses over classes and pairs', function()
  local x = d{ { 0.3, -1.2, 0.7 }, { 2, 0.1, -0.4 } }

  it('multilabel_margin_loss reads each row to its first number below 1', function()
    local function row(scores, right)
      local is_right, sum = {}, 0
      for _, c in ipairs(right) do is_right[c] = true end
      for _, c in ipairs(right) do
        for k = 1, 3 do
          if not is_right[k] then sum = sum + math.max(1 - scores[c] + scores[k], 0) end
        end
      end
      return sum / 3
    end
    local scores = x:to_table()
    local target = metann.tensor({ { 3, 0, 1 }, { 2, 1, -1 } }, { dtype = 'int64' })
    close(F.multilabel_margin_loss(x, target, { reduction = 'none' }), d{ row(scores[1], { 3 }), row(scores[2], { 2, 1 }) })
    close(F.multilabel_margin_loss(x[1], target[1]), d(row(scores[1], { 3 })))
    close(F.multilabel_margin_loss(x, metann.zeros(2, 3, { dtype = 'int64' })), d(0))
    assert.matches("'input' and 'target' must have the same size", message(F.multilabel_margin_loss, x, target[1]))
    -- one class has no other
    local one = metann.tensor(0.3):double():requires_grad_()
    local loss = F.multilabel_margin_loss(one, metann.tensor(1LL), { reduction = 'none' })
    close(loss, d(0))
    close(metann.grad(loss, { one })[1], d(0))
    close(F.multilabel_margin_loss(one, metann.tensor{ 1LL }), d(0))
  end)

  it('multi_margin_loss wants one class for each row, and p of 1 or 2', function()
    local target = metann.tensor({ 1, 3 }, { dtype = 'int64' })
    close(F.multi_margin_loss(x, target, { p = 2, reduction = 'none' }), d{ (0 + 1.4 ^ 2) / 3, (3.4 ^ 2 + 1.5 ^ 2) / 3 })
    close(F.multi_margin_loss(x[1], target[1]), d(1.4 / 3))
    assert.matches("multi_margin_loss: 'p' must be 1 or 2, got", message(F.multi_margin_loss, x, target, { p = 3 }))
    assert.matches("'target' must have one class for each row", message(F.multi_margin_loss, x, target[1]))
    -- the target's size is the result's; one class has no other
    close(F.multi_margin_loss(x[1], target[{ { 1 } }], { reduction = 'none' }), d{ 1.4 / 3 })
    close(F.multi_margin_loss(metann.tensor(0.3):double(), metann.tensor(1LL)), d(0))
    close(F.multi_margin_loss(metann.tensor(0.3):double(), metann.tensor{ 1LL }, { reduction = 'none' }), d{ 0 })
    assert.matches("'weight' must have size %(3,%)", message(F.multi_margin_loss, x, target, { weight = metann.ones(2) }))
  end)

  it('gaussian_nll_loss takes a target that broadcasts', function()
    local row, column, var = d{ 1, 2, 3 }, d{ { 1 }, { -1 } }, d{ 0.5, 2 }
    local none = { reduction = 'none' }
    for _, target in ipairs{ row, column, d(2) } do
      close(F.gaussian_nll_loss(x, target, var, none), F.gaussian_nll_loss(x, target:expand(2, 3):contiguous(), var, none))
    end
    close(F.gaussian_nll_loss(row, x, d{ 1, 2, 4 }), F.gaussian_nll_loss(row:expand(2, 3):contiguous(), x,
      d{ { 1, 2, 4 }, { 1, 2, 4 } }))
    assert.is_true(metann.gradcheck(function(a, b) return F.gaussian_nll_loss(a, b, var) end,
      { x:clone():requires_grad_(), column:requires_grad_() }, { order = 3 }))
    assert.matches("gaussian_nll_loss: 'input' and 'target' must have sizes that broadcast, got %(2, 3%) and %(2,%)",
      message(F.gaussian_nll_loss, x, d{ 1, 2 }, 1))
  end)

  it('gaussian_nll_loss takes a number as variance, and no negative one', function()
    close(F.gaussian_nll_loss(x, x + 2, 0.5), d(0.5 * (math.log(0.5) + 8)))
    close(F.gaussian_nll_loss(x, x + 2, d{ { 1 }, { 2 } }, { reduction = 'none' })[2], d{ 1 + math.log(2) / 2, 1 + math.log(2) / 2,
      1 + math.log(2) / 2 })
    assert.matches("gaussian_nll_loss: 'var' must not be negative, got numbers from %-1", message(F.gaussian_nll_loss, x, x, -1))
    -- a recording can't look
    local _, loss = record.run(function() return F.gaussian_nll_loss(x, x + 2, d{ { 1 }, { -2 } } * 1, { reduction = 'none' }) end)
    close(loss[1], d{ 2, 2, 2 })
    assert.equal(3, loss[2]:isnan():sum():item())
    assert.matches("'var' must have the size of 'input', %(2, 3%)", message(F.gaussian_nll_loss, x, x, metann.ones(3)))
    assert.matches("'var' must be a tensor or a number", message(F.gaussian_nll_loss, x, x, 'x'))
  end)
end)
