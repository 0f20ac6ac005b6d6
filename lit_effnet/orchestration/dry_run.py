"""`--dry-run`: what a sweep will run, what that costs, and how long it will take here."""

from collections.abc import Sequence

from rich.console import Console
from rich.progress import track

from lit_effnet.orchestration.estimate import Forecast, forecasts
from lit_effnet.orchestration.planner import Planner
from lit_effnet.orchestration.tables import by_arm, duration, plan_table, twins
from lit_effnet.orchestration.validate import Checked
from lit_effnet.trials.ledger import Entry, Status
from lit_effnet.trials.process import Share


def print_plan(
    planner: Planner, checked: Checked, shares: Sequence[Share], screen: Console
) -> None:
    """Every arm with its costs, what its repeats would take here, and trials that are the same."""
    trials = checked.unlike
    outlooks = {trial.id: planner.outlook(trial) for trial in trials}
    states = {trial.id: Entry(trial.folder).status() for trial in trials}
    first = {arm: repeats[0] for arm, repeats in by_arm(trials).items()}
    if not screen.is_terminal:
        screen.print(f"measuring some steps of {len(first)} arms")
    shown = track(
        forecasts(planner, first, shares), "measuring steps", total=len(first), console=screen,
        transient=True, disable=not screen.is_terminal,
    )  # fmt: skip
    estimates = dict(shown)
    screen.print(plan_table(trials, outlooks, estimates, states, screen))
    for group in twins(checked.trials, outlooks):
        numbers = ", ".join(str(trial.number) for trial in group)
        once = "; run once" if len({trial.id for trial in group}) == 1 else ""
        arms = ", ".join(trial.arm for trial in group)
        screen.print(f"identical: trials {numbers} ({arms}){once}", soft_wrap=True)
    left, seconds = 0, 0.0
    for arm, repeats in by_arm(trials).items():
        to_run = sum(states[t.id] in (Status.MISSING, Status.BEGUN) for t in repeats)
        estimate = estimates[arm]
        left += to_run
        seconds += to_run * estimate.seconds if isinstance(estimate, Forecast) else 0
    if planner.sweep.method == "bayes":
        screen.print("bayes: these points are samples; each is proposed by those before it")
    screen.print(f"{len(trials)} trials, {left} to run, {len(shares)} at a time")
    reasons = {reason for reason in estimates.values() if isinstance(reason, str)}
    for reason in sorted(reasons):
        screen.print(f"no estimate of the time: {reason}", soft_wrap=True)
    if not reasons:
        wall = seconds / len(shares)
        screen.print(f"about {duration(wall)} here, from a few steps of each arm")
