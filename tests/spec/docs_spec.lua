-- Every Lua snippet of the README and the guides runs as it stands.
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

describe('the documentation', function()
  for _, path in ipairs(pages()) do
    local text, number = read(path), 0
    for at, code in text:gmatch('()```lua\n(.-)```') do
      number = number + 1
      local _, line = text:sub(1, at):gsub('\n', '')
      it(('%s, snippet %d'):format(path, number), function()
        -- What a snippet prints is for its reader.
        local environment = setmetatable({ print = function() end }, { __index = _G })
        setfenv(assert(loadstring(('\n'):rep(line + 1) .. code, '@' .. path)), environment)()
      end)
    end
    it(path .. ' names only files that exist', function()
      for target in text:gmatch('%]%(([%w%-_./]+)%)') do
        local from = path:match('^(.*/)') or ''
        local file = io.open(from .. target)
        assert.is_truthy(file, ('%s links to %s'):format(path, target))
        file:close()
      end
    end)
  end
end)
