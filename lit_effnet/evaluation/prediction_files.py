"""What `evaluate` writes besides rows: predictions of each image, and accuracy by class."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table

from lit_effnet.cli.errors import written
from lit_effnet.evaluation.confusion_figure import confusion_figure
from lit_effnet.evaluation.predictions import Predictions, per_class
from lit_effnet.evaluation.tables import class_table, label
from lit_effnet.evaluation.target import EvaluationTarget
from lit_effnet.results.figures.files import ending, rendered
from lit_effnet.results.frame.table import FORMATS, csv_of, write
from lit_effnet.runs.files import write_whole
from lit_effnet.runs.paths import local

FOLDER = "per_class"
MOST_TABLES = 3  # of classes on the screen; all are in files

Found = Sequence[tuple[Mapping[str, Any], Predictions]]


class PredictionFiles:
    """The files that are asked for.

    Args:
        file: For the predictions of all networks, .csv or .parquet; None for none.
        by_class: Tables and figures of the classes, in the folder of each network.

    Raises:
        ValueError: the file cannot be written there.
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
        """Whether there is a file to write."""
        return self.by_class or self.file is not None

    def taken(self, subject: EvaluationTarget, found: Found) -> Iterator[Table | str]:
        """Keep the predictions of a network, write its classes, and yield what to print."""
        if self.file is not None:
            self.frames += [predictions_frame(subject, *one) for one in found]
        if not self.by_class:
            return
        folder = subject.folder.path / FOLDER
        for number, (row, predictions) in enumerate(found):
            table = written(f"{folder}: a file", write_classes, subject, row, predictions)
            if number < MOST_TABLES:
                yield class_table(title_of(row), table)
        yield f"accuracy by class and confusion matrices in {folder}"

    def write(self) -> str:
        """Write the predictions of all networks, and return a line on them.

        Raises:
            OSError: they cannot be written.
        """
        frame = pd.concat(self.frames, ignore_index=True)
        write(frame, Path(str(self.file)))
        return f"{len(frame):,} predictions in {self.file}"


def title_of(row: Mapping[str, Any]) -> str:
    """Return the condition with its severity or level."""
    return label(row) if row["severity"] is None else f"{row['condition']}:{row['severity']}"


def predictions_frame(
    subject: EvaluationTarget, row: Mapping[str, Any], predictions: Predictions
) -> pd.DataFrame:
    """Return a row for each image, with what it is of."""
    names = ("data", "split")
    known = {"network": subject.name, "arm": subject.arm, **{name: row[name] for name in names}}
    images = predictions.frame(subject.data.places(row["split"]), subject.class_names())
    same = pd.DataFrame({**known, "condition": title_of(row), "row": row["id"]}, index=images.index)
    return pd.concat([same, images], axis=1)


def write_classes(
    subject: EvaluationTarget, row: Mapping[str, Any], predictions: Predictions
) -> pd.DataFrame:
    """Write a condition's accuracy by class and confusion matrix, and return the former.

    Raises:
        OSError: a file cannot be written.
    """
    classes = subject.class_names()
    confusion = predictions.confusion(len(classes))
    table = per_class(confusion, classes)
    matrix = pd.DataFrame(confusion, index=pd.Index(classes, name="class"), columns=classes)
    title = f"{subject.arm}, {row['data']} {row['split']}, {title_of(row)}"
    files: dict[str, str | bytes] = {
        ".csv": csv_of(table),
        "-confusion.csv": csv_of(matrix.reset_index()),
    }
    figure = rendered(confusion_figure(title, confusion, classes))
    files |= {f"-confusion.{kind}": content for kind, content in figure.items()}
    folder = subject.folder.path / FOLDER
    folder.mkdir(exist_ok=True)
    stem = re.sub(r"[^\w.=-]+", "_", f"{title_of(row)}-{row['id']}")
    for kind, content in files.items():
        write_whole(folder / f"{stem}{kind}", content)
    return table
