"""Images to explain: files and folders, or images of a split."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lit_effnet.data.decoding import BadImageError, decode
from lit_effnet.data.image_files import EXTENSIONS, ImageFiles
from lit_effnet.data.images import ImageData
from lit_effnet.data.pixels import Rgb
from lit_effnet.data.rows import spread
from lit_effnet.runs.paths import read_file


@dataclass(frozen=True)
class Picture:
    """An image to explain.

    Args:
        name: Its file, or its place in the data set.
        title: Title of its row in figures.
        pixels: `uint8 [H, W, 3]`.
        label: Number of its class; None if unknown.
    """

    name: str
    title: str
    pixels: Rgb
    label: int | None = None


def from_files(names: Sequence[str], most: int) -> tuple[list[Picture], list[str]]:
    """Return the images of files and folders, and a message for each file that is not an image.

    Args:
        names: Files, and folders that are searched with all folders below.
        most: Number of images of a folder, spread evenly over its files.

    Raises:
        ValueError: a missing file or folder, no image that can be decoded, or a count below 1.
    """
    _check_count(most)
    pictures, problems = [], []
    for file in _files(names, most):
        try:
            pixels = decode(read_file(str(file)))
        except (BadImageError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            problems.append(f"{file}: {reason}")
        else:
            pictures.append(Picture(str(file), file.name, pixels))
    if not pictures:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ValueError(f"images {problems[0]}{more}")
    return pictures, problems


def of_split(data: ImageData, split: str, count: int) -> list[Picture]:
    """Return images with labels, spread evenly over the classes of a split.

    Raises:
        ValueError: an unknown split, or a count below 1.
    """
    _check_count(count)
    classes = data.images.classes
    return [
        Picture(place, classes[label], pixels, label)
        for place, pixels, label in data.originals(split, count)
    ]


def _check_count(count: int) -> None:
    if count < 1:
        raise ValueError(f"count {count}: must be at least 1")


def _files(names: Sequence[str], most: int) -> list[Path]:
    files: list[Path] = []
    for name in names:
        path = Path(name).expanduser()
        if not path.exists():
            raise ValueError(f"images {name}: no such file or folder")
        if path.is_dir():
            inside = sorted(map(Path, ImageFiles([path]).below(path)))
            if not inside:
                raise ValueError(
                    f"images {name}: has no images; accepted are {' '.join(EXTENSIONS[:6])} ..."
                )
            files += [inside[index] for index in spread(len(inside), most)]
        else:
            files.append(path)
    return files
