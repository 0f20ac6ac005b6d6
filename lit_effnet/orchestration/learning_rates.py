"""`--rates`: the learning rates that another sweep chose for a sweep's arms."""

from collections.abc import Mapping

from lit_effnet.orchestration.planner import rate_of, run_name
from lit_effnet.orchestration.validate import Checked
from lit_effnet.results.frame.table import load
from lit_effnet.results.stats.learning_rates import Rates, best_rates

SAME_NETWORK = 0.01  # relative: by which its multiply-adds may differ, of another classifier say


def rates_in(path: str | None) -> Rates:
    """The best learning rate of each arm among runs; none without a path.

    Raises:
        ValueError: the runs do not tell it.
    """
    if path is None:
        return Rates()
    table = load([path])
    try:
        if table.frame.empty and table.skipped:
            raise ValueError(table.skipped[0].reason)
        return best_rates(table.frame)
    except ValueError as error:
        raise ValueError(f"--rates {path}: {error}") from None


def check_rated(checked: Checked, path: str) -> None:
    """Refuse rates that no arm gets, and a folder where arms have runs at other ones.

    Raises:
        ValueError: they are none of this sweep's, or runs would be mixed that are no repeats.
    """
    planner, ids = checked.planner, {trial.id for trial in checked.trials}
    assert planner is not None
    rates = planner.options.rates
    if not any(planner.rates.values()):
        raise ValueError(f"--rates {path}: has no arm of this sweep by recipe {rates.recipe}")
    for group in sorted({trial.folder.path.parent for trial in checked.trials}):
        frame = load([str(group)]).frame
        began_with = frame["began_with"].fillna("").eq(rates.began_with or "")
        alike = frame["recipe"].eq(rates.recipe) & began_with
        frame = frame[alike]  # the others keep their own rates
        chosen = frame["arm"].map(rates.of_arm)
        other = frame[~frame["id"].isin(ids) & chosen.notna() & (frame["learning_rate"] != chosen)]
        if len(other):
            raise ValueError(
                f"--rates {path}: {group} has runs at other or unknown learning rates, "
                f"{other['id'].nunique()} of them; --root names another folder"
            )


def borrowed(checked: Checked) -> str | None:
    """In a line what the rates were chosen on, where this sweep trains something else."""
    planner = checked.planner
    assert planner is not None
    rates = planner.options.rates
    for trial in checked.trials:
        config = planner.configs[trial.id]
        name = run_name(config)
        if rate_of(config, rates) is None or name not in rates.macs:
            continue
        there, here = rates.macs[name], planner.outlook(trial).complexity.macs
        data = str(config.data.name)
        if data != rates.data or abs(here / there - 1) > SAME_NETWORK:
            return (
                f"warning: these rates were chosen on {rates.data}, where {name} has "
                f"{there / 1e6:,.1f} M multiply-adds; here it is {data}, with {here / 1e6:,.1f} M"
            )
    return None


def rates_line(rates: Mapping[str, float | None]) -> str:
    """Which arms get which learning rate, in one line.

    Args:
        rates: Of each arm; null for the recipe's own.
    """
    of_rate: dict[float | None, list[str]] = {}
    for arm, rate in rates.items():
        of_rate.setdefault(rate, []).append(arm)
    parts = []
    for rate in sorted(of_rate, key=lambda rate: (rate is None, rate)):
        told = "the recipe's own learning rate" if rate is None else f"learning rate {rate:g}"
        parts.append(f"{told} for {'; '.join(of_rate[rate])}")
    return ". ".join(parts)
