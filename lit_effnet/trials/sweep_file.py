"""Read a W&B sweep file, and find all its mistakes at once, with their lines."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from lit_effnet.runs.documents import MOST_YAML, load_yaml, read_text
from lit_effnet.runs.messages import one_line
from lit_effnet.runs.yaml_scan import LOADER
from lit_effnet.trials.command import DEFAULT_COMMAND
from lit_effnet.trials.schema import violations

_MERGE = "tag:yaml.org,2002:merge"
SEED = "seed_everything"  # the parameter whose values are the repeats of an arm
SWEEPS = Path("sweeps")  # in the project's folder


@dataclass(frozen=True)
class Problem:
    """One mistake in a sweep file."""

    file: Path
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return one_line(f"{self.file}:{self.line}: {key}{self.message}")


@dataclass(frozen=True)
class Sweep:
    """A sweep file's content, and the line of each of its keys.

    Args:
        path: The file, as the user named it.
        config: Its parsed content.
        lines: Lines from 1 by key; items of lists by index.
    """

    path: Path
    config: dict[str, Any]
    lines: Mapping[tuple[str, ...], int]

    @property
    def name(self) -> str:
        """The sweep's name; by default the file's, without its suffix."""
        return str(self.config.get("name") or self.path.stem)

    @property
    def method(self) -> str:
        """Search method: grid, random or bayes."""
        return str(self.config["method"])

    @property
    def parameters(self) -> dict[str, Any]:
        """The section `parameters`."""
        parameters: dict[str, Any] = self.config["parameters"]
        return parameters

    @property
    def command(self) -> list[Any]:
        """The command with its macros; by default W&B's."""
        return list(self.config.get("command") or DEFAULT_COMMAND)

    @property
    def program(self) -> str | None:
        """The script to run; None if the file names none."""
        return self.config.get("program")

    @property
    def metric(self) -> dict[str, Any] | None:
        """The section `metric`; None without one."""
        return self.config.get("metric")

    @property
    def early_terminate(self) -> dict[str, Any] | None:
        """The section `early_terminate`; None without one."""
        return self.config.get("early_terminate")

    @property
    def run_cap(self) -> int | None:
        """Largest number of trials; None for no limit."""
        cap = self.config.get("run_cap")
        return None if cap is None else int(cap)

    def line(self, *key: str) -> int:
        """Return the line of a key, or of its nearest parent that is in the file."""
        while key and key not in self.lines:
            key = key[:-1]
        return self.lines.get(key, 1)


def load(path: Path, repeats: int | None = None) -> Sweep:
    """Read a sweep file without checking its content.

    Args:
        path: The file.
        repeats: Number of random seeds per arm; None for those of the file.

    Raises:
        ValueError: It cannot be read, is no YAML mapping, has a key twice, or has no list of random
            seeds to lengthen or shorten.
    """
    text = _read(path)
    config = load_yaml(text, str(path))
    root = yaml.compose(text, Loader=LOADER)
    if config is None or root is None:
        raise ValueError(f"{path}: is empty")
    if not isinstance(config, dict):
        raise ValueError(f"{path}: must be a mapping with method and parameters")
    lines: dict[tuple[str, ...], int] = {(): root.start_mark.line + 1}
    for key, line in _lines(root, ()):
        lines.setdefault(key, line)
    sweep = Sweep(path, config, lines)
    return sweep if repeats is None else _repeated(sweep, repeats)


def _repeated(sweep: Sweep, repeats: int) -> Sweep:
    """Return the sweep with so many random seeds: its own, and the integers after the last."""
    parameters = sweep.config.get("parameters")
    spec = parameters.get(SEED) if isinstance(parameters, dict) else None
    spec = spec if isinstance(spec, dict) else {}
    seeds = spec.get("values")
    if not (isinstance(seeds, list) and seeds and all(type(seed) is int for seed in seeds)):
        raise ValueError(
            f"{sweep.path}: has no list parameters.{SEED}.values for --repeats {repeats}"
        )
    more = range(max(seeds) + 1, max(seeds) + 1 + max(0, repeats - len(seeds)))
    varied = {**sweep.parameters, SEED: {**spec, "values": [*seeds, *more][:repeats]}}
    return replace(sweep, config={**sweep.config, "parameters": varied})


def problems(sweep: Sweep) -> list[Problem]:
    """Return all mistakes of a sweep, in the order of their lines.

    A mistake is what W&B refuses, or accepts and then runs otherwise than written.
    """
    mistakes = [
        Problem(sweep.path, sweep.line(*key), ".".join(key), message)
        for key, message in violations(sweep.config)
    ]
    return sorted(mistakes, key=lambda problem: problem.line)


def _read(path: Path) -> str:
    try:
        return read_text(path, MOST_YAML)
    except FileNotFoundError as error:
        beside = [f for f in sorted(path.parent.glob("*.yaml")) if f.name[0] != "."]
        files = {file.stem: str(file) for file in (*SWEEPS.glob("*.yaml"), *beside)}
        near = get_close_matches(path.stem, files, n=3, cutoff=0.4)
        near = near or [file.stem for file in beside[:5]]
        listed = f"; nearest: {', '.join(files[stem] for stem in near)}" if near else ""
        raise ValueError(f"{path}: no such file{listed}") from error
    except OSError as error:
        raise ValueError(f"{path}: cannot be read: {error.strerror}") from error


def _lines(node: yaml.Node, key: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield keys with their lines; keys merged by `<<` come after the mapping's own."""
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield (*key, str(index)), item.start_mark.line + 1
            yield from _lines(item, (*key, str(index)))
    if not isinstance(node, yaml.MappingNode):
        return
    for name, value in node.value:
        if name.tag == _MERGE:
            continue
        here = (*key, str(name.value))
        yield here, name.start_mark.line + 1
        yield from _lines(value, here)
    for name, value in node.value:
        if name.tag == _MERGE:
            merged = value.value if isinstance(value, yaml.SequenceNode) else [value]
            for source in merged:
                yield from _lines(source, key)
