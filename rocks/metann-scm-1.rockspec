package = 'metann'
version = 'scm-1'
source = {
  url = 'git+file://.', -- `luarocks make` in a checkout; nothing is fetched
}
description = {
  summary = 'Meta-learning for LuaJIT: tensors, autograd of any order, modules, MAML and its relatives',
  detailed = [[
A C core with strided tensors and derivatives of any order, neural-network modules whose parameters can be replaced
by differentiable ones, and learners that adapt them: from a script, a prompt, or a program that embeds LuaJIT.]],
  license = 'MIT',
}
dependencies = {
  'lua == 5.1', -- LuaJIT; PUC Lua 5.1 gets a message
}
-- The names that are opened at run time, so that no development package is needed.
external_dependencies = {
  OPENBLAS = { library = 'libopenblas.so.0' },
  PNG = { library = 'libpng16.so.16' },
  ZIP = { library = 'libzip.so.*' }, -- 4 and 5 both do
  JANSSON = { library = 'libjansson.so.4' },
}
build = {
  type = 'cmake',
  variables = {
    CMAKE_BUILD_TYPE = 'Release',
    METANN_LUA_DIR = '$(LUADIR)',
    METANN_LIB_DIR = '$(LIBDIR)',
  },
}
