-- Every Lua snippet of the README and the guides runs as it stands, and the guides name all that there is.
local namespace = require 'tests.support.namespace'

local function pages()
  local list = { 'README.md' }
  for path in io.popen('ls docs/*.md'):lines() do list[#list + 1] = path end
  return list
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read('*a')
  file:close()
  return text
end

--- The lines that a snippet says it prints: its comments that begin with an arrow.
local function arrows(code)
  local lines = {}
  for line in ('\n' .. code):gmatch '\n%-%-> ([^\n]*)' do lines[#lines + 1] = line end
  return lines
end

--- A list that gets the lines printed in the environment that is returned beside it.
local function printing()
  local lines = {}
  local function print(...)
    local parts = {}
    for i = 1, select('#', ...) do parts[i] = tostring((select(i, ...))) end
    for line in (table.concat(parts, '\t') .. '\n'):gmatch '(.-)\n' do lines[#lines + 1] = line end
  end
  return lines, setmetatable({ print = print }, { __index = _G })
end

describe('the documentation', function()
  for _, path in ipairs(pages()) do
    local text, number = read(path), 0
    for at, code in text:gmatch('()```lua\n(.-)```') do
      number = number + 1
      local _, line = text:sub(1, at):gsub('\n', '')
      it(('%s, snippet %d'):format(path, number), function()
        local printed, environment = printing()
        setfenv(assert(loadstring(('\n'):rep(line + 1) .. code, '@' .. path)), environment)()
        local said = arrows(code)
        -- what a snippet prints is for its reader, unless it says what that is
        if #said > 0 then assert.same(said, printed) end
      end)
    end
    it(path .. ' names only files that exist', function()
      for target in text:gmatch('%]%(([%w%-_./]+)[#%w%-]*%)') do
        local from = path:match('^(.*/)') or ''
        local file = io.open(from .. target)
        assert.is_truthy(file, ('%s links to %s'):format(path, target))
        file:close()
      end
    end)
  end
end)

describe('the guides', function()
  it('name every function of metann itself, of its data and of its helpers for scripts', function()
    local metann, text, missing = require 'metann', {}, {}
    for _, path in ipairs(pages()) do text[#text + 1] = read(path) end
    text = table.concat(text, '\n')
    local names = { 'Omniglot', 'Episodes', 'Sinusoid', 'Random', 'Progress', 'Mean', 'plot.png', 'check_writable' }
    for name, value in pairs(metann) do
      if type(value) == 'function' then names[#names + 1] = name end
    end
    for _, name in ipairs(names) do
      if not text:find('%f[%w_]' .. name:gsub('%p', '%%%0') .. '[({]') then missing[#missing + 1] = name end
    end
    assert.equal('', table.concat(missing, ' '))
  end)
end)

--- The text of a page without its snippets: an example alone explains nothing.
local function told(path) return (read(path):gsub('```.-```', '')) end

--- Is the name a word of what the text sets as code?
local function listed(text, name)
  for code in text:gmatch '`([^`]+)`' do
    if (' ' .. code .. ' '):find('[^%w_]' .. name .. '[^%w_]') then return true end
  end
  return false
end

describe('the guides name by the namespaces\' own lists', function()
  local modules, learners = told 'docs/modules.md', told 'docs/learners.md' .. told 'docs/meta-learning.md'
  for what, page in pairs{
    layers = modules, functions = modules, every_optimizer = modules, schedules = modules, learners = learners,
    meta_functions = learners, distributions = told 'docs/distributions.md',
  } do
    it('all ' .. what:gsub('_', ' '), function()
      local missing = {}
      for _, name in ipairs(namespace[what]()) do
        if not listed(page, name) then missing[#missing + 1] = name end
      end
      assert.equal('', table.concat(missing, ' '))
    end)
  end

  it('the options of every optimizer, with their defaults', function()
    for _, name in ipairs(namespace.optimizers()) do
      local row = assert(modules:match('\n| `' .. name .. '` |([^\n]*)'), name .. ' has no row in docs/modules.md')
      for option in pairs(require('metann.optim').rules[name].defaults) do
        assert.is_true(option == 'maximize' or listed(row, option), name .. ': ' .. option)
      end
    end
  end)
end)

describe('the list of functions', function()
  local text = told 'docs/functions.md'

  it('has every function and method', function()
    require 'metann'
    local binding, missing = require 'metann.binding', {}
    local function check(name)
      -- in-place variants are spoken of together
      if not listed(text, name) and not (name:find '_$' and listed(text, name:sub(1, -2))) then missing[#missing + 1] = name end
    end
    for _, name in ipairs(binding.stub.order) do check(name) end
    for name in pairs(require 'metann.tensor.ops') do check(name) end
    for name in pairs(binding.handle.methods) do check(name) end
    for _, space in ipairs{ require('metann').linalg, require('metann').fft } do
      for _, name in ipairs(getmetatable(space).names(space)) do check(name) end
    end
    table.sort(missing)
    assert.equal('', table.concat(missing, ' '))
  end)

  it("has no function that doesn't exist", function()
    local metann, made_up = require 'metann', {}
    local t = metann.ones(1)
    for row in text:gmatch '\n| (`[^|]+) |' do
      for code in row:gmatch '`([^`]+)`' do
        local name = code:match '^t:([%w_]+)' or code:match '^linalg%.([%w_]+)' or code:match '^([%a][%w_]*)'
        local found = false
        for _, space in ipairs{ metann, t, metann.linalg, metann.fft } do
          found = found or pcall(function() return space[name] end)
        end
        if name and not found then made_up[#made_up + 1] = name end
      end
    end
    assert.equal('', table.concat(made_up, ' '))
  end)
end)
