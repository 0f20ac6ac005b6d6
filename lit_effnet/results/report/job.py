"""Read runs, write their report, and print the answers."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from lit_effnet.cli.errors import fail
from lit_effnet.results.design_doc.ours import counted
from lit_effnet.results.design_doc.tables import plain, tables
from lit_effnet.results.frame.narrowing import narrowed_line
from lit_effnet.results.frame.shipped import ship
from lit_effnet.results.frame.table import Table, load
from lit_effnet.results.report import page
from lit_effnet.results.report.fonts import chinese_font
from lit_effnet.results.report.language import Language
from lit_effnet.results.report.plan import plans
from lit_effnet.results.report.view import View
from lit_effnet.results.report.words import WORDS
from lit_effnet.runs.folder import FINISHED
from lit_effnet.runs.paths import local

SWEEPS = "sweeps"  # folder of the project; it may be missing elsewhere
NO_FONT = (
    "warning: no font with Chinese characters was found; the figures in {folder} are in English "
    "only (fonts-noto-cjk has one)\n"
)


def report(config: Any) -> None:
    """Read the runs, write the page, and print the answers.

    Raises:
        ValueError: Bad input.
    """
    check_flags(config)
    table = load(config.runs)
    check_finished(table, config.runs)
    options = page.Options(
        value=config.value,
        baseline=config.baseline,
        confidence=config.confidence,
        language=config.language,
        plans=plans(sorted(local(config.sweeps, "sweeps").glob("*.yaml"))),
        document=document_tables() if config.document else (),
        paired=config.paired,
    )
    views = page.views(table, options)
    folder = local(config.output, "output")
    files = page.steps(views, table, config.runs, options)
    try:
        # Without a terminal there is no bar, although the files take seconds.
        with tqdm(total=len(files), unit=" files", leave=False, disable=None, delay=1) as bar:
            for path in page.write(files, folder):
                bar.set_description(path.name)
                bar.update()
    except OSError as error:
        fail(f"--output {folder}: cannot be written ({error.strerror or error})")
    if chinese_font() is None:
        sys.stderr.write(NO_FONT.format(folder=folder / "figures"))
    print_answers(views, table, config.language, folder / page.PAGE)
    if config.export_json is not None:
        export(table, config)


def check_flags(config: Any) -> None:
    """Check flags and paths before the page is written.

    Raises:
        ValueError: A value is out of range, a folder does not exist, or a flag needs another one.
    """
    if not 0 < config.confidence < 1:
        raise ValueError(f"confidence {config.confidence}: must be between 0 and 1")
    if not local(config.sweeps, "sweeps").is_dir() and config.sweeps != SWEEPS:
        raise ValueError(f"sweeps {config.sweeps}: no such folder")
    if config.export_json is None:
        for name in ("made_by", "note"):
            if config[name]:
                raise ValueError(f"{name} {config[name]!r}: needs --export_json")
        return
    path = local(config.export_json, "export_json")
    if path.suffix != ".json":
        raise ValueError(f"export_json {path}: must end in .json")
    if not path.parent.is_dir():
        raise ValueError(f"export_json {path}: no such folder {path.parent}")


def check_finished(table: Table, paths: Sequence[str]) -> None:
    """Refuse a table without a finished run.

    Raises:
        ValueError: There is none, and why.
    """
    named = " ".join(paths)
    frame = table.frame
    if frame.empty:
        reason = table.skipped[0].reason if table.skipped else "there is none"
        files = [file for path in paths for file in sorted(Path(path).glob("*.json"))]
        if files and not any(str(path).endswith(".json") for path in paths):
            reason += f"; give files of results by name, as {files[0]}"
        raise ValueError(f"{named}: must hold runs: {reason}")
    if not (frame["status"] == FINISHED).any():
        count = frame["run"].nunique()
        raise ValueError(f"{named}: must hold a finished run, but none of {count} is finished")


def export(table: Table, config: Any) -> None:
    """Write the finished runs to one file, and print its path."""
    path = local(config.export_json, "export_json")
    finished = table.frame[table.frame["status"] == FINISHED]
    try:
        ship(finished, path, config.made_by, config.note)
    except OSError as error:
        fail(f"--export_json {path}: cannot be written ({error.strerror or error})")
    sys.stdout.write(f"{path}: {finished['run'].nunique()} runs\n")


def print_answers(views: Sequence[View], table: Table, language: Language, file: Path) -> None:
    """Print question and answer of each section, the path of the page, and the skipped folders."""
    lines = []
    for view in views:
        lines.append(f"{view.group}: {view.setting.of(language)}")
        lines.append(f"  {WORDS['question'].of(language)}: {view.question.of(language)}")
        answer = WORDS["answer"].of(language)
        lines += [f"  {answer}: {text.of(language)}" for text in view.sentences]
        lines.append("")
    if left_out := narrowed_line(table.frame):
        lines += [left_out, ""]
    sys.stdout.write("\n".join([*lines, f"{file}\n"]))
    if table.skipped:
        sys.stdout.flush()
        count = len(table.skipped)
        sys.stderr.write(
            f"warning: {count} folder(s) or line(s) cannot be read; the page lists them\n"
        )


def document_tables() -> tuple[Any, ...]:
    """Return the tables of the design document, with the costs that this suite counts."""
    return tuple(plain(table) for table in tables(counted()))
