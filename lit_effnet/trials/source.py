"""Sources of trials for the launcher: a list, or proposals based on earlier results."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from lit_effnet.trials.bayes import Proposals
from lit_effnet.trials.plan import Trial

# Repeated proposals in a row after which a search ends.
MOST_REPEATS = 100


class Listed:
    """Trials that are known beforehand, in order."""

    def __init__(self, trials: Iterable[Trial]) -> None:
        self.trials: Iterator[Trial] = iter(trials)

    def next(self) -> Trial | None:
        """Return the next trial; None at the end."""
        return next(self.trials, None)

    def tell(self, trial: Trial, value: float | None) -> None:
        """Ignore the result: the list does not depend on it."""


class Proposed:
    """Trials of `method: bayes`: those of an earlier launch in their order, then new ones.

    Args:
        proposals: Proposes points.
        make: Returns the trial of a point and its number in the sweep.
        begun: Points of an earlier launch.
        count: Number of trials.
    """

    def __init__(
        self,
        proposals: Proposals,
        make: Callable[[Mapping[str, Any], int], Trial],
        begun: Iterable[Mapping[str, Any]],
        count: int,
    ) -> None:
        self.proposals, self.make, self.count = proposals, make, count
        self.begun = [point for point in begun if proposals.knows(point)]
        self.given: set[str] = set()
        self.values: dict[str, float | None] = {}

    def next(self) -> Trial | None:
        """Return a trial of an earlier launch, else the next proposal; None at the end."""
        for _ in range(MOST_REPEATS):
            number = len(self.given) + 1
            if number > self.count:
                return None
            earlier = bool(self.begun)
            trial = self.make(self.begun.pop(0) if earlier else self.proposals.ask(), number)
            if trial.id not in self.given:
                self.given.add(trial.id)
                return trial
            if not earlier:  # its result is known, or comes too late
                self.proposals.tell(trial.parameters, self.values.get(trial.id))
        self.count = len(self.given)  # the search proposes nothing new
        return None

    def tell(self, trial: Trial, value: float | None) -> None:
        """Take a trial's metric; None if it failed."""
        self.values[trial.id] = value
        self.proposals.tell(trial.parameters, value)
