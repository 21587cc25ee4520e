"""TOML documents, as people write configurations; every problem is a ConfigError with its place."""

from typing import Any

from dataflare_cli.errors import ConfigError


def read_toml(raw: bytes, where: str) -> dict[str, Any]:
    """Return a document's table.

    Raises:
        ConfigError: it is not TOML.
    """
    import tomllib

    try:
        return tomllib.loads(raw.decode())
    except (ValueError, RecursionError) as exc:  # tomllib's and Unicode's errors are ValueErrors
        raise ConfigError(where, f"is not valid TOML: {exc}") from exc
