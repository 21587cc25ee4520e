"""Files that somebody wrote by hand: read whole, unless they are absurdly large."""

from pathlib import Path

from dataflare_cli.errors import ConfigError, NotFound, Unreachable


def read_file(path: Path, bytes_max: int, name: str | None = None) -> bytes:
    """Return what is in a file; errors call it `name`, or by its path.

    Raises:
        NotFound, Unreachable: it is not there, or can't be read.
        ConfigError: it has more than `bytes_max` bytes.
    """
    name = str(path) if name is None else name
    try:
        with path.open("rb") as file:
            data = file.read(bytes_max + 1)
    except (FileNotFoundError, NotADirectoryError) as exc:
        raise NotFound("file", name) from exc
    except OSError as exc:
        raise Unreachable(name, exc.strerror or str(exc)) from exc
    if len(data) > bytes_max:
        raise ConfigError(name, f"is larger than {bytes_max} bytes")
    return data
