"""Make one page of run folders: question and answer of each sweep, figures, tables, and the runs.

python -m lit_effnet.report runs/scaling_ablation_photos
python -m lit_effnet.report runs --output report --language zh
python -m lit_effnet.report runs/se_ratio_photos --baseline "baseline, se_ratio=0.0"
python -m lit_effnet.report results/se_ratio_cifar10.json
python -m lit_effnet.report runs/se_ratio_photos --numbers se_ratio.json

The page works without a network. Its tables lie beside it as Markdown, LaTeX and CSV, its figures
as PNG, SVG and PDF at the width of a paper's column. Of a sweep that is still running it says what
is missing. Numbers that `--numbers` wrote into a file are read like the run folders.
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

SWEEPS = "sweeps"  # of the project; a report elsewhere goes without
NO_FONT = (
    "warning: no font with Chinese characters was found; the figures in {folder} are in English "
    "alone (fonts-noto-cjk has them)\n"
)


def make_parser() -> OneLineErrors:
    """The command's flags."""
    parser = OneLineErrors(
        prog="python -m lit_effnet.report",
        usage="%(prog)s RUNS [RUNS ...] [--NAME VALUE ...]",
        description=__doc__,
    )
    add = parser.add_argument
    add("runs", nargs="+", type=str, help="Run folders, folders of them, or files of --numbers.")
    add("--output", type=str, default="report", help="Folder of the page and its files.")
    add(
        "--baseline",
        type=str | None,
        help="Arm that all others are compared with; what each sweep asks for if null.",
    )
    add(
        "--value",
        type=Literal["top1", "top5", "top1_macro"],
        default="top1",
        help="The accuracy that is compared.",
    )
    add("--confidence", type=float, default=0.95, help="Of the intervals.")
    add(
        "--paired",
        type=bool,
        default=True,
        help="Compare arms over the seeds that they share; false for Welch's test of all repeats. "
        "To be chosen before the runs are seen.",
    )
    add("--language", type=Literal["en", "zh"], default="en", help="That the page begins in.")
    add("--sweeps", type=str, default=SWEEPS, help="Folder of sweep files: what is planned.")
    add("--document", type=bool, default=False, help="The design document's tables too.")
    add(
        "--numbers",
        type=str | None,
        help="A .json file for the finished runs' numbers, configurations and epochs, to be kept "
        "or sent; written besides the page.",
    )
    add("--made_by", type=str, default="", help="In that file: the command that made the runs.")
    add("--note", type=str, default="", help="In that file: what its reader has to know.")
    return parser


def main(args: list[str] | None = None) -> None:
    """Run the command: exit status 0 done, 2 bad input, 130 stopped."""
    prepare_output()
    quiet_libraries()
    parser = make_parser()
    config = parser.parse_args(args)
    with stopping("the page is not made anew, the same command makes it"), parser.bad_input():
        report(config)


def report(config: Any) -> None:
    """Read the runs, write the page, and print each answer.

    Raises:
        ValueError: bad input.
    """
    from tqdm import tqdm

    from lit_effnet.results.frame.table import load
    from lit_effnet.results.report import page, paper
    from lit_effnet.results.report.plan import plans

    if not 0 < config.confidence < 1:
        raise ValueError(f"confidence {config.confidence}: must be between 0 and 1")
    if not local(config.sweeps, "sweeps").is_dir() and config.sweeps != SWEEPS:
        raise ValueError(f"sweeps {config.sweeps}: no such folder")
    check_numbers(config)
    table = load(config.runs)
    check(table, config.runs)
    options = page.Options(
        config.value,
        config.baseline,
        config.confidence,
        config.language,
        plans(sorted(local(config.sweeps, "sweeps").glob("*.yaml"))),
        document_tables() if config.document else (),
        config.paired,
    )
    made = page.views(table, options)
    folder = local(config.output, "output")
    files = page.steps(made, table, config.runs, options)
    try:
        # Where no bar can move, the files take seconds all the same.
        shown = tqdm(total=len(files), unit=" files", leave=False, disable=None, delay=1)
        with shown as bar:
            for path in page.write(files, folder):
                bar.set_description(path.name)
                bar.update()
    except OSError as error:
        fail(f"--output {folder}: cannot be written ({error.strerror or error})")
    if paper.chinese_font() is None:
        sys.stderr.write(NO_FONT.format(folder=folder / "figures"))
    say(made, table, config.language, folder / page.PAGE)
    if config.numbers is not None:
        write_numbers(table, config)


def check_numbers(config: Any) -> None:
    """Look at where the numbers shall go, before the page is made.

    Raises:
        ValueError: they cannot go there, or what is to be in their file comes without one.
    """
    for name in ("made_by", "note"):
        if config[name] and config.numbers is None:
            raise ValueError(f"{name} {config[name]!r}: needs --numbers, the file that it is for")
    if config.numbers is None:
        return
    path = local(config.numbers, "numbers")
    if path.suffix != ".json":
        raise ValueError(f"numbers {path}: must end in .json")
    if not path.parent.is_dir():
        raise ValueError(f"numbers {path}: no such folder {path.parent}")


def write_numbers(table: "Table", config: Any) -> None:
    """Write the finished runs into one file, and say where it is."""
    from lit_effnet.results.frame.records import FINISHED
    from lit_effnet.results.frame.shipped import ship

    done, path = table.frame[table.frame["status"] == FINISHED], local(config.numbers, "numbers")
    try:
        ship(done, path, config.made_by, config.note)
    except OSError as error:
        fail(f"--numbers {path}: cannot be written ({error.strerror or error})")
    sys.stdout.write(f"{path}: {done['run'].nunique()} runs\n")


def check(table: "Table", paths: "Sequence[str]") -> None:
    """Refuse a table without a finished run.

    Raises:
        ValueError: there is none, and why.
    """
    from lit_effnet.results.frame.records import FINISHED

    named = " ".join(paths)
    frame = table.frame
    if frame.empty:
        reason = table.skipped[0].reason if table.skipped else "there is none"
        files = [file for path in paths for file in sorted(Path(path).glob("*.json"))]
        if files and not any(str(path).endswith(".json") for path in paths):
            reason += f"; files of results are named themselves, {files[0]}"
        raise ValueError(f"{named}: must hold runs: {reason}")
    if not (frame["status"] == FINISHED).any():
        count = frame["run"].nunique()
        raise ValueError(f"{named}: must hold a finished run, and none of {count} is finished")


def say(made: "Sequence[View]", table: "Table", language: Literal["en", "zh"], page: Path) -> None:
    """Print each section's question and answer, where the page is, and how much is not in it."""
    from lit_effnet.results.frame.narrowing import narrowed_line
    from lit_effnet.results.report.words import WORDS

    lines = []
    for one in made:
        lines.append(f"{one.group}: {one.setting.of(language)}")
        lines.append(f"  {WORDS['question'].of(language)}: {one.question.of(language)}")
        lines += [
            f"  {WORDS['answer'].of(language)}: {text.of(language)}" for text in one.sentences
        ]
        lines.append("")
    if left_out := narrowed_line(table.frame):
        lines += [left_out, ""]
    sys.stdout.write("\n".join([*lines, f"{page}\n"]))
    if table.skipped:
        told = WORDS["broken"].filled(count=len(table.skipped)).en
        sys.stdout.flush()
        sys.stderr.write(f"warning: {told[0].lower()}{told[1:]}; the page names them\n")


def document_tables() -> tuple[Any, ...]:
    """The design document's tables with what this suite counts."""
    from lit_effnet.results.design_doc.ours import counted
    from lit_effnet.results.design_doc.tables import plain, tables

    return tuple(plain(one) for one in tables(counted()))


if __name__ == "__main__":
    main()
