# ruff: noqa: RUF001 # The multiplication sign is meant
"""Question of each sweep of `sweeps/`, and the comparisons that answer it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from lit_effnet.results.report.language import Text
from lit_effnet.scaling.arms import COEFFICIENTS, MEASURES

# How arms are compared: with a reference of the same cost, with one reference, over the values of
# a factor and within each, or each arm with itself at other learning rates.
Way = Literal["equal cost", "reference", "within", "rates"]

# Columns of an arm and their values; a tuple accepts any of its values, None an empty cell.
Reference = Mapping[str, Any]

MATCHED: Reference = {"axis": "compound", "measure": tuple(MEASURES)}
COMPOUND = (
    {**MATCHED, "rounding": "ceil", **COEFFICIENTS},
    MATCHED,
    {"axis": "compound", "phi": 1.0, **COEFFICIENTS},
    {"axis": "compound"},
)
B0: Reference = {"network": "efficientnet", "depth": 1.0, "width": 1.0, "resolution": 1.0}
BASELINE: tuple[Reference, ...] = ({"axis": "baseline"}, B0)


@dataclass(frozen=True)
class Question:
    """Question of a sweep.

    Args:
        text: The question.
        way: How arms are compared.
        references: Reference arms, the first present counts; without one the cheapest arm.
        factor: Column whose values are compared, for the way "within".
        costs: Columns that the accuracy is plotted against.
        noisy: Compare the mean accuracy over levels of noise instead of clean images.
    """

    text: Text
    way: Way = "reference"
    references: tuple[Reference, ...] = BASELINE
    factor: str | None = None
    costs: tuple[str, ...] = ("macs", "parameters")
    noisy: bool = False


SEARCH = Question(
    Text(
        "Which alpha, beta and gamma with alpha × beta² × gamma² about 2 are best for their cost? "
        "The published ones are 1.2, 1.1 and 1.15.",
    ),
    references=({"axis": "compound", "phi": 1.0, **COEFFICIENTS},),
)

QUESTIONS = {
    "scaling_ablation": Question(
        Text(
            "Which axis is worth its cost: depth, width, resolution, or all three at once?",
        ),
        "equal cost",
        COMPOUND,
    ),
    "se_ratio": Question(
        Text(
            "What does each ratio of squeeze-and-excite give, and what does it take in parameters "
            "and latency?",
        ),
        references=({"se_ratio": 0.25}, {"axis": "baseline", "se_ratio": None}),
        costs=("parameters", "latency_ms"),
    ),
    "coefficient_search": SEARCH,
    "coefficient_search_fine": SEARCH,
    "learning_rate": Question(
        Text(
            "Which learning rate is best for which arm, and does the order of the arms change when "
            "each has its own?",
        ),
        "rates",
    ),
    "noise_robustness": Question(
        Text(
            "Robustness to noise grows with scale and with the recipe: which of the two is it?",
        ),
        "within",
        factor="recipe",
        costs=("macs",),
        noisy=True,
    ),
    "recipe_by_scale": Question(
        Text(
            "Is a larger network only better where its training is regularised?",
        ),
        "within",
        factor="recipe",
    ),
    "scaling_curves": Question(
        Text(
            "Where does each axis stop paying, and does the compound curve stop later?",
        ),
        costs=("macs",),
    ),
    "transfer": Question(
        Text(
            "Does EfficientNet transfer better than ResNet-50, and how much do its features hold "
            "already?",
        ),
        "within",
        references=({"network": "resnet50"},),
        factor="recipe",
    ),
    "transfer_flowers102": Question(
        Text(
            "What are ImageNet weights worth on 1,020 flowers: fine-tuned, as they are, or not at "
            "all?",
        ),
        references=({"recipe": "linear_probe"},),
        costs=("duration_s",),
    ),
    "baselines": Question(
        Text(
            "What does each network of the literature give for what it costs, with one recipe and "
            "the same images?",
        ),
        costs=("macs", "parameters", "duration_s"),
    ),
}
ANY = Question(
    Text("Which arm is better, and at what cost?"),
)


def question_of(group: str) -> Question:
    """Return the question of a group of runs; a general one if no sweep has its name.

    Args:
        group: Name of the group; it begins with the name of its sweep, as in "se_ratio_photos".
    """
    return QUESTIONS.get(sweep_of(group, tuple(QUESTIONS)) or "", ANY)


def sweep_of(group: str, names: tuple[str, ...]) -> str | None:
    """Return the longest name of a sweep that a group begins with; None for none."""
    fitting = [name for name in names if group == name or group.startswith(f"{name}_")]
    return max(fitting, key=len, default=None)


def arms_like(frame: pd.DataFrame, reference: Reference, arms: Sequence[str]) -> list[str]:
    """Return the arms whose columns have the values of a reference, in the order of `arms`.

    Args:
        frame: Rows of runs.
        reference: Columns and their values.
        arms: Arms to choose from.
    """
    rows = frame.drop_duplicates("arm").set_index("arm").reindex(arms)
    fits = pd.Series(True, index=rows.index)
    for column, value in reference.items():
        accepted = value if isinstance(value, tuple) else (value,)
        fits &= rows[column].isna() if value is None else rows[column].isin(accepted)
    return [str(arm) for arm in rows.index[fits]]


def reference_of(
    frame: pd.DataFrame, references: Sequence[Reference], arms: Sequence[str]
) -> str | None:
    """Return the first arm that the first fitting reference finds; None for none."""
    fitting = (arm for reference in references for arm in arms_like(frame, reference, arms))
    return next(fitting, None)
