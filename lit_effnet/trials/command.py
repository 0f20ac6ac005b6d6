"""A sweep's `command` with its macros filled in, as W&B's agent does it."""

import json
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

DEFAULT_COMMAND = ("${env}", "${interpreter}", "${program}", "${args}")

# Sweep files choose the data set by this environment variable.
SETTING, USUAL_SETTING = "LIT_EFFNET_ON", "cifar100"

ENVIRONMENT_VARIABLE = re.compile(r"\$\{envvar:([A-Z0-9_]*)\}")

PARAMETERS_AS: Mapping[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "args": lambda given: [f"--{name}={value}" for name, value in given.items()],
    "args_no_boolean_flags": lambda given: [
        f"--{name}" if value is True else f"--{name}={value}"
        for name, value in given.items()
        if value is not False
    ],
    "args_no_hyphens": lambda given: [f"{name}={value}" for name, value in given.items()],
    "args_no_equals": lambda given: [
        part for name, value in given.items() for part in (f"--{name}", str(value))
    ],
    "args_json": lambda given: [json.dumps(dict(given))],
    "args_append_hydra": lambda given: [f"+{name}={value}" for name, value in given.items()],
    "args_override_hydra": lambda given: [f"++{name}={value}" for name, value in given.items()],
}

MACROS = ("env", "interpreter", "program", "args_json_file", *PARAMETERS_AS)


def expand(
    command: Sequence[Any],
    program: str | None,
    parameters: Mapping[str, Any],
    json_file: Path,
    environ: Mapping[str, str],
) -> list[str]:
    """The words of the process to start.

    Only an item that is a macro as a whole is replaced, an unknown one by nothing; but
    `${envvar:NAME}` also inside an item, by its own NAME where the variable is not set.

    Args:
        command: The sweep's `command`; W&B's default if empty.
        program: The sweep's `program`.
        parameters: A point, as `search.grid` gives them.
        json_file: What `${args_json_file}` names; the caller writes it.
        environ: The environment's variables.

    Raises:
        ValueError: `${program}` without a program.
    """
    words: list[str] = []
    for item in command or DEFAULT_COMMAND:
        word = ENVIRONMENT_VARIABLE.sub(lambda m: environ.get(m[1], m[1]), str(item))
        name = macro(word)
        words += [word] if name is None else _replacement(name, program, parameters, json_file)
    return words


def macro(word: str) -> str | None:
    """The name inside `${...}`, if the whole word is a macro."""
    return word[2:-1] if word.startswith("${") and word.endswith("}") else None


def _replacement(
    name: str, program: str | None, parameters: Mapping[str, Any], json_file: Path
) -> list[str]:
    if name in PARAMETERS_AS:
        return PARAMETERS_AS[name](parameters)
    if name == "program":
        if program is None:
            raise ValueError("program: missing, and the command uses ${program}")
        return [program]
    known = {
        # W&B's agent has no such command on Windows either.
        "env": [] if platform.system() == "Windows" else ["/usr/bin/env"],
        "interpreter": ["python"],
        "args_json_file": [str(json_file)],
    }
    return known.get(name, [])


def usual_setting(argument: str) -> str:
    """Replace the variable's name, which macros leave where it is unset, by the default."""
    return argument.replace(SETTING, USUAL_SETTING)
