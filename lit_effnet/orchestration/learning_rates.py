"""Hand the learning rates that another sweep chose to a sweep's arms (`--rates`)."""

from collections.abc import Mapping, Sequence

from lit_effnet.orchestration.planner import Planner, rate_of, run_name
from lit_effnet.results.frame.table import load
from lit_effnet.results.stats.learning_rates import Rates, best_rates
from lit_effnet.trials.plan import Trial

# Relative difference of MACs up to which a network counts as the same, with another classifier say.
SAME_NETWORK = 0.01


def rates_in(path: str) -> Rates:
    """Return the best learning rate of each arm in run folders or a results file.

    Raises:
        ValueError: There are no runs, or they do not determine a rate.
    """
    table = load([path])
    try:
        if table.frame.empty and table.skipped:
            raise ValueError(table.skipped[0].reason)
        return best_rates(table.frame)
    except ValueError as error:
        raise ValueError(f"--rates {path}: {error}") from None


def check_rated(planner: Planner, trials: Sequence[Trial]) -> None:
    """Check that an arm has a chosen rate, and that the run directories of an arm have one rate.

    Raises:
        ValueError: No arm has a rate, or these arms have runs at other rates.
    """
    ids = {trial.id for trial in trials}
    rates, path = planner.options.rates, planner.options.rates_from
    assert rates is not None
    if not any(planner.rates.values()):
        raise ValueError(f"--rates {path}: has no arm of this sweep by recipe {rates.recipe}")
    for group in sorted({trial.folder.path.parent for trial in trials}):
        frame = load([str(group)]).frame
        began_with = frame["began_with"].fillna("").eq(rates.began_with or "")
        frame = frame[frame["recipe"].eq(rates.recipe) & began_with]  # others keep their own rates
        chosen = frame["arm"].map(rates.of_arm)
        other = frame[~frame["id"].isin(ids) & chosen.notna() & (frame["learning_rate"] != chosen)]
        if len(other):
            raise ValueError(
                f"--rates {path}: {group} has {other['id'].nunique()} runs of these arms at other "
                "or unknown learning rates; --root names another folder"
            )


def foreign_rates(planner: Planner, trials: Sequence[Trial]) -> str | None:
    """Return a warning if the rates were chosen on other data or on a network of other cost."""
    rates = planner.options.rates
    assert rates is not None
    for trial in trials:
        config = planner.configs[trial.id]
        name = run_name(config)
        if rate_of(config, rates) is None or name not in rates.macs:
            continue
        there, here = rates.macs[name], planner.preview_of(trial).complexity.macs
        data = str(config.data.name)
        if data != rates.data or abs(here / there - 1) > SAME_NETWORK:
            return (
                f"warning: these rates were chosen on {rates.data}, where {name} has "
                f"{there / 1e6:,.1f} M MACs; this sweep trains on {data}, with {here / 1e6:,.1f} M"
            )
    return None


def rates_line(rates: Mapping[str, float | None]) -> str:
    """Return one line on which arms get which learning rate; None is the recipe's own."""
    arms_of: dict[float | None, list[str]] = {}
    for arm, rate in rates.items():
        arms_of.setdefault(rate, []).append(arm)
    parts = []
    for rate in sorted(arms_of, key=lambda rate: (rate is None, rate)):
        name = "the recipe's own learning rate" if rate is None else f"learning rate {rate:g}"
        parts.append(f"{name} for {'; '.join(arms_of[rate])}")
    return ". ".join(parts)
