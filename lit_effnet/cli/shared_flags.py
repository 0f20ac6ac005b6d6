"""Flags that several commands share."""

from lit_effnet.cli.parser import OneLineErrors


def add_network_flags(parser: OneLineErrors) -> None:
    """Add the flags of commands that run trained or released networks on images."""
    add = parser.add_argument
    add("runs", nargs="+", type=str, help="Run folders, folders of them, or released weights.")
    add("--device", type=str, default="auto", help="auto, cpu or cuda.")
    add_image_flags(parser)


def add_image_flags(parser: OneLineErrors) -> None:
    """Add the flags that select images, and the network of weights that do not name it."""
    add = parser.add_argument
    add("--data.name", type=str | None, help="Other images: a name, hub id or folder.")
    add("--data.path", type=str | None, help="Folder of a local copy of the named data set.")
    for name in ("subset", "image_column", "label_column", "labels"):
        add(f"--data.{name}", type=str | None, help="As for fit.")
    add("--network", type=str | None, help="Network of the weights, where their name lacks it.")


def add_row_flags(parser: OneLineErrors) -> None:
    """Add the flags of commands that evaluate a split and keep one row per condition."""
    add = parser.add_argument
    add("--split", type=str, default="validation", help="Split to evaluate, such as test.")
    add("--overwrite", type=bool, default=False, help="Evaluate again and replace existing rows.")
    parser.renamed["again"] = "overwrite"
    add("--image_size", type=int | None, help="Input size in pixels, if not the network's own.")
    add("--crop_fraction", type=float | None, help="Crop fraction, if not the network's own.")
    add("--interpolation", type=str | None, help="Resize filter, if not the network's own.")
    add("--batch_size", type=int, default=32, help="Images per batch.")
    add("--num_workers", type=int | None, help="Processes that decode and corrupt images.")
    add("--root", type=str, default="runs", help="Folder of the rows of released weights.")
