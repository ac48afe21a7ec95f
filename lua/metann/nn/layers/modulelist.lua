--- ModuleList: a list of modules, registered under their numbers from 1. It computes nothing itself.
local class = require 'metann.nn.machinery.class'
local Container = require 'metann.nn.machinery.container'
local support = require 'metann.support'

local ModuleList = class.new('ModuleList', Container)

--- What a slice is: a plain ModuleList.
ModuleList._plain = ModuleList

--- @param modules a list or iterator of modules; none for an empty list
function ModuleList:init(modules)
  if modules == nil then return end
  if type(modules) ~= 'function' and (type(modules) ~= 'table' or (class.class_of(modules)
      and not class.is(modules, Container))) then
    support.raise('ModuleList: expected a list of modules, got %s', support.describe(modules))
  end
  self:extend(modules)
end

class.guard(ModuleList)

return ModuleList
