"""Files of an evaluation besides its rows: predictions of each image, and accuracy by class."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lit_effnet.cli.errors import written
from lit_effnet.cli.tables import PlainTable
from lit_effnet.evaluation.confusion_figure import confusion_figure
from lit_effnet.evaluation.predictions import Predictions, per_class
from lit_effnet.evaluation.tables import class_table, condition_of
from lit_effnet.evaluation.target import EvaluationTarget
from lit_effnet.results.figures.files import ending, rendered
from lit_effnet.results.frame.table import FORMATS, csv_of, write
from lit_effnet.runs.files import write_whole
from lit_effnet.runs.paths import local

FOLDER = "per_class"
MOST_TABLES = 3  # of classes on the screen; files hold all


class PredictionFiles:
    """Files that the command was asked for.

    Args:
        file: File for the predictions of all networks, .csv or .parquet; None for none.
        by_class: Whether each network's folder gets tables and figures of the classes.

    Raises:
        ValueError: the file has another ending, or its folder does not exist.
    """

    def __init__(self, file: str | None, by_class: bool) -> None:
        self.file, self.by_class = file, by_class
        self.frames: list[pd.DataFrame] = []
        if file is None:
            return
        path = local(file, "predictions")
        self.file = str(path)
        try:
            ending(path, FORMATS)
        except ValueError as error:
            raise ValueError(f"predictions {str(error).removeprefix('path ')}") from None
        if path.is_dir():
            raise ValueError(f"predictions {file}: is a folder, and must be a file")
        if not path.parent.is_dir():
            raise ValueError(f"predictions {file}: no such folder {path.parent}")

    @property
    def any(self) -> bool:
        """Whether any file is written."""
        return self.by_class or self.file is not None

    def add(
        self, target: EvaluationTarget, made: Sequence[tuple[Mapping[str, Any], Predictions]]
    ) -> Iterator[PlainTable | str]:
        """Keep the predictions of a network, write its classes, and yield what to print.

        Args:
            target: The network.
            made: Its new rows, each with the predictions.
        """
        if self.file is not None:
            self.frames += [predictions_frame(target, *pair) for pair in made]
        if not self.by_class:
            return
        folder = target.folder.path / FOLDER
        for number, (row, predictions) in enumerate(made):
            classes = written(f"{folder}: a file", write_classes, target, row, predictions)
            if number < MOST_TABLES:
                yield class_table(title_of(row), classes)
        yield f"accuracy by class and confusion matrices in {folder}"

    def write(self) -> str:
        """Write the predictions of all networks, and return a line on them.

        Raises:
            OSError: the file cannot be written.
        """
        frame = pd.concat(self.frames, ignore_index=True)
        write(frame, Path(str(self.file)))
        return f"{len(frame):,} predictions in {self.file}"


def title_of(row: Mapping[str, Any]) -> str:
    """Return the condition with its severity or parameters."""
    return condition_of(row) if row["severity"] is None else f"{row['condition']}:{row['severity']}"


def predictions_frame(
    target: EvaluationTarget, row: Mapping[str, Any], predictions: Predictions
) -> pd.DataFrame:
    """Return a row for each image, with its network, data set and condition."""
    names = ("data", "split")
    known = {"network": target.name, "arm": target.arm, **{name: row[name] for name in names}}
    images = predictions.frame(target.data.places(row["split"]), target.class_names())
    same = pd.DataFrame({**known, "condition": title_of(row), "row": row["id"]}, index=images.index)
    return pd.concat([same, images], axis=1)


def write_classes(
    target: EvaluationTarget, row: Mapping[str, Any], predictions: Predictions
) -> pd.DataFrame:
    """Write a condition's accuracy by class and confusion matrix, and return the former.

    Raises:
        OSError: a file cannot be written.
    """
    names = target.class_names()
    confusion = predictions.confusion(len(names))
    classes = per_class(confusion, names)
    matrix = pd.DataFrame(confusion, index=pd.Index(names, name="class"), columns=names)
    title = f"{target.arm}, {row['data']} {row['split']}, {title_of(row)}"
    files: dict[str, str | bytes] = {
        ".csv": csv_of(classes),
        "-confusion.csv": csv_of(matrix.reset_index()),
    }
    figure = rendered(confusion_figure(title, confusion, names))
    files |= {f"-confusion.{kind}": content for kind, content in figure.items()}
    folder = target.folder.path / FOLDER
    folder.mkdir(exist_ok=True)
    stem = re.sub(r"[^\w.=-]+", "_", f"{title_of(row)}-{row['id']}")
    for kind, content in files.items():
        write_whole(folder / f"{stem}{kind}", content)
    return classes
