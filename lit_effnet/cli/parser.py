"""What all commands share: bad input becomes one line on standard error and exit status 2."""

import json
import os
import re
import sys
import time
import warnings
from argparse import RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn, TypeVar, get_args

from jsonargparse import ArgumentParser, DefaultHelpFormatter

from lit_effnet.cli.config_reader import load_value
from lit_effnet.cli.streams import prepare_streams
from lit_effnet.runs.documents import DocumentError, load_yaml
from lit_effnet.runs.files import reason
from lit_effnet.runs.messages import one_line

BAD_INPUT = 2

TIME_TO_END_OTHERS_S = 3.0  # that torchrun and srun have when one process ends

T = TypeVar("T")
STOPPED = 130


EXPERIMENTS = Path("experiments")

# Sweep files name what they train on by this environment variable. W&B's agent leaves the name in
# its place where the variable is not set.
SETTING, USUAL_SETTING = "LIT_EFFNET_ON", "cifar100"


class ExamplesFormatter(RawDescriptionHelpFormatter, DefaultHelpFormatter):
    """jsonargparse's help, with the example commands each on a line of its own."""


class OneLineErrors(ArgumentParser):
    """A parser that reports a mistake in one line, with the nearest names, and exits with 2."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # An abbreviated flag would take a misspelt one for another without a word.
        super().__init__(
            *args,
            **{
                "allow_abbrev": False,
                "usage": "%(prog)s [--NAME VALUE ...]",
                "formatter_class": ExamplesFormatter,
                **kwargs,
            },
        )
        self.renamed: dict[str, str] = {}
        self.arguments: list[str] = []
        self.file = ""

    def parse_args(  # type: ignore[override] # argparse's overloads are not needed here
        self, args: Sequence[str] | None = None, **kwargs: Any
    ) -> Any:
        """Parse, and keep what was typed for the messages; the word None is refused.

        W&B writes None for null into flags, and so do scripts. As a text it would be a name.
        """
        words = sys.argv[1:] if args is None else args
        self.arguments = [self._current_name(word) for word in words]
        try:
            config = super().parse_args(self.arguments, **kwargs)
        except DocumentError as error:
            self.error(str(error))
        self._check_null(config)
        for key, value in config.items():
            if value == "None":
                named = _named(key, self.arguments)
                self.error(f"{named}: 'None' is read as text; write null for no value")
        return config

    def _current_name(self, word: str) -> str:
        """Return a flag with its former name replaced; other words unchanged."""
        flag, equals, value = word.partition("=")
        current = self.renamed.get(flag.removeprefix("--"))
        return word if current is None or flag[:2] != "--" else f"--{current}{equals}{value}"

    def _check_null(self, config: Any) -> None:
        """Refuse null for what has a default and takes none; jsonargparse lets it through."""
        defaults = self.get_defaults(skip_validation=True)
        for action in self._actions:
            key, kind = action.dest, getattr(action, "_typehint", None)
            if kind is None or type(None) in get_args(kind) or defaults.get(key) is None:
                continue
            if config.get(key, 0) is None:
                self.error(f"{_named(key, self.arguments)}: must not be null")

    def parse_path(self, path: Any, *args: Any, **kwargs: Any) -> Any:
        """Parse a configuration file, and keep its name for the messages."""
        self.file = str(path)
        try:
            return super().parse_path(path, *args, **kwargs)
        finally:
            self.file = ""

    def parse_string(self, content: str, path: Any = "", *args: Any, **kwargs: Any) -> Any:
        """Parse a configuration, once its groups are known to be mappings.

        jsonargparse leaves out a group of another type, and with it what the group should set.
        """
        config = load_value(content)
        if not isinstance(config, dict):  # jsonargparse takes `trainer:` alone for a text
            config = load_yaml(content)
        groups = {key.split(".")[0] for key in self.keys() if "." in key}
        for key, value in config.items() if isinstance(config, dict) else ():
            if key in groups and not isinstance(value, dict | str):
                file = f" in {self.file}" if self.file else ""
                self.error(f"{key}{file}: must be a mapping, and is {_shown(value)}")
        return super().parse_string(content, path, *args, **kwargs)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Say what is wrong in one line and exit with 2; raise where the parser may not exit."""
        if not self.exit_on_error:
            super().error(message, ex)
        fail(explain(message, self.keys(), self.arguments))

    @contextmanager
    def bad_input(self) -> Iterator[None]:
        """Turn a ValueError from the code inside into one line that names the flag."""
        with one_line_errors(self.keys(), self.arguments):
            yield

    def keys(self) -> list[str]:
        """The names of all arguments, dotted, without dashes."""
        return [action.dest for action in self._actions]


def add_network_flags(parser: ArgumentParser) -> None:
    """The flags of commands that look at trained or released networks on images."""
    add = parser.add_argument
    add("runs", nargs="+", type=str, help="Run folders, folders of them, or released weights.")
    add("--device", type=str, default="auto", help="auto, cpu or cuda.")
    add_image_flags(parser)


def add_image_flags(parser: ArgumentParser) -> None:
    """The flags that name other images, and the network where its weights do not tell it."""
    add = parser.add_argument
    add("--data.name", type=str | None, help="Other images: a name, hub id or folder.")
    add("--data.path", type=str | None, help="Folder of a local copy of the named data set.")
    for name in ("subset", "image_column", "label_column", "labels"):
        add(f"--data.{name}", type=str | None, help="As for fit.")
    add("--network", type=str | None, help="Network of weights whose name does not tell it.")


def add_row_flags(parser: ArgumentParser) -> None:
    """The flags of commands that keep rows on all images of a split."""
    add = parser.add_argument
    add("--split", type=str, default="validation", help="Which images; test only when named.")
    add("--again", type=bool, default=False, help="Do also what has a row, and replace it.")
    add("--image_size", type=int | None, help="Another input size than the network's, in pixels.")
    add("--crop_fraction", type=float | None, help="Another crop than the network's.")
    add("--interpolation", type=str | None, help="Another filter than the network's.")
    add("--batch_size", type=int, default=32, help="Images in a batch.")
    add("--num_workers", type=int | None, help="Processes that decode and corrupt.")
    add("--root", type=str, default="runs", help="Folder of the rows on released weights.")


def written(what: str, write: Callable[..., T], *arguments: Any) -> T:
    """What a writing gives, or one line and exit status 2 where it cannot be done.

    Args:
        what: What is written, for the line: "FOLDER: a row".
        write: Raises OSError where it cannot.
        arguments: Of `write`.
    """
    try:
        return write(*arguments)
    except OSError as error:
        fail(f"{what} cannot be written ({error.strerror or error})")


@contextmanager
def stopping(left: str) -> Iterator[None]:
    """End with status 130 and one line after Ctrl-C.

    Args:
        left: What is left of what was begun, as the line says it.
    """
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write(f"stopped; {left}\n")
        raise SystemExit(STOPPED) from None


def fail(message: str) -> NoReturn:
    """Print `message` in one line on standard error and exit with status 2.

    Of several processes on one machine, which mostly find the same, the first prints it, and its
    launcher ends the others meanwhile; what only another finds is printed by that.
    """
    local_rank = os.environ.get("LOCAL_RANK") or os.environ.get("SLURM_LOCALID") or "0"
    if local_rank != "0":
        time.sleep(TIME_TO_END_OTHERS_S)
    sys.stderr.write(f"error: {one_line(message)}\n")
    sys.exit(BAD_INPUT)  # where W&B listens for the status of a run that has begun


def usual_setting(argument: str) -> str:
    """The argument with the usual setting where a sweep's command names one that is not set."""
    return argument.replace(SETTING, USUAL_SETTING)


def prepare_output() -> None:
    """Prepare what every command prints: one line for a warning, streams that take everything."""
    plain_warnings()
    prepare_streams()


def plain_warnings() -> None:
    """Print warnings as one line without the line of code that raised them."""
    warnings.formatwarning = lambda message, *_, **__: (
        f"warning: {' '.join(str(message).split())}\n"
    )
    # torch's own use of its own deprecated name, by way of Lightning.
    warnings.filterwarnings("ignore", message=r".*LeafSpec.*is deprecated")
    # What is frozen is meant to be.
    warnings.filterwarnings("ignore", message=r"Found .* module\(s\) in eval mode at the start")
    # Depthwise kernels, whose channels-last and usual strides are one order in memory.
    warnings.filterwarnings("ignore", message=r"Grad strides do not match bucket view strides")
    # It is the run's own folder, where it goes on.
    warnings.filterwarnings("ignore", message=r"Checkpoint directory .* is not empty")
    # Utilisation is null then, or the peak is measured.
    warnings.filterwarnings("ignore", message=r"FLOPs not found for ")
    # Their number is chosen by what is loaded: small images in memory are quicker without.
    warnings.filterwarnings("ignore", message=r"The '\w+' does not have many workers")
    # The scaler of float16 leaves out steps until its scale fits.
    warnings.filterwarnings("ignore", message=r"Detected call of `lr_scheduler.step\(\)` before")


def quiet_libraries() -> None:
    """Keep libraries' hints and greetings off the screen; their warnings stay."""
    import logging

    for name in ("lightning.pytorch", "lightning.fabric", "wandb"):
        logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def one_line_errors(keys: Sequence[str] = (), arguments: Sequence[str] = ()) -> Iterator[None]:
    """Turn a ValueError or OSError from the code inside into one line, and exit with 2.

    The suite's ValueErrors begin with the argument and its value ("batch_size 0: must be ...");
    `keys` are the flags among which the argument's full name is looked up, `arguments` what
    was typed.
    """
    try:
        yield
    except ValueError as error:
        fail(name_flag(str(error), keys, arguments))
    except OSError as error:
        fail(os_error(error))


def os_error(error: OSError) -> str:
    """What the operating system refuses, and of which file."""
    told = reason(error)
    return told if error.filename is None else f"{error.filename}: {told}"


def name_flag(message: str, keys: Sequence[str], arguments: Sequence[str]) -> str:
    """The message with its first word, an argument's name, replaced by the flag of that name."""
    word = message.split(maxsplit=1)[0] if message else ""
    flags = [key for key in keys if word in (key, key.rsplit(".", 1)[-1])]
    typed = {argument.split("=")[0] for argument in arguments}
    flags = [flag for flag in flags if f"--{flag}" in typed] or flags
    return f"--{flags[0]}{message[len(word) :]}" if len(flags) == 1 else message


def explain(message: str, keys: Sequence[str], arguments: Sequence[str]) -> str:
    """One line for jsonargparse's many: what is wrong, where, and what is accepted."""
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
    found = sorted(shortest(p) for p in beside.glob("*.yaml"))
    stems = {Path(name).stem: name for name in found}
    near = get_close_matches(wanted.stem, stems, n=3, cutoff=0.4) or list(stems)[:5]
    listed = f"; nearest: {', '.join(stems[stem] for stem in near)}" if near else ""
    if not found and not wanted.is_absolute():
        listed = f" in {Path.cwd()}"
    return f"--config {shortest(wanted)}: no such file{listed}"


def shortest(path: Path) -> str:
    """A path as a person would type it here."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _bad_value(key: str, details: str, arguments: Sequence[str]) -> str:
    name = _named(key, arguments)
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
    kinds = dict.fromkeys(choices.replace("'", "") or _plain(kind) for kind, choices in accepted)
    return f"{name}: {value[1]!r} must be {' or '.join(kinds)}"


def _named(key: str, arguments: Sequence[str]) -> str:
    """Return the flag that was typed, or the key and the configurations in which it may stand."""
    given = any(argument.split("=")[0] == f"--{key}" for argument in arguments)
    return f"--{key}" if given else f"{key}{_in_config(arguments)}"


def _shown(value: Any) -> str:
    return f"{json.dumps(value, default=str):.60}"


def _plain(kind: str) -> str:
    words = {
        "int": "a whole number",
        "float": "a number",
        "bool": "true or false",
        "NoneType": "null",
        "str": "text",
    }
    return words.get(kind, kind)
