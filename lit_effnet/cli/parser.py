"""The parser of every command: bad input becomes one line on standard error, exit status 2."""

import json
import sys
from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, get_args

from jsonargparse import ArgumentParser, DefaultHelpFormatter

from lit_effnet.cli.config_reader import load_value
from lit_effnet.cli.errors import fail, one_line_errors
from lit_effnet.cli.parser_messages import explain, typed_name
from lit_effnet.runs.documents import DocumentError, load_yaml


class ExamplesFormatter(RawDescriptionHelpFormatter, DefaultHelpFormatter):
    """Show jsonargparse's help with each example command on a line of its own."""


class OneLineErrors(ArgumentParser):
    """Report a mistake in one line with the nearest names, and exit with status 2.

    A flag may be typed with dashes for its underscores: `--dry-run` is `--dry_run`.

    Attributes:
        renamed: Former names of flags, which still work and are not in the help, and the new ones.
        arguments: The words of the command line, with the new names.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # With abbreviations, a misspelt flag could silently match another.
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
        """Parse the words of a command line; refuse the word None.

        W&B writes None for null into flags, and so do scripts. As text it would be a name.
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
                named = typed_name(key, self.arguments)
                self.error(f"{named}: 'None' is read as text; write null for no value")
        return config

    def _current_name(self, word: str) -> str:
        """Return a flag with its former name or its dashes replaced; other words unchanged."""
        flag, equals, value = word.partition("=")
        name = flag.removeprefix("--")
        if name == flag or name in (keys := self.keys()):
            return word
        current = self.renamed.get(name.replace("-", "_"), name.replace("-", "_"))
        return f"--{current}{equals}{value}" if current in keys else word

    def _check_null(self, config: Any) -> None:
        """Refuse null for a flag with a default whose type excludes it; jsonargparse takes it."""
        defaults = self.get_defaults(skip_validation=True)
        for action in self._actions:
            key, kind = action.dest, getattr(action, "_typehint", None)
            if kind is None or type(None) in get_args(kind) or defaults.get(key) is None:
                continue
            if config.get(key, 0) is None:
                self.error(f"{typed_name(key, self.arguments)}: must not be null")

    def parse_path(self, path: Any, *args: Any, **kwargs: Any) -> Any:
        """Parse a configuration file, whose name the messages then show."""
        self.file = str(path)
        try:
            return super().parse_path(path, *args, **kwargs)
        finally:
            self.file = ""

    def parse_string(self, content: str, path: Any = "", *args: Any, **kwargs: Any) -> Any:
        """Parse a configuration after checking that its groups are mappings.

        jsonargparse drops a group of another type, and with it every setting inside.
        """
        config = load_value(content)
        if not isinstance(config, dict):  # jsonargparse reads `trainer:` alone as text
            config = load_yaml(content)
        groups = {key.split(".")[0] for key in self.keys() if "." in key}
        for key, value in config.items() if isinstance(config, dict) else ():
            if key in groups and not isinstance(value, dict | str):
                file = f" in {self.file}" if self.file else ""
                shown = f"{json.dumps(value, default=str):.60}"
                self.error(f"{key}{file}: must be a mapping, and is {shown}")
        return super().parse_string(content, path, *args, **kwargs)

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Print the mistake in one line and exit with 2; raise if the parser may not exit."""
        if not self.exit_on_error:
            super().error(message, ex)
        fail(explain(message, self.keys(), self.arguments))

    @contextmanager
    def bad_input(self) -> Iterator[None]:
        """Turn a ValueError from the code inside into one line that names the flag."""
        with one_line_errors(self.keys(), self.arguments):
            yield

    def keys(self) -> list[str]:
        """Return the names of all flags, dotted, without leading dashes."""
        return [action.dest for action in self._actions]
