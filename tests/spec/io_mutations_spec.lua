-- Damaged files: each is refused with an error that names it, or is still a valid file; never a crash, a hang, or memory
-- out of proportion. The seed is printed; METANN_SEED repeats a run.
local scratch = require 'tests.support.scratch'
local damaged = require 'tests.support.damaged'
local mutate = require 'tests.support.mutate'

local seed = tonumber(os.getenv 'METANN_SEED') or os.time()
print('seed ' .. seed)
local draw = mutate.source(seed)

-- One folder for all: each write of a whole file waits for the disk.
local folder = scratch.folder()
local path = folder .. '/a'
local readers = damaged.readers(folder, draw)
teardown(function() scratch.remove(folder) end)

local FILES = 300

describe('Damaged files', function()
  for _, reader in ipairs(readers) do
    local name = reader.name
    it('are errors or valid: ' .. name, function()
      local count = damaged.with_limits(reader, path, function(try)
        for _, text in ipairs(reader.texts) do assert(try(text), 'a whole file was refused') end
        for _ = 1, FILES do try(damaged.draw_text(reader, draw)) end
      end)
      assert.are.equal(FILES + #reader.texts, count)
    end)

    it('cut short are errors: ' .. name, function()
      -- libpng takes a picture whose end is missing; what follows the pixels is not looked at
      local strict = not name:find 'drawings' or name == 'zip files of drawings'
      damaged.with_limits(reader, path, function(try)
        for i, text in ipairs(reader.texts) do
          local step = i == 1 and math.max(1, math.floor(#text / 300)) or math.max(1, math.floor(#text / 10))
          for n = 0, #text - 1, step do
            local taken = try(text:sub(1, n))
            assert(not (taken and strict), n)
          end
          if strict and not name:find 'zip' and name ~= 'npz' then assert(not try(text .. '\0')) end
        end
      end)
    end)
  end

  it('are errors with any length of a safetensors header', function()
    local reader = readers[1]
    damaged.with_limits(reader, path, function(try)
      for shift = 0, 7 do
        for _, byte in ipairs { 1, 127, 128, 255 } do
          local length = { 0, 0, 0, 0, 0, 0, 0, 0 }
          length[shift + 1] = byte
          assert(not try(string.char(unpack(length)) .. reader.texts[1]:sub(9)))
        end
      end
    end)
  end)
end)
