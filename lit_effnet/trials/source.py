"""Where the launcher takes trials from: a list, or proposals that follow from earlier ones."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from lit_effnet.trials.bayes import Proposals
from lit_effnet.trials.plan import Trial

# Proposals in a row that had all been made before.
MOST_REPEATS = 100


class Listed:
    """Trials that are known beforehand."""

    def __init__(self, trials: Iterable[Trial]) -> None:
        self.trials: Iterator[Trial] = iter(trials)

    def next(self) -> Trial | None:
        """The next trial of the list."""
        return next(self.trials, None)

    def tell(self, trial: Trial, value: float | None) -> None:
        """The list does not depend on it."""


class Proposed:
    """Trials of `method: bayes`: first those of an earlier launch in their order, then new ones.

    Args:
        proposals: What proposes points.
        make: Makes the trial of a point and its place in the sweep.
        begun: The points of an earlier launch.
        count: How many trials there are to be.
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
        """A trial of an earlier launch, else what is proposed next."""
        for _ in range(MOST_REPEATS):
            number = len(self.given) + 1
            if number > self.count:
                return None
            earlier = bool(self.begun)
            trial = self.make(self.begun.pop(0) if earlier else self.proposals.ask(), number)
            if trial.id not in self.given:
                self.given.add(trial.id)
                return trial
            if not earlier:  # what it gave is known, or will not be known in time
                self.proposals.tell(trial.parameters, self.values.get(trial.id))
        self.count = len(self.given)  # nothing new is left to propose
        return None

    def tell(self, trial: Trial, value: float | None) -> None:
        """What a trial gave; none if it failed."""
        self.values[trial.id] = value
        self.proposals.tell(trial.parameters, value)
