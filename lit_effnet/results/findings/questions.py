# ruff: noqa: RUF001 # The multiplication sign is meant
"""What each sweep of `sweeps/` asks, and how its runs answer it."""

from dataclasses import dataclass
from typing import Literal

from lit_effnet.results.report.language import Text

# Arms that are compared: with a reference among those that cost the same, with one reference, or
# those that are alike but for one column, and within a value of it with a reference; or each with
# itself at other learning rates.
Way = Literal["equal cost", "reference", "within", "rates"]

COMPOUND = (r"^compound at [^,]*$", r"^compound", r"^phi 1$", r"^phi")
BASELINE = (r"^baseline$", r"^baseline", r"^B0$", r"^B0")


@dataclass(frozen=True)
class Question:
    """What a sweep asks.

    Args:
        text: The question.
        way: How arms are compared.
        references: Patterns of the arm that others are compared with, the first that fits; with
            none the cheapest arm.
        factor: The column whose values are compared, and within which, on the way "within".
        costs: Columns that the value is shown against.
        noisy: What counts is the mean over levels of noise, not the clean images.
    """

    text: Text
    way: Way = "reference"
    references: tuple[str, ...] = BASELINE
    factor: str | None = None
    costs: tuple[str, ...] = ("macs", "parameters")
    noisy: bool = False


SEARCH = Question(
    Text(
        "Which alpha, beta and gamma with alpha × beta² × gamma² about 2 are best for their cost? "
        "The published ones are 1.2, 1.1 and 1.15.",
    ),
    references=(r"^phi 1$", r"alpha 1\.2, beta 1\.1, gamma 1\.15$"),
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
        references=(r"se_ratio=0\.25$", r"^baseline$"),
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
        references=(r"^resnet50",),
        factor="recipe",
    ),
    "transfer_flowers102": Question(
        Text(
            "What are ImageNet weights worth on 1,020 flowers: fine-tuned, as they are, or not at "
            "all?",
        ),
        references=(r"linear_probe",),
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
    """The question of a group of runs, which begins with a sweep's name; else a general one.

    Args:
        group: As run folders name it, "se_ratio_photos".
    """
    return QUESTIONS.get(sweep_of(group, tuple(QUESTIONS)) or "", ANY)


def sweep_of(group: str, names: tuple[str, ...]) -> str | None:
    """The longest of the sweeps' names that a group begins with; null for none.

    Args:
        group: As run folders name it.
        names: Of sweeps.
    """
    fitting = [name for name in names if group == name or group.startswith(f"{name}_")]
    return max(fitting, key=len, default=None)
