-- metann.distributions: densities, probabilities, quantiles, entropies and moments against SciPy's numbers, divergences
-- against PyTorch's; moments of a million draws; derivatives against differences; shapes; wrong use.
local metann = require 'metann'
local record = require 'metann.binding.record'
local rows_of = require 'tests.support.rows'
require 'tests.support.guarded'
local D = metann.distributions

-- Draws are compared within five standard deviations: other seeds by METANN_TEST_SEED.
local SEED = tonumber(os.getenv 'METANN_TEST_SEED') or 20261130
local DRAWS = 1000000

local function message(fn, ...)
  local ok, err = pcall(fn, ...)
  assert.is_false(ok)
  return tostring(err)
end

local function double(values) return metann.tensor(values, { dtype = 'float64' }) end
local function leaf(values) return metann.tensor(values, { dtype = 'float64', requires_grad = true }) end

local function near(want, got, what)
  if want == got then return end
  local fits = math.abs(want - got) <= 1e-12 * math.max(1, math.abs(want))
  assert(fits, ('%s: %.17g, expected %.17g'):format(what, got, want))
end

local function all_near(want, got, what)
  got = got:reshape(-1):to_table()
  assert.equal(#want, #got)
  for i = 1, #want do near(want[i], got[i], what) end
end

--- A distribution of a name and numbers, in float64.
local function make(name, ...)
  local list = {}
  for i, v in ipairs{ ... } do list[i] = double(v) end
  return D[name](unpack(list))
end

local CASES = {
  {
    name = 'Normal', { 0.5, 2 },
    at = { -3, 0.1, 4.5 },
    log_prob = { -3.1433357137646181, -1.6320857137646181, -3.6120857137646181 },
    cdf = { 0.040059156863817086, 0.42074029056089696, 0.97724986805182079 },
    icdf = { -5.6804646123356264, -0.54880102541608178, 3.0631031310892007 },
    mean = 0.5, variance = 4, entropy = 2.1120857137646181,
  },
  {
    name = 'Normal', { -1, 0.1 },
    at = { -1.3, -1, -0.8 },
    log_prob = { -3.1163534402106285, 1.3836465597893728, -0.61635344021062632 },
    cdf = { 0.0013498980316300933, 0.5, 0.97724986805182079 },
    icdf = { -1.3090232306167813, -1.0524400512708041, -0.87184484344553992 },
    mean = -1, variance = 0.01, entropy = -0.88364655978937279,
  },
  {
    name = 'LogNormal', { 0.5, 0.7 },
    at = { 0.01, 1, 6.5 },
    log_prob = { -22.551749146034677, -0.81736563008226693, -4.3543119014246185 },
    cdf = { 1.5145124594718887e-13, 0.23752526202697649, 0.97498558460755591 },
    icdf = { 0.18953859373642803, 1.1421582120704674, 4.043400702270433 },
    mean = 2.1064414349807272, variance = 2.8056474661573474, entropy = 1.5622635892659402,
  },
  {
    name = 'Uniform', { -1, 3 },
    at = { -0.9, 0, 2.5 },
    log_prob = { -1.3862943611198906, -1.3862943611198906, -1.3862943611198906 },
    cdf = { 0.024999999999999994, 0.25, 0.875 },
    icdf = { -0.996, 0.2, 2.6 },
    mean = 1, variance = 1.3333333333333333, entropy = 1.3862943611198906,
  },
  {
    name = 'Exponential', { 2.5 },
    at = { 0.001, 0.4, 3 },
    log_prob = { 0.91379073187415505, -0.083709268125845004, -6.5837092681258449 },
    cdf = { 0.0024968776025398758, 0.63212055882855767, 0.99944691562985222 },
    icdf = { 0.00040020013343341343, 0.14266997757549299, 0.92103403719761845 },
    mean = 0.4, variance = 0.16, entropy = 0.083709268125845004,
  },
  {
    name = 'Gamma', { 0.3, 2 },
    at = { 1.0000000000000001e-05, 0.2, 3 },
    log_prob = { 7.1711739848290676, -0.16124730194622183, -7.6568824427177695 },
    cdf = { 0.043379717267390185, 0.7763805810166361, 0.99978562882928113 },
    mean = 0.14999999999999999, variance = 0.074999999999999997, entropy = -1.7491161412819629,
  },
  {
    name = 'Gamma', { 4.5, 0.5 },
    at = { 0.5, 7, 40 },
    log_prob = { -8.2489140153220042, -2.2622133616685995, -12.66182079396342 },
    cdf = { 3.0433741161079292e-05, 0.36288059283060159, 0.99999240147477053 },
    mean = 9, variance = 18, entropy = 2.7858355091440363,
  },
  {
    name = 'Beta', { 0.5, 2 },
    at = { 0.0001, 0.3, 0.94999999999999996 },
    log_prob = { 4.3173881085359769, -0.042370614227545234, -3.2577676988119957 },
    mean = 0.2, variance = 0.045714285714285714, entropy = -0.76527895533477663,
  },
  {
    name = 'Beta', { 3, 4.5 },
    at = { 0.05, 0.3, 0.94999999999999996 },
    log_prob = { -1.7835105921080636, 0.73117257291890958, -6.2001690608577196 },
    mean = 0.4, variance = 0.02823529411764706, entropy = -0.38693123445815303,
  },
  {
    name = 'Bernoulli', { 0.3 },
    at = { 0, 1 },
    log_prob = { -0.35667494393873245, -1.2039728043259361 },
    mean = 0.3, variance = 0.20999999999999999, entropy = 0.6108643020548935,
  },
}
local DIVERGENCES = {
  { { 'Normal', 0.5, 2 }, { 'Normal', -1, 0.7 }, 4.8277288959094848 },
  { { 'Normal', -1, 0.7 }, { 'Normal', 0.5, 2 }, 0.89232212449867787 },
  { { 'Normal', 0.5, 2 }, { 'Uniform', 0.2, 0.7 }, math.huge },
  { { 'Normal', 0.5, 2 }, { 'Uniform', 0.1, 2 }, math.huge },
  { { 'Normal', -1, 0.7 }, { 'Uniform', -1, 3 }, math.huge },
  { { 'Normal', 0.5, 2 }, { 'Beta', 0.5, 2 }, math.huge },
  { { 'Normal', -1, 0.7 }, { 'Beta', 3, 4.5 }, math.huge },
  { { 'Normal', 0.5, 2 }, { 'Gamma', 0.3, 2 }, math.huge },
  { { 'Normal', -1, 0.7 }, { 'Gamma', 4.5, 0.5 }, math.huge },
  { { 'Normal', 0.5, 2 }, { 'Exponential', 2.5 }, math.huge },
  { { 'Normal', -1, 0.7 }, { 'Exponential', 0.4 }, math.huge },
  { { 'LogNormal', 0.5, 2 }, { 'LogNormal', -1, 0.7 }, 4.8277288959094848 },
  { { 'LogNormal', -1, 0.7 }, { 'LogNormal', 0.5, 2 }, 0.89232212449867787 },
  { { 'Uniform', 0.2, 0.7 }, { 'Normal', 0.5, 2 }, 2.3081495609912301 },
  { { 'Uniform', -1, 3 }, { 'Normal', -1, 0.7 }, 4.6181460988943499 },
  { { 'Uniform', 0.1, 2 }, { 'Normal', 0.5, 2 }, 1.0456484942588897 },
  { { 'Uniform', 0.2, 0.7 }, { 'Uniform', -1, 3 }, 2.0794415416798362 },
  { { 'Uniform', 0.2, 0.7 }, { 'Uniform', 0.1, 2 }, 1.3350010667323402 },
  { { 'Uniform', -1, 3 }, { 'Uniform', 0.2, 0.7 }, math.huge },
  { { 'Uniform', -1, 3 }, { 'Uniform', 0.1, 2 }, math.huge },
  { { 'Uniform', 0.1, 2 }, { 'Uniform', 0.2, 0.7 }, math.huge },
  { { 'Uniform', 0.1, 2 }, { 'Uniform', -1, 3 }, 0.74444047494749577 },
  { { 'Uniform', 0.2, 0.7 }, { 'Beta', 0.5, 2 }, 1.1876903742486076 },
  { { 'Uniform', -1, 3 }, { 'Beta', 3, 4.5 }, math.huge },
  { { 'Uniform', 0.1, 2 }, { 'Beta', 0.5, 2 }, math.huge },
  { { 'Uniform', 0.2, 0.7 }, { 'Gamma', 0.3, 2 }, 1.8821021916316276 },
  { { 'Uniform', -1, 3 }, { 'Gamma', 4.5, 0.5 }, math.huge },
  { { 'Uniform', 0.1, 2 }, { 'Gamma', 0.3, 2 }, 2.2415720646321744 },
  { { 'Uniform', 0.2, 0.7 }, { 'Exponential', 2.5 }, 0.9018564486857904 },
  { { 'Uniform', -1, 3 }, { 'Exponential', 0.4 }, math.huge },
  { { 'Uniform', 0.1, 2 }, { 'Exponential', 2.5 }, 1.0668553819534501 },
  { { 'Bernoulli', 0.3 }, { 'Bernoulli', 0.6 }, 0.1837868973868122 },
  { { 'Bernoulli', 0.3 }, { 'Bernoulli', 1 }, math.huge },
  { { 'Bernoulli', 0.3 }, { 'Bernoulli', 0 }, math.huge },
  { { 'Bernoulli', 0.6 }, { 'Bernoulli', 0.3 }, 0.19204199316179815 },
  { { 'Bernoulli', 0.6 }, { 'Bernoulli', 1 }, math.huge },
  { { 'Bernoulli', 0.6 }, { 'Bernoulli', 0 }, math.huge },
  { { 'Bernoulli', 1 }, { 'Bernoulli', 0.3 }, 1.2039728043259359 },
  { { 'Bernoulli', 1 }, { 'Bernoulli', 0.6 }, 0.5108256237659905 },
  { { 'Bernoulli', 1 }, { 'Bernoulli', 0 }, math.huge },
  { { 'Bernoulli', 0 }, { 'Bernoulli', 0.3 }, 0.35667494393873211 },
  { { 'Bernoulli', 0 }, { 'Bernoulli', 0.6 }, 0.91629073187415477 },
  { { 'Bernoulli', 0 }, { 'Bernoulli', 1 }, math.huge },
  { { 'Beta', 0.5, 2 }, { 'Normal', 0.5, 2 }, 2.3943289548136799 },
  { { 'Beta', 3, 4.5 }, { 'Normal', -1, 0.7 }, 2.9780063483339374 },
  { { 'Beta', 0.5, 2 }, { 'Uniform', 0.2, 0.7 }, math.huge },
  { { 'Beta', 0.5, 2 }, { 'Uniform', 0.1, 2 }, math.huge },
  { { 'Beta', 3, 4.5 }, { 'Uniform', -1, 3 }, 1.7732255955780436 },
  { { 'Beta', 0.5, 2 }, { 'Beta', 3, 4.5 }, 2.6924348727254799 },
  { { 'Beta', 3, 4.5 }, { 'Beta', 0.5, 2 }, 0.72051329022268007 },
  { { 'Beta', 0.5, 2 }, { 'Gamma', 0.3, 2 }, 0.18646612931820206 },
  { { 'Beta', 3, 4.5 }, { 'Gamma', 4.5, 0.5 }, 9.7437361398370186 },
  { { 'Beta', 0.5, 2 }, { 'Exponential', 2.5 }, 0.34898822346062097 },
  { { 'Beta', 3, 4.5 }, { 'Exponential', 0.4 }, 1.4632219663323083 },
  { { 'Gamma', 0.3, 2 }, { 'Normal', 0.5, 2 }, 3.3858893550465812 },
  { { 'Gamma', 4.5, 0.5 }, { 'Normal', -1, 0.7 }, 118.18459134542805 },
  { { 'Gamma', 0.3, 2 }, { 'Uniform', 0.2, 0.7 }, math.huge },
  { { 'Gamma', 0.3, 2 }, { 'Uniform', 0.1, 2 }, math.huge },
  { { 'Gamma', 4.5, 0.5 }, { 'Uniform', -1, 3 }, math.huge },
  { { 'Gamma', 0.3, 2 }, { 'Beta', 0.5, 2 }, math.huge },
  { { 'Gamma', 4.5, 0.5 }, { 'Beta', 3, 4.5 }, math.huge },
  { { 'Gamma', 0.3, 2 }, { 'Gamma', 4.5, 0.5 }, 22.081864934304434 },
  { { 'Gamma', 4.5, 0.5 }, { 'Gamma', 0.3, 2 }, 17.559431006349687 },
  { { 'Gamma', 0.3, 2 }, { 'Exponential', 2.5 }, 1.2078254094078076 },
  { { 'Gamma', 4.5, 0.5 }, { 'Exponential', 0.4 }, 1.7304552227301175 },
  { { 'Exponential', 2.5 }, { 'Normal', 0.5, 2 }, 1.5496264456387732 },
  { { 'Exponential', 0.4 }, { 'Normal', -1, 0.7 }, 17.523523877799953 },
  { { 'Exponential', 2.5 }, { 'Uniform', 0.2, 0.7 }, math.huge },
  { { 'Exponential', 2.5 }, { 'Uniform', 0.1, 2 }, math.huge },
  { { 'Exponential', 0.4 }, { 'Uniform', -1, 3 }, math.huge },
  { { 'Exponential', 2.5 }, { 'Beta', 0.5, 2 }, math.huge },
  { { 'Exponential', 0.4 }, { 'Beta', 3, 4.5 }, math.huge },
  { { 'Exponential', 2.5 }, { 'Gamma', 0.3, 2 }, 0.55869009478126541 },
  { { 'Exponential', 0.4 }, { 'Gamma', 4.5, 0.5 }, 3.7198454170838637 },
  { { 'Exponential', 2.5 }, { 'Exponential', 0.4 }, 0.99258146374831013 },
  { { 'Exponential', 0.4 }, { 'Exponential', 2.5 }, 3.4174185362516898 },
}

local COVARIANCE = { { 2.25, 0.44999999999999996, -0.3 }, { 0.44999999999999996, 0.73, 0.34 }, { -0.3, 0.34, 1.5 } }
local PRECISION = {
  { 0.5620982552800734, -0.44593663911845716, 0.21349862258953164 },
  { -0.4459366391184571, 1.8853305785123964, -0.51652892561983466 },
  { 0.21349862258953164, -0.51652892561983466, 0.82644628099173545 },
}

describe('distributions', function()
  for _, case in ipairs(CASES) do
    it(('%s(%s) is SciPy\'s'):format(case.name, table.concat(case[1], ', ')), function()
      local d = make(case.name, unpack(case[1]))
      local at = double(case.at)
      all_near(case.log_prob, d:log_prob(at), 'log_prob')
      if case.cdf then
        all_near(case.cdf, d:cdf(at), 'cdf')
      else
        assert.matches('there is none', message(d.cdf, d, at))
      end
      if case.icdf then
        all_near(case.icdf, d:icdf(double{ 0.001, 0.3, 0.9 }), 'icdf')
      else
        assert.matches('there is none', message(d.icdf, d, 0.5))
      end
      near(case.mean, d.mean:item(), 'mean')
      near(case.variance, d.variance:item(), 'variance')
      near(math.sqrt(case.variance), d.stddev:item(), 'stddev')
      near(case.entropy, d:entropy():item(), 'entropy')
      near(case.log_prob[1], d:log_prob(case.at[1]):item(), 'log_prob of a number')
    end)
  end

  it('MultivariateNormal is SciPy\'s, however its covariance is given', function()
    local factor = double(COVARIANCE):cholesky()
    local vectors = double{ { 0, 0, 0 }, { 1, -2, 0.5 }, { 3, -1, 2 } }
    for _, given in ipairs{
      { covariance_matrix = double(COVARIANCE) }, { precision_matrix = double(PRECISION) }, { scale_tril = factor },
    } do
      given.loc = double{ 1, -2, 0.5 }
      local d = D.MultivariateNormal(given)
      all_near({ -8.704614921152606, -3.0344473362122981, -5.0048904032462733 }, d:log_prob(vectors),
        'log_prob')
      near(4.534447336212299, d:entropy():item(), 'entropy')
      all_near({ 1, -2, 0.5 }, d.mean, 'mean')
      all_near({ COVARIANCE[1][1], COVARIANCE[2][2], COVARIANCE[3][3] }, d.variance, 'variance')
      all_near(double(COVARIANCE):reshape(-1):to_table(), d.covariance_matrix, 'covariance')
      all_near(double(PRECISION):reshape(-1):to_table(), d.precision_matrix, 'precision')
      all_near(factor:reshape(-1):to_table(), d.scale_tril, 'factor')
    end
    local q = D.MultivariateNormal(double{ 0, 1, 0 }, double{ { 2, 0.5, 0 }, { 0.5, 1, 0.1 }, { 0, 0.1, 0.7 } })
    local p = D.MultivariateNormal(double{ 1, -2, 0.5 }, double(COVARIANCE))
    near(7.1106287937609967, D.kl_divergence(p, q):item(), 'kl')
  end)

  it('Dirichlet is SciPy\'s', function()
    local d = make('Dirichlet', { 0.7, 2, 3.5 })
    all_near({ 1.8801966031158548, -0.97362817079307939 },
      d:log_prob(double{ { 0.1, 0.3, 0.6 }, { 0.5, 0.25, 0.25 } }), 'log_prob')
    near(-1.6435671123730122, d:entropy():item(), 'entropy')
    all_near({ 0.1129032258064516, 0.32258064516129031, 0.56451612903225801 }, d.mean, 'mean')
    all_near({ 0.013910567695687361, 0.030350329517863334, 0.034144120707596252 }, d.variance, 'variance')
    all_near({ 0, 2 / 7, 5 / 7 }, d.mode, 'mode')
    all_near({ 1, 0, 0 }, make('Dirichlet', { 0.7, 0.2, 0.35 }).mode, 'mode in a corner')
    near(0.36711222823514422, D.kl_divergence(d, make('Dirichlet', { 1, 1.5, 2 })):item(), 'kl')
  end)

  it('Categorical and Bernoulli take probabilities or logits', function()
    local d = make('Categorical', { 1, 2, 5 })
    all_near({ -2.0794415416798357, -1.3862943611198906, -0.47000362924573558 },
      d:log_prob(metann.tensor{ 1, 2, 3 }), 'log_prob')
    near(0.90025605126853692, d:entropy():item(), 'entropy')
    assert.equal(3, d.mode:item())
    assert.not_equal(d.mean:item(), d.mean:item())
    local by_logits = D.Categorical{ logits = double{ 1, -2, 0.5 } }
    all_near({ -0.50459690234228338, -3.5045969023422834, -1.0045969023422834 },
      by_logits:log_prob(metann.tensor{ 1, 2, 3 }), 'log_prob')
    near(0.77786967319190548, by_logits:entropy():item(), 'entropy')
    all_near({ 0.60374889614862581, 0.030058887569574023, 0.36619221628180021 }, by_logits.probs, 'probs')
    local batch = make('Categorical', { { 1, 1 }, { 1, 3 } })
    all_near({ math.log(0.5), math.log(0.75) }, batch:log_prob(2), 'log_prob of a number')
    assert.same({ 4, 2 }, { unpack(batch:log_prob(batch:sample(4)).shape) })
    local p = make('Categorical', { { 0.2, 0.3, 0.5 }, { 0, 0.5, 0.5 } })
    local q = make('Categorical', { { 0.6, 0.3, 0.1 }, { 0.2, 0, 0.8 } })
    all_near({ 0.58499649848342794, math.huge }, D.kl_divergence(p, q), 'kl')
    local coin = D.Bernoulli{ logits = double{ -3, 0.2, 40 } }
    all_near({ -3.0485873515737421, -0.79813886938159184, -40 }, coin:log_prob(double{ 1, 0, 0 }), 'log_prob')
    all_near({ 0.19086497110644229, 0.68817206991909619, 4.2483542552915889e-18 }, coin:entropy(), 'entropy')
    assert.same({ 0, 1, 1 }, coin.mode:to_table())
    assert.not_equal(make('Bernoulli', 0.5).mode:item(), make('Bernoulli', 0.5).mode:item())
  end)

  it('modes', function()
    for _, row in ipairs{
      { 0.5, 'Normal', 0.5, 2 }, { 1.0100501670841682, 'LogNormal', 0.5, 0.7 }, { 7, 'Gamma', 4.5, 0.5 },
      { 0, 'Gamma', 0.3, 2 }, { 0.36363636363636365, 'Beta', 3, 4.5 }, { 1, 'Beta', 0.7, 0.5 },
      { 0, 'Exponential', 2.5 },
    } do
      near(row[1], make(unpack(row, 2)).mode:item(), row[2])
    end
  end)

  it('divergences are PyTorch\'s', function()
    for _, row in ipairs(DIVERGENCES) do
      local p, q = make(unpack(row[1])), make(unpack(row[2]))
      near(row[3], D.kl_divergence(p, q):item(), tostring(p) .. ' from ' .. tostring(q))
    end
    local p, q = D.Normal(double{ 1, 2 }, 1), D.Normal(double{ 0, 0 }, 2)
    local together = D.kl_divergence(D.Independent(p, 1), D.Independent(q, 1))
    near(D.kl_divergence(p, q):sum():item(), together:item(), 'Independent')
    assert.matches('none is known of Bernoulli from Normal', message(D.kl_divergence, make('Bernoulli', 0.5), p))
    assert.matches("'p' must be a distribution, got number 3", message(D.kl_divergence, 3, p))
    assert.matches("'reinterpreted_batch_ndims' are 1 and 0", message(D.kl_divergence, D.Independent(p, 1),
      D.Independent(q, 0)))
  end)
end)

-- ---- draws ----

local DRAWN = {
  { 'Normal', 0.5, 2 }, { 'LogNormal', 0.2, 0.5 }, { 'Uniform', -1, 3 }, { 'Exponential', 2.5 }, { 'Bernoulli', 0.3 },
  { 'Gamma', 0.3, 2 }, { 'Gamma', 40, 0.5 }, { 'Beta', 0.5, 2 },
  { 'Dirichlet', { 0.7, 2, 3.5 } },
}

--- Mean and variance of draws along dim 1 are those expected, within five standard deviations.
local function check_moments(what, x, mean, variance)
  local n = x:size(1)
  local apart = x - mean
  local square = apart:square()
  local function within(difference, spread, which)
    local worst = (difference:abs() / (spread / n):sqrt()):max():item()
    assert(worst < 5,
      ('%s: the %s is %.2f standard deviations off (METANN_TEST_SEED=%d)'):format(what, which, worst, SEED))
  end
  within(apart:mean(1), variance, 'mean')
  within(square:mean(1) - variance, (square - variance):square():mean(1), 'variance')
end

describe('a million draws', function()
  for number, row in ipairs(DRAWN) do
    local what = ('%s, case %d'):format(row[1], number)
    it('have the moments of ' .. what, function()
      metann.manual_seed(SEED)
      local d = make(unpack(row))
      check_moments(what, d:sample(DRAWS), d.mean, d.variance)
    end)
  end

  it('have the moments of MultivariateNormal', function()
    metann.manual_seed(SEED)
    local d = D.MultivariateNormal(double{ 1, -2, 0.5 }, double(COVARIANCE))
    local x = d:sample(DRAWS / 4)
    check_moments('MultivariateNormal', x, d.mean, d.variance)
    local apart = x - d.mean
    local products = apart:select(2, 1) * apart:select(2, 3)
    check_moments('covariance', products, double(COVARIANCE[1][3]),
      double(COVARIANCE[1][1] * COVARIANCE[3][3] + COVARIANCE[1][3] ^ 2))
  end)

  it('have the frequencies of Categorical', function()
    metann.manual_seed(SEED)
    local d = make('Categorical', { { 1, 2, 5 }, { 3, 0, 1 } })
    local x = d:sample(DRAWS)
    for k = 1, 3 do
      local hits, p = x:eq(k):double(), d.probs:select(2, k)
      local spread = p * (1 - p)
      if k == 2 then assert.equal(0, hits:select(2, 2):sum():item()) end
      local first = hits:select(2, 1)
      check_moments('Categorical', first, p[1], spread[1])
    end
  end)

  it('move with their parameters as the mean does', function()
    metann.manual_seed(SEED)
    local a = leaf{ 0.3, 1, 7 }
    local x = D.Gamma(a, double(2)):rsample(DRAWS / 4)
    local each = metann.standard_gamma_grad(a:detach():expand(x.shape), x:detach() * 2) / 2
    local slope = metann.grad(x:mean(1):sum(), a)
    local spread = (each - 0.5):square():mean(1) / x:size(1)
    local off = ((slope - 0.5):abs() / spread:sqrt()):max():item()
    assert(off < 5, ('%.2f standard deviations off (METANN_TEST_SEED=%d)'):format(off, SEED))
    all_near(each:mean(1):to_table(), slope, 'the average of slopes')
    -- of a beta variate: the derivative of a / (a + b)
    local p, q = leaf{ 0.5, 3 }, leaf{ 2, 4.5 }
    local y = D.Beta(p, q):rsample(DRAWS / 4)
    local by_p = metann.grad(y:mean(1):sum(), p):to_table()
    for i, pair in ipairs{ { 0.5, 2 }, { 3, 4.5 } } do
      local want = pair[2] / (pair[1] + pair[2]) ^ 2
      local fits = math.abs(by_p[i] - want) < 0.01 * want
      assert(fits, ('%g, expected %g (METANN_TEST_SEED=%d)'):format(by_p[i], want, SEED))
    end
  end)
end)

-- ---- derivatives ----

describe('derivatives', function()
  local function seeded(name, ...)
    local given = { ... }
    return function(...)
      metann.manual_seed(SEED)
      local list = { ... }
      for i = 1, #given do list[#list + 1] = given[i] end
      return D[name](unpack(list)):rsample(3)
    end
  end

  it('go through samples to any order', function()
    for _, case in ipairs{
      { 'Normal', leaf{ 0.5, -1 }, leaf{ 2, 0.7 } }, { 'LogNormal', leaf{ 0.5, -1 }, leaf{ 0.4, 0.7 } },
      { 'Uniform', leaf{ 0.5, -1 }, leaf{ 2, 0.7 } }, { 'Exponential', leaf{ 0.5, 2 } },
    } do
      assert.is_true(metann.gradcheck(seeded(case[1]), { unpack(case, 2) }, { order = 3 }))
    end
    assert.is_true(metann.gradcheck(function(loc, root)
      metann.manual_seed(SEED)
      return D.MultivariateNormal(loc, root:matmul(root.mT) + metann.eye(2, { dtype = 'float64' })):rsample(3)
    end, { leaf{ 0.5, -1 }, leaf{ { 1, 0.3 }, { -0.2, 0.8 } } }, { order = 2 }))
  end)

  it('go through log_prob, cdf, icdf, entropy and divergences', function()
    local function check(fn, ...) assert.is_true(metann.gradcheck(fn, { ... }, { order = 2 })) end
    local between = leaf{ 0.2, 0.7 }
    for _, case in ipairs{
      { 'Normal', leaf{ 0.5, -1 }, leaf{ 2, 0.7 } }, { 'LogNormal', leaf{ 0.5, -1 }, leaf{ 0.4, 0.7 } },
      { 'Exponential', leaf{ 0.5, 2 } }, { 'Gamma', leaf{ 0.5, 2 }, leaf{ 1.5, 0.4 } },
      { 'Beta', leaf{ 0.5, 2 }, leaf{ 1, 3 } },
    } do
      local function at(method)
        return function(x, ...) return D[case[1]](...)[method](D[case[1]](...), x) end
      end
      local other = make(case[1], { 1.3, 0.8 }, case[3] and { 0.7, 1.2 })
      check(at 'log_prob', between, unpack(case, 2))
      check(function(...) return D[case[1]](...):entropy() end, unpack(case, 2))
      check(function(...) return D.kl_divergence(D[case[1]](...), other) end, unpack(case, 2))
      if case[1] ~= 'Beta' and case[1] ~= 'Gamma' then
        check(at 'cdf', between, unpack(case, 2))
        check(at 'icdf', between, unpack(case, 2))
      end
    end
    check(function(c, x) return D.Dirichlet(c):log_prob(x / x:sum()) + D.Dirichlet(c):entropy() end, leaf{ 0.7, 2, 3 },
      leaf{ 0.2, 0.5, 0.3 })
    local places = metann.tensor{ 2, 1 }
    check(function(logits) return D.Categorical{ logits = logits }:log_prob(places) end, leaf{ 0.3, -1, 2 })
    check(function(p) return D.Bernoulli(p):log_prob(1) + D.Bernoulli(p):entropy() end, leaf{ 0.3, 0.6 })
  end)

  it('by a concentration are there to first order, and an error says so beyond', function()
    local function check(fn, ...) assert.is_true(metann.gradcheck(fn, { ... }, { order = 1 })) end
    check(function(a, x) return D.Gamma(a, double(2)):cdf(x) end, leaf{ 0.5, 2, 9 }, leaf{ 0.3, 1.5, 6 })
    check(function(x) return D.Gamma(double{ 0.5, 2 }, double(2)):cdf(x) end, leaf{ 0.3, 1.5 })
    for _, draw in ipairs{
      function(a) return D.Gamma(a, 2):rsample() end, function(a) return D.Beta(a, 2):rsample() end,
      function(a) return D.Dirichlet(a):rsample() end, function(a) return D.Gamma(a, 2):cdf(1) end,
    } do
      local a = leaf{ 1.5, 0.7 }
      local g = metann.grad(draw(a):square():sum(), a, { create_graph = true })
      assert.is_true(g:isfinite():all():item() == 1)
      assert.matches('derivatives by a concentration are there to first order only', message(metann.grad, g:sum(), a))
    end
    -- the rate's go on
    local rate = leaf(2)
    local g = metann.grad(D.Gamma(double(1.5), rate):rsample(), rate, { create_graph = true })
    assert.is_true(metann.grad(g, rate):item() > 0)
  end)

  it('samples have none where the call says so', function()
    assert.is_false(D.Normal(leaf(0), 1):sample().requires_grad)
    assert.is_false(D.Gamma(leaf(1), 1):sample(3).requires_grad)
    assert.matches('Bernoulli:rsample: its values have no derivative',
      message(function() D.Bernoulli(0.5):rsample() end))
    assert.matches('Categorical:rsample', message(function() make('Categorical', { 1, 2 }):rsample() end))
  end)
end)

-- ---- shapes and wrong use ----

describe('distributions', function()
  local function sizes(t) return { unpack(t.shape) } end

  it('have a batch and an event, and expand', function()
    local d = D.Normal(metann.zeros(3, 1), metann.ones(4))
    assert.same({ 3, 4 }, d.batch_shape)
    assert.same({}, d.event_shape)
    assert.same({ 2, 5, 3, 4 }, sizes(d:sample(2, 5)))
    assert.same({ 2, 5, 3, 4 }, sizes(d:sample{ 2, 5 }))
    assert.same({ 3, 4 }, sizes(d:log_prob(0)))
    assert.same({ 7, 3, 4 }, sizes(d:expand(7, 3, 4):rsample()))
    assert.matches("batch of size %(3, 4%) doesn't broadcast to %(3, 5%)", message(d.expand, d, { 3, 5 }))
    local m = D.MultivariateNormal(metann.zeros(2, 3), metann.eye(3))
    assert.same({ 2 }, m.batch_shape)
    assert.same({ 3 }, m.event_shape)
    assert.same({ 5, 2, 3 }, sizes(m:expand(5, 2):sample()))
    assert.same({ 2 }, sizes(m:entropy()))
    assert.same({ 4, 2 }, sizes(m:log_prob(metann.zeros(4, 2, 3))))
    local c = D.Categorical{ logits = metann.zeros(2, 5) }
    assert.same({ 3, 2 }, sizes(c:expand(3, 2):sample()))
    assert.same({ 3, 2 }, sizes(c:expand(3, 2):log_prob(4)))
    local i = D.Independent(d, 1)
    assert.same({ 3 }, i.batch_shape)
    assert.same({ 4 }, i.event_shape)
    assert.same({ 3 }, sizes(i:log_prob(metann.zeros(3, 4))))
    assert.same({ 2, 3 }, sizes(i:expand(2, 3):entropy()))
    assert.same({ 6, 3, 4 }, sizes(i:rsample(6)))
    assert.same({ 3, 4 }, sizes(i.mean))
    assert.same({ 0, 3, 4 }, sizes(d:sample(0)))
    assert.same({ 0, 2 }, sizes(c:sample(0)))
  end)

  it('keep the dtype of their parameters', function()
    assert.equal('float32', D.Normal(0, 1):sample().dtype)
    assert.equal('float64', D.Normal(double(0), 1):sample().dtype)
    assert.equal('float64', D.Gamma(2, double(1)):rsample().dtype)
    assert.equal('float64', D.Normal(metann.zeros(2), double{ 1, 1 }):sample().dtype)
    assert.equal('int64', D.Categorical(metann.ones(3)):sample().dtype)
    assert.equal('float32', D.Normal(0, 1):log_prob(metann.ones(2):half()).dtype)
    assert.equal('float32', D.Bernoulli(0.5):log_prob(metann.tensor({ 1, 0 }, { dtype = 'int64' })).dtype)
    assert.is_true(D.Gamma(metann.full({ 1000 }, 1e-3), 1):sample():gt(0):all():item() == 1)
  end)

  it('print as in PyTorch', function()
    assert.equal('Normal(loc: 0, scale: 2)', tostring(D.Normal(0, 2)))
    assert.equal('Independent(Normal(loc: (3,), scale: (3,)), 1)',
      tostring(D.Independent(D.Normal(metann.zeros(3), 1), 1)))
  end)

  it('refuse wrong parameters', function()
    assert.matches("Normal: 'scale' must be above 0 everywhere, got %-1", message(D.Normal, 0, -1))
    assert.matches("Normal: 'loc' must be a number, not NaN everywhere, got %-?nan", message(D.Normal, 0 / 0, 1))
    assert.matches("Normal: 'scale' must be given", message(D.Normal, 0))
    assert.matches("Normal: 'loc' must be a tensor or a number, got string 'x'", message(D.Normal, 'x', 1))
    assert.matches("Normal: unknown option 'sigma'", message(D.Normal, { loc = 0, sigma = 1 }))
    assert.matches("the parameters don't broadcast: 'scale' is of size %(4,%)",
      message(D.Normal, metann.zeros(3), metann.ones(4)))
    assert.matches("Uniform: 'low' must be below 'high'", message(D.Uniform, 1, 1))
    assert.matches("Bernoulli: give one of 'probs' and 'logits', got none", message(D.Bernoulli))
    assert.matches("Bernoulli: give one of 'probs' and 'logits', got 2", message(D.Bernoulli, 0.5, 0.5))
    assert.matches("Bernoulli: 'probs' must be between 0 and 1 everywhere, got 1.5", message(D.Bernoulli, 1.5))
    assert.matches("Categorical: 'probs' must have at least 1 dim, got 0", message(D.Categorical, 1))
    assert.matches("Categorical: 'probs' must be at least 0", message(D.Categorical, metann.tensor{ 1, -1 }))
    assert.matches("Dirichlet: 'concentration' must be above 0", message(D.Dirichlet, metann.tensor{ 1, 0 }))
    assert.matches("'covariance_matrix' must be symmetric and positive definite",
      message(D.MultivariateNormal, metann.zeros(2), metann.tensor{ { 1, 2 }, { 2, 1 } }))
    for _, bad in ipairs{ 0 / 0, 1 / 0 } do
      assert.matches("'covariance_matrix' must be symmetric and positive definite",
        message(D.MultivariateNormal, metann.zeros(2), metann.tensor{ { bad, 0 }, { 0, 1 } }))
    end
    assert.matches("'covariance_matrix' must be of size %(2, 2%), as 'loc' is of %(2,%), got %(3, 3%)",
      message(D.MultivariateNormal, metann.zeros(2), metann.eye(3)))
    assert.matches("'scale_tril' must be lower triangular", message(D.MultivariateNormal, { loc = metann.zeros(2),
      scale_tril = metann.ones(2, 2) }))
    assert.matches("give one of 'covariance_matrix' and 'precision_matrix' and 'scale_tril', got none",
      message(D.MultivariateNormal, metann.zeros(2)))
    assert.matches("'loc' must be a tensor of float32 or float64, got int64",
      message(D.Normal, metann.tensor({ 1 }, { dtype = 'int64' }), 1))
    assert.matches("'rate' must be a tensor of float32 or float64, got float16", message(D.Exponential, metann.ones(1):half()))
    assert.matches("Independent: 'base_distribution' must be a distribution", message(D.Independent, 3, 1))
    assert.matches("'reinterpreted_batch_ndims' is 2, but there are 0 batch dims",
      message(D.Independent, D.Normal(0, 1), 2))
    assert.matches("has no 'Norml', did you mean 'Normal'", message(function() return D.Norml end))
  end)

  it('refuse wrong values', function()
    local d = D.Gamma(1, 1)
    assert.matches("Gamma:log_prob: 'value' must be at least 0 everywhere, got %-1", message(d.log_prob, d, -1))
    assert.matches("Bernoulli:log_prob: 'value' must be 0 or 1 everywhere, got 0.5",
      message(function() D.Bernoulli(0.5):log_prob(0.5) end))
    assert.matches("Categorical:log_prob: 'value' must be a whole number from 1 to 3 everywhere, got 0",
      message(function() D.Categorical(metann.ones(3)):log_prob(0) end))
    assert.matches("Uniform:cdf: 'value' must be within low and high everywhere, got 4",
      message(function() D.Uniform(0, 1):cdf(4) end))
    assert.matches("Normal:icdf: 'value' must be between 0 and 1", message(function() D.Normal(0, 1):icdf(2) end))
    assert.matches("'value' must end with the dims of an event, %(3,%), got size %(2,%)",
      message(function() D.Dirichlet(metann.ones(3)):log_prob(metann.ones(2)) end))
    assert.matches("'value' of size %(4,%) doesn't broadcast with the batch, %(3,%)",
      message(function() D.Normal(metann.zeros(3), 1):log_prob(metann.zeros(4)) end))
    assert.matches("must be called with ':'", message(d.log_prob, 1))
    assert.matches("'sample_shape' must be", message(d.sample, d, -1))
    assert.matches("log_prob: 'value' must be given", message(d.log_prob, d))
  end)

  it('check nothing where they are told not to', function()
    assert.equal(-math.huge, D.Uniform(0, 1, { validate_args = false }):log_prob(4):item())
    D.Normal(0, -1, false)
    D.set_default_validate_args(false)
    local ok, d = pcall(D.Normal, 0, -1)
    D.set_default_validate_args(true)
    assert.is_true(ok)
    assert.is_true(d:expand(3):log_prob(1):isnan():all():item() == 1)
    assert.matches("'value' must be true or false", message(D.set_default_validate_args, 3))
  end)
end)

-- ---- devices and recordings ----

-- Parameters of one of each: the first is a tensor, so that numbers go where it lies.
local EACH = {
  Normal = { { 0.5, -1 }, 2 }, LogNormal = { { 0.5, -1 }, 0.7 }, Uniform = { { -1, 0.5 }, 3 }, Exponential = { { 2.5, 1 } },
  Gamma = { { 0.3, 4.5 }, 2 }, Beta = { { 0.5, 3 }, 2 }, Bernoulli = { { 0.3, 0.5 } }, Categorical = { { 1, 2, 5 } },
  Dirichlet = { { 0.7, 2, 3.5 } }, MultivariateNormal = { { 1, -2, 0.5 }, COVARIANCE }, Independent = { { 0.5, -1 }, 2 },
}

--- One of a class, its tensors made by `of`.
local function one(name, of)
  local given = {}
  for i, v in ipairs(EACH[name]) do given[i] = type(v) == 'table' and of(v) or v end
  if name == 'Independent' then return D.Independent(D.Normal(unpack(given)), 1) end
  return D[name](unpack(given))
end

--- What a distribution computes, by name.
local function results(d)
  metann.manual_seed(SEED)
  local found = { sample = d:sample(3), entropy = d:entropy(), kl = D.kl_divergence(d, d), none = d:sample(0) }
  found.log_prob = d:log_prob(found.sample)
  for _, name in ipairs{ 'mean', 'mode', 'variance', 'stddev' } do found[name] = d[name] end
  for _, name in ipairs{ 'cdf', 'icdf' } do
    if d['_' .. name] then found[name] = d[name](d, 0.75) end
  end
  return found
end

describe('distributions of the whole list', function()
  local names = {}
  for _, name in ipairs(getmetatable(D).names()) do
    if type(D[name]) == 'table' then names[#names + 1] = name end
  end

  it('are all here', function()
    assert.is_true(#names >= 11)
    for _, name in ipairs(names) do assert.is_not_nil(EACH[name], name) end
  end)

  for _, name in ipairs(names) do
    it(name .. ' computes where its tensors lie', function()
      local function there(values) return metann.tensor(values, { dtype = 'float64', device = 'guarded:1' }) end
      local want = results(one(name, function(values) return metann.tensor(values, { dtype = 'float64', device = 'cpu' }) end))
      for what, t in pairs(results(one(name, there))) do
        assert.equal('guarded:1', t.device, what)
        assert.equal(rows_of.bytes(want[what]), rows_of.bytes(t), what)
      end
    end)

    it(name .. ' can be recorded, checks and all, with the same bits', function()
      local want, got = results(one(name, double))
      record.run(function() got = results(one(name, function(values) return double(values) * 1 end)) end)
      for what, t in pairs(want) do assert.equal(rows_of.bytes(t), rows_of.bytes(got[what]), what) end
    end)
  end

  it('are NaN in a recording where a parameter or a value is an error outside', function()
    local function nans(fn)
      local _, t = record.run(fn)
      return t:isnan():to_table()
    end
    local function list(...) return double{ ... } * 1 end
    for _, case in ipairs{
      { { 0, 1 }, function() return D.Normal(0, list(1, -1)):log_prob(0.5) end },
      { { 1, 0 }, function() return D.Gamma(list(2, 1), list(-1, 1)):entropy() end },
      { { 0, 1 }, function() return D.Uniform(list(0, 2), 1):log_prob(0.5) end },
      { { 0, 1 }, function() return D.Bernoulli(list(0.5, 0.5)):log_prob(list(1, 0.5)) end },
      { { 0, 1 }, function() return D.Normal(list(0, 0), 1):icdf(list(0.5, 2)) end },
      { { 0, 1 }, function() return D.Dirichlet(list(1, 2)):log_prob(double{ { 0.5, 0.5 }, { 0.5, 0.6 } } * 1) end },
    } do
      assert.same(case[1], nans(case[2]))
      assert.is_false((pcall(case[2])))
    end
  end)
end)
