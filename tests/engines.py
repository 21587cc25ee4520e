"""SmartModules started for tests of the engine."""

import pytest

from dataflare_cli.errors import InvalidModule
from dataflare_cli.model import GuestLimits
from dataflare_cli.smartmodule.engine import Bounds, CallFailedError, Instance, LoadedModule

NO_RECORDS = bytes(4)


def load(wasm: bytes) -> LoadedModule:
    return LoadedModule("m", wasm)


def start(wasm: bytes, params=None, lookback=None, *, log=None, **limits) -> Instance:
    bounds = Bounds(GuestLimits(**limits))
    instance = Instance(load(wasm), params or {}, lookback, bounds, log or (lambda _: None))
    instance.init()
    return instance


def refusal_of(wasm: bytes) -> str:
    with pytest.raises(InvalidModule) as caught:
        load(wasm)
    return caught.value.problem


def failure_of(wasm: bytes, **limits) -> CallFailedError:
    with pytest.raises(CallFailedError) as caught:
        start(wasm, **limits).run(NO_RECORDS, 0, -1)
    return caught.value
