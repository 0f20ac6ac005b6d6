"""Fifty ways in which a checkpoint is damaged or foreign."""

import io
import os
import pickle
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

BLOCK = 4096
END_BYTES = 22  # of the record that ends a zip file

Damage = Callable[[Path], None]


class RunsCode:
    """Pickles to a call that makes a file, were it ever loaded."""

    def __reduce__(self) -> tuple:
        return os.system, ("touch /tmp/lit_effnet-was-here",)


def with_bit_flipped(place: str, seed: int) -> Damage:
    """Flip one bit of a tensor, of the pickle, or of the zip file's directory."""

    def damage(file: Path) -> None:
        content, generator = bytearray(file.read_bytes()), random.Random(f"{place} {seed}")
        start, end = bounds(file, place, generator)
        content[generator.randrange(start, end)] ^= 1 << generator.randrange(8)
        file.write_bytes(content)

    return damage


def bounds(file: Path, place: str, generator: random.Random) -> tuple[int, int]:
    """First byte and end of a part of a checkpoint."""
    with zipfile.ZipFile(file) as archive:
        members, directory = archive.infolist(), archive.start_dir
    if place == "directory":
        return directory, file.stat().st_size
    member = generator.choice([m for m in members if f"/data{place}" in m.filename])
    with file.open("rb") as content:
        content.seek(member.header_offset + 26)
        name, extra = struct.unpack("<HH", content.read(4))
    start = member.header_offset + 30 + name + extra
    return start, start + member.file_size


def with_zeros(part: float) -> Damage:
    """Zero 4 KB, as a disk does after a power cut."""

    def damage(file: Path) -> None:
        content = bytearray(file.read_bytes())
        start = int(part * (len(content) - BLOCK)) // BLOCK * BLOCK
        content[start : start + BLOCK] = bytes(BLOCK)
        file.write_bytes(content)

    return damage


def cut_to(part: float) -> Damage:
    """Keep the beginning."""
    return lambda file: os.truncate(file, int(part * file.stat().st_size))


def cut_by(count: int) -> Damage:
    """Lose the last bytes."""
    return lambda file: os.truncate(file, file.stat().st_size - count)


def holding(content: bytes) -> Damage:
    """Hold other bytes."""
    return lambda file: file.write_bytes(content) and None


def saved(value: object, **options: object) -> Damage:
    """Hold another object."""
    return lambda file: torch.save(value, file, **options)


def zipped(compression: int, **members: bytes) -> bytes:
    """A zip file that torch did not write."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, value in members.items():
            archive.writestr(name, value)
    return content.getvalue()


def as_folder(file: Path) -> None:
    """Be a folder."""
    file.unlink()
    file.mkdir()


def as_pipe(file: Path) -> None:
    """Be a named pipe, which a reader would wait for."""
    file.unlink()
    os.mkfifo(file)


def missing(file: Path) -> None:
    """Be a link to nothing."""
    file.unlink()
    file.symlink_to(file.with_name("gone.ckpt"))


def compressed(file: Path) -> None:
    """Be packed again by another program."""
    with zipfile.ZipFile(file) as archive:
        members = {m: archive.read(m) for m in archive.namelist()}
    file.write_bytes(zipped(zipfile.ZIP_DEFLATED, **members))


def without_a_member(file: Path) -> None:
    """Lose one tensor."""
    with zipfile.ZipFile(file) as archive:
        members = {m: archive.read(m) for m in archive.namelist()}
    members.pop(next(name for name in members if name.endswith("data/3")))
    file.write_bytes(zipped(zipfile.ZIP_STORED, **members))


def cases() -> Iterator[tuple[str, Damage]]:
    """Name and damage of each."""
    yield from ((f"bit of a tensor {i}", with_bit_flipped("/", i)) for i in range(8))
    yield from ((f"bit of the pickle {i}", with_bit_flipped(".pkl", i)) for i in range(6))
    yield from ((f"bit of the directory {i}", with_bit_flipped("directory", i)) for i in range(6))
    yield from ((f"zeros at {part:g}", with_zeros(part)) for part in (0, 0.2, 0.4, 0.6, 0.8, 1))
    yield from ((f"cut to {part:g}", cut_to(part)) for part in (0.001, 0.25, 0.5, 0.75, 0.99))
    yield from ((f"cut by {count}", cut_by(count)) for count in (1, END_BYTES))
    yield "empty", holding(b"")
    yield "a byte", holding(b"P")
    yield "garbage", holding(random.Random(0).randbytes(100_000))
    yield "zeros only", holding(bytes(100_000))
    yield "web page", holding(b"<!DOCTYPE html>\n<html><body>404</body></html>\n")
    yield "pointer of git-lfs", holding(b"version https://git-lfs.github.com/spec/v1\n")
    yield "code in a pickle", holding(pickle.dumps(RunsCode()))
    yield "code in torch's zip", saved({"state_dict": RunsCode()})
    yield "code in torch's old format", saved(RunsCode(), _use_new_zipfile_serialization=False)
    yield "whole module", saved({"state_dict": torch.nn.Linear(2, 2)})
    yield "deep pickle", holding(b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".")
    yield "other zip", holding(zipped(zipfile.ZIP_STORED, **{"word/document.xml": b"<w/>"}))
    yield "zip bomb", holding(zipped(zipfile.ZIP_DEFLATED, **{"a/data.pkl": bytes(10**7)}))
    yield "compressed", compressed
    yield "a tensor missing", without_a_member
    yield "folder", as_folder
    yield "link to nothing", missing


DAMAGES: dict[str, Damage] = dict(cases())
