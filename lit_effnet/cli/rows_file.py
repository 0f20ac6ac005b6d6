"""The file of JSON lines to which `--output` adds rows."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from lit_effnet.cli.errors import fail
from lit_effnet.runs.documents import DocumentError, read_text


def check_output(file: Path) -> None:
    """End with a line where rows could not be written, before the minutes they take.

    It is tried, and what that made is taken away again: a bad name is to leave nothing.
    """
    made = [folder for folder in file.parents if not folder.exists()]
    try:
        if file.is_dir():
            fail(f"--output {file}: cannot be written (it is a folder)")
        if file.exists():
            read_text(file)
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=file.parent):  # rows come under a temporary name first
            pass
    except DocumentError as error:
        fail(f"--output {error}")
    except OSError as error:
        fail(f"--output {file}: cannot be written ({error.strerror or error})")
    finally:
        for folder in made:
            with suppress(OSError):  # it was not made, or somebody else uses it now
                folder.rmdir()


def keep(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows to the file."""
    from lit_effnet.runs.files import write_whole

    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_name(f".{file.name}.lock")):  # of two measurements, none is lost
            old = read_text(file) if file.exists() else ""
            write_whole(file, old + "".join(json.dumps(row) + "\n" for row in rows))
    except DocumentError as error:
        fail(f"--output {error}")
    except OSError as error:
        fail(f"--output {file}: cannot be written ({error.strerror or error})")
