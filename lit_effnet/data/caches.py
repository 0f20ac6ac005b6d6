"""Choose a writable cache for the tables of `datasets`."""

import tempfile
import warnings
from functools import cache
from pathlib import Path

from lit_effnet.runs.files import reason


@cache
def tables_cache() -> str | None:
    """Return the cache folder for `datasets`; None for its default, if that is writable."""
    import datasets

    usual = Path(datasets.config.HF_DATASETS_CACHE)
    try:
        usual.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=usual):
            return None
    except OSError as error:
        warnings.warn(
            f"{usual}: {reason(error)}; tables are kept until the command ends, and HF_HOME names "
            "another place",
            stacklevel=2,
        )
    folder = tempfile.TemporaryDirectory(prefix="lit_effnet-tables-", ignore_cleanup_errors=True)
    _kept.append(folder)
    return folder.name


_kept: list[tempfile.TemporaryDirectory[str]] = []  # removed when the process ends
