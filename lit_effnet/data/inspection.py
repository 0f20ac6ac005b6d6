"""Print a data set before training on it: splits, classes, sizes, bad images and copies."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from lit_effnet.cli.errors import fail
from lit_effnet.cli.format import count
from lit_effnet.cli.tables import Column, PlainTable, as_rich, tabulate
from lit_effnet.data.catalog import CATALOG, Entry
from lit_effnet.data.decoded_cache import cache_folder, decoded, remove_stores
from lit_effnet.data.decoding import quiet_decoders
from lit_effnet.data.duplicates import Signatures, same, similar
from lit_effnet.data.rows import labels_of
from lit_effnet.data.schema import SPLITS
from lit_effnet.data.sources import ImageSet, find
from lit_effnet.data.summary import class_counts, contact_sheet, headers
from lit_effnet.runs.exit_status import FAILURE
from lit_effnet.runs.files import reason
from lit_effnet.runs.paths import local

MOST_CLASSES = 40  # that each get a line
ENDS = 5  # classes shown at either end if there are more
SHOWN = 10  # bad headers, and pairs of images, in a list
PAGE = 100  # width in characters of a file or pipe

CATALOG_COLUMNS = (
    Column(heading="name", value="name", left=True),
    Column(heading="classes", value="classes", write=count),
    *(Column(heading=split, value=split, write=count) for split in SPLITS),
    Column(heading="from", value="source", left=True),
)
SPLIT_COLUMNS = (
    Column(heading="split", value="split", left=True),
    Column(heading="images", value="images", write=count),
    Column(heading="width", value="width", left=True),
    Column(heading="height", value="height", left=True),
    Column(heading="mode and format", value="modes", left=True),
)


def inspect(config: Any) -> None:
    """Print the catalog, or a data set and what the flags ask for.

    Args:
        config: Flags of the command.
    """
    if config.remove_decoded:
        freed = remove_stores() / 1e6
        _print(f"removed  {freed:,.1f} MB of decoded images in {cache_folder()}")
        if config.name is None:
            return
    if config.name is None:
        if config.path is not None:
            fail("--path is the place of a named data set: give the name first")
        show_catalog()
        return
    names = (config.subset, config.image_column, config.label_column)
    try:
        images = find(config.name, config.path, *names, labels=config.labels)
    except ValueError as error:
        message = str(error).replace("--data.name FOLDER", "FOLDER").replace("--data.", "--")
        fail(message if message.startswith(config.name) else f"{config.name}: {message}")
    with quiet_decoders():
        show(config.name, images, CATALOG.get(config.name), headers_only=not config.check)
        if config.sheet:
            draw(images, local(config.sheet, "sheet"))
        if config.check:
            check(config.name, images)


def show_catalog() -> None:
    """Print the named data sets."""
    rows = [
        {
            "name": name,
            "classes": entry.num_classes,
            **{split: official.images for split, official in entry.splits.items()},
            "source": entry.hub_id or "this package",
        }
        for name, entry in CATALOG.items()
    ]
    _print(tabulate(CATALOG_COLUMNS, rows))
    _print("A hub id or a folder can stand for a name; --help has examples.")


def show(name: str, images: ImageSet, entry: Entry | None, headers_only: bool) -> None:
    """Print a data set's origin, notes, splits and classes.

    Args:
        name: Its name.
        images: The data set.
        entry: The catalog's entry, if there is one.
        headers_only: Whether to list unreadable headers, since no image will be decoded.
    """
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
    lines = []
    bad: list[str] = []
    for split, rows in images.splits.items():
        found = headers(images, split)
        modes = ", ".join(f"{mode} {number:,}" for mode, number in found.modes.items())
        if found.read < len(rows):
            modes += f" (of {found.read:,} looked at)"
        line = {"split": split, "images": len(rows), "modes": modes or "-"}
        lines.append(line | {"width": _span(found.widths), "height": _span(found.heights)})
        bad += found.bad
    _print(tabulate(SPLIT_COLUMNS, lines))
    show_classes(images)
    if headers_only:
        show_list(bad, ": no readable header; --check looks at all", SHOWN)


def show_classes(images: ImageSet) -> None:
    """Print the number of images of each class in each split."""
    counts, splits = class_counts(images), list(images.splits)
    order, few = np.arange(len(images.classes)), len(images.classes) <= MOST_CLASSES
    if not few:
        order = np.argsort(counts[0], kind="stable")
        order = np.concatenate([order[:ENDS], order[-ENDS:]])
        _print(
            f"{len(images.classes):,} classes; the {ENDS} with the fewest and the {ENDS} with the "
            f"most images in {splits[0]}:"
        )
    columns = [
        Column(heading="label", value="label"),
        Column(heading="class", value="class", left=True),
        *(Column(heading=split, value=split, write=lambda n: f"{n:,g}") for split in splits),
    ]
    rows: list[dict[str, Any]] = [
        {"label": label, "class": images.classes[label]}
        | dict(zip(splits, counts[:, label], strict=True))
        for label in order
    ]
    if not few:
        medians = dict(zip(splits, np.median(counts, axis=1), strict=True))
        rows.append({"class": "median of all", **medians})
    _print(tabulate(columns, rows))


def show_list(lines: Sequence[str], what: str, most: int) -> None:
    """Print a count of images and the first `most` of them; nothing for an empty list."""
    if not lines:
        return
    _print(f"{len(lines):,} image{'s' * (len(lines) > 1)}{what}")
    for line in lines[:most]:
        _print(f"  {line}")
    if len(lines) > most:
        _print(f"  and {len(lines) - most:,} more")


def draw(images: ImageSet, file: Path) -> None:
    """Write the contact sheet, or end with one line if it cannot be written."""
    try:
        contact_sheet(images, file)
    except (OSError, ValueError) as error:
        fail(f"--sheet {file}: cannot be written ({reason(error)})")
    _print(f"images   {file}")


def check(name: str, images: ImageSet) -> None:
    """Decode every image, list bad ones and copies; end with status 1 if any is bad."""
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
    total = sum(map(len, images.splits.values()))
    if bad:
        _print(f"check    {len(bad):,} of {total:,} images cannot be decoded")
        raise SystemExit(FAILURE)
    _print(f"check    all {total:,} images can be decoded")


def show_copies(images: ImageSet, signatures: Mapping[str, Signatures]) -> None:
    """Print images with the same pixels, and images of two splits that are nearly the same."""

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


def _span(values: tuple[int, int, int]) -> str:
    least, median, most = values
    return f"{least}" if least == most else f"{least} to {most}, median {median}"


def _print(content: PlainTable | str) -> None:
    width = None if sys.stdout.isatty() else PAGE
    plain = isinstance(content, str)
    console = Console(width=width, highlight=False, markup=False, soft_wrap=plain)
    console.print(content if isinstance(content, str) else as_rich(content))
