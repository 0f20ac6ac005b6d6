"""Quantize networks to INT8 after training, and compare accuracy, size and speed with float32.

python -m lit_effnet.quantize runs/photos/RUN
python -m lit_effnet.quantize RUN --methods min-max,mse --keep_float nothing,se,silu,se+silu+worst
python -m lit_effnet.quantize RUN --sensitivity block
python -m lit_effnet.quantize efficientnet_lite0.pth --network efficientnet_lite0 \\
    --data.name imagenet --data.path FOLDER --calibration_data.name OTHER_IMAGES

Only training images calibrate. The backends are openvino_mixed and openvino_performance (NNCF),
onnxruntime (QDQ) and torchao (PT2E; it compiles half a minute for each variant and batch size).
Variants run on one thread of the CPU and are timed interleaved. A variant that has a row is not
evaluated again. It is timed again where its row has fewer runs, or is from another processor or
memory allocator.
"""

import sys
from typing import TYPE_CHECKING, Any, Literal

from lit_effnet.cli.errors import stopping
from lit_effnet.cli.output import prepare_output, quiet_libraries
from lit_effnet.cli.parser import OneLineErrors
from lit_effnet.cli.shared_flags import add_network_flags, add_row_flags
from lit_effnet.deploy.calibration_flags import add_calibration_flags
from lit_effnet.runs.exit_status import FAILURE

if TYPE_CHECKING:
    from rich.console import Console

    from lit_effnet.deploy.quantize_job import QuantizeJob


def make_parser() -> OneLineErrors:
    """Return the parser of the command's flags."""
    parser = OneLineErrors(
        prog="python -m lit_effnet.quantize",
        usage="%(prog)s RUN [RUN ...] [--NAME VALUE ...]",
        description=__doc__,
    )
    add_network_flags(parser)
    add_row_flags(parser)
    add = parser.add_argument
    add(
        "--backends",
        type=str,
        default="openvino_mixed,openvino_performance,onnxruntime",
        help="Backends, separated by commas: these and torchao.",
    )
    add(
        "--methods",
        type=str | None,
        help="Calibration methods, separated by commas: min-max, mean-min-max, percentile, mse, "
        "entropy. A backend skips those that it lacks; null uses each backend's default.",
    )
    add(
        "--keep_float",
        type=str,
        default="nothing,se",
        help="Parts that stay in float: nothing, or se (squeeze-and-excite), silu and worst (the "
        "most sensitive layers) joined by +. Separate several choices by commas.",
    )
    parser.renamed["kept"] = "keep_float"
    add("--worst", type=int, default=4, help="Number of layers that worst keeps, gates excluded.")
    add_calibration_flags(parser)
    add(
        "--sensitivity",
        type=Literal["layer", "block"] | None,
        help="Quantize one layer or block at a time, and write a table and a figure.",
    )
    add("--runs_timed", type=int, default=50, help="Number of timed runs of each variant.")
    add("--keep_freed_memory", type=bool, default=True, help="As in fit; speeds eager mode up.")
    return parser


def main(args: list[str] | None = None) -> None:
    """Run the command: exit status 0 done, 1 a variant failed, 2 bad input, 130 stopped."""
    prepare_output()
    quiet_libraries()
    parser = make_parser()
    config = parser.parse_args(args)
    with stopping("finished rows are kept; the same command continues"), parser.bad_input():
        done = quantize_all(config)
    raise SystemExit(0 if done else FAILURE)


def quantize_all(config: Any) -> bool:
    """Quantize every network and print its table; whether nothing failed.

    Raises:
        ValueError: Bad input.
        OSError: A row cannot be written.
    """
    from rich.console import Console

    from lit_effnet.deploy.quantize_job import prepare_job
    from lit_effnet.evaluation.run_folders import run_folders
    from lit_effnet.runs.machine import keep_freed_memory

    kept = keep_freed_memory() if config.keep_freed_memory else False
    names, done = run_folders(config.runs), True
    for name in names:
        try:
            job = prepare_job(name, config, freed_memory_kept=kept)
            done &= run_job(name, job, config.sensitivity, Console())
        except ValueError as error:
            if len(names) == 1:
                raise
            done = False
            sys.stderr.write(f"failed: {name}: {error}; the others go on\n")
    return done


def run_job(name: str, job: "QuantizeJob", sensitivity: str | None, console: "Console") -> bool:
    """Run a job and print its tables; whether nothing failed."""
    from lit_effnet.cli.progress import say
    from lit_effnet.cli.tables import as_rich
    from lit_effnet.deploy.tables import sensitivity_table, variants_notes, variants_table

    timed = f", {len(job.to_time)} to be timed" if job.to_time else ""
    say(f"{name}: {len(job.to_evaluate)} of {len(job.variants)} variants to be done{timed}")
    if job.to_evaluate or job.to_time or sensitivity:
        job.target.make_folder()
    for by in dict.fromkeys(filter(None, ("layer" if job.needs_worst else None, sensitivity))):
        parts = job.sensitivity(by)
        if by == sensitivity:
            title = f"{job.target.arm}: sensitivity by {by}"
            console.print(as_rich(sensitivity_table(title, parts)), highlight=False)
            say(f"written: {job.write_sensitivity(title, parts, by)}")
    done = job.run(say)
    if rows := job.rows():
        table = variants_table(f"{job.target.arm}, {job.target.data.image_size} px", rows)
        console.print(as_rich(table, compact=True), highlight=False)
        for note in variants_notes(rows, str(job.target.folder.path)):
            console.print(note, style="dim", highlight=False, soft_wrap=True)
    return done


if __name__ == "__main__":
    main()
