#!/bin/sh
# Builds ../wasm/kernel.wasm from kernel.rs and kernel/*.rs, and its description kernel.wasm.json.
#
#   build-kernel.sh           builds and replaces both
#   build-kernel.sh --check   builds, compares with what is committed, replaces nothing
#
# Needs Debian's packages rustc-web, rust-web-src and lld-19 (or RUSTC and WASM_LD naming their
# like). Debian ships no core library for wasm32, so it is built here from its source: by rustc
# alone, as Cargo's build-std would want crates from the network. The same compiler version gives
# the same bytes on every machine: no path and no time gets into the artefact.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
rustc=${RUSTC:-/usr/bin/rustc}
wasm_ld=${WASM_LD:-/usr/bin/wasm-ld-19}
artefact=$here/../wasm/kernel.wasm
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Nightly's switches on a stable compiler: what building core takes.
export RUSTC_BOOTSTRAP=1

library=$("$rustc" --print sysroot)/lib/rustlib/src/rust/library
missing() {
    echo "$1 is missing: install $2" >&2
    exit 3
}
[ -d "$library/core" ] || missing "$library" rust-web-src
[ -x "$wasm_ld" ] || missing "$wasm_ld" lld-19
library=$(cd "$library" && pwd -P)

# 64 KiB of stack, below the data: an overflow traps instead of writing over tables.
compile() {
    "$rustc" --target wasm32-unknown-unknown \
        -C opt-level=3 -C codegen-units=1 -C panic=abort -C strip=symbols \
        -C target-feature=+simd128,+bulk-memory \
        -C linker="$wasm_ld" -C linker-flavor=wasm-ld \
        -C link-arg=--stack-first -C link-arg=-zstack-size=65536 \
        -Z location-detail=none \
        --remap-path-prefix "$library=/library" \
        --remap-path-prefix "$here=/kernel" \
        --remap-path-prefix "$work=/build" \
        -L "$work" "$@"
}

printf '#![feature(compiler_builtins)]\n#![compiler_builtins]\n#![no_std]\n' > "$work/builtins.rs"
compile --cap-lints allow --crate-name core --edition 2024 --crate-type rlib \
    --out-dir "$work" "$library/core/src/lib.rs"
compile --cap-lints allow --crate-name compiler_builtins --edition 2021 --crate-type rlib \
    --out-dir "$work" "$work/builtins.rs"
compile -D warnings --crate-name kernel --edition 2021 --crate-type cdylib \
    -o "$work/kernel.wasm" "$here/kernel.rs"

if grep -q -a -F -e "$work" -e "$here" -e "$library" "$work/kernel.wasm"; then
    echo "a path of this machine is in the artefact" >&2
    exit 1
fi
sum=$(sha256sum "$work/kernel.wasm" | cut -d ' ' -f 1)
cat > "$work/kernel.wasm.json" <<JSON
{
  "sha256": "$sum",
  "rustc": "$("$rustc" --version)"
}
JSON

if [ "${1-}" = --check ]; then
    if ! cmp -s "$work/kernel.wasm" "$artefact"; then
        echo "kernel.wasm is not what its source gives; run codec/build-kernel.sh" >&2
        echo "committed with: $(grep rustc "$artefact.json")" >&2
        echo "built now with: $(grep rustc "$work/kernel.wasm.json")" >&2
        exit 1
    fi
    if ! grep -q "$sum" "$artefact.json"; then
        echo "kernel.wasm.json is of another artefact; run codec/build-kernel.sh" >&2
        exit 1
    fi
    echo "kernel.wasm is what its source gives"
else
    mv "$work/kernel.wasm" "$artefact"
    mv "$work/kernel.wasm.json" "$artefact.json"
    chmod 644 "$artefact" "$artefact.json"
    echo "kernel.wasm: $(wc -c < "$artefact") bytes, sha-256 $sum"
fi
