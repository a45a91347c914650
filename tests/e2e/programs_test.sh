#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: what is installed is enough to build and run an application, in C and in C++, with all warnings. Method: install
# into a folder, build the examples of docs/ against it as their heads say, and run them on a node.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server
e2e_need g++
e2e_need pkg-config

root=$CLUSTER_DIR/root
meson install -C "$CLUSTER_BUILD" --no-rebuild --destdir "$root" >"$CLUSTER_DIR/install.log"
PKG_CONFIG_PATH=$(dirname "$(find "$root" -name haul.pc)")
library=$(dirname "$(find "$root" -name libhaul.so)")
export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR=$root
read -ra flags <<<"$(pkg-config --cflags --libs haul)"
strict=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror)

gcc -std=c11 "${strict[@]}" "$E2E_TOP/docs/examples/first.c" "${flags[@]}" -o "$CLUSTER_DIR/first"
gcc -std=c11 "${strict[@]}" "$E2E_TOP/docs/examples/memory.c" "${flags[@]}" -o "$CLUSTER_DIR/memory"
g++ -std=c++17 "${strict[@]}" "$E2E_TOP/docs/examples/batch.cpp" "${flags[@]}" -o "$CLUSTER_DIR/batch"
# The headers alone are for older C++ too.
echo '#include <haul/haul.h>' | g++ -std=c++11 "${strict[@]}" -fsyntax-only -x c++ - "${flags[@]}"
echo "ok: built"

export LD_LIBRARY_PATH=$library HAUL_SOCKET=$CLUSTER_DIR/a.attach.sock
expect 'libhaul.so.0 ' ldd "$CLUSTER_DIR/first"
expect '^0$' bash -c "nm -D --defined-only '$library/libhaul.so' | awk '{ print \$3 }' | grep -vcE '^(haul_|HAUL_0)'"
expect 'first: attach: .*no daemon listens' "$CLUSTER_DIR/first"

cluster_redis_start
cluster_node a 'transports = [ "local" ];'
cluster_node_start a
expect '^read back: hello from haul$' "$CLUSTER_DIR/first"
expect '^32 WRITEs, 32000 bytes, one completion after [0-9]+ us$' "$CLUSTER_DIR/batch"
expect '^filled before, written by haul$' "$CLUSTER_DIR/memory"
