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

from typing import Literal

from lit_effnet.cli.errors import stopping
from lit_effnet.cli.output import prepare_output, quiet_libraries
from lit_effnet.cli.parser import OneLineErrors


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
    add(
        "--sweeps",
        type=str,
        default="sweeps",
        help="Folder of sweep files, to find missing trials.",
    )
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
        from lit_effnet.results.report.job import report

        report(config)


if __name__ == "__main__":
    main()
