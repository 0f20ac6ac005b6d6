"""Words of the report, and numbers as it prints them."""

from lit_effnet.results.report.language import Text, joined, same
from lit_effnet.scaling.arms import MEASURES

# Words in names of arms. Flags and names of networks are not translated.
ARM_WORDS = {
    word.message: word
    for word in (
        Text("baseline"),
        Text("depth"),
        Text("width"),
        Text("resolution"),
        Text("compound"),
        Text("round"),
    )
}

WORDS = {
    # Answers.
    "diverged": Text("diverged"),
    # Costs and values.
    "cost_macs": Text("multiply-adds"),
    "cost_parameters": Text("parameters"),
    "cost_activations": Text("activations"),
    "cost_latency_ms": Text("latency"),
    "cost_duration_s": Text("training time"),
    "top1": Text("top-1 accuracy (%)"),
    "top5": Text("top-5 accuracy (%)"),
    "top1_macro": Text("class-mean top-1 accuracy (%)"),
    "best_rate": Text("best"),
    # Figures.
    "figure_arms": Text("Arms"),
    "figure_cost": Text("Accuracy against {cost}"),
    "figure_epochs": Text("Training"),
    "figure_rates": Text("Learning rates"),
    "figure_noise": Text("Under Gaussian noise"),
    # Tables and their headings.
    "table_arms": Text("Arms and what they cost"),
    "table_comparisons": Text("Comparisons"),
    "table_rates": Text("Arms by learning rate"),
    "note_rates": Text("{value} of each arm at each rate."),
    "table_conditions": Text("Under other conditions"),
    "table_runs": Text("Runs"),
    "arm": Text("arm"),
    "reference": Text("against"),
    "family": Text("where"),
    "n": same("n"),
    "mean": Text("mean, %"),
    "sd": Text("sd"),
    "low": Text("low"),
    "high": Text("high"),
    "parameters": Text("parameters, M"),
    "macs": Text("MACs, M"),
    "latency_ms": Text("latency, ms"),
    "duration_s": Text("training, s"),
    "difference": Text("difference, points"),
    "test_used": Text("test"),
    "p": same("p"),
    "p_holm": Text("p (Holm)"),
    "verdict": Text("verdict"),
    "better": Text("better"),
    "worse": Text("worse"),
    "none": Text("not shown"),
    "untested": Text("not tested"),
    "condition": Text("condition"),
    "run": Text("run"),
    "seed": Text("seed"),
    "status": Text("status"),
    "reason": Text("reason"),
    "value": Text("value, %"),
    "commit": Text("commit"),
    "device": Text("device"),
    "command": Text("command to repeat"),
    "note_arms": Text(
        "{value}. low..high: Student's {confidence:g} % interval of the mean over seeds; it says "
        "nothing of other images."
    ),
    "note_comparisons": Text(
        "Paired t test over shared seeds, Welch's test of all repeats where fewer than three are "
        "shared. low..high: {confidence:g} % interval of this comparison alone. p (Holm) is "
        "corrected for all {count} of this table; a verdict needs it below 0.05."
    ),
    "note_conditions": Text("Means of {value} over the finished repeats."),
    # The page.
    "title": Text("Results"),
    "question": Text("Question"),
    "answer": Text("Answer"),
    "contents": Text("Sweeps"),
    "runs_behind": Text("{count} runs behind it"),
    "validation": Text("validation set"),
    "test": Text("test set"),
    "unfinished": Text("Not finished"),
    "broken": Text("Folders or lines that cannot be read: {count}"),
    "no_font": Text(
        "No font with Chinese characters was found on the machine that made this page, so the "
        "figure files in figures/ are in English alone. Install one, fonts-noto-cjk for example."
    ),
    "document": Text("The design document's tables"),
    "made": Text("Made {when} from {paths}"),
    "files": Text("Files"),
    "theme": Text("Light or dark"),
    "no_script": Text("Without JavaScript tables do not sort."),
}


def arm_text(arm: str) -> Text:
    """Return the name of an arm as a text that is translated word by word."""
    return joined([_part(part) for part in arm.split(", ")], same(", "))


def _part(part: str) -> Text:
    match part.split(" "):
        case [axis, "at", budget, "x", measure] if measure in MEASURES.values():
            words = {"axis": ARM_WORDS.get(axis, axis), "budget": budget, "measure": measure}
            return Text("{axis} at {budget} x {measure}", **words)
        case [word, *numbers] if word in ARM_WORDS:
            return joined([ARM_WORDS[word], *map(same, numbers)], same(" "))
    return same(part)


def number(of: float) -> str:
    """An accuracy, a fraction, as the report prints it."""
    return f"{100 * of:.1f} %"


def cost_text(cost: str, of: float) -> Text:
    """Return a cost with its unit."""
    if cost == "latency_ms":
        return Text("{number} ms", number=f"{of:.2f}")
    if cost == "duration_s":
        return Text("{number} s", number=f"{of:,.0f}")
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if of >= size:
            shown = f"{of / size:.3g} {letter}"
            break
    else:
        shown = f"{of:.0f}"
    return COUNTS[cost].filled(number=shown)


COUNTS = {
    "macs": Text("{number} MACs"),
    "parameters": Text("{number} parameters"),
    "activations": Text("{number} activations"),
}
