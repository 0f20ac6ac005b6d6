"""Write a page of results: question and answer of each sweep, figures, tables, and all runs.

python -m lit_effnet.report runs/scaling_ablation_photos
python -m lit_effnet.report runs --output report --language zh
python -m lit_effnet.report runs/se_ratio_photos --baseline "baseline, se_ratio=0.0"
python -m lit_effnet.report results/se_ratio_cifar10.json
python -m lit_effnet.report runs/se_ratio_photos --export_json se_ratio.json

The page needs no network. Its tables are beside it as Markdown, LaTeX and CSV, its figures as PNG,
SVG and PDF at the width of a paper's column. For a running sweep the page lists the trials that
are missing. A file of --export_json is read like run folders.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lit_effnet.cli.errors import fail, stopping
from lit_effnet.cli.output import prepare_output, quiet_libraries
from lit_effnet.cli.parser import OneLineErrors
from lit_effnet.runs.paths import local

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lit_effnet.results.frame.table import Table
    from lit_effnet.results.report.view import View

SWEEPS = "sweeps"  # folder of the project; it may be missing elsewhere
NO_FONT = (
    "warning: no font with Chinese characters was found; the figures in {folder} are in English "
    "only (fonts-noto-cjk has one)\n"
)


def make_parser() -> OneLineErrors:
    """Return the parser of the command."""
    parser = OneLineErrors(
        prog="python -m lit_effnet.report",
        usage="%(prog)s RUNS [RUNS ...] [--NAME VALUE ...]",
        description=__doc__,
    )
    add = parser.add_argument
    runs = "Run folders, folders of run folders, or files of --export_json."
    add("runs", nargs="+", type=str, help=runs)
    add("--output", type=str, default="report", help="Folder of the page and its files.")
    baseline = "Arm to compare all others with; null for the reference of each sweep's question."
    add("--baseline", type=str | None, help=baseline)
    values = Literal["top1", "top5", "top1_macro"]
    add("--value", type=values, default="top1", help="Accuracy to compare.")
    add("--confidence", type=float, default=0.95, help="Confidence level of the intervals.")
    paired = (
        "Paired t-test over shared seeds; false for Welch's t-test over all repeats. Choose before "
        "you see the runs."
    )
    add("--paired", type=bool, default=True, help=paired)
    language = "Language that the page opens in."
    add("--language", type=Literal["en", "zh"], default="en", help=language)
    add("--sweeps", type=str, default=SWEEPS, help="Folder of sweep files, to find missing trials.")
    add("--document", type=bool, default=False, help="Add the tables of the design document.")
    export = (
        "Write metrics, configurations and epochs of the finished runs to this .json file, too."
    )
    add("--export_json", type=str | None, help=export)
    add("--made_by", type=str, default="", help="In that file: command that made the runs.")
    add("--note", type=str, default="", help="In that file: note for its readers.")
    parser.renamed["numbers"] = "export_json"
    return parser


def main(args: list[str] | None = None) -> None:
    """Run the command; exit status 0 for success, 2 for bad input, 130 after Ctrl-C."""
    prepare_output()
    quiet_libraries()
    parser = make_parser()
    config = parser.parse_args(args)
    with stopping("the page is not complete; run the command again"), parser.bad_input():
        report(config)


def report(config: Any) -> None:
    """Read the runs, write the page, and print the answers.

    Raises:
        ValueError: Bad input.
    """
    from tqdm import tqdm

    from lit_effnet.results.frame.table import load
    from lit_effnet.results.report import page
    from lit_effnet.results.report.fonts import chinese_font
    from lit_effnet.results.report.plan import plans

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


def check_finished(table: "Table", paths: "Sequence[str]") -> None:
    """Refuse a table without a finished run.

    Raises:
        ValueError: There is none, and why.
    """
    from lit_effnet.results.frame.records import FINISHED

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


def export(table: "Table", config: Any) -> None:
    """Write the finished runs to one file, and print its path."""
    from lit_effnet.results.frame.records import FINISHED
    from lit_effnet.results.frame.shipped import ship

    path = local(config.export_json, "export_json")
    finished = table.frame[table.frame["status"] == FINISHED]
    try:
        ship(finished, path, config.made_by, config.note)
    except OSError as error:
        fail(f"--export_json {path}: cannot be written ({error.strerror or error})")
    sys.stdout.write(f"{path}: {finished['run'].nunique()} runs\n")


def print_answers(
    views: "Sequence[View]", table: "Table", language: Literal["en", "zh"], page: Path
) -> None:
    """Print question and answer of each section, the path of the page, and what was skipped."""
    from lit_effnet.results.frame.narrowing import narrowed_line
    from lit_effnet.results.report.words import WORDS

    lines = []
    for view in views:
        lines.append(f"{view.group}: {view.setting.of(language)}")
        lines.append(f"  {WORDS['question'].of(language)}: {view.question.of(language)}")
        answer = WORDS["answer"].of(language)
        lines += [f"  {answer}: {text.of(language)}" for text in view.sentences]
        lines.append("")
    if left_out := narrowed_line(table.frame):
        lines += [left_out, ""]
    sys.stdout.write("\n".join([*lines, f"{page}\n"]))
    if table.skipped:
        sys.stdout.flush()
        count = len(table.skipped)
        sys.stderr.write(
            f"warning: {count} folder(s) or line(s) cannot be read; the page lists them\n"
        )


def document_tables() -> tuple[Any, ...]:
    """Return the tables of the design document, with the costs that this suite counts."""
    from lit_effnet.results.design_doc.ours import counted
    from lit_effnet.results.design_doc.tables import plain, tables

    return tuple(plain(table) for table in tables(counted()))


if __name__ == "__main__":
    main()
