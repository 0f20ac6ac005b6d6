"""The sensitivity of layers as a figure."""

from collections.abc import Collection, Sequence

from matplotlib.figure import Figure

from lit_effnet.deploy.layers import inside
from lit_effnet.deploy.sensitivity import Sensitivity

BAR = 0.17  # inches
INK, MARKED = "#4477aa", "#ee6677"


def sensitivity_figure(
    title: str, parts: Sequence[Sensitivity], order: Sequence[str], gates: Collection[str] = ()
) -> Figure:
    """One bar for each part, in the network's order, as long as its signal-to-noise ratio.

    Args:
        title: Above the figure.
        parts: What was measured; a part in which nothing changed has no bar.
        order: Names of the parts from the input to the logits.
        gates: Names of the squeeze-and-excite gates, whose layers have another colour.
    """
    by_name = {part.name: part for part in parts}
    names = [name for name in order if name in by_name]
    height = 0.9 + BAR * len(names)
    figure = Figure(figsize=(6.4, height), dpi=150)
    axes = figure.subplots(
        gridspec_kw={"left": 0.3, "right": 0.97, "top": 1 - 0.3 / height, "bottom": 0.5 / height}
    )
    lengths = [by_name[name].snr_db or 0.0 for name in names]
    colours = [MARKED if inside(name, gates) else INK for name in names]
    axes.barh(range(len(names)), lengths, color=colours)
    axes.set_yticks(range(len(names)), names, fontsize=6)
    axes.set_ylim(len(names) - 0.4, -0.6)
    gated = any(inside(name, gates) for name in names)
    also = " (red: squeeze-and-excite)" if gated else ""
    axes.set_xlabel(f"logits' signal-to-noise with this alone in INT8, dB{also}", fontsize=7)
    axes.tick_params(axis="x", labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, fontsize=8, loc="left", parse_math=False)
    return figure
