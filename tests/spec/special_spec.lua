-- The gamma function's relatives and erfinv, where they are hard: against mpmath with 40 digits. Derivatives, dtypes
-- and layouts are the op spec's.
local metann = require 'metann'

-- Arguments and values.
local VALUES = {
  lgamma = {
    {
      -7.3, -2.5, -0.4, -0.001, 1e-05, 0.01, 0.3, 1.0, 2.0, 3.7, 9.5, 15.0, 123.4, 1000000.0,
    }, {
      -7.779101629826852, -0.056243716497674054, 1.31452458994339, 6.908333317515028, 11.512919692895826,
      4.599479878042022, 1.0957979948180756, 0.0, 0.0, 1.428072326665388, 11.689333420797269, 25.19122118273868,
      469.3360974421906, 12815504.569147611,
    },
  },
  digamma = {
    {
      -7.3, -2.5, -0.4, -0.001, 1e-05, 0.01, 0.3, 1.0, 2.0, 3.7, 9.5, 15.0, 123.4, 1000000.0,
    }, {
      4.33730730551005, 1.103156640645243, 0.9593807861068093, 999.4211381978913, -100000.57719921567,
      -100.56088545786868, -3.502524222200133, -0.5772156649015329, 0.42278433509846713, 1.1671535393615113,
      2.1977378764029494, 2.6743466616607936, 4.8113737751162775, 13.815510057964191,
    },
  },
  polygamma1 = {
    {
      -7.3, -2.5, -0.4, -0.001, 1e-05, 0.01, 0.3, 1.0, 2.0, 3.7, 9.5, 15.0, 123.4, 1000000.0,
    }, {
      14.951383181433922, 9.539246644989124, 9.886209670902357, 1000001.6473414317, 10000000001.644909,
      10001.621213528313, 12.245364546107732, 1.6449340668482264, 0.6449340668482264, 0.3100378576700383,
      0.11099728846909904, 0.0689382278476838, 0.008136651610865263, 1.0000005000001667e-06,
    },
  },
  polygamma2 = {
    {
      -7.3, -2.5, -0.4, -0.001, 1e-05, 0.01, 0.3, 1.0, 2.0, 3.7, 9.5, 15.0, 123.4, 1000000.0,
    }, {
      68.82117406359033, -0.1082040516417274, 21.287168462856535, 1999999997.5893795, -2000000000000002.0,
      -2000002.340398677, -75.27253658872604, -2.4041138063191885, -0.4041138063191886, -0.09539530872855403,
      -0.012307845807709338, -0.004750602716551555, -6.620473419231093e-05, -1.0000010000005e-12,
    },
  },
  polygamma3 = {
    {
      -7.3, -2.5, -0.4, -0.001, 1e-05, 0.01, 0.3, 1.0, 2.0, 3.7, 9.5, 15.0, 123.4, 1000000.0,
    }, {
      769.0167339816824, 194.74787621918762, 281.78204104534575, 6000000000006.519, 5.999999999999999e+20,
      600000006.2510618, 743.1417646550498, 6.493939402266829, 0.49393940226682914, 0.058279217956563614,
      0.0027267288350372493, 0.0006544797782827373, 1.077357827078302e-06, 2.000003000002e-18,
    },
  },
  polygamma10 = {
    {
      -7.3, -2.5, -0.4, -0.001, 1e-05, 0.01, 0.3, 1.0, 2.0, 3.7, 9.5, 15.0, 123.4, 1000000.0,
    }, {
      2048284893018.5608, -4.026693041232995, 85517084631.51274, 3.628799999999999e+39, -3.628799999999997e+61,
      -3.628799999999999e+28, -2048468424178.0745, -3630593.311606629, -1793.311606628713, -2.207828787318997,
      -9.849401322737029e-05, -8.644004350424738e-07, -4.61437026289405e-16, -3.628818144033264e-55,
    },
  },
  erfinv = {
    {
      -0.999999999, -0.9, -0.5, -1e-10, 0.3, 0.85, 0.86, 0.99, 0.9999999999999,
    }, {
      -4.320005388105362, -1.1630871536766743, -0.4769362762044699, -8.862269254527581e-11, 0.2724627147267543,
      1.0179024648320276, 1.0435418436397588, 1.8213863677184494, 5.261483331372676,
    },
  },
}

-- Concentration, value, what the value moves by when the concentration does, and the probability up to it.
local GAMMA = {
  { 0.001, 1e-10, 2.2450279000472743e-06, 0.9778006565986258 },
  { 0.01, 0.001, 0.6354138007185822, 0.938570652526129 },
  { 0.1, 1e-08, 1.7996925975414167e-06, 0.16659398838160216 },
  { 0.1, 2.0, 8.495649227426856, 0.9943261760201885 },
  { 0.5, 0.2, 0.7940505663308434, 0.4729107431344619 },
  { 1.0, 0.1, 0.28927311661593885, 0.09516258196404043 },
  { 1.0, 8.0, 2.768936845834868, 0.9996645373720975 },
  { 2.5, 0.3, 0.30557287974671365, 0.011996757205906266 },
  { 2.5, 9.0, 1.891711800090848, 0.9970535954121197 },
  { 10.0, 3.0, 0.524211960601438, 0.0011024881301154798 },
  { 10.0, 25.0, 1.5522439909006023, 0.9997785233617512 },
  { 50.0, 30.0, 0.7687741525252436, 0.0005188914625480343 },
  { 50.0, 80.0, 1.2575002982313406, 0.9998692160234086 },
  { 1000.0, 900.0, 0.9484026381794104, 0.0005499022657117829 },
  { 1000.0, 1100.0, 1.048586678561617, 0.99894067674607 },
  { 50000.0, 49000.0, 0.9899359582956213, 3.3847542280794912e-06 },
  { 50000.0, 51000.0, 1.0099373585146012, 0.9999955880607448 },
  { 200000.0, 199000.0, 0.9974966541315496, 0.012576006291331173 },
  { 200000.0, 201000.0, 1.0024966791317829, 0.9872287282906278 },
}

local function double(values) return metann.tensor(values, { dtype = 'float64' }) end

local function close(want, got, what)
  assert(math.abs(got - want) <= 1e-13 * math.abs(want) + 1e-300, ('%s: %.17g, expected %.17g'):format(what, got, want))
end

describe('special functions', function()
  for name, case in pairs(VALUES) do
    it(name .. ' is mpmath\'s', function()
      local row, n = name:match '^(%a+)(%d*)$'
      local got = metann[row](double(case[1]), tonumber(n))
      for i, want in ipairs(case[2]) do close(want, got[i]:item(), name .. ' of ' .. case[1][i]) end
      -- float32: the value of the rounded argument, within four roundings
      local single = double(case[1]):float()
      local wide, got32 = metann[row](single:double(), tonumber(n)), metann[row](single, tonumber(n))
      assert.is_true(metann.allclose(got32:double(), wide:float():double(), { rtol = 4e-7, atol = 0 }))
    end)
  end

  it('derivatives and probabilities of gamma variates are mpmath\'s', function()
    for _, row in ipairs(GAMMA) do
      local a, x = double{ row[1] }, double{ row[2] }
      local what = ('concentration %g, value %g'):format(row[1], row[2])
      close(row[3], metann.standard_gamma_grad(a, x):item(), what)
      close(row[4], metann.standard_gamma_cdf(a, x):item(), what)
    end
  end)

  it('probabilities of large concentrations are SciPy\'s', function()
    for _, row in ipairs{
      { 2e6, 2e6 - 3000, 0.016912731340549717 }, { 2e6, 2e6 + 1000, 0.7602865609469363 },
      { 1e9, 1e9 + 1e5, 0.9992170438380417 }, { 1e300, 1e300, 0.5 }, { 1e300, 1e10, 0 },
    } do
      assert.near(row[3], metann.standard_gamma_cdf(double(row[1]), double(row[2])):item(), 1e-12)
    end
    assert.near(1, metann.standard_gamma_grad(double(1e300), double(1e300)):item(), 1e-15)
  end)

  it('know where they end', function()
    local ends = double{ 0, -0, -1, -2.0, 1 / 0, 0 / 0 }
    local function texts(t)
      local list = {}
      for i, v in ipairs(t:to_table()) do list[i] = v ~= v and 'nan' or tostring(v) end
      return table.concat(list, ' ')
    end
    assert.equal('inf inf inf inf inf nan', texts(ends:lgamma()))
    assert.equal('-inf inf nan nan inf nan', texts(ends:digamma()))
    assert.equal('inf inf inf inf 0 nan', texts(ends:polygamma(1)))
    assert.matches('^%-inf %-inf %-inf %-inf %-?0 nan$', texts(ends:polygamma(2)))
    assert.equal('-inf inf nan', texts(double{ -1, 1, 1.01 }:erfinv()))
    assert.equal('0 1 nan', texts(metann.standard_gamma_cdf(double{ 2, 2, -1 }, double{ 0, 1 / 0, 1 })))
  end)
end)
