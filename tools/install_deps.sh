#!/bin/sh
# Installs what a task needs and this machine lacks, by Debian's packages; does nothing when nothing is missing.
#   tools/install_deps.sh GROUP...     groups: build test clang format lint demo
# A row is "group|package|test"; the test is a command (c:), a pkg-config name (p:) or a header (h:);
# python3's module (m:), clang's OpenMP (o:) and sanitizers (s:).
set -eu

rows='
build|gcc|c:cc
build|libc6-dev|h:stdlib.h
build|meson|c:meson
build|ninja-build|c:ninja
build|pkg-config|c:pkg-config
build|libdnnl-dev|h:oneapi/dnnl/dnnl.h
build|libjansson-dev|p:jansson
build|libsqlite3-dev|p:sqlite3
build|libutf8proc-dev|p:libutf8proc
build|libpcre2-dev|p:libpcre2-8
build|libssl-dev|p:libcrypto
build|libzip-dev|p:libzip
build|libcmocka-dev|p:cmocka
test|python3|c:python3
clang|clang|c:clang
clang|libomp-dev|o:clang
clang|libclang-rt-dev|s:clang
format|clang-format|c:clang-format
lint|clang-tidy|c:clang-tidy
lint|libomp-dev|o:clang-tidy
demo|python3-pip|m:pip
'

header_exists() {
    for top in /usr/include /usr/local/include "/usr/include/$(uname -m)-linux-gnu" ${CPATH:+$(echo "$CPATH" | tr : ' ')}; do
        [ -e "$top/$1" ] && return 0
    done
    return 1
}

present() {
    case $1 in
    c:*) command -v "${1#c:}" >/dev/null 2>&1 ;;
    p:*) command -v pkg-config >/dev/null 2>&1 && pkg-config --exists "${1#p:}" ;;
    h:*) header_exists "${1#h:}" ;;
    m:*) python3 -m "${1#m:}" --version >/dev/null 2>&1 ;;
    # clang's own parts lie beside it, so clang itself is asked: for OpenMP, for the sanitizers' runtime
    o:*) command -v clang >/dev/null 2>&1 && echo '#include <omp.h>' | clang -fopenmp -fsyntax-only -x c - 2>/dev/null ;;
    s:*) command -v clang >/dev/null 2>&1 && echo 'int main(void) { return 0; }' | clang -fsanitize=address,fuzzer-no-link -o /dev/null -x c - 2>/dev/null ;;
    esac
}

missing=
for row in $rows; do
    group=${row%%|*} rest=${row#*|}
    package=${rest%%|*} test=${rest#*|}
    for wanted in "$@"; do
        if [ "$wanted" = "$group" ] && ! present "$test"; then
            case "$missing " in *" $package "*) ;; *) missing="$missing $package" ;; esac
        fi
    done
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
    echo "weft needs what Debian calls:$missing" >&2
    echo "apt-get is not here: install these by your system's own means, then run make again" >&2
    exit 1
fi
sudo=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "weft needs:$missing; as root run: apt-get install$missing" >&2
        exit 1
    fi
    sudo=sudo
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
$sudo apt-get install -y --no-install-recommends $missing >/dev/null 2>&1 && exit 0
# The list of packages may be old or absent.
$sudo apt-get update -q >/dev/null
# shellcheck disable=SC2086
$sudo apt-get install -y --no-install-recommends $missing >/dev/null
