#!/bin/sh
# What `make install` leaves behind works by itself: a C program built with pkg-config alone, the program, pages, completion.
# usage: check.sh BUILD
set -eu
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT INT TERM
meson install -C "$1" --no-rebuild --destdir "$top/root" >"$top/log" 2>&1 || { cat "$top/log"; exit 1; }
config=$(find "$top/root" -name weft.pc)
[ -n "$config" ] || { echo "weft.pc is not installed"; exit 1; }
lib=$(dirname "$(dirname "$config")")
prefix=$(sed -n 's/^prefix=//p' "$config")
cat >"$top/use.c" <<'C'
#include <stdio.h>
#include <string.h>
#include <weft/weft.h>
int main(int argc, char **argv) {
    wf_lab *lab = NULL;
    wf_err err = {0};
    if (argc < 2 || wf_lab_init(argv[1], &err) || wf_lab_open(argv[1], &lab, &err)) return fprintf(stderr, "%s\n", err.text), 1;
    wf_lab_close(lab);
    return printf("%s\n", wf_version()) < 0;
}
C
flags=$(PKG_CONFIG_PATH=$lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$top/root pkg-config --cflags --libs weft)
# shellcheck disable=SC2086
${CC:-cc} -Wall -Wextra -Werror "$top/use.c" -o "$top/use" $flags
export LD_LIBRARY_PATH="$lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
version=$("$top/use" "$top/lab")
[ "$version" = "$(PKG_CONFIG_PATH=$lib/pkgconfig pkg-config --modversion weft)" ] || { echo "the library says $version, weft.pc another version"; exit 1; }
[ -L "$lib/libweft.so" ] && [ -L "$lib/libweft.so.${version%%.*}" ] && [ -f "$lib/libweft.so.$version" ] || { ls -l "$lib"; exit 1; }
root=$top/root$prefix
[ "$("$root/bin/weft" --version)" = "weft $version" ]
"$root/bin/weft" -C "$top/lab" list >/dev/null
for file in include/weft/weft.h share/man/man1/weft.1 share/man/man1/weft-train.1 share/bash-completion/completions/weft; do
    [ -s "$root/$file" ] || { echo "$file is not installed"; exit 1; }
done
if nm -D --defined-only "$lib/libweft.so" | awk '$2 == "T" && $3 !~ /^wf_/ { print; bad = 1 } END { exit !bad }'; then
    echo "names of the inside are visible in libweft.so"
    exit 1
fi
echo "installed $version: program, library, headers, pkg-config, pages, completion"
