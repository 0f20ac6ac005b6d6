"""What a network is evaluated under: clean images, or a corruption of them; by name or family."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from lit_effnet.data.corruptions.corruption import Corruption
from lit_effnet.data.corruptions.families import (
    CLASSES,
    CORRUPTIONS,
    FAMILIES,
    SEVERITIES,
    Scale,
    make,
)
from lit_effnet.data.corruptions.noise import GaussianNoise

CLEAN = "clean"
SIGMAS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4)  # of pixels from 0 to 1

MadeAt = Literal["reference", "input"]


@dataclass(frozen=True)
class Condition:
    """Clean images, or a corruption of them.

    Args:
        corruption: What happens to the image; null for a clean one.
        severity: 1 to 5, where the parameters are those of a severity.
        severities: For which images that severity's constants were made.
        made_at: At the data set's reference size, before the resize to the network's, where all
            networks see the same corrupted images; or at the network's input size. A clean
            condition has `reference` where images pass that size all the same, so that others
            can be compared with it; null is the network's own view of them.
    """

    corruption: Corruption | None = None
    severity: int | None = None
    severities: Scale | None = None
    made_at: MadeAt | None = None

    @property
    def name(self) -> str:
        """The corruption's name, or `clean`."""
        return CLEAN if self.corruption is None else self.corruption.name

    @property
    def parameters(self) -> dict[str, Any]:
        """The corruption's numbers; where its photographs lie is not among them."""
        told = {} if self.corruption is None else asdict(self.corruption)
        return {key: value for key, value in told.items() if not isinstance(value, str)}

    @property
    def label(self) -> str:
        """Name and level, as `--conditions` takes them."""
        if self.severity is not None:
            return f"{self.name}:{self.severity}"
        level = ":".join(f"{key}={value:g}" for key, value in self.parameters.items())
        return f"{self.name}:{level}" if level else self.name


@dataclass(frozen=True)
class Choices:
    """What the names of conditions leave open.

    Args:
        severities: Whose constants the five severities have.
        made_at: Where corruptions are made.
        sigmas: Levels of the curve of Gaussian noise.
        frost_images: Folder of the benchmark's five frost photographs.
    """

    severities: Scale
    made_at: MadeAt = "reference"
    sigmas: Sequence[float] = SIGMAS
    frost_images: Path | None = None

    def severity(self, name: str, severity: int) -> Condition:
        """A corruption at a severity.

        Raises:
            ValueError: there is none such.
        """
        corruption = make(name, severity, self.severities, self.frost_images)
        return Condition(corruption, severity, self.severities, self.made_at)

    def level(self, corruption: Corruption) -> Condition:
        """A corruption with parameters of its own."""
        return Condition(corruption, made_at=self.made_at)


def named(words: str, choices: Choices) -> list[Condition]:
    """The conditions of a list like `clean,noise,fog,contrast:3,gaussian_noise:sigma=0.1`.

    `noise` is a curve of Gaussian noise and shot, impulse and speckle noise at five severities;
    `corruptions` the 15 of ImageNet-C at five severities, without frost where its photographs are
    not at hand; `blur`, `weather`, `digital` and `extra` are parts of it.

    Raises:
        ValueError: an unknown name or level.
    """
    found: dict[Condition, None] = {}
    for word in filter(None, (word.strip() for word in words.split(","))):
        found.update(dict.fromkeys(_of_word(word, choices)))
    if not found:
        raise ValueError(f"conditions {words!r}: must name one at least: {_accepted()}")
    return list(found)


def levels(text: str) -> list[float]:
    """The numbers of a list like `0.05,0.1`.

    Raises:
        ValueError: what is no number.
    """
    try:
        return [float(word) for word in text.strip("[] ").split(",")]
    except ValueError:
        raise ValueError(f"sigmas {text!r}: must be numbers with commas, as 0.05,0.1") from None


def _of_word(word: str, choices: Choices) -> Iterator[Condition]:
    name, colon, level = word.partition(":")
    if colon and name in (CLEAN, "noise", *FAMILIES, "corruptions"):
        raise ValueError(f"conditions {word!r}: {name} has no level")
    if name == CLEAN:
        yield Condition()
        return
    families = {**FAMILIES, "corruptions": CORRUPTIONS}
    if colon and name in CLASSES:
        yield _at_level(word, name, level, choices)
        return
    if name == "noise":  # more than the benchmark's family of that name
        yield from (choices.level(GaussianNoise(sigma)) for sigma in choices.sigmas)
        names: Sequence[str] = ("shot_noise", "impulse_noise", "speckle_noise")
    elif name in families:
        without = () if choices.frost_images else ("frost",)
        names = [member for member in families[name] if member not in without]
    elif name in CLASSES:
        names = (name,)
    else:
        near = get_close_matches(name, dict.fromkeys([CLEAN, *families, *CLASSES]), n=3)
        nearest = f"nearest: {', '.join(near)}" if near else _accepted()
        raise ValueError(f"conditions {word!r}: no such condition; {nearest}")
    for member in names:
        yield from (choices.severity(member, severity) for severity in SEVERITIES)


def _at_level(word: str, name: str, level: str, choices: Choices) -> Condition:
    if level.isdecimal():
        if int(level) not in SEVERITIES:
            raise ValueError(f"conditions {word!r}: a severity must be from 1 to 5")
        return choices.severity(name, int(level))
    kinds = {field.name: field.type for field in fields(CLASSES[name])}
    photographs = kinds.pop("folder", None)  # frost's, which `frost_images` names
    form = ":".join(f"{key}=NUMBER" for key in kinds)
    wrong = f"conditions {word!r}: a level must be a severity from 1 to 5, or {form}"
    parts = [part.split("=") for part in level.split(":")]
    if sorted(part[0] for part in parts) != sorted(kinds) or {len(part) for part in parts} != {2}:
        raise ValueError(wrong)
    given: dict[str, Any] = {}
    for key, text in parts:
        try:
            number = float(text)
        except ValueError:
            raise ValueError(wrong) from None
        # What must be whole says so itself where it is not.
        whole = kinds[key] is int and number.is_integer()
        given[key] = bool(number) if kinds[key] is bool else int(number) if whole else number
    if photographs is not None:
        given["folder"] = getattr(choices.severity(name, 1).corruption, "folder", None)
    try:
        return choices.level(CLASSES[name](**given))
    except ValueError as error:
        raise ValueError(f"{wrong} ({error})") from error


def _accepted() -> str:
    return ", ".join(
        (CLEAN, "noise", "corruptions", *(f for f in FAMILIES if f != "noise"), *CLASSES)
    )
