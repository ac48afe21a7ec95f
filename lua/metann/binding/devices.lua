--- Devices: their names here, their numbers in the core.
local handle = require 'metann.binding.handle'
local raise = require('metann.binding.errors').raise
local ffi, C, ctx = handle.ffi, handle.C, handle.ctx

local devices = {}

local numbers = { cpu = 0, ['cpu:0'] = 0 }

--- The number of the device of a name, which is opened then; nil and the reason where there is none.
function devices.number(name)
  local number = numbers[name]
  if number then return number end
  if type(name) ~= 'string' then return nil, 'a device has a name' end
  number = C.mn_device_find(ctx, name)
  if number >= 0 then
    numbers[name] = number
    return number
  end
  local reason = ffi.string(C.mn_error_message(ctx))
  C.mn_error_clear(ctx)
  return nil, reason
end

--- The name of a number's device.
function devices.name(number) return number == 0 and 'cpu' or ffi.string(C.mn_device_name(ctx, number)) end

--- The name of the device that a tensor is on.
function devices.of(t) return devices.name(handle.array(t).device) end

local function back(before, ok, result, second, third)
  C.mn_set_default_device(ctx, before)
  if not ok then error(result, 0) end
  return result, second, third
end

--- What fn(...) returns, up to three values, while tensors without inputs are made on the device of that number.
function devices.on(number, fn, ...)
  local before = C.mn_default_device(ctx)
  if before == number then return fn(...) end
  C.mn_set_default_device(ctx, number)
  return back(before, pcall(fn, ...))
end

--- The name of the device that tensors are made on where nothing else says which.
function devices.default() return devices.name(C.mn_default_device(ctx)) end

--- Makes tensors on that device from now on.
function devices.set_default(name)
  local number, reason = devices.number(name)
  if not number then raise('set_default_device: %s', reason) end
  C.mn_set_default_device(ctx, number)
end

--- Waits until the work of a device is done.
function devices.settle(name)
  local number, reason = devices.number(name)
  if not number then raise('settle: %s', reason) end
  if C.mn_device_settle(ctx, number) ~= 0 then handle.fail() end
end

--- Bytes that a device's tensors take: {live_bytes, peak_bytes, limit_bytes, live_storages}.
function devices.memory(name)
  local number, reason = devices.number(name)
  if not number then raise('memory: %s', reason) end
  local stats = C.mn_device_memory(ctx, number)
  return {
    live_bytes = stats.live_bytes, peak_bytes = stats.peak_bytes, limit_bytes = stats.limit_bytes,
    live_storages = stats.live_storages,
  }
end

return devices
