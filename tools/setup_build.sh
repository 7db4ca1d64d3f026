#!/bin/sh
# Makes a build folder, or gives an existing one the options asked for: tools/setup_build.sh FOLDER [meson options].
set -eu
folder=$1
shift
if [ ! -f "$folder/build.ninja" ]; then
    exec meson setup "$folder" "$@"
fi
[ $# -eq 0 ] || exec meson configure "$folder" "$@"
