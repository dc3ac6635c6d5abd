#!/bin/sh
# Builds every harness of fuzz/ into $OUT, each with its seeds, dictionary and options.
# Compiler, flags and engine come from the environment, as ClusterFuzzLite gives them; run it where the sources are.
set -eu

build=$(mktemp -d)
engine=$LIB_FUZZING_ENGINE
case ${CXXFLAGS:-} in *-stdlib=libc++*) engine=$engine,-stdlib=libc++ ;; esac
meson setup "$build" -Dfuzz=true -Dtests=false -Dfuzz_engine="$engine" -Db_lundef=false
for source in fuzz/fuzz_*.c; do
    name=${source#fuzz/fuzz_}
    name=${name%.c}
    ninja -C "$build" "fuzz/fuzz-$name"
    cp "$build/fuzz/fuzz-$name" "$OUT/$name"
    cp "fuzz/$name.dict" "fuzz/$name.options" "$OUT/"
    mkdir "$build/seeds"
    cp -r "fuzz/corpus/$name" "$build/seeds/corpus"
    cp -r "fuzz/regressions/$name" "$build/seeds/regressions"
    python3 -m zipfile -c "$OUT/${name}_seed_corpus.zip" "$build/seeds/corpus" "$build/seeds/regressions"
    rm -r "$build/seeds"
done
rm -r "$build"
