"""Read the files of a run directory into rows of the table."""

import json
from collections.abc import Mapping
from typing import Any

from lit_effnet.results.frame.folders import Folder, Skipped, get, kind_of, printable
from lit_effnet.results.frame.narrowing import (
    ALL,
    Flags,
    flags_of,
    limit_of,
    narrowed_by,
    training_limit,
)
from lit_effnet.runs.documents import json_rows
from lit_effnet.runs.folder import FINISHED

Json = Mapping[str, Any]
Row = dict[str, Any]  # a cell for each column of the table that it has something for

SCORES = ("top1", "top5", "top1_macro", "calibration_error")

# Without these a record tells no run from another.
WORDS = ("status", "group", "id", "arm")
# Parts of a record that not every run has.
OPTIONAL = ("cost", "throughput", "recipe", "model", "weights", "latency", "best", "properties")
# Columns from `properties`, which older records lack.
PROPERTIES = {
    **dict.fromkeys(("axis", "measure", "rounding"), str),
    **dict.fromkeys(("budget", "phi", "alpha", "beta", "gamma"), float),
}


def rows_of(folder: Folder) -> tuple[list[Row], list[Skipped]]:
    """Return the rows of a run, one per condition, and its unreadable lines.

    Scores of the training are rows too, unless an evaluation of the same images replaces them.

    Raises:
        ValueError: The folder is not a run directory.
    """
    record = folder.json("run.json")
    flags = _flags(folder)
    run = _run(record, folder, flags)
    narrowed = _narrowed(record, flags)
    evaluated, skipped = _evaluations(folder)
    replaced = {row["split"] for row in evaluated if _replaces(row, run)}
    trained = _trained(record, flags, narrowed)
    rows = [row for row in trained if row["split"] not in replaced]
    rows += [{**row, "narrowed": narrowed.get("training")} for row in evaluated]
    return [run | row for row in rows or [{}]], skipped


def _run(record: Json, folder: Folder, flags: Flags) -> Row:
    """Return the cells that all rows of a run share.

    Raises:
        ValueError: The record does not belong to a run.
    """
    for name in WORDS:
        get(record, name, str, needed=True)
    status, reason = _status(record, folder)
    optional = {name: get(record, name, dict) or {} for name in OPTIONAL}
    scaling, complexity = (get(record, n, dict, needed=True) for n in ("scaling", "complexity"))
    data = get(record, "data", dict, needed=True)
    cost, throughput = optional["cost"], optional["throughput"]
    return {
        "run": printable(folder.path),
        "group": record["group"],
        "id": record["id"],
        "arm": record["arm"],
        "seed": get(record, "seed", int),
        "status": status,
        "reason": reason,
        "started": get(record, "started", str),
        "duration_s": get(cost, "seconds", float),
        "processor_s": get(cost, "processor_seconds", float),
        "epochs": get(cost, "epochs", int),
        "training_images": get(cost, "images", int),
        "training_images_per_s": get(throughput, "images_per_s", float),
        "config_hash": get(record, "config_hash", str),
        "commit": get(record, "git_commit", str),
        "device": get(record, "device", str),
        "processes": get(record, "processes", int),
        "precision": get(record, "precision", str),
        "recipe": get(optional["recipe"], "name", str),
        "learning_rate": get(optional["recipe"], "learning_rate", float),
        "global_batch": get(get(record, "data", dict) or {}, "global_batch", int),
        "planned_epochs": get(record, "max_epochs", int),
        "training_limit": training_limit(flags),
        "network": get(optional["model"], "name", str),
        "se_ratio": get(optional["model"], "se_ratio", float),
        "began_with": get(optional["weights"], "name", str),
        "depth": get(scaling, "depth", float),
        "width": get(scaling, "width", float),
        "resolution": get(scaling, "resolution", float),
        **{name: get(optional["properties"], name, kind) for name, kind in PROPERTIES.items()},
        "rounding": get(scaling, "rounding", str),
        "parameters": get(complexity, "params", int),
        "macs": get(complexity, "macs", int),
        "activations": get(complexity, "activations", int),
        "latency_ms": get(optional["latency"], "median_ms", float),
        "latency_device": get(optional["latency"], "device", str),
        "data": get(data, "name", str),
        "data_fingerprint": get(data, "fingerprint", str),
        "classes": get(data, "classes", int),
        "image_size": get(data, "image_size", int),
        "best_validation_top1": get(optional["best"], "val/top1", float),
    }


def _status(record: Json, folder: Folder) -> tuple[str, str | None]:
    """Return the status of a run and the reason why it has not finished."""
    status, reason = record["status"], get(record, "error", str)
    if status == FINISHED or "trial.json" not in folder.files:
        return status, reason
    notes = folder.json("trial.json")
    if early := get(notes, "stopped_early", dict):
        return "stopped early", f"by early termination after epoch {early.get('epoch')}"
    if failed := get(notes, "failed", dict):
        return "failed", reason or f"exit status {failed.get('exit_status')}"
    return status, reason


def _trained(record: Json, flags: Flags, narrowed: Mapping[str, str]) -> list[Row]:
    """Return the rows of the scores that the training wrote, for validation and test split."""
    rows = []
    images = get(record["data"], "images", dict) or {}
    for split, key, prefix, limit in (
        ("validation", "metrics", "val/", "limit_val_batches"),
        ("test", "test", "test/", "limit_test_batches"),
    ):
        scores = get(record, key, dict) or {}
        if f"{prefix}top1" not in scores:
            continue
        row: Row = {"source": "training", "condition": "clean", "split": split}
        row |= {"own": True, "newest": True}
        row |= scores_of(scores, prefix)
        row["condition_parameters"], row["batch_norm"] = "{}", "trained"
        seen = get(scores, f"{prefix}images", float)
        if seen is not None:
            row["images"] = int(seen)
        elif limit_of(flags, limit) == ALL and not narrowed.get(split):
            row["images"] = get(images, split, int)
        reasons = [narrowed[name] for name in ("training", split) if narrowed.get(name)]
        row["narrowed"] = "; ".join(reasons) or None
        rows.append(row | _correct(row))
    return rows


def scores_of(scores: Json, prefix: str) -> Row:
    """Return the scores among metrics whose names start with `prefix`.

    Raises:
        ValueError: A score is not a number.
    """
    return {name: get(scores, prefix + name, float) for name in (*SCORES, "loss")}


def _replaces(row: Row, run: Row) -> bool:
    """Return whether an evaluation covers the images that the training scored at its end."""
    same_images = row["data_fingerprint"] == run["data_fingerprint"] and not row["made_at"]
    return bool(row["condition"] == "clean" and same_images and row["own"] and row["newest"])


def _narrowed(record: Json, flags: Flags) -> dict[str, str]:
    """Why scores are no result of the run, by split, or by `training` for all of them."""
    known = get(record, "narrowed", dict)
    if known is None:
        return narrowed_by(flags, get(get(record, "cost", dict) or {}, "epochs", int))
    return {name: get(known, name, str) for name in known}


def _flags(folder: Folder) -> dict[str, str]:
    """Return the flags in the configuration of a run; empty without a configuration file."""
    try:
        return flags_of(folder.text("config.yaml"))
    except ValueError:
        return {}


def _evaluations(folder: Folder) -> tuple[list[Row], list[Skipped]]:
    """Return the rows of `evaluations.jsonl` and its unreadable lines."""
    if "evaluations.jsonl" not in folder.files:
        return [], []
    path = printable(f"{folder.path}/evaluations.jsonl")
    rows, skipped = [], []
    try:
        lines = [*json_rows(folder.text("evaluations.jsonl"))]
    except ValueError as error:
        return [], [Skipped(path, str(error))]
    for number, content in lines:
        try:
            if isinstance(content, ValueError):
                raise content
            if not isinstance(content, dict):
                raise ValueError(f"must be an object, and is {kind_of(content)}")
            rows.append(_evaluation(content))
        except ValueError as error:
            skipped.append(Skipped(path, f"line {number}: {error}"))
    for row in rows:
        row["newest"] = row["weights"] == rows[-1]["weights"]
    return rows, skipped


def _evaluation(content: Json) -> Row:
    """Return one row of `evaluations.jsonl`.

    Raises:
        ValueError: The row is invalid.
    """
    parameters = get(content, "parameters", dict, needed=True)
    get(parameters, "sigma", float)  # which the figures of noise need
    row = {
        "source": "evaluation",
        "condition": get(content, "condition", str, needed=True),
        "condition_parameters": json.dumps(parameters, sort_keys=True),
        "severity": get(content, "severity", int),
        "severities": get(content, "severities", str),
        "made_at": get(content, "made_at", str),
        "made_at_px": get(content, "made_at_px", int),
        "batch_norm": get(content, "batch_norm", str),
        "own": not get(content, "not_own", list),
        "split": get(content, "split", str, needed=True),
        "data": get(content, "data", str),
        "data_fingerprint": get(content, "data_fingerprint", str),
        "image_size": get(content, "image_size", int),
        "weights": get(content, "weights", str),
        "top1": get(content, "top1", float, needed=True),
        "top5": get(content, "top5", float),
        "top1_macro": get(content, "top1_macro", float),
        "calibration_error": get(content, "calibration_error", float),
        "images": get(content, "images", int),
        "evaluation_s": get(content, "seconds", float),
        "evaluation_device": _device(content),
        "evaluation_commit": get(content, "git_commit", str),
        "evaluated": get(content, "evaluated", str),
    }
    return row | _correct(row)


def _device(content: Json) -> str | None:
    device: str | None = get(content, "device", str)
    processor: str | None = get(content, "processor", str)
    return processor if processor and device == "cpu" else device


def _correct(row: Row) -> Row:
    """Return the number of correct predictions, from the accuracy and the number of images.

    Raises:
        ValueError: The accuracy is not a fraction of the images.
    """
    top1 = row["top1"]
    if top1 is not None and not 0 <= top1 <= 1:
        raise ValueError(f"top1 {top1}: must be from 0 to 1")
    if row.get("images") is None or top1 is None:
        return {}
    return {"correct": round(row["images"] * top1)}
