"""The files beside an exported network: its metadata and the preparation of images."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path


def metadata_file(file: Path) -> Path:
    """Return the JSON file that describes an exported file."""
    return file.with_name(f"{file.name}.json")


def preparation_file(file: Path) -> Path:
    """Return the Python file that prepares images for an exported file."""
    return file.with_name(f"{file.name}.py")


def digests(file: Path, parts: Iterable[Path]) -> dict[str, str]:
    """Return the SHA-256 of an exported file's parts by ending, since users rename files."""
    return {
        part.name.removeprefix(file.stem): hashlib.sha256(part.read_bytes()).hexdigest()
        for part in parts
        if part != metadata_file(file)
    }


def check_digests(file: Path, expected: Mapping[str, str]) -> None:
    """Compare the parts of an exported file with their SHA-256.

    Raises:
        ValueError: One of them is damaged.
    """
    for ending, digest in expected.items():
        part = file.with_name(file.stem + ending)
        if digests(file, [part]) != {ending: digest}:
            raise ValueError(
                f"{part.name} is damaged: its digest is not that in {metadata_file(file).name}"
            )
