"""Damaged files are taken, or refused in one line: a few hundred here, and `make fuzz` for more."""

import pytest

from tests.fuzzing.commands import REFUSED, TAKEN, Case, cases, outcome
from tests.fuzzing.mutators import GROUPS, NO_GROUPS, mutate

INPUTS = {"fit": 8, "sweep --status": 4, "report": 4, "sweep --rates": 4, "run folder": 12}
CASES = cases(thorough=False)


@pytest.mark.parametrize("case", CASES, ids=[f"{c.command} {c.name}" for c in CASES])
def test_a_damaged_file_is_taken_or_refused_in_one_line(case: Case) -> None:
    for number in range(INPUTS.get(case.command, 4)):
        how, mutant, printed = outcome(case, f"{case.command}/{case.name}/{number}")
        assert how in (TAKEN, REFUSED), f"{number}, by {mutant.how}: {printed}"


def test_the_same_seed_gives_the_same_damage() -> None:
    case = CASES[0]
    made = [mutate(case.content, case.language, str(n)) for n in range(30)]
    assert made == [mutate(case.content, case.language, str(n)) for n in range(30)]
    assert len({mutant.content for mutant in made}) > 20


def test_a_group_of_another_type_that_is_taken_counts_as_silence() -> None:
    """The fuzzer would have found what it was made for."""
    (case,) = (c for c in CASES if c.command == "fit" and c.name == "cifar10_scratch.yaml")
    seeds = (str(n) for n in range(1000))
    seed = next(s for s in seeds if mutate(case.content, case.language, s).refused)
    deaf = Case(case.command, case.name, case.content, case.language, lambda *_: None)
    assert outcome(deaf, seed)[0] == "silence"
    assert outcome(case, seed)[0] == REFUSED
    broken = Case(case.command, case.name, case.content, case.language, lambda *_: 1 / 0)
    assert outcome(broken, seed)[0] == "traceback"
    assert (len(GROUPS), len(NO_GROUPS)) == (7, 8)
