--- Identity: gives back what it gets; takes any arguments when made.
local class = require 'metann.nn.machinery.class'
local Module = require 'metann.nn.machinery.module'

local Identity = class.new('Identity', Module)

function Identity.forward(_, x) return x end

return Identity
