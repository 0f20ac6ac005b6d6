"""Device hours of each arm of `sweeps/scaling_ablation.yaml` on ImageNet, on paper.

python benchmarks/imagenet_hours.py

Prints the tables of docs/scale.md: how far two rules miss the published throughputs of B1 to B5,
and each arm's hours by them. Nothing is trained or timed.
"""

from pathlib import Path

import yaml

from lit_effnet.network.arm_cost import cost, settled
from lit_effnet.scaling.arms import Arm, choose
from lit_effnet.scaling.cost import Complexity

ROOT = Path(__file__).parent.parent
CLASSES, IMAGES, BASE_SIZE, REPEATS = 1000, 1_281_167, 224, 3
EPOCHS = (100, 350)  # of experiments/ablation/imagenet.yaml, and of the paper

# Images a second of training in mixed precision, channels last, on one RTX 3090: from
# results/benchmark-train-amp-nhwc-pt112-cu113-rtx3090.csv of huggingface/pytorch-image-models,
# commit 5e7d47c. By row: variant, pixels, images/s.
PUBLISHED = (
    ("efficientnet_b0", "b0", 224, 1751.72),
    ("efficientnet_b1", "b1", 224, 1325.85),
    ("efficientnet_b2", "b2", 256, 978.68),
    ("efficientnet_b3", "b3", 288, 572.18),
    ("efficientnet_b4", "b4", 320, 354.99),
    ("tf_efficientnet_b4", "b4", 380, 241.83),
    ("efficientnet_b5", "b5", 456, 113.63),
)


def count(arm: Arm, base_size: int) -> Complexity:
    """What an arm costs on images of `base_size` pixels at resolution 1."""
    scaling = settled(arm, base_size, CLASSES)
    return cost(arm, CLASSES, scaling, round(base_size * scaling.resolution))


def main() -> None:
    """Print both tables."""
    b0 = count(choose(variant="b0"), BASE_SIZE)
    print("row                  px  images/s   time    MACs (error)   activations (error)")
    rate = PUBLISHED[0][3]
    for row, variant, size, images in PUBLISHED[1:]:
        arm = choose(variant=variant)
        here = cost(arm, CLASSES, settled(arm, BASE_SIZE, CLASSES), size)
        time, macs = rate / images, here.macs / b0.macs
        moved = here.activations / b0.activations
        print(
            f"{row:19} {size:3d} {images:9,.2f} {time:6.2f}  {macs:6.2f} ({macs / time - 1:+4.0%})"
            f"    {moved:6.2f} ({moved / time - 1:+4.0%})"
        )
    sweep = yaml.safe_load((ROOT / "sweeps" / "scaling_ablation.yaml").read_text())
    total = [0.0, 0.0]
    print(f"\n{'arm':42}   px  MACs, M  MACs x   acts x   hours of")
    for text in sweep["parameters"]["scaling.arm"]["values"]:
        arm = choose(arm=text)
        scaling = settled(arm, BASE_SIZE, CLASSES)
        here = count(arm, BASE_SIZE)
        times = (here.activations / b0.activations, here.macs / b0.macs)
        hours = [IMAGES / rate / 3600 * factor for factor in times]
        total = [sum(pair) for pair in zip(total, hours, strict=True)]
        shown = "; ".join(
            f"{n} epochs: {n * hours[0]:.0f} by activations, {n * hours[1]:.0f} by MACs"
            for n in EPOCHS
        )
        size = round(BASE_SIZE * scaling.resolution)
        print(
            f"{text:42} {size:4d} {here.macs / 1e6:8,.0f} {times[1]:7.2f} {times[0]:8.2f}   {shown}"
        )
    for epochs in EPOCHS:
        by = [f"{epochs * REPEATS * hours:,.0f}" for hours in total]
        print(f"{REPEATS} repeats of {epochs} epochs: {by[0]} by activations, {by[1]} by MACs")


if __name__ == "__main__":
    main()
