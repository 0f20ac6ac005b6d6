"""Read and write the status of a trial in its run folder.

The run writes `run.json`. The launcher writes `trial.json`: that the trial failed, with its last
lines, or that the sweep's early termination stopped it.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lit_effnet.runs.documents import read_json
from lit_effnet.runs.files import reason, write_whole
from lit_effnet.runs.folder import FINISHED, RunFolder

LAST_LINES = 5


class Status(Enum):
    """Status of a trial."""

    MISSING = "to run"
    BEGUN = "to resume"
    RUNNING = "running"
    ELSEWHERE = "running elsewhere"
    FINISHED = "finished"
    STOPPED_EARLY = "stopped early"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    DEAD = "dead"


@dataclass(frozen=True)
class Entry:
    """A trial's folder in the ledger."""

    folder: RunFolder

    @property
    def notes_file(self) -> Path:
        """The launcher's notes."""
        return self.folder.local_path / "trial.json"

    @property
    def log(self) -> Path:
        """The output of the trial."""
        return self.folder.local_path / "trial.log"

    def record(self) -> dict[str, Any]:
        """Return the run's record; empty before there is one."""
        return self.folder.read() if (self.folder.path / "run.json").exists() else {}

    def notes(self) -> dict[str, Any]:
        """Return the launcher's notes; empty without any.

        Raises:
            ValueError: The file cannot be read.
        """
        try:
            notes = read_json(self.notes_file)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            why = reason(error).removeprefix(f"{self.notes_file}: ")
            raise ValueError(f"{self.notes_file}: cannot be read ({why})") from error
        if not isinstance(notes, dict):
            raise ValueError(f"{self.notes_file}: must hold an object")
        return notes

    def status(self) -> Status:
        """Return the status: finished, stopped early and failed are final; begun can be resumed.

        A folder with an unreadable file counts as failed; `reason` names the file.
        """
        return self.state()[0]

    def state(self) -> tuple[Status, dict[str, Any]]:
        """Return the status and the run's record, which is empty if it cannot be read."""
        record: dict[str, Any] = {}
        try:
            record = self.record()
            notes = self.notes()
            due = self.folder.due(record) if record.get("status") == FINISHED else []
        except ValueError:
            return Status.FAILED, record
        if record.get("status") == FINISHED and not due:
            return Status.FINISHED, record
        if "stopped_early" in notes:
            return Status.STOPPED_EARLY, record
        if "failed" in notes:
            return Status.FAILED, record
        return Status.BEGUN if record else Status.MISSING, record

    def reason(self) -> str:
        """Return why the trial ended without finishing."""
        try:
            record = self.record()
            notes = self.notes()
            if record.get("status") == FINISHED:
                self.folder.due(record)
        except ValueError as error:
            return str(error)
        try:
            if failed := notes.get("failed"):
                last = next(iter(failed["last_lines"][::-1]), "no output")
                return f"exit status {failed['exit_status']}: {last}"
            if early := notes.get("stopped_early"):
                return f"early termination after epoch {early['epoch']}"
        except (KeyError, TypeError):
            return f"{self.notes_file}: gives no reason"
        return ""

    def write_notes(self, **notes: Any) -> None:
        """Replace the launcher's notes."""
        self.folder.path.mkdir(parents=True, exist_ok=True)
        write_whole(self.notes_file, json.dumps(notes, indent=2) + "\n")

    def fail(self, exit_status: int) -> None:
        """Note that the trial failed, with the last lines of its output."""
        self.write_notes(failed={"exit_status": exit_status, "last_lines": self.last_lines()})

    def forgive(self) -> None:
        """Let a failed trial run again: remove the note, and rename a record that is unreadable."""
        self.notes_file.unlink(missing_ok=True)
        try:
            self.record()
        except ValueError:
            file = self.folder.local_path / "run.json"
            file.replace(file.with_name("run.json.unreadable"))

    def last_lines(self) -> list[str]:
        """Return the last lines of the trial's output."""
        if not self.log.exists():
            return []
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [line for line in lines if line.strip()][-LAST_LINES:]

    @contextmanager
    def claim(self) -> Iterator[bool]:
        """Lock the trial against other launchers; yield False if another one holds it."""
        self.folder.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder.local_path / ".trial.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()
