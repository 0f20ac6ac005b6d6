"""Compose the configurations of a grid's points from those of its single values.

`fit`'s parser takes some milliseconds for a configuration of two hundred flags. A grid of a hundred
values and a hundred random seeds has ten thousand points, but only two hundred values to parse.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from jsonargparse import Namespace

from lit_effnet.trials.distributions import KeyPath, Parameter, flat, nested

# The flags that a value of a parameter changes, with their new values.
Changes = Mapping[str, Any]


class Composer:
    """Composes the configurations of points without parsing each.

    It parses a whole point if a value changes more than its own flag, as another `config` file
    does, or if the sweep draws values from a distribution.

    Args:
        parse: Parser of a point; raises ValueError.
        parameters: Section `parameters` of the sweep file.
        linked: Names of the arguments that follow from flags.
    """

    def __init__(
        self,
        parse: Callable[[Mapping[str, Any]], Any],
        parameters: Mapping[str, Any],
        linked: Collection[str],
    ) -> None:
        self._parse, self._linked = parse, linked
        self._parameters: list[Parameter] = list(flat(parameters))
        self._counted = all({"value", "values"} & p.config.keys() for p in self._parameters)
        self._changes: dict[str, Changes | None] = {}
        self._plain: Any = None
        self._plain_leaves: dict[str, str] = {}

    def config(self, point: Mapping[str, Any]) -> Any:
        """Return the configuration of a point.

        Raises:
            ValueError: the parser refuses the point.
        """
        try:
            changes = self._all_changes(point) if self._counted else None
        except ValueError:  # parsing the whole point gives the message
            changes = None
        return self._parse(point) if changes is None else self._changed(changes)

    def learn(self, parameter: Parameter, value: Any) -> Changes | None:
        """Return what one value changes; None if that is more than its own flag.

        Raises:
            ValueError: the parser refuses the value.
        """
        # By repr, since 1, 1.0 and True are equal.
        key = f"{'.'.join(parameter.path)}={value!r}"
        if key not in self._changes:
            self._changes[key] = self._changes_by(parameter, value)
        return self._changes[key]

    def _all_changes(self, point: Mapping[str, Any]) -> Changes | None:
        """Return what all values of a point change; None if they may depend on one another."""
        together: dict[str, Any] = {}
        values: dict[KeyPath, Any] = {}
        for parameter in self._parameters:
            value: Any = point
            for part in parameter.path:
                value = value.get(part) if isinstance(value, Mapping) else None
            values[parameter.path] = value
            changes = self.learn(parameter, value)
            if changes is None or changes.keys() & together.keys():
                return None
            together.update(changes)
        # A file of parameters may have some that the sweep does not.
        return together if nested(values) == point else None

    def _changes_by(self, parameter: Parameter, value: Any) -> Changes | None:
        if self._plain is None:
            self._plain = self._parse({})
            self._plain_leaves = _leaves(self._plain)
        config = self._parse(nested({parameter.path: value}))
        leaves = _leaves(config)
        if leaves.keys() != self._plain_leaves.keys():
            return None
        changed = {name for name, text in leaves.items() if text != self._plain_leaves[name]}
        own = ".".join(parameter.path)
        if own not in leaves or not changed <= {own, *self._linked}:
            return None
        return {name: config[name] for name in changed}

    def _changed(self, changes: Changes) -> Any:
        """Return the plain configuration with these changes; unchanged sections are shared."""
        touched = {name.split(".")[0] for name in changes}
        config: Any = Namespace()  # type: ignore[no-untyped-call]
        for name, section in vars(self._plain).items():
            own = name in touched and isinstance(section, Namespace)
            config[name] = section.clone() if own else section
        for name, value in changes.items():
            config[name] = value
        return config


def _leaves(config: Any) -> dict[str, str]:
    """Return the repr of each flag's value, without the names of configuration files."""
    return {name: repr(value) for name, value in config.items() if name != "config"}
