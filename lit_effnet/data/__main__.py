"""Inspect a data set before training on it: splits, classes, sizes, modes, licence, images.

python -m lit_effnet.data flowers102
python -m lit_effnet.data flowers102 --path FOLDER           # a local copy of it
python -m lit_effnet.data FOLDER --check                # your own: decode all, find copies
python -m lit_effnet.data FOLDER --sheet sheet.png      # draw 60 of them
python -m lit_effnet.data --remove_decoded              # remove the decoded copies of earlier runs
"""

from lit_effnet.cli.errors import one_line_errors, stopping
from lit_effnet.cli.output import prepare_output, quiet_libraries
from lit_effnet.cli.parser import OneLineErrors


def make_parser() -> OneLineErrors:
    """Return the command's parser."""
    parser = OneLineErrors(prog="python -m lit_effnet.data", description=__doc__)
    parser.add_argument(
        "name", nargs="?", help="A name of the catalog, a hub id (owner/name) or a folder."
    )
    parser.add_argument("--path", type=str | None, help="Local copy of the named data set.")
    parser.add_argument("--subset", type=str | None, help="Configuration on the hub.")
    parser.add_argument("--image_column", type=str | None, help="Column of images.")
    parser.add_argument("--label_column", type=str | None, help="Column of labels.")
    parser.add_argument("--labels", type=str | None, help="Label file, or folder of lists.")
    parser.add_argument("--sheet", type=str | None, help="PNG file of the contact sheet.")
    for name, help_ in (
        ("check", "Decode every image; list bad ones (then exit status 1) and copies."),
        ("remove_decoded", "Remove the decoded copies of all data sets."),
    ):
        parser.add_argument(
            f"--{name}", type=bool, nargs="?", const=True, default=False, help=help_
        )
    return parser


@stopping("the images are as they were")
@one_line_errors()
def main(args: list[str] | None = None) -> None:
    """Run the command: exit status 0 done, 1 bad images, 2 bad input, 130 stopped."""
    prepare_output()
    quiet_libraries()
    config = make_parser().parse_args(args)
    from lit_effnet.data.inspection import inspect

    inspect(config)


if __name__ == "__main__":
    main()
