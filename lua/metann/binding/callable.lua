--- True for what can be called.
return function(value)
  if type(value) == 'function' then return true end
  local mt = type(value) == 'table' and getmetatable(value)
  return type(mt) == 'table' and mt.__call ~= nil
end
