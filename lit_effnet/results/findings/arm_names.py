"""Names of arms for readers, built from the columns of the runs; they show only what differs.

The stored name stays the key of an arm in data, files and flags.
"""

from collections.abc import Mapping
from typing import get_args

import pandas as pd

from lit_effnet.results.report.language import Text, joined, same
from lit_effnet.scaling.arms import COEFFICIENTS, MEASURES, SCALABLE
from lit_effnet.scaling.compound import Axis

Names = Mapping[str, Text]
AXES = get_args(Axis)
COLUMNS = ["network", "axis", "budget", "measure", "phi", "rounding", *AXES, *COEFFICIENTS]
WORDS = {
    "baseline": Text("baseline"),
    "depth": Text("depth"),
    "width": Text("width"),
    "resolution": Text("resolution"),
    "compound": Text("compound"),
}
# A property of an arm: its text, and whether the stored name leaves it out as the default.
Parts = dict[str, tuple[Text, bool]]


def arm_names(runs: pd.DataFrame) -> dict[str, Text]:
    """Return the name of each arm, by its stored name, without what all arms have in common.

    Args:
        runs: Rows of the runs that are shown together.
    """
    arms = runs.groupby("arm", sort=False)[COLUMNS].first()
    baselines = arms[arms["axis"] == "baseline"]
    base = (arms if baselines.empty else baselines)[[*AXES]].median()
    parts = {str(name): _parts(str(name), row, base) for name, row in arms.iterrows()}
    stored = {
        name: {key: text for key, (text, default) in own.items() if not default}
        for name, own in parts.items()
    }
    varied = {
        key
        for own in stored.values()
        for key in own
        if len({others.get(key) for others in stored.values()}) > 1
    }
    shown = {
        name: {key: text for key, (text, _) in own.items() if key in varied}
        for name, own in parts.items()
    }
    chosen = shown if all(shown.values()) else stored
    return {name: _name(own) for name, own in chosen.items()}


def _name(parts: Mapping[str, Text]) -> Text:
    return joined([*parts.values()], same(", "))


def _parts(name: str, arm: pd.Series, base: pd.Series) -> Parts:
    """Return the properties of an arm; parts of its name that no column holds count as such.

    Args:
        name: Stored name; the columns are used only as far as it begins with them.
        arm: Columns of the arm.
        base: Multipliers of the baseline.
    """
    parts: Parts = {}
    if pd.notna(arm["network"]):
        parts["network"] = same(arm["network"]), arm["network"] == "efficientnet"
    if scaling := _scaling(arm, base):
        parts["scaling"] = scaling, False
    for key, default in COEFFICIENTS.items():
        if pd.notna(arm[key]):
            parts[key] = same(f"{key} {arm[key]:g}"), arm[key] == default
    if arm["rounding"] == "round":
        parts["rounding"] = Text("round"), False
    known = _name({key: text for key, (text, default) in parts.items() if not default}).en
    if not known or not f"{name}, ".startswith(f"{known}, "):
        parts, known = {}, ""
    others = filter(None, name.removeprefix(known).split(", "))
    return parts | {text: (same(text), False) for text in others}


def _scaling(arm: pd.Series, base: pd.Series) -> Text | None:
    """Return how an arm is scaled; None if the columns do not say."""
    if pd.notna(arm["budget"]):
        return Text(
            "{axis} at {budget} x {measure}",
            axis=WORDS[arm["axis"]],
            budget=f"{arm['budget']:g}",
            measure=MEASURES[arm["measure"]],
        )
    if pd.notna(arm["phi"]):
        return same(f"phi {arm['phi']:g}")
    if arm["axis"] == "baseline" or (pd.notna(arm["network"]) and arm["network"] not in SCALABLE):
        return WORDS["baseline"]
    ratios = (arm[[*AXES]].astype(float) / base.astype(float)).dropna()
    texts = [
        WORDS[axis] + same(f" {ratio:g}") for axis, ratio in ratios.items() if f"{ratio:g}" != "1"
    ]
    return joined(texts, same(", ")) if texts else None
