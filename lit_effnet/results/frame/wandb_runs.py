"""Runs as W&B keeps them, in rows of the table.

W&B knows a run's configuration and its last metrics, and not what was counted or measured: the
costs of the network, fingerprints and evaluations stand in run folders only.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lit_effnet.results.frame.folders import Skipped, get
from lit_effnet.results.frame.narrowing import narrowed_by
from lit_effnet.results.frame.records import FINISHED, Row, scores_of
from lit_effnet.scaling.arms import arm_name, choose

STATES = {"finished": FINISHED, "crashed": "failed", "killed": "interrupted"}
TRAINED = ("training", "validation")
PER_PAGE = 500  # W&B's servers give up to 1,000


def rows_of_project(path: str) -> tuple[list[Row], list[Skipped]]:
    """Rows of the runs of a W&B project or sweep, and what else is in there.

    Args:
        path: entity/project, or entity/project/sweeps/id.

    Raises:
        ValueError: it is no such path, there is no key, or W&B does not answer or does not know it.
    """
    entity, project, sweep = _parts(path)
    import wandb

    rows, skipped = [], []
    try:
        if not wandb.login(prompt=False, verify=False):
            raise ValueError("there is no W&B key; `wandb login` stores one")
        runs = wandb.Api().runs(
            f"{entity}/{project}",
            filters={"sweep": sweep} if sweep else {},
            per_page=PER_PAGE,
            lazy=False,  # or each run's configuration would be a request of its own
        )
        for run in runs:
            name = f"{entity}/{project}/{run.id}"
            try:
                rows.append(
                    row_of_run(
                        run.config,
                        dict(run.summary_metrics),
                        run=name,
                        name=run.id,
                        group=run.group,
                        status=STATES.get(run.state, "running"),
                        started=run.created_at,
                    )
                )
            except ValueError as error:
                skipped.append(Skipped(name, str(error)))
    except Exception as error:  # W&B's own, of which each version has others
        raise ValueError(f"{path}: W&B does not give it ({error})") from error
    return rows, skipped


def row_of_run(
    config: Mapping[str, Any],
    summary: Mapping[str, Any],
    *,
    run: str,
    name: str,
    group: str | None,
    status: str,
    started: int | str | None,
) -> Row:
    """The row of a run, from its configuration and its last metrics.

    Args:
        config: A training's whole configuration, as `config.yaml` holds it.
        summary: The last value of each metric.
        run: Where the run is.
        name: Its name.
        group: Its group.
        status: As in the table.
        started: Seconds since 1970, or a time in ISO's form.

    Raises:
        ValueError: the configuration is none of this project's.
    """
    scaling = get(config, "scaling", dict, needed=True)
    model, data = (get(config, key, dict, needed=True) for key in ("model", "data"))
    trainer, recipe = (get(config, key, dict) or {} for key in ("trainer", "recipe"))
    network = get(model, "name", str, needed=True)
    try:
        arm = choose(**scaling, network=network)
    except TypeError as error:
        raise ValueError(f"scaling: is none of this project ({error})") from None
    matched = arm.budget is not None  # its multipliers follow from what W&B does not know
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


def _moment(started: int | str | None) -> str | None:
    if isinstance(started, int):
        return f"{datetime.fromtimestamp(started, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return started


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _parts(path: str) -> tuple[str, str, str | None]:
    """Entity, project and sweep.

    Raises:
        ValueError: it is no such path.
    """
    match path.split("/"):
        case [entity, project] if entity and project:
            return entity, project, None
        case [entity, project, "sweeps", sweep] if entity and project and sweep:
            return entity, project, sweep
    raise ValueError(f"path {path!r}: must be entity/project or entity/project/sweeps/id")
