--- Devices: their names here, their numbers in the core.
local handle = require 'metann.binding.handle'
local scope = require 'metann.binding.scope'
local errors = require 'metann.binding.errors'
local raise, describe = errors.raise, errors.describe
local ffi, C, ctx = handle.ffi, handle.C, handle.ctx

local devices = {}

local numbers = { cpu = 0, ['cpu:0'] = 0 }

-- A device as an object. No table, which would stand for options by name.
local Device = ffi.typeof 'struct { int32_t number; }'

--- The number of the device of a name or object, which is opened then; nil and the reason where there is none.
function devices.number(name)
  local number = numbers[name]
  if number then return number end
  if ffi.istype(Device, name) then return name.number end
  if type(name) ~= 'string' then return nil, ("expected a device such as 'cpu', got %s"):format(describe(name)) end
  number = C.mn_device_find(ctx, name)
  if number >= 0 then
    C.mn_set_places(ctx, 1) -- for what a device finds late
    numbers[name] = number
    return number
  end
  local reason = ffi.string(C.mn_error_message(ctx)):gsub('^device: ', '')
  C.mn_error_clear(ctx)
  return nil, reason
end

--- The number, or an error in the name of the function that was given the device.
local function number_for(what, name)
  local number, reason = devices.number(name)
  return number or raise('%s: %s', what, reason)
end

--- The name of a number's device.
function devices.name(number) return number == 0 and 'cpu' or ffi.string(C.mn_device_name(ctx, number)) end

ffi.metatype(Device, {
  __index = function(device, field)
    local kind, index = devices.name(device.number):match '^(.-):?(%d*)$'
    if field == 'type' then return kind end
    if field == 'index' then return tonumber(index) end
    return raise("a device has no field '%s', it has type and index", tostring(field))
  end,
  __tostring = function(device) return devices.name(device.number) end,
  __eq = function(a, b) return ffi.istype(Device, a) and ffi.istype(Device, b) and a.number == b.number end,
})

--- The object that stands for a device.
function devices.object(name)
  return Device(number_for('device', name))
end

--- True for a device as an object.
function devices.is_object(x) return ffi.istype(Device, x) end

--- The name of the device that a tensor is on.
function devices.of(t) return devices.name(handle.array(t).device) end

local function back(before, ok, result, second, third)
  C.mn_set_default_device(ctx, before)
  if not ok then error(result, 0) end
  return result, second, third
end

--- What fn(...), code of the library's, returns, up to three values, while tensors without inputs are made on the device
-- of that number.
function devices.on(number, fn, ...)
  local before = C.mn_default_device(ctx)
  if before == number then return fn(...) end
  C.mn_set_default_device(ctx, number)
  return back(before, pcall(fn, ...))
end

local Default = {}
Default.__index = Default
function Default:save() self.outer = C.mn_default_device(ctx) end
function Default:enter() C.mn_set_default_device(ctx, self.number) end
function Default:leave() C.mn_set_default_device(ctx, self.outer) end

--- The same for a function of the user's, with all that it returns; another default may hold where it yields.
function devices.during(number, fn, ...)
  if C.mn_default_device(ctx) == number then return fn(...) end
  return scope.with(setmetatable({ number = number }, Default), fn, ...)
end

--- The name of the device that tensors are made on where nothing else says which.
function devices.default() return devices.name(C.mn_default_device(ctx)) end

--- Makes tensors on that device from now on.
function devices.set_default(name) C.mn_set_default_device(ctx, number_for('set_default_device', name)) end

--- Waits until the work of a device is done.
function devices.synchronize(name)
  if C.mn_device_settle(ctx, number_for('synchronize', name)) ~= 0 then handle.fail() end
end

--- The bytes that a device's tensors may take.
function devices.set_limit(name, bytes)
  if C.mn_set_device_limit(ctx, number_for('set_memory_limit', name), bytes) ~= 0 then handle.fail() end
end

--- Bytes that a device's tensors take: {live_bytes, peak_bytes, limit_bytes, live_storages}.
function devices.memory(name)
  local stats = C.mn_device_memory(ctx, number_for('memory', name))
  return {
    live_bytes = stats.live_bytes, peak_bytes = stats.peak_bytes, limit_bytes = stats.limit_bytes,
    live_storages = stats.live_storages,
  }
end

return devices
