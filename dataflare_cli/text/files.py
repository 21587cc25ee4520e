"""Files that people write and programs update: read whole, replaced whole, named as they are."""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from dataflare_cli.errors import ConfigError, NotFound, Unreachable

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


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


def replace_file(
    path: Path,
    data: bytes,
    name: str | None = None,
    *,
    is_private: bool = False,
    is_durable: bool = False,
) -> None:
    """Put a file in the place of another one, or none; errors call it `name`, or by its path.

    Whoever reads it sees the old bytes or the new ones. It has the permissions of the file that
    it replaces, or those that the umask leaves; a private one is for its owner alone. A link is
    replaced, not followed. A durable one survives a power cut.

    Raises:
        Unreachable: it can't be written; all is as it was.
    """
    # Nobody can foresee the name: not another run, and not one who puts a link there.
    draft = path.with_name(f".dataflare.{secrets.token_hex(8)}.new")
    try:
        kept = 0o600 if is_private else _permissions(path)
        fd = os.open(draft, _CREATE, 0o666 if kept is None else 0o600)
        try:
            with os.fdopen(fd, "wb") as file:
                if kept is not None:
                    os.fchmod(fd, kept)
                file.write(data)
                if is_durable:
                    file.flush()
                    os.fsync(fd)
            draft.replace(path)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise
    except OSError as exc:
        raise Unreachable(name or str(path), exc.strerror or str(exc)) from exc


def tidy_path(path: Path) -> Path:
    """Return a path without `..`.

    What stands before it is resolved: behind a link, `..` is not where the link stands.
    """
    parts = path.parts
    if ".." not in parts:
        return path
    last = len(parts) - 1 - parts[::-1].index("..")
    return Path(*parts[: last + 1]).resolve().joinpath(*parts[last + 1 :])


def _permissions(path: Path) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode) & 0o777
    except FileNotFoundError:
        return None
