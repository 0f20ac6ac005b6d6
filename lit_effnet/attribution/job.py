"""The command `explain`: grids of maps, feature maps, and scores of maps."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from rich.console import Console
from tqdm import tqdm

from lit_effnet.attribution.cam import METHODS
from lit_effnet.attribution.feature_maps import feature_maps
from lit_effnet.attribution.figures import feature_grid, map_grid
from lit_effnet.attribution.pictures import Picture, from_files, of_split
from lit_effnet.attribution.session import SCORES, CamSession, targets_of
from lit_effnet.attribution.tables import scores_table
from lit_effnet.cli.errors import fail
from lit_effnet.cli.progress import say
from lit_effnet.cli.tables import as_rich
from lit_effnet.data.rows import spread
from lit_effnet.evaluation.run_folders import run_folders
from lit_effnet.evaluation.target import device_of, load_target, overrides_of
from lit_effnet.results.figures.files import rendered
from lit_effnet.runs.files import write_whole
from lit_effnet.runs.paths import local

FIGURES = Path("figures")
LEAST_VISIBLE = 0.5  # part of a picture below which a message says how much is cropped
MOST_ROWS = 24  # images in a figure; scores cover all


def explain_networks(config: Any) -> None:
    """Write the figures and scores, and print their files.

    Args:
        config: Flags of the command.

    Raises:
        ValueError: bad input.
    """
    methods = _words("method", config.method, tuple(METHODS))
    scores = _words("scores", config.scores, SCORES) if config.scores is not None else []
    for name, least in (("size", 32), ("channels", 1), ("count", 1)):
        if getattr(config, name) < least:
            raise ValueError(f"{name} {getattr(config, name)}: must be at least {least}")
    sessions = _sessions(config)
    pictures = _pictures(config, sessions[0])
    targets = targets_of(pictures, config.target, sessions[0])
    job = ExplanationJob(sessions, pictures, targets, methods, _output(config, sessions))
    job.write_maps(config.size)
    if config.features:
        job.write_features(config.size, config.channels)
    if scores:
        job.write_scores(scores)


@dataclass(frozen=True)
class ExplanationJob:
    """Networks, pictures and methods to explain.

    Args:
        sessions: The networks.
        pictures: The pictures.
        targets: Class to explain in each picture, by the first network's numbers.
        methods: Names of `cam.METHODS`.
        output: Folder of the files.
    """

    sessions: Sequence[CamSession]
    pictures: Sequence[Picture]
    targets: Sequence[int]
    methods: Sequence[str]
    output: Path

    def write_maps(self, size: int) -> None:
        """Write the grid of maps: a row for each picture, a column for each network and method.

        Args:
            size: Side of the shown images and maps in pixels.
        """
        shown = spread(len(self.pictures), MOST_ROWS)
        rows = [self.pictures[index] for index in shown]
        targets = [self.targets[index] for index in shown]
        columns = []
        total = len(self.sessions) * len(self.methods)
        with tqdm(total=total, desc="maps", leave=False, disable=None) as bar:
            for session in self.sessions:
                probabilities = session.probabilities(rows)
                own = session.renumber(targets, self.sessions[0])
                for method in self.methods:
                    suffix = f"\n{method}" if len(self.methods) > 1 else ""
                    column = session.column(
                        rows,
                        own,
                        method,
                        probabilities=probabilities,
                        size=size,
                        title=f"{session.title}{suffix}",
                    )
                    columns.append(column)
                    bar.update()
        note = (
            f"{', '.join(self.methods)}: red marks the strongest evidence for the explained class; "
            "captions show the prediction"
        )
        if len(rows) < len(self.pictures):
            note += f"; {len(rows)} of {len(self.pictures)} images"
        self._keep("maps", "maps", map_grid([picture.title for picture in rows], columns, note))

    def write_features(self, size: int, channels: int) -> None:
        """Write each network's feature maps of the first picture.

        Args:
            size: Side of the shown image in pixels.
            channels: Number of channels of each stage.
        """
        picture = self.pictures[0]
        ids = [session.evaluated.folder.path.name for session in self.sessions]
        for session in self.sessions:
            stages = feature_maps(session.network, session.batch([picture]))
            (view,) = session.views([picture], size)
            title = session.title.replace("\n", ", ")
            title = f"{title}: {picture.title}, strongest channels first"
            path = session.evaluated.folder.path
            # Runs of two groups may share an id.
            name = path.name if ids.count(path.name) == 1 else f"{path.parent.name}_{path.name}"
            figure = feature_grid(title, view, stages, count=channels)
            self._keep("features", f"features_{name}", figure)

    def write_scores(self, scores: Sequence[str]) -> None:
        """Write a row for each network, method and picture, and print the means.

        Args:
            scores: Names of `SCORES`.
        """
        rows = []
        total = len(self.sessions) * len(self.methods) * len(self.pictures)
        with tqdm(total=total, desc="scores", leave=False, disable=None) as bar:
            for session in self.sessions:
                own = session.renumber(self.targets, self.sessions[0])
                for method in self.methods:
                    for first, part in session.batches(self.pictures):
                        targets = own[first : first + len(part)]
                        values = session.scores(part, targets, method, scores)
                        for picture, target, row in zip(part, targets, values, strict=True):
                            rows.append({**session.identity(picture, target, method), **row})
                        bar.update(len(part))
        table = scores_table(rows, scores)
        console = Console()
        console.print(as_rich(table), highlight=False)
        for note in table.notes:
            console.print(note, style="dim", highlight=False)
        text = "".join(json.dumps(row) + "\n" for row in rows)
        self._keep("scores", "scores", {"jsonl": text.encode()})

    def _keep(self, kind: str, stem: str, content: Figure | dict[str, bytes]) -> None:
        """Write a figure, or contents by their file endings, and print the paths."""
        files = content if isinstance(content, dict) else rendered(content)
        paths = {self.output / f"{stem}.{ending}": text for ending, text in files.items()}
        try:
            self.output.mkdir(parents=True, exist_ok=True)
            for path, text in paths.items():
                write_whole(path, text)
        except OSError as error:
            fail(f"--output {self.output}: cannot be written ({error.strerror or error})")
        say(f"{kind:8} {', '.join(map(str, paths))}")


def _sessions(config: Any) -> list[CamSession]:
    """Return the networks, one of each arm of a group."""
    overrides = overrides_of(config, whole=True)
    device = device_of(config.device)
    sessions: list[CamSession] = []
    for name in run_folders(config.runs, one_of_each_arm=True):
        sessions.append(CamSession(load_target(name, overrides), device, config.batch_size))
        first, last = sessions[0], sessions[-1]
        if note := last.evaluated.note:
            sys.stderr.write(f"{name}: {note}\n")
        if sorted(last.classes) != sorted(first.classes):
            raise ValueError(f"{name}: has other classes than {first.evaluated.name}")
    return sessions


def _pictures(config: Any, first: CamSession) -> list[Picture]:
    """Return the pictures, and print a line for each file that is not an image."""
    if not config.images:
        data = first.evaluated.data
        return of_split(data, data.split_for(config.split), config.count)
    pictures, problems = from_files(config.images, config.count)
    for problem in problems:
        sys.stderr.write(f"left out: {problem}\n")
    for picture in pictures:
        visible = first.visible_part(picture)
        if visible < LEAST_VISIBLE:
            sys.stderr.write(f"{picture.name}: the central crop keeps {100 * visible:.0f} %\n")
    return pictures


def _output(config: Any, sessions: Sequence[CamSession]) -> Path:
    """Return the folder of the figures; by default one for each run, group or released network."""
    if config.output is not None:
        return local(config.output, "output")
    folders = {session.evaluated.folder.path for session in sessions}
    groups = {folder.parent.name for folder in folders}
    if len(folders) == 1:
        (folder,) = folders
        return FIGURES / folder.parent.name / folder.name
    return FIGURES / "_".join(sorted(groups))


def _words(flag: str, text: str, accepted: tuple[str, ...]) -> list[str]:
    """Return the words of a list with commas; raise ValueError for one that is not accepted."""
    words = list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    for word in words or [text]:
        if word not in accepted:
            raise ValueError(f"{flag} {word!r}: must be of {', '.join(accepted)}")
    return words
