"""Write the tables and figures of the pages from the project's data files: `make results`.

Each table stands between `<!-- NAME -->` and `<!-- /NAME -->`, in the README or in `docs/`. Each
figure of `FIGURES` is a PNG in `docs/` that names its data. Remove the file where only its drawing
changes, so that it is drawn again.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from lit_effnet.cli import format as form
from lit_effnet.cli.tables import Column, PlainTable, Row, as_markdown, tabulate
from lit_effnet.network.golden import golden_complexity
from lit_effnet.results.figures.coefficients import coefficient_figure
from lit_effnet.results.figures.drawing import PAGE_IN
from lit_effnet.results.figures.equal_cost import equal_cost_figure
from lit_effnet.results.figures.noise import noise_figure
from lit_effnet.results.frame.shipped import RESULTS
from lit_effnet.results.tables.columns import ACTIVATIONS, IMAGE_SIZE, MACS, NETWORK, PARAMETERS
from lit_effnet.results.tables.measured import (
    efficiency_table,
    gpu_speed_table,
    int8_table,
    parity_table,
    shipped_rows,
)
from lit_effnet.results.tables.runs import (
    arms_table,
    coefficients_table,
    noise_table,
    rates_table,
    shipped_evaluations,
    shipped_runs,
    sigmas_table,
    transfer_table,
)
from lit_effnet.runs.files import write_whole

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
SOURCE = "Source"  # the PNG standard's keyword
DPI = 200


def complexity_table() -> PlainTable:
    """Return counts of parameters, MACs and activations beside the published figures."""
    counts = [
        replace(column, unit="", write=form.count, empty="-")
        for column in (PARAMETERS, MACS, ACTIVATIONS)
    ]
    published = Column(
        heading="published: parameters, MACs, top-1", value=_published, left=True, empty="-"
    )
    rows = [{"name": name, **row} for name, row in golden_complexity().items()]
    return tabulate((replace(NETWORK, value=_label), IMAGE_SIZE, *counts, published), rows)


def _runs(table: Callable[[pd.DataFrame], PlainTable], name: str) -> Callable[[], PlainTable]:
    return lambda: table(shipped_runs(name))


def _rows(table: Callable[[list[Row]], PlainTable], name: str) -> Callable[[], PlainTable]:
    return lambda: table(shipped_rows(name))


# Tables of the pages by the name of their marks.
TABLES: dict[str, Callable[[], PlainTable]] = {
    "complexity": complexity_table,
    "scaling_ablation": _runs(arms_table, "scaling_ablation_photos"),
    "scaling_ablation_cifar10": _runs(arms_table, "scaling_ablation_cifar10"),
    "noise_cifar10": _runs(noise_table, "scaling_ablation_cifar10"),
    "scaling_ablation_imagenette": _runs(arms_table, "scaling_ablation_imagenette"),
    "noise_imagenette": _runs(noise_table, "scaling_ablation_imagenette"),
    "noise_lite0": lambda: sigmas_table(shipped_evaluations("noise_lite0")),
    "transfer_flowers102": _runs(transfer_table, "transfer_flowers102"),
    "coefficient_search": _runs(coefficients_table, "coefficient_search_photos"),
    "se_ratio": _runs(arms_table, "se_ratio_photos"),
    "se_ratio_cifar10": _runs(arms_table, "se_ratio_cifar10"),
    "learning_rate_cifar10": _runs(rates_table, "learning_rate_cifar10"),
    "learning_rate_imagenette": _runs(rates_table, "learning_rate_imagenette"),
    "learning_rate_imagenette_h200": _runs(rates_table, "learning_rate_imagenette_h200"),
    "scaling_ablation_imagenette_h200": _runs(arms_table, "scaling_ablation_imagenette_h200"),
    "efficiency": _rows(efficiency_table, "efficiency"),
    "efficiency_h200": _rows(efficiency_table, "efficiency_h200"),
    "gpu_speed": _rows(gpu_speed_table, "gpu_speed"),
    "parity": _rows(parity_table, "parity"),
    "int8_b0": _rows(int8_table, "int8"),
    "int8_lite0": _rows(int8_table, "int8_lite0"),
}

wide_noise_figure = partial(noise_figure, width_in=PAGE_IN)

# For each figure in docs/: the file in results/ that it shows, and the function that draws it.
FIGURES: dict[str, tuple[str, Callable[..., Figure]]] = {
    "scaling_photos": ("scaling_ablation_photos", equal_cost_figure),
    "scaling_cifar10": ("scaling_ablation_cifar10", equal_cost_figure),
    "scaling_imagenette": ("scaling_ablation_imagenette", equal_cost_figure),
    "noise_imagenette": ("scaling_ablation_imagenette", wide_noise_figure),
    "coefficients": ("coefficient_search_photos", coefficient_figure),
    "noise_cifar10": ("scaling_ablation_cifar10", wide_noise_figure),
    "scaling_imagenette_h200": ("scaling_ablation_imagenette_h200", equal_cost_figure),
}


def with_tables(texts: Iterable[str]) -> list[str]:
    """Return the pages with their tables written again.

    Args:
        texts: The texts of all pages.

    Raises:
        ValueError: The marks of a table are on no page, or on two.
    """
    pages = [*texts]
    for name, table in TABLES.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        places = [place for place, text in enumerate(pages) if pattern.search(text)]
        if len(places) != 1:
            raise ValueError(f"pages: {len(places)} have marks for the table {name!r}, must be one")
        # Every backslash of a table would be read as an escape.
        text = as_markdown(table()).replace("\\", r"\\")
        pages[places[0]] = pattern.sub(rf"\g<1>{text}\g<2>", pages[places[0]])
    return pages


def source_of(figure: str) -> str:
    """Return the name and the hash of a figure's data file, as its PNG is to have them."""
    name, _ = FIGURES[figure]
    file = RESULTS / f"{name}.json"
    return f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()[:16]}"


def recorded_source(figure: str) -> str:
    """Return the data that a figure's PNG names; empty where there is no file."""
    path = ROOT / "docs" / f"{figure}.png"
    if not path.exists():
        return ""
    with Image.open(path) as image:
        return str(image.info.get(SOURCE, ""))


def write_figures() -> None:
    """Draw the figures whose data have changed."""
    for figure, (name, draw) in FIGURES.items():
        source = source_of(figure)
        if recorded_source(figure) != source:
            content = BytesIO()
            drawn = draw(shipped_runs(name))
            drawn.savefig(content, format="png", dpi=DPI, metadata={SOURCE: source})
            write_whole(ROOT / "docs" / f"{figure}.png", content.getvalue())


def _label(row: Row) -> str:
    is_detector = row.get("task") == "detection"
    return f"{row['name']} (detector, with class and box heads)" if is_detector else row["name"]


def _published(row: Row) -> str | None:
    """Return the published figures of a network, which may not have been counted here."""
    published = row.get("published")
    if not published:
        return None
    units = (("params_m", "{:g} M"), ("macs_g", "{:g} G"), ("top1", "{:g} %"))
    shown = [unit.format(published[key]) for key, unit in units if published[key] is not None]
    only = "" if row["macs"] is not None else "published figures only: "
    return f"{only}{', '.join(shown)} ({published['source']})"


if __name__ == "__main__":
    written = with_tables(page.read_text(encoding="utf-8") for page in PAGES)
    for page, text in zip(PAGES, written, strict=True):
        write_whole(page, text.encode())
    write_figures()
