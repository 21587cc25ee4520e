"""The store: the only importer of LMDB. See `environment` for its promises."""

from dataflare_cli.store.environment import FORMAT_VERSION, Change, Durability, Store, View
from dataflare_cli.store.faults import end_as_corrupt
from dataflare_cli.store.lock import HoldLock

__all__ = ["FORMAT_VERSION", "Change", "Durability", "HoldLock", "Store", "View", "end_as_corrupt"]
