"""A table's runs in sections that can be compared: one experiment, data set, split and length.

A group of run folders often holds more: a short trial of everything before the real runs, or the
same arms on other images. Rows that are no repeats of each other would give one wrong mean.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import pandas as pd

from lit_effnet.results.findings.arm_names import Names, arm_names
from lit_effnet.results.frame.narrowing import NARROWED
from lit_effnet.results.frame.records import FINISHED
from lit_effnet.results.report.experiments import experiments_of
from lit_effnet.results.report.plan import parameters_of, recipe_of
from lit_effnet.results.stats.estimates import OF_ARM

CLEAN = "clean"
# Not the images seen: a resumed run repeats those of the epoch in which it was stopped.
SETTING = ("planned_epochs", "training_limit")
SEED = "seed_everything"
RATE = "learning_rate"


@dataclass(frozen=True)
class Section:
    """Runs that answer one question.

    Args:
        group: Group of the run directories.
        split: Split of the images.
        data: Name of the data set.
        rows: All rows of the runs on these images; `arm` includes every varied parameter.
        runs: One row per run, finished or not.
        left_out: Paths of finished runs that repeat an arm and seed.
        others: Status of the experiment's runs on other images, by path.
        epochs: Number of epochs; None if the training is counted in steps.
        images: Number of images trained on; None before a run has finished.
        settings: Settings in which the experiment differs from others of its group.
    """

    group: str
    split: str
    data: str
    rows: pd.DataFrame
    runs: pd.DataFrame
    left_out: tuple[str, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    epochs: int | None = None
    images: int | None = None
    settings: tuple[str, ...] = ()
    key: str = field(default="", compare=False)

    @property
    def clean(self) -> pd.DataFrame:
        """Return the rows of finished runs on clean, default-preprocessed images, one per run."""
        return _clean(self.rows)

    @cached_property
    def names(self) -> Names:
        """Names of the arms for readers, with and without the learning rate."""
        bare = [without_part(arm, f"{RATE}=") for arm in self.runs["arm"]]
        return arm_names(self.runs.assign(arm=bare)) | arm_names(self.runs)


def _clean(rows: pd.DataFrame) -> pd.DataFrame:
    """Clean images may have been made at another size first, to be alike to corrupted ones."""
    clean = (rows["condition"] == CLEAN) & rows["made_at"].isna()
    return rows[clean & (rows["status"] == FINISHED)].drop_duplicates("run", keep="last")


def sections_of(frame: pd.DataFrame) -> list[Section]:
    """Return the sections of a table by group, the longest training first."""
    # Finished runs with narrowed scores are shown with those that are not finished.
    narrowed = frame["narrowed"].notna() & (frame["status"] == FINISHED)
    frame = frame.assign(
        status=frame["status"].mask(narrowed, NARROWED),
        reason=frame["reason"].mask(narrowed, frame["narrowed"]),
    )
    found = []
    for group, rows in frame.groupby("group", sort=True):
        of_group = [
            replace(section, settings=settings)
            for some, settings in experiments_of(rows)
            for section in _of_group(str(group), some)
        ]
        # In the order of their settings, where all else is equal.
        of_group.sort(key=lambda section: (section.data, section.split, -(section.images or 0)))
        found += of_group
    return [_with_key(section, index) for index, section in enumerate(found, start=1)]


def _with_key(section: Section, index: int) -> Section:
    """Return the section with the stem of its file names: letters, digits and underscores."""
    name = re.sub(r"\W+", "_", f"{section.group}_{section.split}", flags=re.ASCII).strip("_")
    return replace(section, key=f"{name}_{index}" if name else f"section_{index}")


def _of_group(group: str, frame: pd.DataFrame) -> Iterator[Section]:
    usual = frame["own"].fillna(value=True) & frame["newest"].fillna(value=True)
    usual &= frame["batch_norm"].fillna("trained") == "trained"
    usual &= frame["made_at"].fillna("reference") == "reference"
    frame = frame[usual]
    scored = frame[frame["split"].notna()]
    keys = ["data", "data_fingerprint", "split"]
    sets = [rows for _, rows in scored.groupby(keys, dropna=False, sort=True)]
    waiting = frame[frame["split"].isna()]
    statuses = dict(zip(frame["run"], frame["status"], strict=True))
    placed: set[str] = set()
    for index, rows in enumerate(sets):
        more = waiting[waiting["data"].isin([rows["data"].iloc[0]]) & ~waiting["run"].isin(placed)]
        placed |= set(more["run"])
        last = waiting[~waiting["run"].isin(placed)] if index == len(sets) - 1 else more.iloc[:0]
        here = pd.concat([rows, more, last])
        runs = {*here["run"]}
        others = {run: status for run, status in statuses.items() if run not in runs}
        yield from _of_images(group, here, others)
    if not sets and len(waiting):
        yield from _of_images(group, waiting, {})


def _of_images(group: str, rows: pd.DataFrame, others: Mapping[str, str]) -> Iterator[Section]:
    """Return the sections of one data set and split."""
    rows = _with_arms(rows)
    finished = rows[rows["status"] == FINISHED]
    names = [
        name for name in SETTING if (finished.groupby("arm")[name].nunique(dropna=False) > 1).any()
    ]
    if not names:
        yield _section(group, rows, others)
        return
    of_setting = [part for _, part in finished.groupby(names, dropna=False)]
    of_setting.sort(key=lambda part: -part["training_images"].fillna(0).max())
    unfinished = rows[rows["status"] != FINISHED]
    for part in of_setting:
        same = unfinished["planned_epochs"].isin(part["planned_epochs"])
        if part is of_setting[-1]:
            same |= True
        yield _section(group, pd.concat([part, unfinished[same]]), others)
        unfinished = unfinished[~same]


def _section(group: str, rows: pd.DataFrame, others: Mapping[str, str]) -> Section:
    rows = rows.sort_values(["arm", "seed", "started", "run"], kind="stable")
    clean = _clean(rows)
    again = clean[clean.duplicated(["arm", "seed"], keep="last") & clean["seed"].notna()]
    rows = rows[~rows["run"].isin(again["run"])]
    runs = rows.drop_duplicates("run", keep="first")
    done = runs[runs["status"] == FINISHED]
    images = done["training_images"].dropna()
    epochs = runs["planned_epochs"].dropna()
    split, data = rows["split"].dropna(), rows["data"].dropna()
    return Section(
        group,
        str(split.iloc[0]) if len(split) else "validation",
        str(data.iloc[0]) if len(data) else "",
        rows,
        runs,
        tuple(again["run"]),
        others,
        int(epochs.iloc[0]) if epochs.nunique() == 1 else None,
        int(images.min()) if len(images) else None,  # a resumed run repeats some
    )


def _with_arms(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with arm names that include every parameter that the sweep varies."""
    runs = rows.drop_duplicates("run")
    columns = [name for name in OF_ARM if name not in (*SETTING, RATE)]
    named = _named(runs, {str(row["run"]): _cells(row, columns) for _, row in runs.iterrows()})
    # Every recipe has its own rate; a name with the recipe needs no rate.
    named = _named(named, {str(row["run"]): _cells(row, [RATE]) for _, row in runs.iterrows()})
    named = _named(named, {run: parameters_of(run) for run in runs["run"]}, [*columns, RATE])
    done = named[named["status"] == FINISHED]
    twice = done.loc[done.duplicated(["arm", "seed"], keep=False), "arm"]
    if len(twice):  # a person may have varied the recipe by hand
        some = named[named["arm"].isin(twice)]
        recipes = _named(some, {run: recipe_of(run) for run in some["run"]})
        named = pd.concat([named[~named["arm"].isin(twice)], recipes])
    return rows.assign(arm=rows["run"].map(dict(zip(named["run"], named["arm"], strict=True))))


def _cells(row: pd.Series, columns: Sequence[str]) -> dict[str, Any]:
    return {name: "none" if pd.isna(row[name]) else row[name] for name in columns}


def _named(
    runs: pd.DataFrame, parameters: Mapping[str, dict[str, Any]], known: Sequence[str] = ()
) -> pd.DataFrame:
    """Return the runs with the varied parameters appended to their arm names.

    Args:
        runs: One row per run.
        parameters: Parameters of each run.
        known: Columns that arm names contain already.
    """
    arms = {}
    for arm, some in runs.groupby("arm", sort=False):
        varied = [
            name
            for name in _varied([parameters[run] for run in some["run"]])
            if not _is_known(name, known)
        ]
        for run in some["run"]:
            arms[run] = ", ".join(
                [str(arm), *(_part(name, parameters[run].get(name)) for name in varied)]
            )
    return runs.assign(arm=runs["run"].map(arms))


def _varied(points: Sequence[dict[str, Any]]) -> list[str]:
    """Return the names of the parameters with several values, without the seed."""
    names = dict.fromkeys(name for point in points for name in point if name != SEED)
    return [name for name in names if len({repr(point.get(name)) for point in points}) > 1]


def _is_known(name: str, columns: Sequence[str]) -> bool:
    """Return whether a column holds a parameter, as `recipe` and `se_ratio` do."""
    return name.removesuffix(".name").rsplit(".", 1)[-1] in columns


def _part(name: str, value: object) -> str:
    leaf = name.removesuffix(".name").rsplit(".", 1)[-1]
    if leaf in ("recipe", "network", "arm", "config"):
        return str(value)
    return f"{leaf}={value:.4g}" if isinstance(value, float) else f"{leaf}={value}"


def without_part(arm: str, part: str) -> str:
    """Return the name of an arm without a part that `sections_of` added to it.

    Args:
        arm: Name of the arm.
        part: The part, or its beginning with an equals sign: "paper", or "learning_rate=".
    """
    parts = arm.split(", ")
    return ", ".join(
        own for own in parts if own != part and not (part.endswith("=") and own.startswith(part))
    )
