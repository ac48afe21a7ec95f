-- Every dtype through what stores it: made, filled, cast, printed, viewed, indexed, written, joined, saved, given back.
local metann = require 'metann'
local scratch = require 'tests.support.scratch'

local DTYPES = { 'float32', 'float64', 'int64', 'int32', 'uint8', 'bool', 'float16', 'bfloat16' }
local VALUES = { { 0, 1 }, { 1, 0 } } -- which all dtypes have

for _, dtype in ipairs(DTYPES) do
  describe(dtype, function()
    local options = { dtype = dtype }

    it('is made by every constructor', function()
      assert.same(VALUES, metann.tensor(VALUES, options):to_table())
      assert.same({ { 0, 0 } }, metann.zeros(1, 2, options):to_table())
      assert.same({ 1, 1 }, metann.ones(2, options):to_table())
      assert.same({ 1, 1 }, metann.full({ 2 }, 1, options):to_table())
      assert.same({ 0, 1 }, metann.arange(2, options):to_table())
      assert.same({ 0, 1 }, metann.linspace(0, 1, 2, options):to_table())
      assert.same({ { 1, 0 }, { 0, 1 } }, metann.eye(2, options):to_table())
      for _, like in ipairs{ 'zeros_like', 'ones_like', 'empty_like' } do
        local t = metann[like](metann.tensor(VALUES, options))
        assert.equal(dtype, t.dtype)
        assert.same({ 2, 2 }, t.shape)
      end
      assert.equal(dtype, metann.empty(3, options).dtype)
      assert.same({ 0, 1 }, metann.tensor({ 0, 1 }):new_tensor({ 0, 1 }, options):to_table())
      assert.equal(1, metann.tensor(1, options):item())
    end)

    it('is cast to and from every other', function()
      for _, other in ipairs(DTYPES) do
        local t = metann.tensor(VALUES, { dtype = other }):to(dtype)
        assert.equal(dtype, t.dtype)
        assert.same(VALUES, t:to_table())
        assert.same(VALUES, t:to(other):to_table())
      end
      assert.same(VALUES, metann.tensor(VALUES):type_as(metann.zeros(1, options)):to_table())
    end)

    it('is viewed, joined, indexed and written', function()
      local t = metann.tensor(VALUES, options)
      assert.same({ { 0, 1 }, { 1, 0 } }, t:t():to_table())
      assert.same({ 0, 1, 1, 0 }, t:flatten():to_table())
      assert.same({ 1, 0 }, t[2]:to_table())
      assert.same({ { 1 }, { 0 } }, t[{ {}, { 2, 2 } }]:to_table())
      assert.same({ { 1, 0 }, { 0, 1 } }, t[metann.tensor{ 2, 1 }]:to_table())
      assert.same({ 0, 0 }, t[metann.tensor{ { true, false }, { false, true } }]:to_table())
      assert.same({ 0, 1, 0, 1 }, metann.cat({ t[1], t[1] }, 1):to_table())
      assert.same({ { 0, 1 }, { 1, 0 } }, metann.stack{ t[1], t[2] }:to_table())
      assert.same({ { 0, 1 }, { 0, 1 } }, t[1]:expand(2, 2):contiguous():to_table())
      local copy = t:clone()
      copy[{ 1, 1 }] = 1
      copy[2] = metann.tensor({ 0, 1 }, options)
      assert.same({ { 1, 1 }, { 0, 1 } }, copy:to_table())
      copy:zero_()
      copy:copy_(t)
      assert.same(VALUES, copy:to_table())
      assert.is_true(copy:equal(t))
    end)

    it('prints', function()
      local text = tostring(metann.tensor(VALUES, options))
      assert.truthy(text:find(('[%s tensor of size 2x2]'):format(dtype), 1, true))
      local one = dtype == 'bool' and 'true' or '1'
      assert.equal(one, tostring(metann.tensor(1, options)))
    end)

    it('is saved and loaded', function()
      local folder = scratch.folder()
      local path = folder .. '/t'
      local t = metann.tensor(VALUES, options)
      metann.save(path, { t = t })
      local loaded = metann.load(path).t
      scratch.remove(folder)
      assert.equal(dtype, loaded.dtype)
      assert.same(VALUES, loaded:to_table())
    end)

    it('comes from a pointer and goes back to it', function()
      local t = metann.tensor(VALUES, options)
      local back = metann.from_buffer(t:data_ptr(), { 2, 2 }, options)
      assert.same(VALUES, back:to_table())
      assert.is_false(back:shares_storage(t))
    end)
  end)
end

describe('a dtype', function()
  it('holds what it can', function()
    assert.same({ 0.333251953125, 65504, 1 / 0 }, metann.tensor({ 1 / 3, 65504, 1e6 }, { dtype = 'float16' }):to_table())
    assert.same({ 0.333984375, 2 ^ 100 }, metann.tensor({ 1 / 3, 2 ^ 100 }, { dtype = 'bfloat16' }):to_table())
    assert.same({ 255, 0 }, metann.tensor({ 255, 0 }, { dtype = 'uint8' }):to_table())
    assert.same({ 2147483647, -2147483648 }, metann.tensor({ 2147483647, -2147483648 }, { dtype = 'int32' }):to_table())
    assert.same({ 2 ^ 53 }, metann.tensor({ 2 ^ 53 }, { dtype = 'int64' }):to_table())
    assert.same({ 1, 0, 1 }, metann.tensor({ 5, 0, -0.5 }, { dtype = 'bool' }):to_table())
  end)

  it("refuses what it can't", function()
    for _, case in ipairs{ { 256, 'uint8' }, { -1, 'uint8' }, { 2 ^ 31, 'int32' }, { 0.5, 'int64' }, { 0 / 0, 'int32' },
      { 2 ^ 63, 'int64' } } do
      local ok, message = pcall(metann.tensor, { case[1] }, { dtype = case[2] })
      assert.is_false(ok, case[1] .. ' in ' .. case[2])
      assert.truthy(message:find("doesn't fit " .. case[2], 1, true), message)
    end
    local ok, message = pcall(function() return metann.tensor({ 9007199254740993LL }):to_table() end)
    assert.is_false(ok)
    assert.truthy(message:find 'beyond 2^53')
  end)
end)
