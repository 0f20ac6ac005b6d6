"""Rewrite jsonargparse's errors as one line: what is wrong, where, and what is accepted."""

import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

EXPERIMENTS = Path("experiments")

KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "NoneType": "null",
    "str": "text",
}


def explain(message: str, keys: Sequence[str], arguments: Sequence[str]) -> str:
    """Return one line for an error of jsonargparse, which takes several.

    Args:
        message: The error.
        keys: Names of all flags, for the nearest spelling.
        arguments: Words of the command line.
    """
    if match := re.match(r"unrecognized arguments: (.*)", message, re.DOTALL):
        return _unknown_arguments(match[1].split(), keys)
    if match := re.match(r"(?:Group '(.+)' does not accept option|Option) '([^']+)'", message):
        key = f"{match[1]}.{match[2]}" if match[1] else match[2]
        return f"unknown key {key}{_in_config(arguments)}{_nearest(key, keys)}"
    if match := re.search(r"File does not exist: '(.*)'", message):
        return _no_such_file(match[1])
    if match := re.match(r"(?:Problems parsing|Unexpected) config: (.*)", message, re.DOTALL):
        reason = match[1].strip() or "it is empty"
        return f"not a configuration in YAML{_in_config(arguments)}: {reason}"
    if match := re.match(r'Parser key "([^"]+)":(.*)', message, re.DOTALL):
        return _bad_value(match[1], match[2], arguments)
    return message


def _unknown_arguments(arguments: Sequence[str], keys: Sequence[str]) -> str:
    flags = [argument.split("=")[0] for argument in arguments if argument.startswith("-")]
    if not flags:
        first = arguments[0] if arguments else ""
        return f"unexpected argument {first!r}: everything is given as --name value"
    return f"unknown flag {flags[0]}{_nearest(flags[0].lstrip('-'), keys, dashes='--')}"


def _nearest(key: str, keys: Sequence[str], dashes: str = "") -> str:
    leaf = key.rsplit(".", 1)[-1]
    near = get_close_matches(key, keys, n=3, cutoff=0.75)
    near += [k for k in keys if k not in near and k.rsplit(".", 1)[-1] == leaf]
    names = ", ".join(dashes + name for name in near[:3])
    return f"; nearest: {names}" if names else "; --help lists what there is"


def _in_config(arguments: Sequence[str]) -> str:
    configs = [
        value.removeprefix("--config=")
        for flag, value in zip(["", *arguments], arguments, strict=False)
        if flag in ("-c", "--config") or value.startswith("--config=")
    ]
    return f" in {' or '.join(configs)}" if configs else ""


def _no_such_file(path: str) -> str:
    wanted = Path(path)
    beside = wanted.parent if wanted.parent.is_dir() else EXPERIMENTS
    found = sorted(_relative(p) for p in beside.glob("*.yaml"))
    stems = {Path(name).stem: name for name in found}
    near = get_close_matches(wanted.stem, stems, n=3, cutoff=0.4) or list(stems)[:5]
    listed = f"; nearest: {', '.join(stems[stem] for stem in near)}" if near else ""
    if not found and not wanted.is_absolute():
        listed = f" in {Path.cwd()}"
    return f"--config {_relative(wanted)}: no such file{listed}"


def _relative(path: Path) -> str:
    """Return the path relative to the working directory, where it lies inside."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _bad_value(key: str, details: str, arguments: Sequence[str]) -> str:
    name = typed_name(key, arguments)
    value = re.search(r"(?:Got value|Given value): (.*)", details)
    expected = details.split("Given value", maxsplit=1)[0]
    if match := re.match(r"\s*Unable to load config (.*?)\n\s+- (.*)", details, re.DOTALL):
        inner = match[2]
        return f"{name}: " + (
            f"must be a mapping, and is {match[1]}" if "Unable to load config" in inner else inner
        )
    accepted = re.findall(r"<class '([\w.]+)'>|Literal\[(.*?)\]", expected)
    if value is None or not accepted:
        return f"{name}: {details.strip()}"
    kinds = dict.fromkeys(
        choices.replace("'", "") or KINDS.get(kind, kind) for kind, choices in accepted
    )
    return f"{name}: {value[1]!r} must be {' or '.join(kinds)}"


def typed_name(key: str, arguments: Sequence[str]) -> str:
    """Return a key as its flag if that was typed, otherwise with the configuration files given."""
    typed = any(argument.split("=")[0] == f"--{key}" for argument in arguments)
    return f"--{key}" if typed else f"{key}{_in_config(arguments)}"
