#!/bin/sh
# Builds the built-in SmartModules, and what is known about them, into
# ../dataflare_cli/wasm/builtin: NAME.wasm, builtin.json (the compiler's version, checksums) and
# LICENSES.md (every crate that is linked).
#
#   build.sh [NAME...]              builds and replaces them, or only these: the others, and what
#                                   is known about them, stay as they are
#   build.sh --check [--out DIR] [NAME...]
#                                   builds into DIR (else into a temporary directory) and compares
#
# The same compiler version gives the same bytes on every machine: no path and no time gets into
# an artefact. --check ends with 1 if something differs, and with 4 if this compiler is not the
# recorded one: then nothing can be compared, but what is in DIR can be tested. Nor can a NAME be
# put beside what another compiler built: that ends with 4, too.
#
# Needs Debian's packages rustc-web, cargo-web, rust-web-src and lld-19 (or RUSTC, CARGO and
# WASM_LD naming their like), Python 3.11, and crates.io for what is not in Cargo's cache.
set -eu

here=$(cd "$(dirname "$0")" && pwd -P)
artefacts=$(dirname "$here")/dataflare_cli/wasm/builtin
target=wasm32-unknown-unknown
export RUSTC="${RUSTC:-/usr/bin/rustc}"
cargo=${CARGO:-/usr/bin/cargo}
wasm_ld=${WASM_LD:-/usr/bin/wasm-ld-19}
# Nightly's switches on a stable compiler: what building the standard library takes.
export RUSTC_BOOTSTRAP=1
# Where Cargo puts what it makes; nothing of it is in the artefacts.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$here/target}"
cargo_home=${CARGO_HOME:-$HOME/.cargo}

usage() {
    echo "usage: build.sh [--check [--out DIR]] [NAME...]" >&2
    exit 2
}
check=no
out=
names=
while [ $# -gt 0 ]; do
    case $1 in
    --check) check=yes ;;
    --out)
        [ $# -ge 2 ] || usage
        out=$2
        shift
        ;;
    -*) usage ;;
    *) names="$names ${1%/}" ;;
    esac
    shift
done
[ "$check" = yes ] || [ -z "$out" ] || usage

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
out=${out:-$work/out}
mkdir -p "$out"
out=$(cd "$out" && pwd -P)
rm -f "$out"/*.wasm

missing() {
    echo "$1 is missing: install $2" >&2
    exit 3
}
# The compiler of what is there.
recorded() {
    sed -n 's/^  "rustc": "\(.*\)",$/\1/p' "$artefacts/builtin.json"
}
command -v "$RUSTC" >/dev/null || missing "$RUSTC" rustc-web
command -v "$cargo" >/dev/null || missing "$cargo" cargo-web
library=$("$RUSTC" --print sysroot)/lib/rustlib/src/rust/library
[ -d "$library/core" ] || missing "$library" rust-web-src
[ -x "$wasm_ld" ] || missing "$wasm_ld" lld-19

cd "$here"
# Modules are what is made for hosts; the other crates here are parts of them.
modules=$(grep -l '^crate-type = \["cdylib"\]' */Cargo.toml | xargs -n 1 dirname)
for name in $names; do
    echo "$modules" | grep -q -x -F -e "$name" && continue
    echo "there is no module $name: there are" $modules >&2
    exit 2
done
if [ -n "$names" ]; then
    if [ "$(recorded)" != "$("$RUSTC" --version)" ]; then
        echo "the other SmartModules were built by $(recorded): build all of them" >&2
        exit 4
    fi
    cp "$artefacts"/* "$out/"
fi

if ! "$cargo" fetch --quiet --locked --target "$target" 2>"$work/fetch"; then
    cat "$work/fetch" >&2
    if grep -q -e --locked "$work/fetch"; then
        echo "Cargo.lock is not what the Cargo.toml files ask for. This adds what is missing:" >&2
        echo "  RUSTC=$RUSTC $cargo update --workspace --manifest-path $here/Cargo.toml" >&2
    fi
    exit 1
fi

# Flags are separated by the character 0x1f, as paths may have blanks in them.
flags=
flag() {
    flags=${flags:+$flags$(printf '\037')}$1
}
flag -Clinker-flavor=wasm-ld
flag -Ctarget-feature=+simd128,+bulk-memory
# A panic is a trap, with or without a message that nobody would see.
flag -Zunstable-options
flag -Cpanic=immediate-abort
flag -Zlocation-detail=none
# The random numbers of json-schema's maps are its own: there is no source of them.
flag '--cfg=getrandom_backend="custom"'
flag "--remap-path-prefix=$(cd "$library" && pwd -P)=/library"
flag "--remap-path-prefix=$library=/library"
for registry in "$cargo_home"/registry/src/*; do
    flag "--remap-path-prefix=$registry=/crates"
done
flag "--remap-path-prefix=$here=/smartmodules"
flag "--remap-path-prefix=$CARGO_TARGET_DIR=/target"
export CARGO_ENCODED_RUSTFLAGS="$flags"
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER="$wasm_ld"

# One by one: together, each would get the features that another one wants of a crate.
for name in ${names:-$modules}; do
    echo "building $name" >&2
    "$cargo" build --quiet --release --locked --target "$target" --package "$name" \
        -Zbuild-std=std,panic_abort -Zbuild-std-features= \
        --message-format=json-render-diagnostics >"$work/$name.messages"
    file=$(echo "$name" | tr - _).wasm
    cp "$CARGO_TARGET_DIR/$target/release/$file" "$out/$name.wasm"
    if grep -q -a -F -e "$here" -e "$CARGO_TARGET_DIR" -e "$cargo_home" "$out/$name.wasm"; then
        echo "a path of this machine is in $name.wasm" >&2
        exit 1
    fi
done
python3 "$here/inventory.py" ${names:+--merge} "$("$RUSTC" --version)" "$out" "$work"/*.messages
chmod 644 "$out"/*

if [ "$check" = no ]; then
    rm -rf "$artefacts"
    mv "$out" "$artefacts"
    echo "built $(ls "$artefacts"/*.wasm | wc -l) modules, $(cat "$artefacts"/*.wasm | wc -c) bytes"
    exit 0
fi
if [ "$(recorded)" != "$("$RUSTC" --version)" ]; then
    echo "not compared: the SmartModules were built by $(recorded)" >&2
    echo "this is                                      $("$RUSTC" --version)" >&2
    exit 4
fi
if ! diff -rq "$artefacts" "$out" >&2; then
    echo "the SmartModules are not what their source gives; run smartmodules/build.sh" >&2
    exit 1
fi
echo "the SmartModules are what their source gives"
