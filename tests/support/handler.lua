-- busted output: a line for each file, every failure with its place, and 'N passed, N failed' at the end. The numbers
-- also go to the file that METANN_TEST_TALLY names, for ./dev to add up.
local busted = require 'busted'
local base = require 'busted.outputHandlers.base'
local system = require 'system' -- busted's own clock

local function text(message)
  if type(message) == 'string' then return message end
  return message == nil and 'error(nil)' or require 'pl.pretty'.write(message)
end

return function(options)
  local handler = base()
  local files, start = {}, system.gettime()
  local tally = os.getenv 'METANN_TEST_TALLY'
  local at = tally and assert(io.open(tally .. '.case', 'w'))

  local function report(t, kind)
    local trace = t.trace or {}
    io.write(('%s %s\n  %s:%s\n  %s\n'):format(kind, t.name, trace.short_src or '?', trace.currentline or '?',
      (text(t.message):gsub('\n', '\n  '))))
    if trace.traceback and (kind == 'ERROR' or options.verbose) then
      io.write('  ', (trace.traceback:gsub('^\n', ''):gsub('\n', '\n  ')), '\n')
    end
    io.flush()
  end

  function handler.fileStart(file)
    files[#files + 1] = file.name
    return nil, true
  end

  -- The case at hand stands in a file, so that one that ends the process can be named.
  function handler.testStart(element)
    if at then
      at:seek('set')
      at:write(handler.getFullName(element), (' '):rep(120), '\n')
      at:flush()
    end
    return nil, true
  end

  function handler.testEnd(_, _, status)
    if status == 'failure' then report(handler.failures[#handler.failures], 'FAILED') end
    if status == 'error' then report(handler.errors[#handler.errors], 'ERROR') end
    return nil, true
  end

  function handler.error(element)
    if element.descriptor ~= 'it' then report(handler.errors[#handler.errors], 'ERROR') end
    return nil, true
  end

  function handler.suiteEnd()
    local passed, failed = handler.successesCount, handler.failuresCount + handler.errorsCount
    local skipped = handler.pendingsCount
    if tally then
      at:close()
      os.remove(tally .. '.case')
      local file = assert(io.open(tally, 'w'))
      file:write(passed, ' ', failed, ' ', skipped, '\n')
      file:close()
    end
    for _, t in ipairs(handler.pendings) do io.write('skipped ', t.name, ': ', text(t.message or ''), '\n') end
    io.write(('%s (%.1f s): %d passed, %d failed%s\n'):format(table.concat(files, ' '), system.gettime() - start, passed,
      failed, skipped > 0 and (', %d skipped'):format(skipped) or ''))
    io.flush()
    return nil, true
  end

  busted.subscribe({ 'file', 'start' }, handler.fileStart)
  busted.subscribe({ 'test', 'start' }, handler.testStart)
  busted.subscribe({ 'test', 'end' }, handler.testEnd, { predicate = handler.cancelOnPending })
  busted.subscribe({ 'error' }, handler.error)
  busted.subscribe({ 'suite', 'end' }, handler.suiteEnd)
  return handler
end
