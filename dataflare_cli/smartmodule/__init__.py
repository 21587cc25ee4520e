"""SmartModules: Fluvio's WASM transforms, from the bytes of the ABI to chains of them.

`abi` is bytes only, `engine` runs one module, `chain` several; `registry` knows which bytes
a name means, `transforms`, `package` and `lock` read what people write about them.
"""
