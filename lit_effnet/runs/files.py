"""Write files whole, so that no reader sees half of one."""

import os
import tempfile
from pathlib import Path

from lit_effnet.locations import Location, write_file


def write_whole(path: Location, content: str | bytes | memoryview) -> None:
    """Write a file under a temporary name and rename it.

    A file in a store is written directly: an object store shows no half of one.

    Raises:
        OSError: The file cannot be written; the old one is unchanged.
    """
    data = content.encode() if isinstance(content, str) else content
    if not isinstance(path, Path):
        write_file(path, data)
        return
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)
