"""Columns of the table of runs, and the frame that has them."""

import warnings
from typing import Any

import pandas as pd

from lit_effnet.results.frame.narrowing import narrowed_line
from lit_effnet.results.frame.records import FINISHED, Row
from lit_effnet.scaling.arms import named_properties

TEXT, WHOLE, NUMBER, TRUTH = "str", "Int64", "float64", "boolean"
TIME = "datetime64[ms, UTC]"

# Each column's type and meaning; an empty cell means that it is not known.
COLUMNS = {
    "run": (TEXT, "run folder, or path of a W&B run"),
    "source": (TEXT, "training, evaluation or wandb: who wrote the scores; empty without scores"),
    "group": (TEXT, "folder of the run folder"),
    "id": (TEXT, "name of the run folder"),
    "arm": (TEXT, "what is compared"),
    "seed": (WHOLE, "random seed; equal ones pair two arms"),
    "status": (TEXT, "finished, running, interrupted, failed, stopped early or released"),
    "reason": (TEXT, "why it is not finished"),
    "started": (TIME, "when the training began"),
    "duration_s": (NUMBER, "seconds of training with its validations"),
    "processor_s": (NUMBER, "processor seconds of the same, of its first process"),
    "epochs": (WHOLE, "epochs trained"),
    "planned_epochs": (WHOLE, "epochs asked for"),
    "training_limit": (
        TEXT,
        "batches of an epoch, or part of them, or all; and what else ends the training early",
    ),
    "training_images": (
        WHOLE,
        "images trained on, each as often as it came",
    ),
    "training_images_per_s": (NUMBER, "throughput of training at its end, without validations"),
    "config_hash": (TEXT, "equal for equal configurations"),
    "commit": (TEXT, "of the code; +changes where files differed"),
    "device": (TEXT, "that trained it"),
    "processes": (WHOLE, "that trained it"),
    "precision": (TEXT, "of the training"),
    "recipe": (TEXT, "name of the recipe"),
    "learning_rate": (NUMBER, "its peak for 256 images of a step"),
    "global_batch": (WHOLE, "images of a step, on all devices"),
    "network": (TEXT, "name of the network"),
    "se_ratio": (NUMBER, "squeeze-and-excitation ratio; empty for the network's own"),
    "began_with": (TEXT, "weights that the training began with; empty for random ones"),
    "depth": (NUMBER, "multiplier of the blocks, relative to B0"),
    "width": (NUMBER, "multiplier of the channels, relative to B0"),
    "resolution": (NUMBER, "multiplier of the image size"),
    "rounding": (TEXT, "of depth to whole blocks: ceil or round"),
    "axis": (TEXT, "baseline, depth, width, resolution or compound; empty for other arms"),
    "budget": (NUMBER, "cost of the arm in multiples of the baseline's, if it is matched on cost"),
    "measure": (TEXT, "cost that the budget counts: macs, params or activations"),
    "phi": (NUMBER, "compound coefficient, where it was set"),
    "alpha": (NUMBER, "base of the depth multiplier of a compound arm"),
    "beta": (NUMBER, "base of the width multiplier of a compound arm"),
    "gamma": (NUMBER, "base of the resolution multiplier of a compound arm"),
    "parameters": (WHOLE, "of the network"),
    "macs": (WHOLE, "multiply-adds of one image; a paper's FLOPs"),
    "activations": (WHOLE, "outputs of the convolutions for one image"),
    "latency_ms": (NUMBER, "median milliseconds for one image"),
    "latency_device": (TEXT, "that the latency was measured on"),
    "data": (TEXT, "name of the data set"),
    "data_fingerprint": (TEXT, "equal for equal images"),
    "classes": (WHOLE, "number of classes trained on"),
    "image_size": (WHOLE, "side of the network's input in pixels"),
    "split": (TEXT, "validation or test"),
    "condition": (TEXT, "clean, or what happened to the images"),
    "condition_parameters": (TEXT, "of the condition, as JSON"),
    "severity": (WHOLE, "of a corruption, 1 to 5"),
    "severities": (TEXT, "which table of severities"),
    "made_at": (TEXT, "the view that was corrupted: reference or input"),
    "made_at_px": (WHOLE, "its side in pixels"),
    "batch_norm": (TEXT, "where batch norm's statistics come from"),
    "own": (TRUTH, "whether the images came in the view that the network was trained for"),
    "weights": (TEXT, "fingerprint of the weights that were evaluated"),
    "newest": (TRUTH, "whether the run's last evaluation was of these weights"),
    "top1": (NUMBER, "fraction of the images whose class came first, 0 to 1"),
    "top5": (NUMBER, "fraction of the images whose class was among the first five"),
    "top1_macro": (NUMBER, "top-1 of each class, averaged over the classes that have images"),
    "calibration_error": (NUMBER, "expected calibration error, 15 bins, 0 to 1"),
    "loss": (NUMBER, "the recipe's own; comparable under one recipe only"),
    "images": (WHOLE, "images scored; empty where it is not known"),
    "correct": (WHOLE, "images whose class came first, of those scored"),
    "narrowed": (
        TEXT,
        "why the scores are no result of the run, which takes no part in comparisons then; "
        "empty for a result",
    ),
    "best_validation_top1": (NUMBER, "of the best epoch, which chose itself; no result"),
    "evaluation_s": (NUMBER, "seconds of the evaluation"),
    "evaluation_device": (TEXT, "that evaluated"),
    "evaluation_commit": (TEXT, "of the code that evaluated; +changes where files differed"),
    "evaluated": (TIME, "when it was evaluated"),
}


def frame_of(rows: list[Row]) -> pd.DataFrame:
    """Return rows as a frame with the columns of `COLUMNS` and their types.

    Properties that a row lacks are filled from the name of its arm.
    """
    rows = [
        vars(named_properties(str(row.get("arm", ""))))
        | {name: cell for name, cell in row.items() if cell is not None}
        for row in rows
    ]
    columns = {}
    for name, (kind, _) in COLUMNS.items():
        cells: list[Any] = [row.get(name) for row in rows]
        if kind == TIME:
            moments = pd.to_datetime(
                pd.Series(cells, dtype=TEXT), utc=True, errors="coerce", format="ISO8601"
            )
            columns[name] = moments.astype(TIME)
        else:
            columns[name] = pd.Series(cells, dtype=kind)
    return pd.DataFrame(columns)


def clean_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return finished rows of clean images, preprocessed as in training.

    Rows with narrowed scores are dropped with a warning.

    Raises:
        ValueError: No row is left.
    """
    own = frame["own"].fillna(value=True) & frame["newest"].fillna(value=True)
    as_trained = frame["made_at"].isna() & frame["batch_norm"].fillna("trained").eq("trained")
    known = (frame["status"] == FINISHED) & (frame["condition"] == "clean") & frame["top1"].notna()
    clean = frame[known & own & as_trained & (frame["split"] == "validation")]
    results = clean[clean["narrowed"].isna()]
    line = narrowed_line(clean[~clean["run"].isin(results["run"])])
    if results.empty:
        more = f"; {line}" if line else ""
        raise ValueError(
            f"runs: must have a finished one with a clean accuracy, and have none{more}"
        )
    if line:
        warnings.warn(line, stacklevel=2)
    return results
