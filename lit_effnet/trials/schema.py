"""Schema of a sweep file: W&B's, and what it accepts but cannot run."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lit_effnet.trials.command import DEFAULT_COMMAND, ENVIRONMENT_VARIABLE, MACROS, macro
from lit_effnet.trials.finding import (
    Finding,
    is_number,
    is_whole,
    nearest,
    not_a_number,
    unknown_keys,
)
from lit_effnet.trials.hyperband import bands
from lit_effnet.trials.parameter_schema import check_parameters

METHODS = ("grid", "random", "bayes")

_TEXTS = ("name", "description", "program", "entity", "project", "apiVersion")
_BY_WANDB_ONLY = ("scheduler", "job", "image_uri", "metrics")
_ROOT = (
    *("method", "parameters", "command", "metric", "early_terminate", "run_cap"),
    *(*_TEXTS, "kind", "controller", *_BY_WANDB_ONLY),
)
_IMPUTED = ("latest", "best", "worst")
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "goal": ("minimize", "maximize"),
    "impute": _IMPUTED,
    "impute_while_running": (*_IMPUTED, "false"),
}
_METRIC = ("name", "target", *_CHOICES)
_HYPERBAND = ("type", "min_iter", "max_iter", "s", "eta", "strict")


def violations(config: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield every mistake in a sweep's configuration: its key, and what is accepted there."""
    yield from unknown_keys(config, _ROOT, ())
    yield from _check_method(config)
    for key in _TEXTS:
        if not isinstance(config.get(key, ""), str):
            yield (key,), f"{config[key]!r}: must be text"
    for key in _BY_WANDB_ONLY:
        if key in config:
            yield (key,), "works with W&B's server only: leave it out"
    if config.get("kind", "sweep") != "sweep":
        yield ("kind",), f"{config['kind']!r}: must be sweep"
    if "parameters" in config:
        yield from check_parameters(config["parameters"], ("parameters",), config.get("method"))
    elif "scheduler" not in config:
        yield (), "parameters: missing"
    yield from _check_metric(config)
    if "early_terminate" in config:
        yield from _check_early_terminate(config["early_terminate"])
    if "run_cap" in config and not (is_whole(config["run_cap"]) and config["run_cap"] > 0):
        yield ("run_cap",), f"{config['run_cap']!r}: must be a whole number of at least 1"
    if "controller" in config:
        controller = config["controller"]
        kind = controller.get("type") if isinstance(controller, dict) else None
        if kind not in ("local", "cloud"):
            yield ("controller",), "must be `type: local` or `type: cloud`"
    yield from _check_command(config)


def _check_method(config: Mapping[str, Any]) -> Iterator[Finding]:
    method, accepted = config.get("method"), "must be grid, random or bayes"
    if "method" not in config:
        yield (), f"method: missing, {accepted}"
    elif method == "custom":
        yield ("method",), f"custom works with W&B's server only: {accepted}"
    elif method not in METHODS:
        yield ("method",), f"{method!r}: {accepted}"


def _check_metric(config: Mapping[str, Any]) -> Iterator[Finding]:
    if "metric" not in config:
        if config.get("method") == "bayes":
            yield ("method",), "bayes needs a metric: its name and goal"
        if "early_terminate" in config:
            yield ("early_terminate",), "needs a metric: its name and goal"
        return
    metric = config["metric"]
    if not isinstance(metric, dict):
        yield ("metric",), "must be a mapping with name and goal"
        return
    yield from unknown_keys(metric, _METRIC, ("metric",))
    if not isinstance(metric.get("name"), str):
        yield ("metric", "name"), "must be the metric's name as it is logged"
    if "target" in metric and not is_number(metric["target"]):
        yield ("metric", "target"), not_a_number(metric["target"])
    for key, accepted in _CHOICES.items():
        if key in metric and metric[key] not in accepted:
            quotes = "; put false in quotes" if metric[key] is False else ""
            choices = " or ".join(accepted)
            yield ("metric", key), f"{metric[key]!r}: must be {choices}{quotes}"


def _check_early_terminate(section: Any) -> Iterator[Finding]:
    place = ("early_terminate",)
    if not isinstance(section, dict):
        yield place, "must be a mapping, like `{type: hyperband, min_iter: 3}`"
        return
    yield from unknown_keys(section, _HYPERBAND, place)
    if section.get("type") != "hyperband":
        yield (*place, "type"), f"{section.get('type')!r}: must be hyperband"
    if "s" not in section if "max_iter" in section else "min_iter" not in section:
        yield place, "must have min_iter, or max_iter and s"
    mistakes = list(_check_hyperband(section))
    yield from (((*place, key), message) for key, message in mistakes)
    if not mistakes and {"max_iter", "s"} <= section.keys():
        try:
            bands(section, longest=0)
        except ValueError as error:
            yield place, str(error).removeprefix("early_terminate: ")


def _check_hyperband(section: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in ("max_iter", "min_iter", "s"):
        # W&B's schema accepts 2.0 and 2.5 for s, its engine does not.
        value = section.get(key, 1)
        if not (type(value) is int if key == "s" else is_whole(value)):
            yield key, f"{section[key]!r}: must be a whole number"
        elif key == "min_iter" and value < 1:
            yield key, f"{section[key]}: must be at least 1"
    eta = section.get("eta", 3)
    if not is_number(eta) or not eta > 1:
        yield "eta", f"{eta!r}: must be a number above 1"
    if not isinstance(section.get("strict", True), bool):
        yield "strict", f"{section['strict']!r}: must be true or false"


def _check_command(config: Mapping[str, Any]) -> Iterator[Finding]:
    command = config.get("command", [])
    if not isinstance(command, list):
        yield ("command",), "must be a list of texts, like [python, train.py, '${args}']"
        return
    for index, item in enumerate(command):
        place = ("command", str(index))
        if isinstance(item, str):
            yield from ((place, message) for message in _check_item(item))
        elif not is_number(item):
            yield place, f"{item!r}: must be text, put it in quotes"
    if config.get("program") or "${program}" not in (command or DEFAULT_COMMAND):
        return
    if command:
        place = ("command", str(command.index("${program}")))
        yield place, "${program} stands for `program`, which is missing"
    elif not {"job", "image_uri"} & config.keys():
        yield (), "program: missing, and so is command: name the script, or give a command"


def _check_item(item: str) -> Iterator[str]:
    rest = ENVIRONMENT_VARIABLE.sub("_", item)
    if "${envvar:" in rest:
        yield f"{item}: the variable's name may have capital letters, digits and _ only"
    elif (name := macro(rest)) is not None and name not in MACROS:
        yield f"{item}: unknown macro, which W&B drops; {nearest(name, MACROS)}"
    elif name is None:
        for inside in re.findall(r"\$\{(\w+)\}", rest):
            if inside in MACROS:
                yield f"{item}: ${{{inside}}} is expanded only as an item of its own"
