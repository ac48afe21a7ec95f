--- What many specs ask.
local checks = {}

--- The message of the error that fn(...) raises; fails where it raises none. The place that it names is this file: specs
-- of places call by themselves.
function checks.message(fn, ...)
  local ok, failure = pcall(fn, ...)
  if ok then error('expected an error, but the call went well', 2) end
  return tostring(failure)
end

--- Fails unless fn(...) raises an error in whose message the pattern is found.
function checks.fails(pattern, fn, ...)
  local ok, failure = pcall(fn, ...)
  if ok then error('expected an error, but the call went well', 2) end
  if not tostring(failure):find(pattern) then
    error(("expected an error with '%s', got: %s"):format(pattern, tostring(failure)), 2)
  end
end

--- Fails unless a has the size of b and, element by element, its numbers up to a tolerance (1e-12).
function checks.close(a, b, tolerance)
  local got, want = table.concat(a.shape, 'x'), table.concat(b.shape, 'x')
  if got ~= want then error(('expected a tensor of size %s, got %s'):format(want, got), 2) end
  local x, y = a:detach():reshape(-1):to_table(), b:detach():reshape(-1):to_table()
  for i = 1, #y do
    if not (math.abs(x[i] - y[i]) <= (tolerance or 1e-12)) then
      error(('element %d: expected %.17g, got %.17g'):format(i, y[i], x[i]), 2)
    end
  end
end

return checks
