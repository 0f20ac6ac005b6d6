"""Schema of a sweep's parameters: W&B's, and what it accepts but cannot run."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lit_effnet.trials.distributions import DEPRECATED, DISTRIBUTIONS, KeyPath, distribution_of
from lit_effnet.trials.finding import Finding, is_number, nearest, not_a_number, unknown_keys
from lit_effnet.trials.search import GRID_DISTRIBUTIONS, canonical_yaml

PARAMETER_KEYS = ("distribution", *dict.fromkeys(k for d in DISTRIBUTIONS.values() for k in d.all))

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def check_parameters(section: Any, place: KeyPath, method: Any) -> Iterator[Finding]:
    """Yield the mistakes in a section `parameters`, with nested ones."""
    if not isinstance(section, dict) or not section:
        yield place, "must hold at least one parameter, like `width: {values: [1.0, 1.1]}`"
        return
    for name, spec in section.items():
        here = (*place, str(name))
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            yield here, "a name must have letters, digits, _ . - only, and begin with a letter or _"
        if not isinstance(spec, dict):
            like = "values: [...]" if isinstance(spec, list) else "value: ..."
            yield here, f"must be a mapping, like `{like}`"
        elif "parameters" in spec:
            for key in spec.keys() - {"parameters"}:
                yield (*here, str(key)), "cannot stand beside nested `parameters`"
            yield from check_parameters(spec["parameters"], (*here, "parameters"), method)
        else:
            yield from _check_parameter(spec, here, method)


def _check_parameter(spec: Mapping[str, Any], place: KeyPath, method: Any) -> Iterator[Finding]:
    unknown = list(unknown_keys(spec, (*PARAMETER_KEYS, "parameters"), place))
    yield from unknown
    distribution = distribution_of(spec)
    if distribution is None:
        if not unknown:
            ways = "value, values, min and max, distribution or parameters"
            yield place, f"must have one of: {ways}"
    elif distribution not in DISTRIBUTIONS:
        near = nearest(distribution, DISTRIBUTIONS)
        yield (*place, "distribution"), f"{spec['distribution']!r} is no distribution; {near}"
    else:
        yield from _check_keys(distribution, spec, place, misspelt=bool(unknown))
        yield from _check_values(distribution, spec, place)
        yield from _check_distribution(distribution, spec, place, method)


def _check_keys(
    distribution: str, spec: Mapping[str, Any], place: KeyPath, *, misspelt: bool
) -> Iterator[Finding]:
    keys = DISTRIBUTIONS[distribution]
    for key in spec:
        if key in PARAMETER_KEYS and key not in (*keys.all, "distribution"):
            takes = ", ".join(keys.all)
            yield (*place, key), f"is not a key of {distribution}, which takes {takes}"
    missing = [key for key in keys.needed if key not in spec]
    if missing and not misspelt:  # otherwise the misspelt key is the missing one
        yield place, f"{distribution} needs {' and '.join(missing)}"


def _check_distribution(
    distribution: str, spec: Mapping[str, Any], place: KeyPath, method: Any
) -> Iterator[Finding]:
    if distribution in DEPRECATED:
        yield (
            (*place, "distribution"),
            f"{distribution} reads min and max as exponents of e, and W&B refuses it: "
            f"use {distribution}_values",
        )
    if method == "grid" and distribution not in GRID_DISTRIBUTIONS:
        without = " without probabilities" if "values" in spec else ""
        yield (
            place,
            f"a grid cannot count {distribution}: use values{without}, whole min and max, "
            "or q_uniform",
        )
    bounds = [spec.get(key) for key in ("min", "max")]
    if "distribution" not in spec and {type(bound) for bound in bounds} == {int, float}:
        yield (
            place,
            "min and max are of two types: write both with a point, or both without",
        )
    if method == "grid" and distribution == "categorical":
        yield from _duplicates(spec.get("values"), (*place, "values"))


def _check_values(distribution: str, spec: Mapping[str, Any], place: KeyPath) -> Iterator[Finding]:
    for key in DISTRIBUTIONS[distribution].all:
        if key not in spec:
            continue
        value, here = spec[key], (*place, key)
        if key == "value":
            yield from _check_plain(value, here)
        elif key in ("values", "probabilities"):
            yield from _check_list(key, value, here)
        elif not is_number(value) or not math.isfinite(value):
            yield here, not_a_number(value)
        elif key in ("q", "sigma", "a", "b") and value <= 0:
            yield here, f"{value}: must be above 0"
        elif key == "min" and distribution.endswith("_values") and value <= 0:
            yield here, f"{value}: must be above 0, its logarithm is taken"
        elif distribution == "int_uniform" and not isinstance(value, int):
            yield here, f"{value}: must be a whole number for int_uniform"
    yield from _check_together(spec, place)


def _check_list(key: str, items: Any, place: KeyPath) -> Iterator[Finding]:
    if not isinstance(items, list) or not items:
        yield place, "must be a list with at least one item, like [1, 2]"
        return
    for index, item in enumerate(items):
        here = (*place, str(index))
        if key == "values":
            yield from _check_plain(item, here)
        elif not is_number(item) or not 0 <= item <= math.inf:
            yield here, f"{item!r}: must be a number of at least 0"


def _check_together(spec: Mapping[str, Any], place: KeyPath) -> Iterator[Finding]:
    low, high = spec.get("min"), spec.get("max")
    if is_number(low) and is_number(high) and low >= high:  # type: ignore[operator]
        yield (*place, "min"), f"min {low} must be below max {high}"
    values, probabilities = spec.get("values"), spec.get("probabilities")
    if not (isinstance(values, list) and isinstance(probabilities, list)):
        return
    if len(values) != len(probabilities):
        sizes = f"{len(probabilities)} probabilities for {len(values)} values"
        yield (*place, "probabilities"), f"{sizes}: must be equally many"
    elif all(map(is_number, probabilities)):
        total = sum(probabilities)
        if not abs(total - 1) <= 1e-8 + 1e-5:  # W&B's tolerance; NaN fails too
            yield (*place, "probabilities"), f"their sum is {total:g}: must be 1"


def _check_plain(value: Any, place: KeyPath) -> Iterator[Finding]:
    """Yield values that JSON cannot hold, such as the date that YAML makes of 2026-01-31."""
    if isinstance(value, list):
        for item in value:
            yield from _check_plain(item, place)
    elif isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            yield place, "has keys that are not text: put them in quotes"
        for item in value.values():
            yield from _check_plain(item, place)
    elif not (value is None or isinstance(value, str | int | float)):
        yield place, f"is a {type(value).__name__} in YAML: put it in quotes"


def _duplicates(values: Any, place: KeyPath) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for index, value in enumerate(values if isinstance(values, Sequence) else ()):
        if first.setdefault(canonical_yaml(value), index) != index:
            yield (*place, str(index)), f"{value!r} is there twice: W&B runs one trial of it"
