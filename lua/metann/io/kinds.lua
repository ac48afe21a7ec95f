--- What kind of file stands somewhere, told from its first bytes, for errors about files of another kind than wanted.
local posix = require 'metann.binding.posix'

local kinds = {}

-- So many bytes tell.
kinds.FIRST = 512
local PYTORCH = 'export its tensors from PyTorch by the safetensors package (docs/files.md, PyTorch)'

-- What a zip file is by the name of one of its entries.
local function kind_of_zip(name)
  if name:find '%f[^/%z]data%.pkl$' or name:find '/%.format_version$' then
    return 'pytorch', 'a PyTorch archive (zip): ' .. PYTORCH
  end
  if name:find '%.npy$' then return 'npz', 'an npz file: metann.io.npz.load reads it' end
  return 'zip', 'a zip file'
end

--- Words for an error about a zip file with such an entry: ', it looks like ...', or ''.
function kinds.zip_hint(name)
  local kind, words = kind_of_zip(name)
  return kind == 'pytorch' and ', it looks like ' .. words or ''
end

local function first_entry(text)
  local length = #text >= 30 and text:byte(27) + 256 * text:byte(28) or 0
  return text:sub(31, 30 + length)
end

local function is_safetensors(text)
  if #text < 9 or text:byte(9) ~= 0x7b then return false end
  return text:sub(5, 8) == '\0\0\0\0'
end

local function begins(start) return function(text) return text:sub(1, #start) == start end end

-- Tests in the order in which they are tried; the kind, and what an error says of it.
local KINDS = {
  { is_safetensors, 'safetensors', 'a safetensors file: metann.load and metann.io.safetensors.load read it' },
  { begins '\147NUMPY', 'npy', 'an npy file: metann.io.npy.load reads it' },
  { begins '\128\2\138\10l\252\156F\249 j\168P\25', 'pytorch', "a file of PyTorch's old format: " .. PYTORCH },
  { function(text) return text:find '^\128[\2-\5][%}%]%(\149c]' end, 'pickle',
    'a Python pickle, which only running code could read' },
  { function(text) return text:find '^PK[\1-\8][\1-\8]' end, 'zip' },
  { begins '\137HDF\r\n\26\n', 'hdf5', 'an HDF5 file' }, { begins 'GGUF', 'gguf', 'a GGUF file' },
  { begins '\137PNG', 'png', 'a PNG picture' }, { begins '\255\216\255', 'jpeg', 'a JPEG picture' },
  { begins '\31\139', 'gzip', 'a file packed by gzip: unpack it first' },
  { begins '7z\188\175\39\28', '7z', 'a 7z archive' }, { begins '\27L', 'bytecode', 'compiled Lua' },
  { begins '\127ELF', 'elf', 'a program or library' },
  { function(text) return #text > 0 and not text:find '[%z\1-\8\14-\31\127\192\193\245-\255]' end, 'text', 'a text file' },
}

--- What a file that begins with `text` is: a short name and words for an error; nil for what isn't known.
function kinds.of(text)
  for _, row in ipairs(KINDS) do
    if row[1](text) then
      if row[2] == 'zip' then return kind_of_zip(first_entry(text)) end
      return row[2], row[3]
    end
  end
  return nil
end

--- Words to be put behind an error about a file that begins with `text`: ', it looks like ...'; '' where that is not
-- known, or is the kind that was wanted.
-- @param text first bytes
-- @param wanted short name of the kind that was wanted
function kinds.hint_of(text, wanted)
  if text == '' then return ', it is empty' end
  local kind, words = kinds.of(text)
  if not kind or kind == wanted then return '' end
  return ', it looks like ' .. words
end

--- The same of a file.
-- @param where a path, or an open file of posix.open
-- @param wanted short name of the kind that was wanted
function kinds.hint(where, wanted)
  local file = where
  if type(where) == 'string' then file = posix.open(where) end
  if not file then return '' end
  local text = file:text(0, math.min(file.size, kinds.FIRST))
  if file ~= where then file:close() end
  return text and kinds.hint_of(text, wanted) or ''
end

--- Whether an open file can be a safetensors file, damaged perhaps, going by its first bytes: one of another known kind
-- can't, nor can text, whose first letters would be a header of more bytes than any disk has.
function kinds.may_be_safetensors(file)
  local kind = kinds.of(file:text(0, math.min(file.size, kinds.FIRST)) or '')
  return kind == nil or kind == 'safetensors'
end

return kinds
