-- Names of modules that have moved: whoever wrote an old one gets the same module by it.
local scratch = require 'tests.support.scratch'
local renamed = require 'metann.renamed'

local function luajit(script)
  local status, said = scratch.run(("luajit -e %q"):format(script))
  assert(status == 0, said)
  return said
end

describe('the old names of modules', function()
  it('lead to modules that are there', function()
    for old, now in pairs(renamed) do
      assert.is_nil(renamed[now], old .. ' -> ' .. now)
      assert.is_truthy(package.searchpath(now, package.path), old .. ' -> ' .. now)
    end
  end)

  it("give what the new ones do, whether required before or after them", function()
    luajit [[
      require 'metann'
      for old, now in pairs(require 'metann.renamed') do
        local first = require(old)
        assert(rawequal(first, require(now)), old)
        package.loaded[old] = nil
        assert(rawequal(require(old), first), old)
      end]]
  end)

  it('leave other names to those who know them', function()
    local found, message = pcall(require, 'metann.nowhere')
    assert.is_false(found)
    assert.matches("module 'metann.nowhere' not found", message, 1, true)
    found, message = pcall(require, 'nowhere')
    assert.is_false(found)
    assert.matches("module 'nowhere' not found", message, 1, true)
  end)
end)
