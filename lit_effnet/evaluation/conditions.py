"""Conditions of an evaluation: clean images or a corruption of them, given by name or group."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from lit_effnet.data.corruptions.corruption import Corruption
from lit_effnet.data.corruptions.noise import GaussianNoise
from lit_effnet.data.corruptions.registry import GROUPS, REGISTRY, SEVERITIES, Scale, make

CLEAN, NOISE = "clean", "noise"
SIGMAS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4)  # of pixels from 0 to 1

CorruptAt = Literal["reference", "input"]


@dataclass(frozen=True)
class Condition:
    """Clean images, or a corruption of them.

    Args:
        corruption: Applied to each image; None for clean images.
        severity: 1 to 5, if the parameters are those of a severity.
        scale: Table of constants that the severity is taken from.
        corrupt_at: `reference` corrupts at the data set's reference size, before images are resized
            for the network, so that all networks see the same corrupted images. `input` corrupts
            at the network's input size. Clean images resized by way of the reference size have
            `reference` too, for comparison; None is the network's own view of clean images.
    """

    corruption: Corruption | None = None
    severity: int | None = None
    scale: Scale | None = None
    corrupt_at: CorruptAt | None = None

    @property
    def name(self) -> str:
        """The corruption's name, or `clean`."""
        return CLEAN if self.corruption is None else self.corruption.name

    @property
    def parameters(self) -> dict[str, Any]:
        """The corruption's numbers, without the folder of frost's photographs."""
        values = {} if self.corruption is None else asdict(self.corruption)
        return {key: value for key, value in values.items() if not isinstance(value, str)}

    @property
    def label(self) -> str:
        """Name and level, as `--conditions` takes them."""
        if self.severity is not None:
            return f"{self.name}:{self.severity}"
        level = ":".join(f"{key}={value:g}" for key, value in self.parameters.items())
        return f"{self.name}:{level}" if level else self.name


@dataclass(frozen=True)
class ConditionOptions:
    """Options that apply to all conditions of an evaluation.

    Args:
        scale: Table of constants of the five severities.
        corrupt_at: Size at which images are corrupted, see `Condition`.
        sigmas: Levels of the curve of Gaussian noise.
        frost_images: Folder of the benchmark's five frost photographs.
    """

    scale: Scale
    corrupt_at: CorruptAt = "reference"
    sigmas: Sequence[float] = SIGMAS
    frost_images: Path | None = None

    def severity(self, name: str, severity: int) -> Condition:
        """Return a corruption at a severity.

        Raises:
            ValueError: an unknown name or severity, or frost without its photographs.
        """
        corruption = make(name, severity, self.scale, self.frost_images)
        return Condition(corruption, severity, self.scale, self.corrupt_at)

    def level(self, corruption: Corruption) -> Condition:
        """Return a corruption with parameters of its own."""
        return Condition(corruption, corrupt_at=self.corrupt_at)


def parse_conditions(text: str, options: ConditionOptions) -> list[Condition]:
    """Return the conditions of a list such as `clean,fog,contrast:3,gaussian_noise:sigma=0.1`.

    `noise` is a curve of Gaussian noise, and shot, impulse and speckle noise at five severities.
    `corruptions` are the 15 of ImageNet-C at five severities, of which `blur`, `weather` and
    `digital` are parts; `extra` are the other four. Groups leave out frost if its photographs are
    not given.

    Raises:
        ValueError: an unknown name or level.
    """
    conditions: dict[Condition, None] = {}
    for word in filter(None, (word.strip() for word in text.split(","))):
        conditions.update(dict.fromkeys(_parse_word(word, options)))
    if not conditions:
        raise ValueError(f"conditions {text!r}: must name one at least: {_accepted()}")
    return list(conditions)


def parse_sigmas(text: str) -> list[float]:
    """Return the numbers of a list such as `0.05,0.1`.

    Raises:
        ValueError: a word that is not a number.
    """
    try:
        return [float(word) for word in text.strip("[] ").split(",")]
    except ValueError:
        raise ValueError(f"sigmas {text!r}: must be numbers with commas, as 0.05,0.1") from None


def _parse_word(word: str, options: ConditionOptions) -> Iterator[Condition]:
    name, colon, level = word.partition(":")
    if colon and name in (CLEAN, *GROUPS):
        raise ValueError(f"conditions {word!r}: {name} has no level")
    if name == CLEAN:
        yield Condition()
        return
    if colon and name in REGISTRY:
        yield _at_level(word, name, level, options)
        return
    if name == NOISE:  # the curve replaces the severities of Gaussian noise
        yield from (options.level(GaussianNoise(sigma)) for sigma in options.sigmas)
        noises = [n for n, entry in REGISTRY.items() if entry.family == NOISE]
        names = [member for member in noises if member != GaussianNoise.name]
    elif name in GROUPS:
        without = () if options.frost_images else ("frost",)
        names = [member for member in GROUPS[name] if member not in without]
    elif name in REGISTRY:
        names = [name]
    else:
        near = get_close_matches(name, dict.fromkeys([CLEAN, *GROUPS, *REGISTRY]), n=3)
        nearest = f"nearest: {', '.join(near)}" if near else _accepted()
        raise ValueError(f"conditions {word!r}: no such condition; {nearest}")
    for member in names:
        yield from (options.severity(member, severity) for severity in SEVERITIES)


def _at_level(word: str, name: str, level: str, options: ConditionOptions) -> Condition:
    if level.isdecimal():
        if int(level) not in SEVERITIES:
            raise ValueError(f"conditions {word!r}: a severity must be from 1 to 5")
        return options.severity(name, int(level))
    corruption = REGISTRY[name].corruption
    kinds = {field.name: field.type for field in fields(corruption)}
    photographs = kinds.pop("folder", None)  # of frost; given by `frost_images`
    form = ":".join(f"{key}=NUMBER" for key in kinds)
    wrong = f"conditions {word!r}: a level must be a severity from 1 to 5, or {form}"
    parts = [part.split("=") for part in level.split(":")]
    if sorted(part[0] for part in parts) != sorted(kinds) or {len(part) for part in parts} != {2}:
        raise ValueError(wrong)
    values: dict[str, Any] = {}
    for key, text in parts:
        try:
            number = float(text)
        except ValueError:
            raise ValueError(wrong) from None
        # A field that must be whole refuses other numbers itself.
        whole = kinds[key] is int and number.is_integer()
        values[key] = bool(number) if kinds[key] is bool else int(number) if whole else number
    if photographs is not None:
        values["folder"] = getattr(options.severity(name, 1).corruption, "folder", None)
    try:
        return options.level(corruption(**values))
    except ValueError as error:
        raise ValueError(f"{wrong} ({error})") from error


def _accepted() -> str:
    groups = dict.fromkeys([NOISE, "corruptions", *GROUPS])
    return ", ".join((CLEAN, *groups, *REGISTRY))
