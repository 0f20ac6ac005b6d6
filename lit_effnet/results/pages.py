"""The pages' tables and figures, made from the project's data files; `make results` writes them.

Each table stands between `<!-- NAME -->` and `<!-- /NAME -->`, in the README or in `docs/`. Each
figure of `FIGURES` is a PNG in `docs/`, and says in itself of which data it was made; where its
drawing changes, remove it first.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from functools import partial
from io import BytesIO
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from lit_effnet.network.golden import golden_complexity
from lit_effnet.results.figures.coefficients import coefficient_figure
from lit_effnet.results.figures.drawing import PAGE_IN
from lit_effnet.results.figures.equal_cost import equal_cost_figure
from lit_effnet.results.figures.noise import noise_figure
from lit_effnet.results.frame.shipped import RESULTS
from lit_effnet.results.tables.measured import (
    efficiency_h200_table,
    efficiency_table,
    gpu_speed_table,
    int8_b0_table,
    int8_lite0_table,
    parity_table,
)
from lit_effnet.results.tables.runs import (
    arms_table,
    coefficients_table,
    noise_lite0_table,
    noise_table,
    rates_table,
    shipped_runs,
    transfer_table,
)
from lit_effnet.runs.files import write_whole

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
SOURCE = "Source"  # of a PNG file, by its standard
DPI = 200


def complexity_table() -> str:
    """Parameters, MACs and activations as counted, "-" where not, beside the published figures."""
    lines = [
        "| network | px | parameters | MACs | activations | published: parameters, MACs, top-1 |",
        "|---|--:|--:|--:|--:|---|",
    ]
    for name, row in golden_complexity().items():
        is_detector = row.get("task") == "detection"
        label = f"{name} (detector, with class and box heads)" if is_detector else name
        counts = [row[key] for key in ("params", "macs", "activations")]
        counted = " | ".join("-" if count is None else f"{count:,}" for count in counts)
        only = "published figures only: " if None in counts else ""
        published = _published(row.get("published"))
        lines.append(f"| {label} | {row['image_size']} | {counted} | {only}{published} |")
    return "\n".join(lines)


TABLES: dict[str, Callable[[], str]] = {
    "complexity": complexity_table,
    "scaling_ablation": lambda: arms_table(shipped_runs("scaling_ablation_photos")),
    "scaling_ablation_cifar10": lambda: arms_table(shipped_runs("scaling_ablation_cifar10")),
    "noise_cifar10": lambda: noise_table(shipped_runs("scaling_ablation_cifar10")),
    "scaling_ablation_imagenette": lambda: arms_table(shipped_runs("scaling_ablation_imagenette")),
    "noise_imagenette": lambda: noise_table(shipped_runs("scaling_ablation_imagenette")),
    "noise_lite0": noise_lite0_table,
    "transfer_flowers102": lambda: transfer_table(shipped_runs("transfer_flowers102")),
    "coefficient_search": lambda: coefficients_table(shipped_runs("coefficient_search_photos")),
    "se_ratio": lambda: arms_table(shipped_runs("se_ratio_photos")),
    "se_ratio_cifar10": lambda: arms_table(shipped_runs("se_ratio_cifar10")),
    "learning_rate_cifar10": lambda: rates_table(shipped_runs("learning_rate_cifar10")),
    "learning_rate_imagenette": lambda: rates_table(shipped_runs("learning_rate_imagenette")),
    "learning_rate_imagenette_h200": lambda: rates_table(
        shipped_runs("learning_rate_imagenette_h200")
    ),
    "scaling_ablation_imagenette_h200": lambda: arms_table(
        shipped_runs("scaling_ablation_imagenette_h200")
    ),
    "efficiency": efficiency_table,
    "efficiency_h200": efficiency_h200_table,
    "gpu_speed": gpu_speed_table,
    "parity": parity_table,
    "int8_b0": int8_b0_table,
    "int8_lite0": int8_lite0_table,
}

wide_noise_figure = partial(noise_figure, width_in=PAGE_IN)

# Of each figure in docs/: the file of results that it shows, and what draws it.
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
    """The pages with every table made anew.

    Args:
        texts: Of all pages.

    Raises:
        ValueError: a table's marks are on no page, or on two.
    """
    pages = [*texts]
    for name, table in TABLES.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        having = [place for place, text in enumerate(pages) if pattern.search(text)]
        if len(having) != 1:
            raise ValueError(f"pages: {len(having)} have marks for the table {name!r}, must be one")
        # Every backslash of a table would be read as an escape.
        made = table().replace("\\", r"\\")
        pages[having[0]] = pattern.sub(rf"\g<1>{made}\n\g<2>", pages[having[0]])
    return pages


def source_of(figure: str) -> str:
    """What a figure's file says of its data: their file and its hash."""
    name, _ = FIGURES[figure]
    file = RESULTS / f"{name}.json"
    return f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()[:16]}"


def told_source(figure: str) -> str:
    """Of which data a figure's file says that it was made; empty where there is no file."""
    path = ROOT / "docs" / f"{figure}.png"
    if not path.exists():
        return ""
    with Image.open(path) as image:
        return str(image.info.get(SOURCE, ""))


def write_figures() -> None:
    """Draw the figures whose data have changed."""
    for figure, (name, draw) in FIGURES.items():
        if told_source(figure) != source_of(figure):
            content = BytesIO()
            drawn = draw(shipped_runs(name))
            drawn.savefig(content, format="png", dpi=DPI, metadata={SOURCE: source_of(figure)})
            write_whole(ROOT / "docs" / f"{figure}.png", content.getvalue())


def _published(figures: dict[str, float | str | None] | None) -> str:
    if not figures:
        return "-"
    units = (("params_m", "{:g} M"), ("macs_g", "{:g} G"), ("top1", "{:g} %"))
    shown = [form.format(figures[key]) for key, form in units if figures[key] is not None]
    return f"{', '.join(shown)} ({figures['source']})"


if __name__ == "__main__":
    made = with_tables(page.read_text(encoding="utf-8") for page in PAGES)
    for page, text in zip(PAGES, made, strict=True):
        write_whole(page, text.encode())
    write_figures()
