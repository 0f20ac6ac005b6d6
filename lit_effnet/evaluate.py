"""Evaluate trained or released networks under conditions; each gives a row that is kept.

python -m lit_effnet.evaluate runs/photos/RUN --conditions clean,noise
python -m lit_effnet.evaluate runs/scaling_ablation_photos --conditions corruptions
python -m lit_effnet.evaluate timm/resnet50.tv_in1k --data.name imagenet --data.path FOLDER
python -m lit_effnet.evaluate RUN --conditions gaussian_noise:sigma=0.1,fog:3 --corrupt_at input
python -m lit_effnet.evaluate RUN --per_class true --predictions predictions.csv

Conditions: clean; noise (a curve of Gaussian noise, and shot, impulse and speckle noise) and
corruptions (ImageNet-C's); blur, weather, digital and extra; or names of corruptions, each with a
severity (fog:3) or a level (gaussian_noise:sigma=0.1). Conditions that have a row are skipped.
"""

from typing import Literal

from lit_effnet.cli.errors import stopping
from lit_effnet.cli.output import prepare_output, quiet_libraries
from lit_effnet.cli.parser import OneLineErrors
from lit_effnet.cli.shared_flags import add_network_flags, add_row_flags
from lit_effnet.runs.exit_status import FAILURE


def make_parser() -> OneLineErrors:
    """Return the command's parser."""
    parser = OneLineErrors(
        prog="python -m lit_effnet.evaluate",
        usage="%(prog)s RUN [RUN ...] [--NAME VALUE ...]",
        description=__doc__,
    )
    add_network_flags(parser)
    add_row_flags(parser)
    add = parser.add_argument
    add("--conditions", type=str, default="clean", help="Names and groups, separated by commas.")
    add(
        "--corrupt_at",
        type=Literal["reference", "input"],
        default="reference",
        help="Corrupt at the data set's reference size (the same images for all networks), or at "
        "the network's input size.",
    )
    parser.renamed["made_at"] = "corrupt_at"
    add("--reference_size", type=int | None, help="Another reference size, in pixels.")
    add(
        "--severities",
        type=Literal["imagenet", "cifar", "tiny"] | None,
        help="Constants of severities 1 to 5, made for images of 224, 32 or 64 pixels; null "
        "chooses by the reference size.",
    )
    add(
        "--sigmas",
        type=str | None,
        help="Standard deviations of the curve of Gaussian noise, for pixels from 0 to 1, "
        "separated by commas.",
    )
    add("--frost_images", type=str | None, help="Folder of ImageNet-C's frost1.png to frost5.jpg.")
    add(
        "--adapt_batch_norm",
        type=bool,
        default=False,
        help="Test-time batch-norm adaptation: statistics of each condition's images.",
    )
    parser.renamed["recalibrate"] = "adapt_batch_norm"
    add(
        "--predictions",
        type=str | None,
        help="A .csv or .parquet file for the prediction of each image; evaluates again.",
    )
    add(
        "--per_class",
        type=bool,
        default=False,
        help="Accuracy of each class and confusion matrix, also as files in the run's per_class/; "
        "evaluates again.",
    )
    add("--relative_to", type=str | None, help="Run whose errors divide the mean error.")
    return parser


def main(args: list[str] | None = None) -> None:
    """Run the command: exit status 0 done, 1 a network failed, 2 bad input, 130 stopped."""
    prepare_output()
    quiet_libraries()
    parser = make_parser()
    config = parser.parse_args(args)
    with stopping("what has a row is kept, the same command goes on"), parser.bad_input():
        from lit_effnet.evaluation.job import evaluate_networks

        failed = evaluate_networks(config)
    raise SystemExit(FAILURE if failed else 0)


if __name__ == "__main__":
    main()
