"""Rows of the table of runs from what W&B stores of a run.

W&B stores the configuration and the last metrics. Costs of the network, fingerprints and
evaluations are in run folders only.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lit_effnet.results.frame.folders import get
from lit_effnet.results.frame.narrowing import narrowed_by
from lit_effnet.results.frame.records import Row, scores_of
from lit_effnet.scaling.arms import arm_name, choose

TRAINED = ("training", "validation")


def row_of_run(
    config: Mapping[str, Any],
    summary: Mapping[str, Any],
    *,
    run: str,
    name: str,
    group: str | None,
    status: str,
    started: int | None,
) -> Row:
    """Return the row of a run from its configuration and its last metrics.

    Args:
        config: Configuration of the training, as in `config.yaml`.
        summary: Last value of each metric.
        run: Path of the run.
        name: Name of the run.
        group: Group of the run.
        status: Status, as in the table.
        started: Seconds since 1970.

    Raises:
        ValueError: The configuration is not from this project.
    """
    scaling = get(config, "scaling", dict, needed=True)
    model, data = (get(config, key, dict, needed=True) for key in ("model", "data"))
    trainer, recipe = (get(config, key, dict) or {} for key in ("trainer", "recipe"))
    network = get(model, "name", str, needed=True)
    try:
        arm = choose(**scaling, network=network)
    except TypeError as error:
        raise ValueError(f"scaling: is none of this project ({error})") from None
    matched = arm.budget is not None  # multipliers follow from the data, which W&B lacks
    row: Row = {
        "run": run,
        "source": "wandb",
        "group": group,
        "id": name,
        "arm": arm_name(arm, {key: value for key, value in model.items() if value is not None}),
        "seed": get(config, "seed_everything", int),
        "status": status,
        "started": _moment(started),
        "duration_s": get(summary, "_runtime", float),
        "planned_epochs": get(trainer, "max_epochs", int),
        "precision": _text(trainer.get("precision")),
        "recipe": get(recipe, "name", str),
        "learning_rate": get(recipe, "learning_rate", float),
        "global_batch": get(recipe, "global_batch", int),
        "network": network,
        "se_ratio": get(model, "se_ratio", float),
        "began_with": get(get(config, "weights", dict) or {}, "name", str),
        "depth": None if matched else arm.base.depth * arm.fixed.depth,
        "width": None if matched else arm.base.width * arm.fixed.width,
        "resolution": None if matched else arm.fixed.resolution,
        **vars(arm.properties),
        "data": get(data, "name", str),
    }
    if "val/top1" in summary:
        row |= {"condition": "clean", "condition_parameters": "{}", "split": "validation"}
        row |= {"batch_norm": "trained", "own": True, "newest": True, **scores_of(summary, "val/")}
        flags = {name: str(value) for name, value in trainer.items()}
        narrowed = narrowed_by(flags, None)
        row["narrowed"] = "; ".join(narrowed[name] for name in TRAINED if name in narrowed) or None
    return row


def _moment(started: int | None) -> str | None:
    if started is None:
        return None
    return f"{datetime.fromtimestamp(started, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _text(value: object) -> str | None:
    return None if value is None else str(value)
