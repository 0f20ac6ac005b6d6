"""Figures and sentences in notebooks; without results, one line says which are missing."""

import warnings
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from matplotlib.figure import Figure

from lit_effnet.results.frame.lookup import read_runs

DPI = 200
SHOWN_DPI = 120  # smaller than DPI, for screens with a high pixel density


@dataclass(frozen=True)
class Shown:
    """Output of a notebook's cell.

    Args:
        content: A figure, or Markdown.
        alternative: Alternative text of a figure.
    """

    content: Figure | str
    alternative: str = ""

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """Return the content for Jupyter."""
        if isinstance(self.content, str):
            return {"text/markdown": self.content, "text/plain": self.content}, {}
        file = BytesIO()
        self.content.savefig(file, format="png", dpi=DPI)
        width = round(self.content.get_figwidth() * SHOWN_DPI)
        data = {"image/png": b64encode(file.getvalue()).decode(), "text/plain": self.alternative}
        return data, {"image/png": {"width": width, "alt": self.alternative}}


def show(
    make: Callable[..., Figure | str],
    name: str,
    read: Callable[[str], Any] = read_runs,
    **options: Any,
) -> Shown:
    """Return a figure or a sentence of results, or the line that says what is missing.

    Args:
        make: Function that makes the figure or the sentence.
        name: Name of the results.
        read: Function that finds results by their name.
        options: Options of `make`.
    """
    with warnings.catch_warnings():
        # tqdm warns in a notebook without ipywidgets; no progress bar is shown here.
        warnings.filterwarnings("ignore", "IProgress not found")
        try:
            return Shown(make(read(name), **options), (make.__doc__ or "").partition("\n")[0])
        except ValueError as error:
            return Shown(f"**Nothing to show:** {error}")
