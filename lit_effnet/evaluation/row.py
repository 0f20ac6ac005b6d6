"""The row of an evaluation: what was evaluated, its id, and its scores.

Clean, corrupted, quantised and exported networks have rows of one schema, one JSON object a line
in `evaluations.jsonl`. A row is found again by its id, so nothing is evaluated twice.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NotRequired, TypedDict

Row = dict[str, Any]

TRAINED = "trained"  # batch norm uses the running statistics of the training


class Identity(TypedDict):
    """Everything that the scores depend on.

    Args:
        condition: `clean`, the name of a corruption, `int8`, or a program that runs the network.
        parameters: Numbers of the condition, such as `{"sigma": 0.1}`.
        severity: 1 to 5, if the parameters are those of a severity.
        severities: Table of constants that the severity is taken from.
        made_at: View in which images are corrupted: `reference`, `input`, or None for clean images.
        made_at_px: Side of that view in pixels.
        split: Split of the data set.
        data: Name of the data set.
        data_fingerprint: Fingerprint of its images and labels.
        weights: Fingerprint of the network's weights.
        image_size: Side of the network's input in pixels.
        crop_fraction: Part of the resized short side that the central crop keeps.
        interpolation: Filter of the resize.
        not_own: Differences from the view that the network was trained or released for.
        batch_norm: Source of batch norm's statistics.
        class_numbers: Numbers of the network's classes for those of the data set, if they differ.
    """

    condition: str
    parameters: Mapping[str, Any]
    severity: int | None
    severities: str | None
    made_at: str | None
    made_at_px: int | None
    split: str
    data: str
    data_fingerprint: str
    weights: str
    image_size: int
    crop_fraction: float
    interpolation: str
    not_own: list[str]
    batch_norm: str
    class_numbers: NotRequired[list[int]]


class Scores(TypedDict):
    """Result of an evaluation: fractions from 0 to 1, number of images, seconds and device."""

    top1: float
    top5: float
    top1_macro: float
    calibration_error: float
    images: int
    seconds: float
    device: str


def row_id(identity: Mapping[str, Any]) -> str:
    """Return twelve hexadecimal digits that follow from the identity."""
    text = json.dumps(identity, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def evaluation_row(
    identity: Mapping[str, Any], scores: Mapping[str, Any], clean: str | None, **measured: Any
) -> Row:
    """Return the row of an evaluation.

    Args:
        identity: An `Identity`, and whatever else the scores depend on.
        scores: A `Scores`.
        clean: Id of the row on clean images that this one is compared with; None for that row.
        **measured: Further results, such as agreement with float32, file size and latency.
    """
    return {
        "id": row_id(identity),
        **identity,
        "clean": clean,
        **scores,
        "evaluated": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        **measured,
    }
