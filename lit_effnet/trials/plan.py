"""Points of a sweep and their trials: arguments, run folder, and name of the arm."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lit_effnet.runs.folder import RunFolder
from lit_effnet.trials.command import expand
from lit_effnet.trials.distributions import KeyPath, flat
from lit_effnet.trials.search import grid, random_points
from lit_effnet.trials.sweep_file import SEED, Sweep


@dataclass(frozen=True)
class Trial:
    """One point of a sweep.

    Args:
        number: Its place in the sweep, from 1.
        id: Hash of its resolved parameters, and name of its run folder.
        parameters: The point, as W&B's agent passes it on.
        arguments: Arguments of its program.
        folder: Its run folder.
        arm: The varied parameters without the random seed.
        repeat: Its random seed; None where the sweep has none.
    """

    number: int
    id: str
    parameters: Mapping[str, Any]
    arguments: tuple[str, ...]
    folder: RunFolder
    arm: str
    repeat: int | None

    @property
    def parameters_file(self) -> Path:
        """The file for `${args_json_file}`."""
        return self.folder.local_path / "parameters.json"


def points(sweep: Sweep, seed: int, limit: int | None) -> Iterator[dict[str, Any]]:
    """Yield the points of a grid or a random search in W&B's order.

    Raises:
        ValueError: A random search without an end.
    """
    cap = min((n for n in (sweep.run_cap, limit) if n is not None), default=None)
    if sweep.method == "grid":
        source = grid(sweep.parameters)
    elif cap is None:
        raise ValueError(
            f"{sweep.path}: a {sweep.method} search has no end of its own; set run_cap or --count"
        )
    else:
        source = random_points(sweep.parameters, seed)
    for number, point in enumerate(source):
        if number == cap:
            return
        yield point


def program(command: Sequence[str]) -> tuple[str, list[str]]:
    """Return module and arguments of `[env] python -m MODULE ARGUMENT...`.

    Raises:
        ValueError: The command has another form.
    """
    words = [word for word in command if not word.endswith("/env")]
    name = Path(words[0]).name if words else ""
    if not (name.startswith("python") and words[1:2] == ["-m"] and len(words) > 2):
        raise ValueError(
            f"command {' '.join(command)!r}: must be ${{env}} ${{interpreter}} -m MODULE ...; "
            "`wandb agent` runs other programs"
        )
    return words[2], words[3:]


def arguments_of(
    sweep: Sweep, point: Mapping[str, Any], file: Path, environ: Mapping[str, str]
) -> list[str]:
    """Return the command-line arguments for a trial; `file` will hold its parameters as JSON."""
    words = expand(sweep.command, sweep.program, point, file, environ)
    return program(words)[1]


def varied(sweep: Sweep) -> list[KeyPath]:
    """Return the parameters with more than one value, except the random seed."""
    return [
        parameter.path
        for parameter in flat(sweep.parameters)
        if parameter.distribution != "constant"
        and len(parameter.config.get("values", (0, 0))) > 1
        and parameter.path != (SEED,)
    ]


def arm_of(paths: Sequence[KeyPath], point: Mapping[str, Any]) -> str:
    """Return an arm's name, from its varied parameters: "depth=1.5", or "paper, variant=b3"."""
    names = [".".join(path) for path in paths]
    leaves = Counter(name.rsplit(".", 1)[-1] for name in names)
    parts = []
    for path, name in zip(paths, names, strict=True):
        value: Any = point
        for key in path:
            value = value[key]
        text = f"{value:.4g}" if isinstance(value, float) else str(value)
        leaf = name.rsplit(".", 1)[-1]
        needs_no_name = isinstance(value, str) and leaf in ("arm", "name", "config")
        shown = leaf if leaves[leaf] == 1 else name
        parts.append(Path(text).stem if leaf == "config" else text)
        if not needs_no_name:
            parts[-1] = f"{shown}={text}"
    return ", ".join(parts) or "all"
