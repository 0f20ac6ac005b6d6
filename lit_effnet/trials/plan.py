"""Points of a sweep to trials: what each runs, where it is recorded, and what it is called."""

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
        parameters: As W&B's agent would hand them out.
        arguments: What its program is called with.
        folder: Where it is recorded.
        arm: What the sweep varies about it, without the random seed.
        repeat: Its random seed; null where the sweep has none.
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
        """The file that `${args_json_file}` names."""
        return self.folder.local_path / "parameters.json"


def points(sweep: Sweep, seed: int, limit: int | None) -> Iterator[dict[str, Any]]:
    """What a grid or a random search hands out, in W&B's order.

    Raises:
        ValueError: a random search that nothing ends.
    """
    cap = min((n for n in (sweep.run_cap, limit) if n is not None), default=None)
    if sweep.method == "grid":
        source = grid(sweep.parameters)
    elif cap is None:
        raise ValueError(
            f"{sweep.path}: a {sweep.method} search has no end of its own; give run_cap or --count"
        )
    else:
        source = random_points(sweep.parameters, seed)
    for number, point in enumerate(source):
        if number == cap:
            return
        yield point


def program(command: Sequence[str]) -> tuple[str, list[str]]:
    """Module and arguments of `[env] python -m MODULE ARGUMENT...`.

    Raises:
        ValueError: the command is of another form.
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
    """What a point's program is called with; `file` is to hold the point as JSON."""
    words = expand(sweep.command, sweep.program, point, file, environ)
    return program(words)[1]


def varied(sweep: Sweep) -> list[KeyPath]:
    """The parameters of which a sweep has more than one value, but for the random seed."""
    return [
        parameter.path
        for parameter in flat(sweep.parameters)
        if parameter.distribution != "constant"
        and len(parameter.config.get("values", (0, 0))) > 1
        and parameter.path != (SEED,)
    ]


def arm_of(paths: Sequence[KeyPath], point: Mapping[str, Any]) -> str:
    """What the parameters at `paths` are: "depth=1.5", or "paper, variant=b3"."""
    names = [".".join(path) for path in paths]
    leaves = Counter(name.rsplit(".", 1)[-1] for name in names)
    parts = []
    for path, name in zip(paths, names, strict=True):
        value: Any = point
        for key in path:
            value = value[key]
        told = f"{value:.4g}" if isinstance(value, float) else str(value)
        leaf = name.rsplit(".", 1)[-1]
        speaks_for_itself = isinstance(value, str) and leaf in ("arm", "name", "config")
        shown = leaf if leaves[leaf] == 1 else name
        parts.append(Path(told).stem if leaf == "config" else told)
        if not speaks_for_itself:
            parts[-1] = f"{shown}={told}"
    return ", ".join(parts) or "all"
