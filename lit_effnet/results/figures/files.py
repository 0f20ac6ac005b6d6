"""Figures as files, and file endings."""

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from lit_effnet.runs.files import write_whole

FIGURES = ("png", "svg", "pdf")
NO_DATE: Any = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure as .png, .svg or .pdf by its ending; equal figures give equal bytes.

    Raises:
        ValueError: unknown ending.
        OSError: it cannot be written.
    """
    write_whole(path, encoded(figure, ending(path, FIGURES), dpi=300))


def encoded(figure: Figure, kind: str, **options: Any) -> bytes:
    """Return a figure as the content of a file; equal figures give equal bytes.

    Args:
        figure: Figure to encode.
        kind: png, svg or pdf.
        options: Options of `Figure.savefig`.
    """
    content = BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "lit_effnet", "pdf.fonttype": 42}):
        figure.savefig(content, format=kind, metadata=NO_DATE.get(kind), **options)
    return content.getvalue()


def ending(path: Path, known: tuple[str, ...]) -> str:
    """Return the ending of a path without its dot.

    Raises:
        ValueError: unknown ending.
    """
    kind = path.suffix.removeprefix(".").lower()
    if kind not in known:
        raise ValueError(f"path {str(path)!r}: must end in .{', .'.join(known)}")
    return kind


def rendered(figure: Figure) -> dict[str, bytes]:
    """Return a figure as PNG and SVG, by ending; equal figures give equal bytes."""
    return {kind: encoded(figure, kind) for kind in ("png", "svg")}


def broken(name: str, width: int, most: int = 3) -> str:
    """Return a name in up to `most` lines of `width`; a longer one loses its middle."""
    if len(name) > most * width:
        half = (most * width - 1) // 2
        name = f"{name[:half]}…{name[-half:]}"
    lines = [""]
    for word in re.findall(r".+?(?:[_,\-\s]+|$)", name):
        for part in [word[i : i + width] for i in range(0, len(word), width)]:
            if lines[-1] and len(lines[-1]) + len(part.rstrip()) > width:
                lines.append("")
            lines[-1] += part
    return "\n".join(line.strip() for line in lines)
