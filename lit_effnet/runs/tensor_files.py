"""Read checkpoints and released weights after verifying their checksums.

torch and safetensors check the structure of a file but not its numbers: a flipped bit silently
changes a weight. The zip format of `torch.save` has a checksum for each tensor. Other files may
have a digest in their name or metadata.
"""

import hashlib
import re
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeVar

from lit_effnet.runs.documents import load_json
from lit_effnet.runs.paths import Location

T = TypeVar("T")

DIGEST = "sha256"  # key of the digest of the tensors in the metadata of a .safetensors file
ZIP, START_BYTES = b"PK\x03\x04", 40


def read_tensors(path: Location, load: Callable[[IO[bytes]], T], *, to_resume: bool = False) -> T:
    """Verify the checksums of a file, then load it.

    Args:
        path: The file.
        load: Loads tensors from the open file; it must not import the names in a pickle.
        to_resume: Whether a run resumes from the file; the error then names an alternative.

    Raises:
        ValueError: The file is missing, damaged, of another kind, or holds more than tensors.
    """
    try:
        with _open(path) as file:
            check_whole(file, path.resolve().name if isinstance(path, Path) else path.name)
            file.seek(0)
            with warnings.catch_warnings(action="ignore"):  # about pickles without tensors
                return load(file)
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error})"
    except ValueError as error:  # ours, and json's
        reason = str(error) if isinstance(error, UnreadableError) else "is not a file of tensors"
    except Exception as error:  # pickle, zip, tar and safetensors raise their own types
        reason = "is not a file of tensors"
        if "GLOBAL" in str(error):  # torch's word for a name to import
            reason = "holds more than tensors, which could run code, and is not loaded"
    raise ValueError(f"{path}: {reason}{other_checkpoint(path, to_resume)}")


class UnreadableError(ValueError):
    """A file cannot be loaded; the message says why."""


def check_whole(file: IO[bytes], name: str) -> None:
    """Verify an open file by its checksums.

    Args:
        file: Open for reading, at its start.
        name: Name of the file itself, not of a link: caches name files by digest.

    Raises:
        UnreadableError: It is empty, truncated, damaged, or text.
    """
    start = file.read(START_BYTES)
    first_line = start.decode("ascii", "replace").split("\n")[0].strip("\r")
    if not start:
        raise UnreadableError("is not a file of tensors (it is empty)")
    if start.startswith(ZIP):
        _check_zip(file)
    elif first_line.isascii() and first_line.isprintable():
        raise UnreadableError(f"is not a file of tensors (it is text: {first_line!r})")
    elif match := re.fullmatch(r"[0-9a-f]{64}|.+-([0-9a-f]{8})\.\w+", name):
        # A file in the hub's cache, or released weights named as by torchvision.
        _compare(match[1] or match[0], _digest_from(file, 0), "the digest in its name")
    else:
        _check_metadata(file)


def digest(content: bytes | memoryview) -> str:
    """Return the digest of the tensors of a .safetensors file, for its metadata."""
    return hashlib.sha256(content).hexdigest()


def other_checkpoint(path: Location, to_resume: bool) -> str:
    """Return the end of an error on `last.ckpt`: how to go on without it; empty for other files."""
    best = path.with_name("best.ckpt")
    if path.name != "last.ckpt":
        return ""
    try:
        with _open(best) as file:
            check_whole(file, best.name)
    except (OSError, UnreadableError):
        if not to_resume:
            return ""
        config = path.parent.with_name("config.yaml")
        return f"; best.ckpt is missing or damaged too; train again with --config {config}"
    if not to_resume:
        return f"; use the best epoch instead: {best}"
    copy = f"cp {path.parent}/{{best,last}}.ckpt" if isinstance(path, Path) else "copy best.ckpt"
    return f"; to go on from the best epoch: {copy}"


def _open(path: Location) -> IO[bytes]:
    if not path.exists():
        raise UnreadableError("no such file")
    if not path.is_file():  # a folder, or a FIFO, which would block
        raise UnreadableError("is not a regular file")
    return path.open("rb")


def _check_zip(file: IO[bytes]) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if any(member.compress_type != zipfile.ZIP_STORED for member in members):
                raise UnreadableError("is not a file of tensors but a compressed zip file")
            # torch can be configured to write no checksums.
            damaged = archive.testzip() if any(member.CRC for member in members) else None
    except UnreadableError:
        raise
    except Exception as error:  # zipfile raises a dozen types, even NotImplementedError
        raise UnreadableError("is damaged or truncated") from error
    if damaged is not None:
        raise UnreadableError(f"is damaged (the checksum of {damaged!r} differs)")


def _check_metadata(file: IO[bytes]) -> None:
    """Verify a .safetensors file with a digest: 8 bytes of length, a JSON header, tensors."""
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if not 2 <= length <= 100_000_000 or file.read(1) != b"{":
        return
    try:
        header: Any = load_json((b"{" + file.read(length - 1)).decode())
        expected = header["__metadata__"][DIGEST]
    except (ValueError, KeyError, TypeError):
        return
    _compare(str(expected), _digest_from(file, 8 + length), "the digest in its metadata")


def _compare(expected: str, actual: str, which: str) -> None:
    if not actual.startswith(expected):
        raise UnreadableError(f"is damaged ({which} differs from that of its content)")


def _digest_from(file: IO[bytes], position: int) -> str:
    file.seek(position)
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type] # it is binary
