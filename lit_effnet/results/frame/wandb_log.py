"""Rows of the table of runs from the log that W&B writes for an offline run.

A `.wandb` file has a header of seven bytes, then a log in LevelDB's format: blocks of 32 KiB with
parts of records, each with checksum, length and kind. W&B 0.31 ships the definition of the records
for Python, but no reader.
"""

import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lit_effnet.results.frame.folders import Folder, Skipped, printable
from lit_effnet.results.frame.records import FINISHED, Row
from lit_effnet.results.frame.wandb_runs import row_of_run

BLOCK = 32 * 1024
FILE_HEADER = b":W&B\xe1\xbe\x00"
PART_HEADER = struct.Struct("<IHB")  # checksum, length, kind
FULL, FIRST, LAST = 1, 2, 4  # kinds of parts; 3 is a middle part


@dataclass
class Log:
    """Content of a log.

    Args:
        run: Id of the run.
        config: Configuration of the run.
        summary: Last value of each metric.
        group: Group of the run.
        started: Seconds since 1970.
        exit_code: Exit code of the process; None if it is missing.
        cut: Whether the file ends within a record or is damaged; the records before are used.
    """

    run: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    group: str | None = None
    started: int | None = None
    exit_code: int | None = None
    cut: bool = False


def rows_of_log(folder: Folder) -> tuple[list[Row], list[Skipped]]:
    """Return the row of an offline run, and a note if its log is cut.

    Raises:
        ValueError: The log cannot be read, or holds no run of this project.
    """
    (name, *others) = sorted(name for name in folder.files if name.endswith(".wandb"))
    if others:
        raise ValueError(f"{', '.join((name, *others))}: must be one log")
    path = Path(folder.path) / name
    log = read_log(path)
    status = {None: "running", 0: FINISHED}.get(log.exit_code, "failed")
    row = row_of_run(
        log.config,
        log.summary,
        run=printable(folder.path),
        name=log.run,
        group=log.group,
        status=status,
        started=log.started,
    )
    return [row], [
        Skipped(printable(str(path)), "ends within a record, or is damaged; used up to there")
    ] if log.cut else []


def read_log(path: Path) -> Log:
    """Read the log of an offline run.

    Raises:
        ValueError: It cannot be read, or holds no run.
    """
    from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined] # made on import

    try:
        data = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path.name}: cannot be read ({error.strerror})") from error
    if not data.startswith(FILE_HEADER):
        raise ValueError(f"{path.name}: is not a log of W&B")
    log = Log()
    for content in _records(data, log):
        _take(Record.FromString(content), log)
    if not log.run:
        raise ValueError(f"{path.name}: holds no run")
    return log


def _records(data: bytes, log: Log) -> Iterator[bytes]:
    """Yield the records of the log, joined from their parts."""
    at, parts = len(FILE_HEADER), b""
    while at < len(data):
        left_in_block = BLOCK - at % BLOCK
        if left_in_block < PART_HEADER.size:
            at += left_in_block
            continue
        if at + PART_HEADER.size > len(data):
            break
        checksum, length, kind = PART_HEADER.unpack_from(data, at)
        at += PART_HEADER.size
        part = data[at : at + length]
        if zlib.crc32(part, zlib.crc32(bytes([kind]))) != checksum:
            log.cut = True
            return
        parts = part if kind in (FULL, FIRST) else parts + part
        at += length
        if kind in (FULL, LAST):
            yield parts
            parts = b""
    log.cut = at != len(data) or bool(parts)


def _take(record: Any, log: Log) -> None:
    """Add a record to the log; the last value of a metric counts."""
    match record.WhichOneof("record_type"):
        case "run":
            log.run = record.run.run_id
            log.group = record.run.run_group or None
            log.started = record.run.start_time.seconds or None
            _put(log.config, record.run.config.update)
        case "config":
            _put(log.config, record.config.update)
        case "summary":
            _put(log.summary, record.summary.update)
        case "exit":
            log.exit_code = record.exit.exit_code


def _put(values: dict[str, Any], items: Any) -> None:
    """Set values by key; a key may be a path into nested values."""
    for item in items:
        *outer, last = item.nested_key or [item.key]
        inner = values
        for key in outer:
            inner = inner.setdefault(key, {})
        inner[last] = json.loads(item.value_json)
