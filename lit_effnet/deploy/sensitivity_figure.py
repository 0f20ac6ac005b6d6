"""Figure of the sensitivity of layers to INT8."""

from collections.abc import Collection, Sequence

from matplotlib.figure import Figure

from lit_effnet.deploy.layers import is_inside
from lit_effnet.deploy.sensitivity import Sensitivity

BAR = 0.17  # inches
INK, MARKED = "#4477aa", "#ee6677"


def sensitivity_figure(
    title: str, parts: Sequence[Sensitivity], order: Sequence[str], gates: Collection[str] = ()
) -> Figure:
    """Draw the signal-to-noise ratio of each part as a bar, in the network's order.

    Args:
        title: Title of the figure.
        parts: Sensitivities; a part in which nothing changed has no bar.
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
    colours = [MARKED if is_inside(name, gates) else INK for name in names]
    axes.barh(range(len(names)), lengths, color=colours)
    axes.set_yticks(range(len(names)), names, fontsize=6)
    axes.set_ylim(len(names) - 0.4, -0.6)
    gated = any(is_inside(name, gates) for name in names)
    also = " (red: squeeze-and-excite)" if gated else ""
    axes.set_xlabel(f"SNR of the logits with only this part in INT8, dB{also}", fontsize=7)
    axes.tick_params(axis="x", labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, fontsize=8, loc="left", parse_math=False)
    return figure
