"""Words of the report, and numbers as it prints them."""

from lit_effnet.results.report.language import Text

WORDS = {
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
    # Costs and values.
    "cost_macs": Text("multiply-adds"),
    "cost_parameters": Text("parameters"),
    "cost_activations": Text("activations"),
    "cost_latency_ms": Text("latency"),
    "cost_duration_s": Text("training time"),
    "top1": Text("top-1 accuracy (%)"),
    "top5": Text("top-5 accuracy (%)"),
    "top1_macro": Text("class-mean top-1 accuracy (%)"),
    # Figures.
    "figure_arms": Text("Arms"),
    "figure_cost": Text("Accuracy against {cost}"),
    "figure_epochs": Text("Training"),
    "figure_rates": Text("Learning rates"),
    "figure_noise": Text("Under Gaussian noise"),
    "arm": Text("arm"),
    "reference": Text("reference"),
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


def number(of: float) -> str:
    """Return an accuracy, a fraction, as text in percent."""
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
