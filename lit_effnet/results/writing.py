"""Files that are written whole, so that no reader sees half of one."""

import os
import tempfile
from io import BytesIO
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

FIGURES = ("png", "svg", "pdf")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it.

    Raises:
        OSError: it cannot be written; an old file is as it was.
    """
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


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
