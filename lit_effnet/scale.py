"""Show what a scaling does to the network and what it costs, beside B0 and the published figure.

python -m lit_effnet.scale --variant b3
python -m lit_effnet.scale --scaling.depth 1.5
python -m lit_effnet.scale --scaling.phi 2 --scaling.rounding round
python -m lit_effnet.scale --scaling.axis width --scaling.budget 2
"""

from typing import TYPE_CHECKING, Any

from jsonargparse import class_from_function

from lit_effnet.arms import Arm, choose
from lit_effnet.command_line import OneLineErrors, plain_warnings
from lit_effnet.scaling import (
    B0_STAGES,
    BASE_IMAGE_SIZE,
    HEAD_CHANNELS,
    STEM_CHANNELS,
    VARIANTS,
    Scaling,
)

if TYPE_CHECKING:
    from rich.table import Table

    from lit_effnet.network.complexity import Complexity


def make_parser() -> OneLineErrors:
    """The command's flags."""
    parser = OneLineErrors(prog="python -m lit_effnet.scale", description=__doc__)
    parser.add_class_arguments(class_from_function(choose), "scaling")
    parser.add_argument("--variant", type=str | None, help="Short for --scaling.variant.")
    parser.add_argument(
        "--network",
        type=str,
        default="efficientnet",
        help="A network of --model.name.",
    )
    parser.add_argument("--se_ratio", type=float | None, help="SE ratio; 0 builds no gate.")
    parser.add_argument("--num_classes", type=int, default=1000, help="Classes of the head.")
    parser.add_argument("--image_size", type=int | None, help="Image side at resolution 1, pixels.")
    parser.link_arguments("network", "scaling.network")
    parser.link_arguments("se_ratio", "scaling.se_ratio")
    return parser


def main(args: list[str] | None = None) -> None:
    """Run the command."""
    plain_warnings()
    parser = make_parser()
    config = parser.parse_args(args)
    if config.variant is not None:
        config.scaling.variant = config.variant
    with parser.bad_input():
        show(
            parser.instantiate(config).scaling,
            config.network,
            config.num_classes,
            config.image_size,
            {} if config.se_ratio is None else {"se_ratio": config.se_ratio},
        )


def show(
    arm: Arm,
    name: str,
    num_classes: int,
    image_size: int | None,
    options: dict[str, Any],
) -> None:
    """Print the stages and the costs of one network."""
    import torch
    from rich.console import Console

    from lit_effnet.building import settled
    from lit_effnet.network.complexity import complexity
    from lit_effnet.network.golden import golden_complexity
    from lit_effnet.network.registry import BASELINES, OURS, build

    base = BASELINES[name].image_size if name in BASELINES else BASE_IMAGE_SIZE
    base = base if image_size is None else image_size
    if base < 1:
        raise ValueError(f"image_size {base}: must be at least 1 pixel")
    if name not in (*OURS, *BASELINES):
        raise ValueError(f"network {name!r}: must be one of {', '.join((*OURS, *BASELINES))}")
    scaling = settled(arm, base, num_classes)
    size = scaling.image_size(base)
    with torch.device("meta"):  # shapes only: L2 has 480 million parameters
        here = complexity(build(name, scaling, num_classes, **options), size)
        unscaled = complexity(build(name, arm.base, num_classes, **options), base)
    console = Console()
    console.print(_title(name, scaling, size), highlight=False)
    if name in OURS:
        console.print(stage_table(scaling, fixed_ends=name == "efficientnet_lite"))
    row = golden_complexity().get(_released_name(name, scaling), {})
    # A published figure is one of the released network, at its size and with its classes.
    is_released = row.get("image_size") == size and num_classes == 1000 and not options
    published = row.get("published") if is_released else None
    console.print(cost_table(unscaled, base, here, size, published))
    console.print(
        "MACs: multiply-adds of convolutions and linear layers (a paper's FLOPs), without biases, "
        "batch norm, activations and pooling. Activations: elements of their outputs.",
        style="dim",
        highlight=False,
    )


def stage_table(scaling: Scaling, fixed_ends: bool = False) -> "Table":
    """Channels and repeats of each stage, before and after scaling."""
    from rich.table import Table

    table = Table("stage", "operator", title="channels x blocks", title_justify="left")
    for heading in ("B0", "scaled"):
        table.add_column(heading, justify="right")

    def ends(channels: int) -> int:
        return channels if fixed_ends else scaling.channels(channels)

    table.add_row("stem", "Conv 3x3", f"{STEM_CHANNELS}", f"{ends(STEM_CHANNELS)}")
    stages = zip(B0_STAGES, scaling.stages(fix_first_last=fixed_ends), strict=True)
    for index, (before, after) in enumerate(stages, start=1):
        table.add_row(
            str(index),
            f"MBConv{after.expand_ratio} {after.kernel_size}x{after.kernel_size}",
            f"{before.channels} x {before.repeats}",
            f"{after.channels} x {after.repeats}",
        )
    table.add_row("head", "Conv 1x1", f"{HEAD_CHANNELS}", f"{ends(HEAD_CHANNELS)}")
    return table


def cost_table(
    before: "Complexity",
    before_size: int,
    after: "Complexity",
    after_size: int,
    published: dict[str, Any] | None,
) -> "Table":
    """Parameters, MACs and activations before and after scaling, their ratio, and as published."""
    from rich.table import Table

    source = f"\n{published['source']}" if published else ""
    table = Table("cost of one image")
    for heading in (f"unscaled\n{before_size} px", f"scaled\n{after_size} px", "ratio"):
        table.add_column(heading, justify="right")
    table.add_column(f"published{source}", justify="right")
    rows = (
        ("parameters", before.params, after.params, "params_m", 1e6, "M"),
        ("MACs", before.macs, after.macs, "macs_g", 1e9, "G"),
        ("activations", before.activations, after.activations, None, 1e6, "M"),
    )
    for label, old, new, key, unit, letter in rows:
        figure = published.get(key) if published and key else None
        table.add_row(
            label,
            f"{old / unit:,.3f} {letter}",
            f"{new / unit:,.3f} {letter}",
            f"{new / old:.3f}",
            "-" if figure is None else f"{figure:g} {letter}",
        )
    return table


def _title(name: str, scaling: Scaling, size: int) -> str:
    return (
        f"{name}: depth {scaling.depth:.4g}, width {scaling.width:.4g}, "
        f"resolution {scaling.resolution:.4g} ({size} px), depth rounded by {scaling.rounding}"
    )


def _released_name(name: str, scaling: Scaling) -> str:
    """The golden table's key for this network: a variant's name where the scaling is one."""
    if name == "efficientnet_lite":
        return "lite0" if scaling == Scaling() else ""
    if name != "efficientnet":
        return name
    matches = (key for key, variant in VARIANTS.items() if variant.scaling == scaling)
    return next(matches, "")


if __name__ == "__main__":
    main()
