"""What commands do with a damaged file: they take it, or refuse it in one line with status 2."""

import io
import os
import re
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

from lit_effnet import sweep
from lit_effnet.cli.errors import one_line_errors
from lit_effnet.evaluation.target import _flags_of_run
from lit_effnet.experiment import preview as outlook
from lit_effnet.orchestration.learning_rates import rates_in
from lit_effnet.results.frame.run_parts import CONFIG, METRICS, RECORD, parts_of, text_of
from lit_effnet.results.frame.shipped import read_shipped_rows
from lit_effnet.results.frame.table import load
from lit_effnet.results.report import job, page
from lit_effnet.results.report.plan import plans
from lit_effnet.runs.folder import RunFolder
from lit_effnet.trials import snapshot
from lit_effnet.trials.ledger import Entry
from tests.conftest import ROOT
from tests.fuzzing.mutators import Mutant, mutate
from tests.results.runs import make_run

LONGEST = 300  # characters of a line
SECONDS = 60  # of the processor, that a file may take

TAKEN, REFUSED = "taken", "refused"


class Hang(BaseException):
    """A file took longer than it may."""


@dataclass(frozen=True)
class Case:
    """A file that is damaged, and the command that reads it.

    Args:
        command: As it is counted.
        name: Of the file, for the report.
        content: The whole file.
        language: Of the file.
        read: Hands the damaged file to the command.
    """

    command: str
    name: str
    content: bytes
    language: str
    read: Callable[[Path, bytes], None]


def cases(*, thorough: bool) -> list[Case]:
    """All commands with all of the files that ship.

    Args:
        thorough: Build every network and page too; without, files are read and checked only.
    """
    configs = sorted((ROOT / "experiments").rglob("*.yaml"))
    sweeps = sorted((ROOT / "sweeps").glob("*.yaml"))
    results = sorted((ROOT / "results").glob("*.json"))
    found = [_case("fit", file, _fit(thorough)) for file in configs]
    found += [_case("sweep --status", file, _sweep("--status")) for file in sweeps]
    if thorough:
        found += [_case("sweep --check", file, _sweep("--check")) for file in sweeps]
    for file in results:
        if b'"kind": "rows"' in file.read_bytes()[:300]:
            found.append(_case("rows of measurements", file, _rows))
            continue
        found.append(_case("report", file, _report(thorough)))
        if "learning_rate" in file.name:
            found.append(_case("sweep --rates", file, _rates))
    return [*found, *_run_folder()]


def outcome(case: Case, seed: str) -> tuple[str, Mutant, str]:
    """Damage a file and hand it to its command.

    Returns:
        TAKEN, REFUSED or what is wrong; the damage; and what the command printed.
    """
    mutant = mutate(case.content, case.language, seed)
    printed, said = io.StringIO(), io.StringIO()
    end: Any = 0
    with TemporaryDirectory() as folder, _working_in(Path(folder)):
        try:
            with redirect_stderr(said), redirect_stdout(printed), _limit(SECONDS):
                case.read(Path("damaged") / case.name, mutant.content)
        except SystemExit as stopped:
            end = stopped.code
        except Hang:
            return f"hangs for {SECONDS} s", mutant, ""
        except BaseException:
            return "traceback", mutant, traceback.format_exc(limit=-6)
    lines = [line for line in said.getvalue().splitlines() if not line.startswith("warning: ")]
    if end == 0:
        return ("silence" if mutant.refused else TAKEN), mutant, ""
    if end != 2:
        return f"exit status {end}", mutant, said.getvalue()
    many = case.command != "sweep --check" and len(lines) != 1
    if not lines or many or max(map(len, lines)) >= LONGEST or re.search(r"[\x00-\x1f]", lines[0]):
        return "message", mutant, said.getvalue()
    return REFUSED, mutant, said.getvalue()


@contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    (folder / "damaged").mkdir()
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _limit(seconds: int) -> Iterator[None]:
    def end(_: int, __: FrameType | None) -> None:
        raise Hang

    # Of the processor, which a busy machine does not lengthen; what waits is ended by the other.
    limits = ((signal.SIGPROF, signal.ITIMER_PROF, 1), (signal.SIGALRM, signal.ITIMER_REAL, 5))
    before = {number: signal.signal(number, end) for number, *_ in limits}
    for _, timer, times in limits:
        signal.setitimer(timer, times * seconds)
    try:
        yield
    finally:
        for number, timer, _ in limits:
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])


def _case(command: str, file: Path, read: Callable[[Path, bytes], None]) -> Case:
    return Case(command, file.name, file.read_bytes(), file.suffix[1:], read)


def _fit(thorough: bool) -> Callable[[Path, bytes], None]:
    def read(file: Path, content: bytes) -> None:
        file.write_bytes(content)
        with one_line_errors():
            config = outlook.parse(["--config", str(file)])
            (outlook.preview if thorough else outlook.check)(config)

    return read


def _sweep(flag: str) -> Callable[[Path, bytes], None]:
    def read(file: Path, content: bytes) -> None:
        file.write_bytes(content)
        for folder in ("experiments", "sweeps"):
            Path(folder).symlink_to(ROOT / folder)
        sweep.main([str(file), flag, "--count=40", "--on=photos"])

    return read


def _rows(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with one_line_errors():
        read_shipped_rows(file)


def _rates(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with one_line_errors():
        rates_in(str(file))


def _report(thorough: bool) -> Callable[[Path, bytes], None]:
    known = plans(sorted((ROOT / "sweeps").glob("*.yaml")))

    def read(file: Path, content: bytes) -> None:
        file.write_bytes(content)
        with one_line_errors():
            table = load([file])
            job.check_finished(table, [str(file)])
            for run in table.frame["run"]:
                for name in (CONFIG, METRICS, RECORD) if thorough else ():
                    if name in parts_of(run):
                        text_of(run, name)
            if thorough:
                options = page.Options(plans=known)
                page.html(page.views(table, options), table, [str(file)], options)

    return read


def _run_folder() -> Iterator[Case]:
    """Each file of a run folder, for all commands that read it."""
    with TemporaryDirectory() as folder:
        run = make_run(Path(folder) / "group" / "run", {}, {"condition": "noise", "top1": 0.25})
        (run / "metrics.csv").write_text("epoch,val/top1,train/loss\n0,0.25,2.5\n1,0.75,1.5\n")
        (run / "parameters.json").write_text('{"scaling.depth": 1.5, "seed_everything": 0}\n')
        (run / "trial.json").write_text('{"failed": {"exit_status": 1, "last_lines": ["no"]}}\n')
        (run / "config.yaml").write_bytes((ROOT / "experiments" / "photos.yaml").read_bytes())
        whole = {file.name: file.read_bytes() for file in run.iterdir()}
    for name, content in whole.items():
        yield Case("run folder", name, content, name.rsplit(".", 1)[1], _reader(whole))


def _reader(whole: dict[str, bytes]) -> Callable[[Path, bytes], None]:
    def read(file: Path, content: bytes) -> None:
        for name, undamaged in whole.items():
            file.with_name(name).write_bytes(undamaged)
        file.write_bytes(content)
        table = load([file.parent])
        for run in snapshot.read(file.parent.parent, ("scaling.depth", "seed_everything")):
            str((run.seconds, run.epochs, run.done, Entry(run.folder).reason()))
        with one_line_errors():
            job.check_finished(table, [str(file.parent)])
            if file.name == "config.yaml":
                outlook.check(outlook.parse(["--config", str(file)]))
            folder = RunFolder(file.parent)
            folder.due(folder.read())
            folder.read_metrics()
            folder.read_evaluations()
            _flags_of_run(folder)

    return read
