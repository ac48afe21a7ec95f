local utils = require 'metann.utils'
local checks = require 'tests.support.checks'
local message = checks.message

-- The message of the error that fn raises.
describe('utils.OrderedDict', function()
  local d
  before_each(function() d = utils.OrderedDict{ { 'a', 1 }, { 'b', 2 }, { 'c', 3 } } end)

  it('keeps the order in which keys were set', function()
    assert.same({ 'a', 'b', 'c' }, d:keys())
    assert.same({ 1, 2, 3 }, d:values())
    d.a = 10
    d.z = 26
    d:delete('b')
    d.b = 5
    assert.same({ 'a', 'c', 'z', 'b' }, d:keys())
    assert.same({ 10, 3, 26, 5 }, d:values())
    assert.equal(4, d:len())
    local seen = {}
    for k, v in d:pairs() do seen[#seen + 1] = k .. v end
    assert.same({ 'a10', 'c3', 'z26', 'b5' }, seen)
  end)

  it('finds, defaults and misses', function()
    assert.equal(2, d.b)
    assert.equal(2, d:get('b'))
    assert.equal(7, d:get('x', 7))
    assert.is_nil(d:get('x', nil))
    assert.is_true(d:contains('a'))
    assert.is_false(d:contains('x'))
    assert.matches("no key string 'x'", message(function() return d.x end))
    assert.matches("no key string 'x'", message(d.get, d, 'x'))
    assert.matches("no key string 'x'", message(d.delete, d, 'x'))
    assert.matches('spec/utils_spec.lua', message(function() return d.x end))
  end)

  it('pops, clears and updates', function()
    assert.equal(1, d:pop('a'))
    assert.equal('none', d:pop('a', 'none'))
    assert.matches('no key', message(d.pop, d, 'a'))
    d:update{ { 'q', 1 }, { 'b', 9 } }
    assert.same({ 'b', 'c', 'q' }, d:keys())
    assert.same({ 9, 3, 1 }, d:values())
    d:update(utils.OrderedDict{ { 'r', 2 } })
    d:update{ s = 4 }
    assert.equal(2, d.r)
    assert.equal(4, d.s)
    d:clear()
    assert.equal(0, d:len())
    d.q = 2
    assert.same({ 'q' }, d:keys())
  end)

  it('deletes by assigning nil, and while iterating', function()
    d.b = nil
    assert.same({ 'a', 'c' }, d:keys())
    local seen = {}
    for k in d:pairs() do
      seen[#seen + 1] = k
      if k == 'a' then d:delete('c') end
    end
    assert.same({ 'a' }, seen)
  end)

  it('refuses wrong use before anything is written', function()
    assert.matches("'len' is a method's name", message(function() d.len = 3 end))
    d:set('len', 3)
    assert.equal(3, d:get('len'))
    assert.matches('entry 2 must be a', message(d.update, d, { { 'k', 1 }, 'l' }))
    assert.is_false(d:contains('k'))
    assert.matches('expected a dictionary', message(utils.OrderedDict, 3))
    assert.matches('a key must not be nil', message(d.set, d, nil, 1))
  end)

  it('takes numbers and tables as keys', function()
    local key = {}
    d[1] = 'one'
    d[key] = 'table'
    assert.equal('one', d[1])
    assert.equal('table', d[key])
    assert.same({ 'a', 'b', 'c', 1, key }, d:keys())
  end)
end)

describe('utils.SubDict', function()
  local super, sub
  before_each(function()
    super = utils.OrderedDict{ { 'a', 1 }, { 'b', 2 }, { 'c', 3 }, { 'd', 4 } }
    sub = utils.SubDict(super, { 'c', 'a', 'zz' })
  end)

  it('sees its keys only, in the order of the super dict', function()
    assert.same({ 'a', 'c' }, sub:keys())
    assert.same({ 1, 3 }, sub:values())
    assert.equal(2, sub:len())
    assert.equal(3, sub.c)
    assert.is_false(sub:contains('b'))
    assert.matches('no key', message(function() return sub.b end))
    assert.equal('x', sub:get('b', 'x'))
  end)

  it('iterates in the order of the keys when told so, and for a plain table', function()
    assert.same({ 'c', 'a' }, utils.SubDict(super, { 'c', 'a' }, false):keys())
    assert.same({ 'c', 'a' }, utils.SubDict({ a = 1, b = 2, c = 3 }, { 'c', 'a' }):keys())
    assert.same({ 2, 1 }, utils.SubDict({ 'x', 'y' }, { 2, 1 }):keys())
  end)

  it('writes and deletes through', function()
    sub.a = 10
    assert.equal(10, super.a)
    sub.new = 5
    assert.equal(5, super.new)
    assert.is_true(sub:contains('new'))
    sub:delete('a')
    assert.is_false(super:contains('a'))
    assert.equal(3, sub:pop('c'))
    assert.is_false(super:contains('c'))
    sub:clear()
    assert.same({ 'b', 'd' }, super:keys())
    local plain = { a = 1, b = 2 }
    utils.SubDict(plain, { 'a' }):delete('a')
    assert.same({ b = 2 }, plain)
  end)

  it('has a membership that is always current', function()
    super:delete('a')
    assert.is_false(sub:contains('a'))
    assert.same({ 'c' }, sub:keys())
    assert.equal(1, sub:len())
    assert.matches('no key', message(function() return sub.a end))
    super.a = 7
    assert.equal(7, sub.a)
    super:delete('a')
    sub:update_keys()
    super.a = 8
    assert.is_false(sub:contains('a'))
  end)

  it('drops keys that are unknown at construction', function()
    super.zz = 1
    assert.is_false(sub:contains('zz'))
    sub.zz = 2
    assert.equal(2, super.zz)
  end)

  it('nests, lists a key once, and takes other sources of keys', function()
    local inner = utils.SubDict(sub, { 'a', 'a', 'b' })
    assert.same({ 'a' }, inner:keys())
    inner.a = 11
    assert.equal(11, super.a)
    super:delete('a')
    assert.equal(0, inner:len())
    assert.equal(0, utils.SubDict(super):len())
    assert.same({ 'b', 'c' }, utils.SubDict(super, utils.OrderedDict{ { 'c', 0 }, { 'b', 0 } }):keys())
    assert.same({ 'b', 'c', 'd' }, utils.SubDict(super, super:pairs()):keys())
  end)

  it('updates, and refuses wrong use', function()
    sub:update{ { 'c', 30 }, { 'e', 50 } }
    assert.equal(30, super.c)
    assert.equal(50, super.e)
    assert.matches('super_dict must be', message(utils.SubDict, 3))
    assert.matches('keys must be', message(utils.SubDict, super, 3))
    assert.matches('keep_order must be', message(utils.SubDict, super, {}, 3))
  end)
end)

describe('utils.DefaultList', function()
  it('makes on reading, and keeps', function()
    local made = 0
    local l = utils.DefaultList(function()
      made = made + 1
      return { made }
    end)
    local third = l[3]
    assert.same({ 1 }, third)
    assert.equal(third, l[3])
    assert.equal(third, l:get(3))
    assert.same({ 2 }, l[1])
    l[1] = 'x'
    assert.equal('x', l[1])
    l:set(2, 'y')
    assert.equal('y', l:get(2))
    assert.equal(2, made)
  end)

  it('makes nil without a factory, and keeps nil too', function()
    local l = utils.DefaultList()
    assert.is_nil(l[5])
    local calls = 0
    l = utils.DefaultList(function() calls = calls + 1 end)
    assert.is_nil(l[1])
    assert.is_nil(l[1])
    assert.equal(1, calls)
    l[2] = nil
    assert.is_nil(l[2])
    assert.equal(1, calls)
  end)

  it('iterates without an end', function()
    local n = 0
    for i, v in utils.DefaultList(function() return 'v' end, { 'a', 'b' }):iter() do
      n = n + 1
      assert.equal(n, i)
      assert.equal(({ 'a', 'b' })[i] or 'v', v)
      if n == 1000 then break end
    end
    assert.equal(1000, n)
  end)

  it('is filled from the first place', function()
    local l = utils.DefaultList(function() return 0 end, { 1, 2, 3 })
    assert.same({ 1, 2, 3, 0 }, { l[1], l[2], l[3], l[4] })
    l:fill{ 7, 8 }
    assert.same({ 7, 8, 3 }, { l[1], l[2], l[3] })
  end)

  it('refuses wrong use', function()
    assert.matches("'factory' must be a function", message(utils.DefaultList, 3))
    assert.matches('expected a list', message(utils.DefaultList, nil, 3))
    assert.matches('whole number from 1', message(function() return utils.DefaultList()[0] end))
    assert.matches('whole number from 1', message(function() utils.DefaultList()[1.5] = 1 end))
  end)
end)

describe('utils.MultipleList', function()
  it('is indexed by number and by list', function()
    local l = utils.MultipleList{ 'a', 'b', 'c', false }
    assert.equal('b', l[2])
    assert.equal(4, l:len())
    assert.equal(4, #l)
    local picked = l[{ 3, 1, 3 }]
    assert.same({ 'c', 'a', 'c' }, { unpack(picked) })
    assert.equal(3, picked:len())
    assert.equal('c', picked[{ 1 }][1])
  end)

  it('is assigned by number and by list, all or nothing', function()
    local source = { 'a', 'b', 'c' }
    local l = utils.MultipleList(source)
    l[2] = 'B'
    l[{ 3, 1 }] = { 'C', 'A' }
    assert.same({ 'A', 'B', 'C' }, { unpack(l) })
    assert.same({ 'a', 'b', 'c' }, source)
    assert.matches('2 positions, but 1 values', message(function() l[{ 1, 2 }] = { 'x' } end))
    assert.matches('out of range 1..3', message(function() l[{ 1, 4 }] = { 'x', 'y' } end))
    assert.equal('A', l[1])
    assert.matches('takes a list of values', message(function() l[{ 1 }] = 'x' end))
  end)

  it('iterates, and refuses positions out of range', function()
    local seen = {}
    for i, v in utils.MultipleList{ 'a', false, 'c' }:iter() do seen[i] = v end
    assert.same({ 'a', false, 'c' }, seen)
    assert.matches('index 4 is out of range 1..3', message(function() return utils.MultipleList{ 1, 2, 3 }[4] end))
    assert.matches('out of range', message(function() return utils.MultipleList{ 1 }[0] end))
    assert.matches('out of range', message(function() utils.MultipleList{ 1 }[2] = 3 end))
    assert.matches('expected a list', message(utils.MultipleList, 3))
  end)
end)

describe('utils', function()
  it('says that methods want a colon, and takes no more arguments than there are', function()
    local dict = utils.OrderedDict{ { 'a', 1 } }
    local calls = {
      ["OrderedDict:keys: must be called with ':', as in OrderedDict:keys(...), got nil"] = function() dict.keys() end,
      ["OrderedDict:get: must be called with ':', as in OrderedDict:get(...), got string 'a'"] = function() dict.get 'a' end,
      ["SubDict:update_keys: must be called with ':', as in SubDict:update_keys(...), got nil"] = function()
        utils.SubDict(dict, { 'a' }).update_keys()
      end,
      ["DefaultList:get: must be called with ':', as in DefaultList:get(...), got number 1"] = function()
        utils.DefaultList().get(1)
      end,
      ["MultipleList:len: must be called with ':', as in MultipleList:len(...), got nil"] = function()
        utils.MultipleList{ 1 }.len()
      end,
      ['OrderedDict: takes 1 argument, got 2'] = function() utils.OrderedDict({}, 2) end,
      ['SubDict: takes 3 arguments, got 4'] = function() utils.SubDict(dict, {}, true, 4) end,
      ['DefaultList: takes 2 arguments, got 3'] = function() utils.DefaultList(nil, {}, 3) end,
      ['MultipleList: takes 1 argument, got 2'] = function() utils.MultipleList({}, 3) end,
    }
    for words, call in pairs(calls) do
      local said = message(call)
      assert.truthy(said:find(words, 1, true), said)
      assert.matches('spec/utils_spec.lua', said)
    end
  end)

  it('prints a dictionary that holds itself', function()
    local one, two = utils.OrderedDict{ { 'a', 1 } }, utils.OrderedDict()
    one.self = one
    one.two = two
    two.one = one
    assert.equal('OrderedDict{a=1, self=OrderedDict{...}, two=OrderedDict{one=OrderedDict{...}}}', tostring(one))
    assert.equal('OrderedDict{one=OrderedDict{a=1, self=OrderedDict{...}, two=OrderedDict{...}}}', tostring(two))
  end)
end)
