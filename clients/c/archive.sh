#!/bin/sh
# archive.sh MAP LIBRARY OUTPUT: makes LIBRARY, an archive, one object that defines only what the version script MAP exports.
set -eu

map=$1
library=$2
output=$3

rm -f "$output"
sed -n '/global:/,/local:/p' "$map" | tr -d ' ' | tr ';' '\n' | grep '^n' >"$output.names"
"${LD:-ld}" -r -o "$output.o" --whole-archive "$library"
"${OBJCOPY:-objcopy}" --wildcard --keep-global-symbols="$output.names" "$output.o"
"${AR:-ar}" rcD "$output" "$output.o"
rm -f "$output.names" "$output.o"
