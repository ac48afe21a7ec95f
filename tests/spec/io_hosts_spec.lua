-- The space of C names that a Lua state has is shared with the host and its libraries: metann declares nothing there under
-- a name that others use, so neither order of loading changes what the other one gets.
local scratch = require 'tests.support.scratch'

local function files()
  local _, said = scratch.run 'find lua -name "*.lua"'
  local list = {}
  for path in said:gmatch '[^\n]+' do list[#list + 1] = path end
  assert(#list > 100)
  return list
end

--- The texts that a Lua file declares to ffi, and the header's part that is declared as it stands.
local function declarations()
  local texts = {}
  for _, path in ipairs(files()) do
    local text, found, calls = scratch.read(path), 0, 0
    for declared in text:gmatch "declare%('[%w_]+', %[%[(.-)%]%]%)" do
      found = found + 1
      texts[path .. ' ' .. found] = declared
    end
    for line in text:gmatch '[^\n]+' do
      if line:find 'clib%.declare%(' and not line:find '^function' then calls = calls + 1 end
      -- ffi.cdef itself is called in two places: for those texts, and for the header
      local known = path:find 'binding/clib.lua$' or path:find 'binding/library.lua$'
      assert(not (line:find '%f[%w_]cdef%f[^%w_]' and not line:find '^%s*%-%-' and not known), path .. ': ' .. line)
    end
    assert.are.equal(calls, found, path)
  end
  local header = scratch.read 'core/include/metann.h'
  texts['metann.h'] = header:match '/%* ffi: begin %*/(.-)/%* ffi: end %*/'
  return texts
end

--- Names that a text of declarations puts into the state's space: functions with the symbol each stands for, types, tags
-- and constants.
local function names_in(text)
  local names, symbols = {}, {}
  text = text:gsub('/%*.-%*/', ' '):gsub('//[^\n]*', ' ')
  for constants in text:gmatch 'enum[%s%w_]*(%b{})' do
    for constant in constants:gmatch '[{,]%s*([%a_][%w_]*)' do names[#names + 1] = constant end
  end
  for tag in text:gmatch '%f[%w_]struct%s+([%a_][%w_]*)' do names[#names + 1] = tag end
  for tag in text:gmatch '%f[%w_]union%s+([%a_][%w_]*)' do names[#names + 1] = tag end
  for tag in text:gmatch '%f[%w_]enum%s+([%a_][%w_]*)' do names[#names + 1] = tag end
  for statement in text:gsub('%b{}', ' '):gmatch '[^;]+' do
    local name = statement:match '%(%s*%*%s*([%a_][%w_]*)%s*%)%s*%('
      or statement:match '([%a_][%w_]*)%s*%(' or statement:match '([%a_][%w_]*)%s*$'
    if name and name ~= 'enum' then -- constants without a name of their own
      names[#names + 1] = name
      symbols[name] = statement:match '__asm__%("([%w_]+)"%)' or (statement:find '%(' and name) or nil
    end
  end
  return names, symbols
end

describe('C names', function()
  it("are metann's own, whatever they stand for", function()
    local count = 0
    for place, text in pairs(declarations()) do
      local names, symbols = names_in(text)
      for _, name in ipairs(names) do
        count = count + 1
        assert.truthy(name:find '^metann_' or (place == 'metann.h' and name:find '^[mM][nN]_'), place .. ': ' .. name)
        if place ~= 'metann.h' and symbols[name] then
          assert.are.equal('metann_' .. symbols[name], name, place)
        end
      end
    end
    assert(count > 150, count)
  end)

  it('are found by the check above', function()
    local names, symbols = names_in [[
      typedef struct stat_t { int x; } stat_t; enum { A_CONSTANT = 1, ANOTHER };
      int open(const char *path, int flags, ...); void *metann_get(void) __asm__("get");
    ]]
    table.sort(names)
    assert.are.same({ 'ANOTHER', 'A_CONSTANT', 'metann_get', 'open', 'stat_t', 'stat_t' }, names)
    assert.are.same({ open = 'open', metann_get = 'get' }, symbols)
  end)
end)

-- What a host may declare: the same functions with types of its own.
local HOST = [==[
local ffi = require 'ffi'
ffi.cdef [[
struct timespec { long tv_sec; long tv_nsec; };
int clock_gettime(int, struct timespec *);
int open(const char *, int, int);
long read(int, char *, unsigned long);
long write(int, char *, unsigned long);
long pread(int, char *, unsigned long, long);
int close(int);
typedef struct __dirstream DIR;
DIR *opendir(char *);
struct dirent64 { unsigned long d_ino; long d_off; unsigned short d_reclen; unsigned char d_type; char d_name[256]; };
struct dirent64 *readdir64(DIR *);
int closedir(DIR *);
struct statx { unsigned int stx_mask; char rest[252]; };
int statx(int, char *, int, unsigned int, struct statx *);
int fsync(int); int fileno(struct _IO_FILE *); int isatty(int); char *strerror(int); int flock(int, int);
struct _IO_FILE *fdopen(int, char *); int fclose(struct _IO_FILE *); int fchmod(int, short); int geteuid(void);
char *realpath(char *, char *); long readlink(char *, char *, unsigned long); void free(char *);
typedef struct json_t { int type; unsigned long refcount; } json_t;
typedef struct { int line; } json_error_t;
json_t *json_loadb(char *, unsigned long, unsigned long, json_error_t *);
json_t *json_object(void); json_t *json_string(char *); void json_delete(json_t *);
char *json_dumps(json_t *, unsigned long);
typedef struct zip zip_t; typedef struct zip_source zip_source_t; typedef struct zip_error { int a, b; char *c; } zip_error_t;
zip_t *zip_open(char *, int, int *); void zip_discard(zip_t *); int zip_close(zip_t *);
zip_t *zip_open_from_source(zip_source_t *, int, zip_error_t *);
long zip_get_num_entries(zip_t *, unsigned int);
typedef struct { void *opaque; } png_image;
int png_image_begin_read_from_memory(png_image *, char *, unsigned long); void png_image_free(png_image *);
]]
local function host()
  local time = ffi.new 'struct timespec[1]'
  assert(ffi.C.clock_gettime(1, time) == 0 and time[0].tv_sec > 0)
  local fd = ffi.C.open('/dev/null', 0, 0)
  assert(fd >= 0 and ffi.C.read(fd, ffi.new 'char[1]', 1) == 0 and ffi.C.close(fd) == 0)
  local folder = ffi.C.opendir(ffi.cast('char *', '/'))
  assert(folder ~= nil and ffi.string(ffi.C.readdir64(folder).d_name) ~= '')
  ffi.C.closedir(folder)
  assert(ffi.C.statx(-100, ffi.cast('char *', '/'), 0, 0x7ff, ffi.new 'struct statx') == 0)
  local jansson = ffi.load 'libjansson.so.4'
  local object = jansson.json_object()
  local text = jansson.json_dumps(object, 0)
  assert(ffi.string(text) == '{}')
  ffi.C.free(text)
  jansson.json_delete(object)
end
]==]

local METANN = [==[
local function library(folder, picture)
  local metann = require 'metann'
  local t = metann.tensor{ 1, 2, 3 }
  metann.save(folder .. '/a', { t, 'é' })
  metann.io.npy.save(folder .. '/b', t)
  metann.io.npz.save(folder .. '/c', { x = t })
  assert(metann.load(folder .. '/a')[2] == 'é' and metann.io.npy.load(folder .. '/b')[3]:item() == 3)
  assert(metann.io.npz.load(folder .. '/c').x[2]:item() == 2)
  assert(metann.data.Omniglot(folder .. '/drawings').classes[1].images.ndim == 4)
  assert(metann.train.Progress{ steps = 1 }:elapsed() >= 0)
end
]==]

describe('A host that declares the same C functions', function()
  for order, script in pairs {
    ['before metann is used'] = HOST .. METANN .. 'host() library(arg[1]) host()',
    ['after metann was used'] = METANN .. 'library(arg[1])' .. HOST .. 'host() library(arg[1]) host()',
    ['before, and loads metann anew'] = HOST .. METANN .. [[
      library(arg[1])
      for name in pairs(package.loaded) do
        if name:find '^metann%.io' or name:find 'binding%.[jpz][%a]+$' then package.loaded[name] = nil end
      end
      local metann = require 'metann'
      metann.io, metann.save, metann.load = require 'metann.io', nil, nil
      library(arg[1]) host()
    ]],
  } do
    it(order .. ' has its own, and metann has its own', function()
      local folder = scratch.folder()
      scratch.omniglot(folder .. '/drawings', { Greek = 1 }, 1)
      scratch.write(folder .. '/script.lua', script)
      local status, said = scratch.run(("luajit '%s/script.lua' '%s'"):format(folder, folder))
      scratch.remove(folder)
      assert.are.equal(0, status, said)
    end)
  end
end)
