"""Figures, and the endings of files."""

import re
from io import BytesIO
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from lit_effnet.runs.files import write_whole

FIGURES = ("png", "svg", "pdf")


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure as .png, .svg or .pdf, by the ending; the same bytes for the same figure.

    Raises:
        ValueError: another ending.
        OSError: it cannot be written.
    """
    kind = ending(path, FIGURES)
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    content = BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "lit_effnet"}):
        figure.savefig(content, format=kind, dpi=300, metadata=metadata)
    write_whole(path, content.getvalue())


def ending(path: Path, known: tuple[str, ...]) -> str:
    """A path's ending without its dot.

    Raises:
        ValueError: it is none of the known ones.
    """
    kind = path.suffix.removeprefix(".").lower()
    if kind not in known:
        raise ValueError(f"path {str(path)!r}: must end in .{', .'.join(known)}")
    return kind


def rendered(figure: Figure) -> dict[str, bytes]:
    """The figure's PNG and SVG files by their endings; the same for the same figure."""
    files = {}
    with matplotlib.rc_context({"svg.hashsalt": "lit_effnet"}):
        for kind, metadata in (("png", None), ("svg", {"Date": None})):
            content = BytesIO()
            figure.savefig(content, format=kind, metadata=metadata)
            files[kind] = content.getvalue()
    return files


def broken(name: str, width: int, most: int = 3) -> str:
    """A name in up to `most` lines of `width`, broken where words end; the middle is left out."""
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
