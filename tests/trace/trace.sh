#!/bin/sh
# trace.sh [CHECKOUT [PART OF A WALK'S NAME]]: calls, files and moves between folders of some walks through metann (see
# walks.lua), in this checkout or in another one, an older one for comparison. Builds the library once more, with
# -finstrument-functions and for one instruction set, in build/trace of the checkout. Needs gcc, cmake and binutils.
set -eu
CDPATH='' cd -- "$(dirname -- "$0")"
here=$PWD
cd "${1:-../..}"
tree=$PWD build=$PWD/build/trace
# another processor's name, as the kernels of one instruction set are enough
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS='-g -finstrument-functions' \
  -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=generic >/dev/null
cmake --build "$build" -j "$(nproc)" >/dev/null
cc -std=c11 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -shared -fPIC "$here/calls.c" -o "$build/calls.so" -ldl -lpthread
export LUA_PATH="$tree/lua/?.lua;$tree/lua/?/init.lua;;" METANN_LIBRARY="$build/libmetann.so"
LD_PRELOAD="$build/calls.so" exec luajit "$here/walks.lua" "$METANN_LIBRARY" ${2+"$2"}
