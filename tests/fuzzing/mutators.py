"""Damage a file as people, editors, disks and programs do; the same seed gives the same damage."""

import json
import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import yaml

GROUPS = ("scaling", "model", "data", "recipe", "weights", "trainer", "run")
NO_GROUPS: tuple[Any, ...] = (2, 1.5, True, float("nan"), None, [], ["b3"], [{"depth": 2}])
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 3, 1.5, -0.0, 1e-320, 1e308),
    *(float("inf"), float("-inf"), float("nan"), 2**31, 2**53 + 1, 2**63, 2**64, 10**400),
    *(
        "",
        " ",
        "abc",
        "null",
        "1e-5",
        "2026-13-01",
        "a: b",
        "*a",
        "../../x",
        "x" * 3000,
        "\x1b[31m",
    ),
    *("\u202e", "\U0001f600", "\ud800", "~", "--", "/", "%s", "${args}", "{}", "auto", "nan"),
    *([], {}, [[]], [None], ["a", 1], {"a": 1}, {"": {}}, {"a": {"b": [1]}}, [1, 2, 3], [0.1] * 40),
)
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)

Path_ = tuple[Any, ...]


@dataclass(frozen=True)
class Mutant:
    """A damaged file.

    Args:
        how: The name of what was done to it.
        content: Its bytes.
        refused: Whether it must be refused, since a group is of another type.
    """

    how: str
    content: bytes
    refused: bool = False


def mutate(content: bytes, language: str, seed: str) -> Mutant:
    """Damage a file once or twice.

    Args:
        content: The whole file.
        language: yaml, json, jsonl or csv.
        seed: Any text.
    """
    generator = random.Random(seed)
    if language in TREES and generator.random() < 0.6:
        return _of_tree(content, language, generator)
    mutator = generator.choice(OF_BYTES + (OF_YAML if language == "yaml" else OF_JSON))
    return Mutant(mutator.__name__.strip("_"), mutator(content, generator))


def _of_tree(content: bytes, language: str, generator: random.Random) -> Mutant:
    load, dump = TREES[language]
    tree = load(content)
    named = tree if isinstance(tree, dict) and language == "yaml" else {}
    groups = [name for name in GROUPS if isinstance(named.get(name), dict)]
    if groups and generator.random() < 0.25:
        name = generator.choice(groups)
        tree[name] = generator.choice(NO_GROUPS)
        return Mutant(f"group {name}", dump(tree), refused=True)
    names = []
    for _ in range(generator.choice((1, 1, 1, 2))):
        change = generator.choice(OF_TREES)
        places = [*_places(tree)]
        if places:
            change(tree, generator.choice(places), generator)
            names.append(change.__name__.strip("_"))
    return Mutant("+".join(names), dump(tree))


def _places(tree: Any, above: Path_ = ()) -> Iterator[Path_]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        yield (*above, key)
        if isinstance(value, dict | list):
            yield from _places(value, (*above, key))


def _parent(tree: Any, place: Path_) -> Any:
    for key in place[:-1]:
        tree = tree[key]
    return tree


def _replace(tree: Any, place: Path_, generator: random.Random) -> None:
    _parent(tree, place)[place[-1]] = deepcopy(generator.choice(ODD))


def _nudge(tree: Any, place: Path_, generator: random.Random) -> None:
    """A value of its own kind that may be out of bounds."""
    parent, key = _parent(tree, place), place[-1]
    value = parent[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        parent[key] = str(value)[: generator.randrange(1 + len(str(value)))]
    else:
        parent[key] = generator.choice(
            (-value, value + 0.5, value * 1000, value * 1e30, 0, f"{value}")
        )


def _delete(tree: Any, place: Path_, _: random.Random) -> None:
    parent = _parent(tree, place)
    del parent[place[-1]]


def _rename(tree: Any, place: Path_, generator: random.Random) -> None:
    parent, key = _parent(tree, place), place[-1]
    if isinstance(parent, dict):
        named = (
            f"{key}x",
            str(key)[:-1],
            key.upper() if isinstance(key, str) else key,
            1,
            None,
            "",
        )
        parent[generator.choice(named)] = parent.pop(key)


def _wrap(tree: Any, place: Path_, generator: random.Random) -> None:
    parent, key = _parent(tree, place), place[-1]
    parent[key] = generator.choice(([parent[key]], {"value": parent[key]}, {str(key): parent[key]}))


def _deepen(tree: Any, place: Path_, generator: random.Random) -> None:
    parent, key, depth = _parent(tree, place), place[-1], generator.choice((20, 60, 150))
    for _ in range(depth):
        parent[key] = [parent[key]]


def _move(tree: Any, place: Path_, generator: random.Random) -> None:
    other = generator.choice([*_places(tree)])
    value = deepcopy(_parent(tree, place)[place[-1]])
    _parent(tree, other)[other[-1]] = value


def _lengthen(tree: Any, place: Path_, generator: random.Random) -> None:
    value = _parent(tree, place)[place[-1]]
    if isinstance(value, list):
        value += [deepcopy(generator.choice(ODD))] * generator.choice((1, 3, 300))
    elif isinstance(value, dict):
        value["one_more"] = deepcopy(generator.choice(ODD))


def _truncate(content: bytes, generator: random.Random) -> bytes:
    return content[: generator.randrange(len(content) + 1)]


def _flip(content: bytes, generator: random.Random) -> bytes:
    flipped = bytearray(content)
    for _ in range(generator.choice((1, 1, 8))):
        flipped[generator.randrange(len(flipped))] ^= 1 << generator.randrange(8)
    return bytes(flipped)


def _insert(content: bytes, generator: random.Random) -> bytes:
    at = generator.randrange(len(content) + 1)
    return content[:at] + generator.choice(PIECES) + content[at:]


def _zeros(content: bytes, generator: random.Random) -> bytes:
    at = generator.randrange(len(content) + 1)
    return content[:at] + bytes(generator.choice((1, 4096))) + content[at:]


def _line_twice(content: bytes, generator: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    at = generator.randrange(len(lines))
    return b"".join([*lines[: at + 1], lines[at], *lines[at + 1 :]])


def _line_out(content: bytes, generator: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    del lines[generator.randrange(len(lines))]
    return b"".join(lines)


def _indent(content: bytes, generator: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    at = generator.randrange(len(lines))
    lines[at] = generator.choice((b" ", b"\t", b"  ")) + lines[at]
    return b"".join(lines)


def _encode(content: bytes, generator: random.Random) -> bytes:
    text = content.decode() + "# \xe9\n"
    return text.encode(
        generator.choice(("utf-16", "utf-16-le", "latin-1", "utf-32", "utf-8-sig")), "replace"
    )


def _other_file(_: bytes, generator: random.Random) -> bytes:
    return generator.choice(FILES)


def _brackets(content: bytes, generator: random.Random) -> bytes:
    count = generator.choice((3000, 100_000))
    return generator.choice((b"[" * count, b"[" * count + b"]" * count, b'{"a":' * count))


def _self_reference(content: bytes, generator: random.Random) -> bytes:
    return content + generator.choice(
        (b"self: &self [*self]\n", b"self: &self {<<: *self}\n", b"x: *none\n")
    )


def _bomb(content: bytes, _: random.Random) -> bytes:
    return BOMB.encode() + content


def _alias(content: bytes, generator: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    at = generator.randrange(len(lines))
    lines[at] = lines[at].replace(b": ", b": &a " if generator.random() < 0.5 else b": !!set ", 1)
    return b"".join([*lines, b"again: *a\n"])


PIECES = (
    *(
        b"\x00",
        b"\xff",
        b"\t",
        b"\r",
        b"\n",
        b"\n\n",
        b"'",
        b'"',
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b": ",
        b"#",
    ),
    *(
        b"&a ",
        b"*a",
        b"<<: ",
        b"!!",
        b"!!python/object:os.system ",
        b"%",
        b"---\n",
        b"...\n",
        b"|",
        b">",
        b"? ",
    ),
    *(
        b"1: random\n",
        b"NaN",
        b"Infinity",
        b"-",
        b",",
        b"\\",
        b"\\ud800",
        b"\xed\xa0\x80",
        "\u2028".encode(),
        b"x" * 140_000,
    ),
)
FILES = (
    *(
        b"",
        b"\n",
        b"null\n",
        b"3\n",
        b"[]\n",
        b"{}\n",
        b"text\n",
        b"- a\n",
        b"PK\x03\x04" + bytes(60),
    ),
    *(
        bytes(range(256)),
        b"\x89PNG\r\n\x1a\n" + bytes(99),
        b"a: 1\n" * 3,
        b"1: 2\n",
        b'{"a": 1, "a": 2}\n',
    ),
)
OF_TREES = (
    _replace,
    _replace,
    _replace,
    _nudge,
    _nudge,
    _delete,
    _rename,
    _wrap,
    _deepen,
    _move,
    _lengthen,
)
OF_BYTES = (
    _truncate,
    _flip,
    _insert,
    _insert,
    _zeros,
    _line_twice,
    _line_out,
    _encode,
    _other_file,
    _brackets,
)
OF_YAML = (_indent, _self_reference, _bomb, _alias)
OF_JSON = (_line_twice, _truncate)


def _load_lines(content: bytes) -> Any:
    return [json.loads(line) for line in content.splitlines()]


def _dump_lines(tree: Any) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in tree)


def _load_rows(content: bytes) -> Any:
    return [line.split(",") for line in content.decode().splitlines()]


def _dump_rows(tree: Any) -> bytes:
    lines = [",".join(map(str, row)) if isinstance(row, list) else str(row) for row in tree]
    return "\n".join(lines).encode(errors="replace") + b"\n"


def _dump_yaml(tree: Any) -> bytes:
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True).encode(errors="surrogatepass")


TREES: dict[str, tuple[Callable[[bytes], Any], Callable[[Any], bytes]]] = {
    "yaml": (yaml.safe_load, _dump_yaml),
    "json": (json.loads, lambda tree: json.dumps(tree).encode()),
    "jsonl": (_load_lines, _dump_lines),
    "csv": (_load_rows, _dump_rows),
}
