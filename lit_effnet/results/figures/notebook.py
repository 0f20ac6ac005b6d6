"""Figures and sentences as notebooks show them; without results one line says which are missing."""

import warnings
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from matplotlib.figure import Figure

from lit_effnet.results.frame.lookup import read_runs

DPI = 200
SHOWN_DPI = 120  # at which it is shown, smaller than it is, for screens of many pixels


@dataclass(frozen=True)
class Shown:
    """What a notebook displays.

    Args:
        content: A figure, or Markdown.
        alternative: A figure in words, for those who cannot see it.
    """

    content: Figure | str
    alternative: str = ""

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> tuple[dict[str, str], dict[str, Any]]:
        """The content as Jupyter asks for it."""
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
    """A figure or a sentence of results, else the one line that says what is missing.

    Args:
        make: Makes the figure or the sentence.
        name: Of the results.
        read: Finds results by their name.
        options: For `make`.
    """
    with warnings.catch_warnings():
        # Of tqdm in a notebook that has no ipywidgets; nothing here shows its progress.
        warnings.filterwarnings("ignore", "IProgress not found")
        try:
            return Shown(make(read(name), **options), (make.__doc__ or "").partition("\n")[0])
        except ValueError as error:
            return Shown(f"**Nothing to show:** {error}")
