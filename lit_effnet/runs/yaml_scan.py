"""Check a YAML text by its events, which build no values, before parsing it."""

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

import yaml

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MOST_VALUES = 200_000  # of a file, with its aliases expanded
MERGE = "<<"
TEXT = "tag:yaml.org,2002:str"
INTEGER = "tag:yaml.org,2002:int"
KINDS = {"int": "a number", "float": "a number", "bool": "true or false", "null": "null"}

# Lightning and torch accept mappings by epoch number, but only below the groups of flags.
TEXT_KEYS_DOWN_TO = 2

_RESOLVER = yaml.SafeLoader("")


class DocumentError(ValueError):
    """A user's file cannot be used; the message is one line."""


@dataclass
class _Open:
    """A list or mapping that has not ended yet."""

    anchor: str | None
    before: int  # number of values before it
    is_mapping: bool
    keys: dict[str, int] = field(default_factory=dict)
    at: str | int = -1  # the last key or index
    wants_key: bool = True


@dataclass
class _Scan:
    name: str
    deepest: int
    whole: Container[int]
    values: int = 0
    open: list[_Open] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)  # of anchored values that have ended

    def take(self, event: Any) -> None:
        """Count and check one event."""
        if isinstance(event, yaml.CollectionEndEvent):
            self._end()
        elif isinstance(event, yaml.NodeEvent):
            key = bool(self.open) and self.open[-1].is_mapping and self.open[-1].wants_key
            self._place(event, key)
            if isinstance(event, yaml.AliasEvent):
                self._alias(event)
            else:
                self._node(event)
            if self.values > MOST_VALUES:
                raise self._error(event, f"expands to more than {MOST_VALUES:,} values")

    def _place(self, event: Any, key: bool) -> None:
        if not self.open:
            return
        parent = self.open[-1]
        if not parent.is_mapping:
            parent.at = int(parent.at) + 1
        elif key:
            self._key(event, parent)
        parent.wants_key = not key

    def _key(self, event: Any, parent: _Open) -> None:
        line = event.start_mark.line + 1
        parent.at = str(getattr(event, "value", "?"))[:40]
        if not isinstance(event, yaml.ScalarEvent):
            raise self._error(event, "a key must be text")
        name = event.value
        if name == MERGE:
            return
        tag = _tag(event).rsplit(":", 1)[-1]
        inner = len(self.open) > TEXT_KEYS_DOWN_TO and tag == "int"
        if tag != "str" and not inner:
            kind = KINDS.get(tag, "no text")
            raise self._error(event, f"a key must be text, and is {kind}: put it in quotes")
        if not name:
            raise self._error(event, "a key must be text, and is empty")
        if name in parent.keys:
            raise self._error(event, f"given twice, first on line {parent.keys[name]}")
        parent.keys[name] = line

    def _alias(self, event: Any) -> None:
        if any(parent.anchor == event.anchor for parent in self.open):
            raise self._error(event, "contains itself")
        self.values += self.sizes.get(event.anchor, 1)

    def _node(self, event: Any) -> None:
        self.values += 1
        if event.tag not in (None, TEXT):
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise self._error(event, f"the tag {tag:.40} must be left out")
        if isinstance(event, yaml.ScalarEvent):
            self._check_integer(event)
            if event.anchor:
                self.sizes[event.anchor] = 1
            return
        self.open.append(
            _Open(event.anchor, self.values - 1, isinstance(event, yaml.MappingStartEvent))
        )
        if len(self.open) > self.deepest:
            self.open.pop()
            raise self._error(event, f"must be nested at most {self.deepest} deep")

    def _check_integer(self, event: Any) -> None:
        value = event.value
        if len(value) < 19 or not event.implicit[0]:
            return
        if _tag(event) != INTEGER:
            return
        try:
            fits = (
                len(value) < 100
                and _RESOLVER.construct_yaml_int(yaml.ScalarNode(INTEGER, value)) in self.whole
            )
        except ValueError:
            fits = True  # invalid, which the constructor will report
        if not fits:
            raise self._error(event, f"the integer {value:.30}: must have at most 64 bits")

    def _end(self) -> None:
        ended = self.open.pop()
        if ended.anchor:
            self.sizes[ended.anchor] = self.values - ended.before

    def _error(self, event: Any, message: str) -> DocumentError:
        path = ".".join(str(parent.at) for parent in self.open[:8] if parent.at != -1)
        named = f"{path}: " if path else ""
        return DocumentError(f"{place(self.name, event.start_mark.line + 1)}{named}{message}")


def _tag(event: Any) -> str:
    """Return the type that YAML gives a plain scalar."""
    resolve: Any = _RESOLVER.resolve
    return str(resolve(yaml.ScalarNode, event.value, event.implicit))


def scan(text: str, name: str, *, deepest: int, whole: Container[int]) -> None:
    """Check a YAML text.

    Args:
        text: The text.
        name: The file, for messages; empty for a value of the command line.
        deepest: Largest depth of nesting.
        whole: Accepted integers.

    Raises:
        DocumentError: It breaks a rule; the message has file, line and key.
    """
    scanned = _Scan(name, deepest, whole)
    try:
        for event in yaml.parse(text, Loader=LOADER):
            scanned.take(event)
    except yaml.YAMLError as error:
        raise DocumentError(not_yaml(name, error)) from error
    except UnicodeError as error:  # a surrogate, as in undecodable file names
        raise DocumentError(f"{place(name)}not YAML: holds half a character") from error


def place(name: str, line: int = 0) -> str:
    """Return the beginning of a message: FILE:LINE, as far as known."""
    if not name:
        return f"line {line}: " if line > 1 else ""
    return f"{name}:{line}: " if line else f"{name}: "


def not_yaml(name: str, error: yaml.YAMLError) -> str:
    """Return the message for a text that is not YAML."""
    mark = getattr(error, "problem_mark", None)
    reason = " ".join(str(getattr(error, "problem", None) or error).split())
    return f"{place(name, mark.line + 1 if mark else 0)}not YAML: {reason}"
