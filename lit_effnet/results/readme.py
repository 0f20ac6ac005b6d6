"""The README's tables, made from the project's data files; `make results` writes them.

Each table stands between `<!-- NAME -->` and `<!-- /NAME -->`.
"""

import re
from collections.abc import Callable
from pathlib import Path

from lit_effnet.network.golden import golden_complexity
from lit_effnet.results.readme_tables import (
    efficiency_table,
    int8_b0_table,
    int8_lite0_table,
    learning_rate_table,
    parity_table,
    scaling_table,
    se_ratio_cifar10_table,
    se_ratio_table,
)

README = Path(__file__).parents[2] / "README.md"


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
    "scaling_ablation": scaling_table,
    "se_ratio": se_ratio_table,
    "se_ratio_cifar10": se_ratio_cifar10_table,
    "learning_rate_cifar10": learning_rate_table,
    "efficiency": efficiency_table,
    "parity": parity_table,
    "int8_b0": int8_b0_table,
    "int8_lite0": int8_lite0_table,
}


def with_tables(text: str) -> str:
    """The text with every table made anew.

    Raises:
        ValueError: a table's marks are not there.
    """
    for name, table in TABLES.items():
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        if not pattern.search(text):
            raise ValueError(f"README: no marks for the table {name!r}")
        # Every backslash of a table would be read as an escape.
        made = table().replace("\\", r"\\")
        text = pattern.sub(rf"\g<1>{made}\n\g<2>", text)
    return text


def _published(figures: dict[str, float | str | None] | None) -> str:
    if not figures:
        return "-"
    units = (("params_m", "{:g} M"), ("macs_g", "{:g} G"), ("top1", "{:g} %"))
    shown = [form.format(figures[key]) for key, form in units if figures[key] is not None]
    return f"{', '.join(shown)} ({figures['source']})"


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text(encoding="utf-8")), encoding="utf-8")
