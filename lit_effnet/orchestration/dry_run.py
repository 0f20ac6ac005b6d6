"""Print what a sweep will train, its cost and its time on this machine (`--dry_run`)."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.progress import track

from lit_effnet.cli.format import duration
from lit_effnet.orchestration.estimate import Estimate, estimates
from lit_effnet.orchestration.planner import Planner
from lit_effnet.orchestration.tables import by_arm, identical_trials, plan_table
from lit_effnet.orchestration.validate import Checked
from lit_effnet.trials.ledger import Entry, Status
from lit_effnet.trials.process import Share


def print_plan(
    planner: Planner, checked: Checked, shares: Sequence[Share], screen: Console
) -> None:
    """Print each arm with its cost and time per trial, identical trials, and the total time."""
    trials = checked.unlike
    previews = {trial.id: planner.preview_of(trial) for trial in trials}
    states = {trial.id: Entry(trial.folder).status() for trial in trials}
    to_run = {key for key, status in states.items() if status in (Status.MISSING, Status.BEGUN)}
    by_name = _estimates(planner, checked, shares, screen)
    screen.print(plan_table(trials, previews, by_name, to_run, screen))
    for group in identical_trials(checked.trials, previews):
        numbers = ", ".join(str(trial.number) for trial in group)
        arms = ", ".join(trial.arm for trial in group)
        once = "; run once" if len({trial.id for trial in group}) == 1 else ""
        screen.print(f"identical: trials {numbers} ({arms}){once}", soft_wrap=True)
    if planner.sweep.method == "bayes":
        screen.print("bayes: these points are samples; each is proposed from earlier results")
    counts = f"{len(trials)} trials, {len(to_run)} to run, {len(shares)} at a time"
    reasons = {estimate for estimate in by_name.values() if isinstance(estimate, str)}
    if reasons:
        screen.print(counts)
        for reason in sorted(reasons):
            screen.print(f"no estimate of the time: {reason}", soft_wrap=True)
        return
    seconds = sum(
        estimate.seconds
        for trial in trials
        if trial.id in to_run and isinstance(estimate := by_name[trial.arm], Estimate)
    )
    screen.print(counts)
    screen.print(f"about {duration(seconds / len(shares))} here, from a few steps of each arm")


def _estimates(
    planner: Planner, checked: Checked, shares: Sequence[Share], screen: Console
) -> Mapping[str, Estimate | str]:
    """Return an estimate for each arm, or why there is none; show the progress."""
    first = {arm: repeats[0] for arm, repeats in by_arm(checked.unlike).items()}
    if not screen.is_terminal:
        screen.print(f"measuring a few steps of {len(first)} arms")
    measured = track(
        estimates(planner, first, shares), "measuring steps", total=len(first), console=screen,
        transient=True, disable=not screen.is_terminal,
    )  # fmt: skip
    return dict(measured)
