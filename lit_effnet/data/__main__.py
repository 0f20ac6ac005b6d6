"""Look at a data set before training on it: splits, classes, sizes, modes, licence, images.

python -m lit_effnet.data flowers102
python -m lit_effnet.data flowers102 --path FOLDER           # a local copy of it
python -m lit_effnet.data FOLDER --check                # your own: decode all, find copies
python -m lit_effnet.data FOLDER --sheet sheet.png      # draw 60 of them
python -m lit_effnet.data --remove_decoded              # what earlier runs have kept
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lit_effnet.cli.errors import fail, one_line_errors, stopping
from lit_effnet.cli.output import prepare_output, quiet_libraries
from lit_effnet.cli.parser import OneLineErrors
from lit_effnet.runs.files import reason
from lit_effnet.runs.paths import local

if TYPE_CHECKING:
    from lit_effnet.data.catalog import Entry
    from lit_effnet.data.duplicates import Signatures
    from lit_effnet.data.sources import ImageSet

MOST_CLASSES = 40  # of which each gets a line
ENDS = 5  # classes shown at either end where there are more
SHOWN = 10  # bad headers, and pairs of images, in a list
PAGE = 100  # columns of what goes into a file or a pipe


def make_parser() -> OneLineErrors:
    """The command's flags."""
    parser = OneLineErrors(prog="python -m lit_effnet.data", description=__doc__)
    parser.add_argument(
        "name", nargs="?", help="A name of the catalog, a hub id (owner/name) or a folder."
    )
    parser.add_argument("--path", type=str | None, help="Local copy of the named data set.")
    parser.add_argument("--subset", type=str | None, help="One of several on the hub.")
    parser.add_argument("--image_column", type=str | None, help="Column of images.")
    parser.add_argument("--label_column", type=str | None, help="Column of labels.")
    parser.add_argument("--labels", type=str | None, help="Label file, or folder of lists.")
    parser.add_argument("--sheet", type=str | None, help="PNG file of the contact sheet.")
    parser.add_argument(
        "--check",
        type=bool,
        nargs="?",
        const=True,
        default=False,
        help="Decode every image and list the bad (then exit status 1), and those that are twice.",
    )
    parser.add_argument(
        "--remove_decoded",
        type=bool,
        nargs="?",
        const=True,
        default=False,
        help="Remove all images kept decoded.",
    )
    return parser


@stopping("the images are as they were")
@one_line_errors()
def main(args: list[str] | None = None) -> None:
    """Run the command: exit status 0 done, 2 bad input, 130 stopped."""
    prepare_output()
    quiet_libraries()
    parser = make_parser()
    config = parser.parse_args(args)
    if config.remove_decoded:
        remove()
        if config.name is None:
            return
    if config.name is None:
        if config.path is not None:
            fail("--path is the place of a named data set: give the name first")
        show_catalog()
        return
    from lit_effnet.data.catalog import CATALOG
    from lit_effnet.data.decoding import quiet_decoders
    from lit_effnet.data.sources import find

    entry = CATALOG.get(config.name)
    try:
        images = find(
            config.name,
            config.path,
            config.subset,
            config.image_column,
            config.label_column,
            labels=config.labels,
        )
    except ValueError as error:
        message = str(error).replace("--data.name FOLDER", "FOLDER").replace("--data.", "--")
        fail(message if message.startswith(config.name) else f"{config.name}: {message}")
    with quiet_decoders():
        show(config.name, images, entry, headers_only=not config.check)
        if config.sheet:
            draw(images, Path(config.sheet))
        if config.check:
            check(config.name, images)


def show_catalog() -> None:
    """Print the names of the catalog."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from lit_effnet.data.catalog import CATALOG
    from lit_effnet.data.schema import SPLITS

    table = Table("name", "classes", *SPLITS, box=SIMPLE_HEAD)
    table.add_column("from", overflow="fold")  # to be copied whole
    for name, entry in CATALOG.items():
        counts = [f"{entry.splits[s].images:,}" if s in entry.splits else "-" for s in SPLITS]
        table.add_row(name, f"{entry.num_classes:,}", *counts, entry.hub_id or "this package")
    _print(table)
    _print("A hub id or a folder can stand for a name; --help has examples.")


def show(name: str, images: "ImageSet", entry: "Entry | None", headers_only: bool) -> None:
    """Print what is known of the data set; what is bad only if no more will be looked at."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from lit_effnet.data.summary import headers

    if entry is not None:
        _print(f"{name}: {entry.citation}")
        _print(f"licence  {entry.licence}")
        _print(
            f"hub      {entry.hub_id}; {entry.checked}" if entry.hub_id else "hub      not there"
        )
        if entry.trap:
            _print(f"beware   {entry.trap}")
    for note in images.notes:
        _print(f"note     {note}")
    table = Table("split", "images", "width", "height", "mode and format", box=SIMPLE_HEAD)
    bad: list[str] = []
    for split, rows in images.splits.items():
        found = headers(images, split)
        modes = ", ".join(f"{mode} {count:,}" for mode, count in found.modes.items())
        if found.read < len(rows):
            modes += f" (of {found.read:,} looked at)"
        table.add_row(
            split, f"{len(rows):,}", _span(found.widths), _span(found.heights), modes or "-"
        )
        bad += found.bad
    _print(table)
    show_classes(images)
    if headers_only:
        show_list(bad, ": no readable header; --check looks at all", SHOWN)


def show_classes(images: "ImageSet") -> None:
    """Print how many images each class has in each split."""
    import numpy as np
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from lit_effnet.data.summary import class_counts

    counts = class_counts(images)
    order = np.arange(len(images.classes))
    title = None
    if len(order) > MOST_CLASSES:
        order = np.argsort(counts[0], kind="stable")
        order = np.concatenate([order[:ENDS], order[-ENDS:]])
        title = (
            f"{len(images.classes):,} classes; the {ENDS} with the fewest and the {ENDS} with the "
            f"most images in {next(iter(images.splits))}:"
        )
    if title:
        _print(title)
    table = Table("label", "class", *images.splits, box=SIMPLE_HEAD)
    for label in order:
        numbers = [f"{count:,}" for count in counts[:, label]]
        table.add_row(str(label), images.classes[label], *numbers)
    if title:
        medians = [f"{np.median(row):g}" for row in counts]
        table.add_row("", "median of all", *medians)
    _print(table)


def show_list(lines: Sequence[str], what: str, most: int) -> None:
    """Print the first of some images, if there are any."""
    if not lines:
        return
    _print(f"{len(lines):,} image{'s' * (len(lines) > 1)}{what}")
    for line in lines[:most]:
        _print(f"  {line}")
    if len(lines) > most:
        _print(f"  and {len(lines) - most:,} more")


def draw(images: "ImageSet", file: Path) -> None:
    """Write the contact sheet, or end with one line if it cannot be written."""
    from lit_effnet.data.summary import contact_sheet

    file = local(str(file), "sheet")
    try:
        contact_sheet(images, file)
    except (OSError, ValueError) as error:
        fail(f"--sheet {file}: cannot be written ({reason(error)})")
    _print(f"images   {file}")


def check(name: str, images: "ImageSet") -> None:
    """Decode every image, list the bad and what is there twice; exit status 1 if any is bad."""
    from lit_effnet.data.decoded_cache import decoded
    from lit_effnet.data.duplicates import Signatures

    bad = []
    signatures = {split: Signatures() for split in images.splits}
    for split, rows in images.splits.items():
        for row, result in enumerate(decoded(rows, None, f"{name} {split}")):
            if isinstance(result, str):
                bad.append(f"{images.where(split, row)}: {result}")
            else:
                signatures[split].add(row, result)
    show_list(bad, ": cannot be decoded", len(bad))
    show_copies(images, signatures)
    count = sum(map(len, images.splits.values()))
    if bad:
        _print(f"check    {len(bad):,} of {count:,} images cannot be decoded")
        raise SystemExit(1)
    _print(f"check    all {count:,} images can be decoded")


def show_copies(images: "ImageSet", signatures: Mapping[str, "Signatures"]) -> None:
    """Print which images are in two splits, or twice in one, and which nearly are in two."""
    from lit_effnet.data.duplicates import same, similar
    from lit_effnet.data.rows import labels_of

    def pairs(first: str, second: str, rows: Iterable[tuple[int, int]], what: str) -> None:
        lines = []
        labels = [labels_of(images.splits[split]) for split in (first, second)]
        for row, other in rows:
            classes = [images.classes[k[r]] for k, r in zip(labels, (row, other), strict=True)]
            named = f" (as {classes[1]}, and as {classes[0]})" * (classes[0] != classes[1])
            lines.append(f"{images.where(second, other)} = {images.where(first, row)}{named}")
        show_list(lines, f" of {second} {what}", SHOWN)

    for number, (second, theirs) in enumerate(signatures.items()):
        for first, ours in list(signatures.items())[:number]:
            pairs(first, second, same(ours, theirs), f"with the same pixels as one of {first}")
            pairs(first, second, similar(ours, theirs), f"nearly the same as one of {first}")
        pairs(second, second, same(theirs, theirs), "with the same pixels as an earlier one")


def remove() -> None:
    """Remove the decoded images of all data sets and say what that freed."""
    from lit_effnet.data.decoded_cache import cache_folder, remove_stores

    _print(f"removed  {remove_stores() / 1e6:,.1f} MB of decoded images in {cache_folder()}")


def _span(values: tuple[int, int, int]) -> str:
    least, median, most = values
    return f"{least}" if least == most else f"{least} to {most}, median {median}"


def _print(what: Any) -> None:
    from rich.console import Console

    width = None if sys.stdout.isatty() else PAGE
    console = Console(width=width, highlight=False, markup=False, soft_wrap=isinstance(what, str))
    console.print(what)


if __name__ == "__main__":
    main()
