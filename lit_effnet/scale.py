"""Show what a scaling does to the network and what it costs, beside B0 and the published figure.

python -m lit_effnet.scale --variant b3
python -m lit_effnet.scale --scaling.depth 1.5
python -m lit_effnet.scale --scaling.phi 2 --scaling.rounding round
python -m lit_effnet.scale --scaling.axis width --scaling.budget 2
python -m lit_effnet.scale --network efficientdet_d0
"""

from typing import TYPE_CHECKING, Any

from jsonargparse import class_from_function

from lit_effnet.cli.errors import stopping
from lit_effnet.cli.output import prepare_output
from lit_effnet.cli.parser import OneLineErrors
from lit_effnet.scaling.arms import Arm, choose
from lit_effnet.scaling.compound import (
    B0_STAGES,
    BASE_IMAGE_SIZE,
    HEAD_CHANNELS,
    STEM_CHANNELS,
    VARIANTS,
    Scaling,
)
from lit_effnet.scaling.cost import Complexity

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from torch import nn

MACS = (
    "MACs: multiply-adds of convolutions and linear layers (a paper's FLOPs), without biases, "
    "batch norm, activations and pooling. Activations: elements of their outputs."
)


def make_parser() -> OneLineErrors:
    """The command's flags."""
    parser = OneLineErrors(prog="python -m lit_effnet.scale", description=__doc__)
    parser.add_class_arguments(class_from_function(choose), "scaling")
    parser.add_argument("--variant", type=str | None, help="Short for --scaling.variant.")
    parser.add_argument(
        "--network",
        type=str,
        default="efficientnet",
        help="A network of --model.name, a detector (efficientdet_d0 to d4), or one of which only "
        "published figures are known (amoebanet_b).",
    )
    parser.add_argument("--se_ratio", type=float | None, help="SE ratio; 0 builds no gate.")
    parser.add_argument(
        "--num_classes",
        type=int | None,
        help="Classes of the head; 1000 if null, 90 for a detector.",
    )
    parser.add_argument("--image_size", type=int | None, help="Image side at resolution 1, pixels.")
    parser.link_arguments("network", "scaling.network")
    parser.link_arguments("se_ratio", "scaling.se_ratio")
    return parser


@stopping("nothing was changed")
def main(args: list[str] | None = None) -> None:
    """Run the command: exit status 0 done, 2 bad input, 130 stopped."""
    prepare_output()
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
    num_classes: int | None,
    image_size: int | None,
    options: dict[str, Any],
) -> None:
    """Print the stages and the costs of one network."""
    import torch
    from rich.console import Console

    from lit_effnet.network.arm_cost import settled
    from lit_effnet.network.complexity import complexity
    from lit_effnet.network.detection import COCO_CLASSES, DETECTORS, INSTALL, can_count
    from lit_effnet.network.golden import golden_complexity, published_only
    from lit_effnet.network.registry import BASELINES, OURS

    known = (*OURS, *BASELINES, *DETECTORS, *published_only())
    if name not in known:
        raise ValueError(f"network {name!r}: must be one of {', '.join(known)}")
    golden = golden_complexity()
    own_size = golden[name]["image_size"] if name in golden else BASE_IMAGE_SIZE
    own_classes = COCO_CLASSES if name in DETECTORS else 1000
    base = own_size if image_size is None else image_size
    if base < 1:
        raise ValueError(f"image_size {base}: must be at least 1 pixel")
    classes = own_classes if num_classes is None else num_classes
    scaling = settled(arm, base, classes)
    size = scaling.image_size(base)
    row = golden.get(_released_name(name, scaling), {})
    # A published figure is one of the released network, at its size and with its classes.
    is_released = row.get("image_size") == size and classes == own_classes and not options
    published = row.get("published") if is_released else None
    console = Console()
    if name in published_only():
        if not is_released or scaling != Scaling(rounding=scaling.rounding):
            raise ValueError(f"network {name!r}: has nothing to set, no package carries it")
        show_published(name, row, console)
        return
    if name in DETECTORS and not can_count() and is_released and base == size:
        _refuse_scaling(name, scaling, options)
        here = unscaled = Complexity(row["params"], row["macs"], row["activations"])
        note = f"As counted on effdet 0.4.1, which is not installed; to count it here: {INSTALL}."
    else:
        with torch.device("meta"):  # shapes only: L2 has 480 million parameters
            here = complexity(_build(name, scaling, classes, size, options), size)
            unscaled = complexity(_build(name, arm.base, classes, base, options), base)
        note = ""
    console.print(_title(name, scaling, size), highlight=False)
    if name in OURS:
        console.print(stage_table(scaling, fixed_ends=name == "efficientnet_lite"))
    console.print(cost_table(unscaled, base, here, size, published))
    for line in (note, "With class and box heads." if name in DETECTORS else "", MACS):
        if line:
            # The brackets of an extra's name are no markup, and a command stays in one line.
            console.print(line, style="dim", highlight=False, markup=False, soft_wrap=line == note)


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
    before: Complexity,
    before_size: int,
    after: Complexity,
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
    if published and published.get("top1") is not None:
        table.add_row("ImageNet top-1", "", "", "", f"{published['top1']:g} %")
    return table


def show_published(name: str, row: dict[str, Any], console: "Console") -> None:
    """Print what was published of a network that no package carries."""
    from rich.table import Table

    published = row["published"]
    console.print(f"{name}: published figures only ({row['image_size']} px)", highlight=False)
    table = Table("one image")
    table.add_column(f"published\n{published['source']}", justify="right")
    figures = (("parameters", "params_m", "M"), ("MACs", "macs_g", "G"), ("top-1", "top1", "%"))
    for label, key, unit in figures:
        figure = published[key]
        table.add_row(label, "-" if figure is None else f"{figure:g} {unit}")
    console.print(table)
    console.print(
        "No package carries the network, so that nothing of it is counted.",
        style="dim",
        highlight=False,
    )


def _build(
    name: str, scaling: Scaling, num_classes: int, image_size: int, options: dict[str, Any]
) -> "nn.Module":
    """The network on which costs are counted; a detector is built for one image size."""
    from lit_effnet.network.detection import DETECTORS, build_detector
    from lit_effnet.network.registry import build

    if name not in DETECTORS:
        return build(name, scaling, num_classes, **options)
    _refuse_scaling(name, scaling, options)
    return build_detector(name, num_classes, image_size)


def _refuse_scaling(name: str, scaling: Scaling, options: dict[str, Any]) -> None:
    fixed = [axis for axis in ("depth", "width") if getattr(scaling, axis) != 1]
    if fixed or options:
        raise ValueError(f"{name} has no {', '.join([*fixed, *options])} to set: only its own")


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
