"""Figures, and the endings of files."""

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
