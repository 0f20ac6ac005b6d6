"""Show the stages and costs of a scaled network, next to B0 and the published figures.

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
    from torch import nn

    from lit_effnet.cli.tables import PlainTable

MACS = (
    "MACs: multiply-adds of convolutions and linear layers (a paper's FLOPs), without biases, "
    "batch norm, activations and pooling. Activations: elements of their outputs."
)

UNITS = {"M": 1e6, "G": 1e9}
# Name, field of `Complexity`, key of the published figures, unit.
COSTS = (
    ("parameters", "params", "params_m", "M"),
    ("MACs", "macs", "macs_g", "G"),
    ("activations", "activations", "", "M"),
)


def make_parser() -> OneLineErrors:
    """Return the parser of the command."""
    parser = OneLineErrors(prog="python -m lit_effnet.scale", description=__doc__)
    parser.add_class_arguments(class_from_function(choose), "scaling")
    parser.add_argument("--variant", type=str | None, help="Same as --scaling.variant.")
    parser.add_argument(
        "--network",
        type=str,
        default="efficientnet",
        help="A network of fit's --model.name, a detector (efficientdet_d0 to d4), or one with "
        "published figures only (amoebanet_b).",
    )
    parser.add_argument("--se_ratio", type=float | None, help="SE ratio; 0 builds no gate.")
    parser.add_argument(
        "--num_classes",
        type=int | None,
        help="Number of classes. Defaults to 1000, and to 90 for a detector.",
    )
    parser.add_argument(
        "--image_size", type=int | None, help="Side of the image at resolution 1, in pixels."
    )
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
            num_classes=config.num_classes,
            image_size=config.image_size,
            options={} if config.se_ratio is None else {"se_ratio": config.se_ratio},
        )


def show(
    arm: Arm,
    name: str,
    *,
    num_classes: int | None,
    image_size: int | None,
    options: dict[str, Any],
) -> None:
    """Print stages and costs of a network.

    Args:
        arm: Scaling.
        name: Name of the network.
        num_classes: Number of classes. Defaults to that of the network.
        image_size: Side of the image at resolution 1, in pixels. Defaults to that of the network.
        options: Further arguments of the network.

    Raises:
        ValueError: an unknown network, or an option that it does not have.
    """
    import torch
    from rich.console import Console

    from lit_effnet.cli.tables import as_rich
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
    # Published figures hold for the released network, at its own size and number of classes.
    is_released = row.get("image_size") == size and classes == own_classes and not options
    published = (row.get("published") if is_released else None) or {}
    console = Console()
    if name in published_only():
        if not is_released or scaling != Scaling(rounding=scaling.rounding):
            raise ValueError(f"network {name!r}: has nothing to set, since no package has it")
        show_published(name, row, console)
        return
    if name in DETECTORS and not can_count() and is_released and base == size:
        _refuse_scaling(name, scaling, options)
        cost = unscaled = Complexity(row["params"], row["macs"], row["activations"])
        note = f"Counted with effdet 0.4.1, which is not installed; to count it here: {INSTALL}."
    else:
        with torch.device("meta"):  # shapes only: L2 has 480 million parameters
            cost = complexity(_build(name, scaling, classes, size, options), size)
            unscaled = complexity(_build(name, arm.base, classes, base, options), base)
        note = ""
    console.print(_title(name, scaling, size), highlight=False)
    if name in OURS:
        console.print(as_rich(stage_table(scaling, fixed_ends=name == "efficientnet_lite")))
    console.print(as_rich(cost_table(unscaled, base, cost, size, published=published)))
    source = f"Published in {published['source']}." if published else ""
    heads = "Including class and box heads." if name in DETECTORS else ""
    for line in (source, note, heads, MACS):
        if line:
            # Without markup, for the brackets of an extra; a command stays in one line.
            console.print(line, style="dim", highlight=False, markup=False, soft_wrap=line == note)


def stage_table(scaling: Scaling, *, fixed_ends: bool = False) -> "PlainTable":
    """Return channels and blocks of each stage, before and after scaling.

    Args:
        scaling: Depth and width multipliers.
        fixed_ends: Whether stem, head and the depth of the first and last stage are unscaled.
    """
    from lit_effnet.cli.tables import Column, tabulate

    columns = (
        Column(heading="stage", value="stage", left=True),
        Column(heading="operator", value="operator", left=True),
        Column(heading="B0", value="b0"),
        Column(heading="scaled", value="scaled"),
    )

    def end(stage: str, operator: str, channels: int) -> dict[str, str]:
        scaled = channels if fixed_ends else scaling.channels(channels)
        return {"stage": stage, "operator": operator, "b0": f"{channels}", "scaled": f"{scaled}"}

    stages = zip(B0_STAGES, scaling.stages(fix_first_last=fixed_ends), strict=True)
    rows = [
        {
            "stage": str(index),
            "operator": f"MBConv{after.expand_ratio} {after.kernel_size}x{after.kernel_size}",
            "b0": f"{before.channels} x {before.repeats}",
            "scaled": f"{after.channels} x {after.repeats}",
        }
        for index, (before, after) in enumerate(stages, start=1)
    ]
    stem, head = end("stem", "Conv 3x3", STEM_CHANNELS), end("head", "Conv 1x1", HEAD_CHANNELS)
    return tabulate(columns, [stem, *rows, head], title="channels x blocks")


def cost_table(
    base: Complexity, base_size: int, scaled: Complexity, size: int, *, published: dict[str, Any]
) -> "PlainTable":
    """Return the costs before and after scaling, their ratio, and the published figures.

    Args:
        base: Cost of the unscaled network.
        base_size: Its image size in pixels.
        scaled: Cost of the scaled network.
        size: Its image size in pixels.
        published: Published figures; empty if there are none.
    """
    from lit_effnet.cli.format import number
    from lit_effnet.cli.tables import Column, tabulate

    columns = (
        Column(heading="cost of one image", value="cost", left=True),
        Column(heading=f"unscaled\n{base_size} px", value="base"),
        Column(heading=f"scaled\n{size} px", value="scaled"),
        Column(heading="ratio", value="ratio", write=number(".3f")),
        Column(heading="published", value="published"),
    )
    rows: list[dict[str, Any]] = []
    for name, key, published_key, unit in COSTS:
        before, after = getattr(base, key), getattr(scaled, key)
        write, figure = number(",.3f", 1 / UNITS[unit]), published.get(published_key)
        rows.append(
            {
                "cost": name,
                "base": f"{write(before)} {unit}",
                "scaled": f"{write(after)} {unit}",
                "ratio": after / before,
                "published": "-" if figure is None else f"{figure:g} {unit}",
            }
        )
    if published.get("top1") is not None:
        rows.append({"cost": "ImageNet top-1", "published": f"{published['top1']:g} %"})
    return tabulate(columns, rows)


def show_published(name: str, row: dict[str, Any], console: "Console") -> None:
    """Print the published figures of a network that no package has."""
    from lit_effnet.cli.tables import Column, as_rich, tabulate

    published = row["published"]
    console.print(f"{name}: published figures only ({row['image_size']} px)", highlight=False)
    columns = (
        Column(heading="one image", value="figure", left=True),
        Column(heading="published", value="published"),
    )
    figures = (("parameters", "params_m", "M"), ("MACs", "macs_g", "G"), ("top-1", "top1", "%"))
    rows = [
        {
            "figure": figure,
            "published": "-" if published[key] is None else f"{published[key]:g} {unit}",
        }
        for figure, key, unit in figures
    ]
    console.print(as_rich(tabulate(columns, rows)))
    console.print(f"Published in {published['source']}.", style="dim", highlight=False)
    console.print(
        "No package has this network, so its costs are not counted.", style="dim", highlight=False
    )


def _build(
    name: str, scaling: Scaling, num_classes: int, image_size: int, options: dict[str, Any]
) -> "nn.Module":
    """Return the network whose costs are counted; a detector is built for one image size."""
    from lit_effnet.network.detection import DETECTORS, build_detector
    from lit_effnet.network.registry import build

    if name not in DETECTORS:
        return build(name, scaling, num_classes, **options)
    _refuse_scaling(name, scaling, options)
    return build_detector(name, num_classes, image_size)


def _refuse_scaling(name: str, scaling: Scaling, options: dict[str, Any]) -> None:
    fixed = [axis for axis in ("depth", "width") if getattr(scaling, axis) != 1]
    if fixed or options:
        raise ValueError(f"{name} has no {', '.join([*fixed, *options])} to set")


def _title(name: str, scaling: Scaling, size: int) -> str:
    return (
        f"{name}: depth {scaling.depth:.4g}, width {scaling.width:.4g}, "
        f"resolution {scaling.resolution:.4g} ({size} px), depth rounded by {scaling.rounding}"
    )


def _released_name(name: str, scaling: Scaling) -> str:
    """Return the key of the network in the golden table: a variant's name if the scaling is one."""
    if name == "efficientnet_lite":
        return "lite0" if scaling == Scaling() else ""
    if name != "efficientnet":
        return name
    matches = (key for key, variant in VARIANTS.items() if variant.scaling == scaling)
    return next(matches, "")


if __name__ == "__main__":
    main()
