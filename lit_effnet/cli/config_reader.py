"""Make jsonargparse read configurations and values within the bounds of `runs.documents`.

Importing this module replaces jsonargparse's file reader and YAML parser.
"""

from typing import Any

from jsonargparse import Path as ConfigPath
from jsonargparse import get_loader, set_loader

from lit_effnet.runs.documents import MOST_YAML, DocumentError, check_yaml, read_text, yaml_errors

_parse_yaml, _read_config = get_loader("yaml"), ConfigPath.read_text


def load_value(text: str) -> Any:
    """Parse a value of the command line, or a configuration.

    Raises:
        DocumentError: It is not YAML, or out of bounds.
    """
    return _parsed(text, "")


def _parsed(text: str, name: str) -> Any:
    check_yaml(text, name)
    with yaml_errors(name):
        return _parse_yaml(text)


def read_config(path: Any) -> str:
    """Read and check the file of any flag or key.

    Raises:
        DocumentError: It cannot be read, is not YAML, or is out of bounds.
    """
    name = path.relative
    if name == "-":
        return str(_read_config(path))
    try:
        text = read_text(path.absolute, MOST_YAML)
    except OSError as error:
        raise DocumentError(f"{name}: cannot be read ({error.strerror or error})") from error
    except DocumentError as error:
        raise DocumentError(str(error).replace(path.absolute, name)) from None
    _parsed(text, name)  # jsonargparse parses it again without its name
    return text


# jsonargparse opens and parses files in four places; these two functions are in each of them.
set_loader("yaml", load_value, (DocumentError,))
setattr(ConfigPath, "read_text", read_config)  # noqa: B010 # mypy takes no assignment
