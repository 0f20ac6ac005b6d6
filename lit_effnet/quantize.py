"""Networks in INT8: what post-training quantisation leaves of them, and how fast they are then.

python -m lit_effnet.quantize runs/photos/RUN
python -m lit_effnet.quantize RUN --methods min-max,mse --kept nothing,se,silu,se+silu+worst
python -m lit_effnet.quantize RUN --sensitivity block
python -m lit_effnet.quantize efficientnet_lite0.pth --network efficientnet_lite0 \\
    --data.name imagenet --data.path FOLDER --calibration_data.name OTHER_IMAGES

Ranges of activations are found on training images only. Backends: openvino_mixed and
openvino_performance (by NNCF), onnxruntime (QDQ), torchao (PT2E, which compiles half a minute for
each variant and size of a batch). What has a row already is not repeated; where only its time is
of fewer rounds, another processor or another allocator, it is timed anew. All is run on one thread
of the CPU; the variants are timed in turns.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from lit_effnet.cli.errors import stopping, written
from lit_effnet.cli.output import prepare_output, quiet_libraries
from lit_effnet.cli.parser import OneLineErrors
from lit_effnet.cli.shared_flags import add_network_flags, add_row_flags
from lit_effnet.deploy.calibration_data import add_calibration_flags

if TYPE_CHECKING:
    from rich.console import Console

    from lit_effnet.deploy.backends import Built
    from lit_effnet.deploy.quantize_job import Work
    from lit_effnet.deploy.study import Variant

    BuiltVariants = dict[Variant, Built]

FAILURE = 1


def make_parser() -> OneLineErrors:
    """The command's flags."""
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
        help="What builds and runs the network: these and torchao, with commas.",
    )
    add(
        "--methods",
        type=str | None,
        help="How ranges of activations are found, with commas: min-max, mean-min-max, "
        "percentile, mse, entropy, as far as a backend has them; each one's usual if null.",
    )
    add(
        "--kept",
        type=str,
        default="nothing,se",
        help="What stays in float: nothing, or se (squeeze-and-excite), silu and worst "
        "(the most sensitive layers) joined by +; several with commas.",
    )
    add("--worst", type=int, default=4, help="How many layers worst keeps, gates not among them.")
    add_calibration_flags(parser)
    add(
        "--sensitivity",
        type=Literal["layer", "block"] | None,
        help="Quantise one layer or block at a time; a table and a figure.",
    )
    add("--runs_timed", type=int, default=50, help="Rounds in which each variant is timed once.")
    add("--keep_freed_memory", type=bool, default=True, help="As fit does; eager is faster then.")
    return parser


def main(args: list[str] | None = None) -> None:
    """Run the command: exit status 0 done, 1 a variant failed, 2 bad input, 130 stopped."""
    prepare_output()
    quiet_libraries()
    parser = make_parser()
    config = parser.parse_args(args)
    with stopping("what has a row is kept, the same command goes on"), parser.bad_input():
        failed = quantize_all(config)
    raise SystemExit(FAILURE if failed else 0)


def quantize_all(config: Any) -> bool:
    """Quantise every network and print its table; whether something failed.

    Raises:
        ValueError: bad input.
    """
    from rich.console import Console

    from lit_effnet.evaluation.run_folders import run_folders
    from lit_effnet.runs.machine import keep_freed_memory

    kept = keep_freed_memory() if config.keep_freed_memory else False
    names, failed = run_folders(config.runs), False
    for name in names:
        try:
            failed |= quantize_one(name, config, kept, Console())
        except ValueError as error:
            if len(names) == 1:
                raise
            failed = True
            sys.stderr.write(f"failed: {name}: {error}; the others go on\n")
    return failed


def quantize_one(name: str, config: Any, freed_memory_kept: bool, console: "Console") -> bool:
    """Quantise a network and print its table; whether a variant failed.

    Raises:
        ValueError: the network or its images cannot be had.
    """
    from lit_effnet.deploy.int8_tables import notes, variants_table
    from lit_effnet.deploy.quantize_job import prepare
    from lit_effnet.training.progress import say

    work = prepare(name, config, freed_memory_kept=freed_memory_kept)
    folder, study = work.subject.folder, work.study
    rows = {row["id"]: row for row in folder.read_evaluations()}
    due = [v for v in work.variants if config.overwrite or study.id(v) not in rows]
    done = [variant for variant in work.variants if variant not in due]
    stale = [v for v in done if not study.is_timed(rows[study.id(v)], config.runs_timed)]
    only_timed = f", {len(stale)} to be timed" if stale else ""
    say(f"{name}: {len(due)} of {len(work.variants)} variants to be done{only_timed}")
    if due or stale or config.sensitivity:
        written(f"{work.subject.folder.path}:", work.subject.make_folder)
        find_sensitivity(work, config, [*due, *stale], console)
    built = build_all(work, due, stale)
    time_all(work, built, config.runs_timed)
    rows = {row["id"]: row for row in folder.read_evaluations()}
    shown = [rows[study.id(v)] for v in work.variants if study.id(v) in rows]
    if shown:
        title = f"{work.subject.arm}, {work.image_size} px"
        console.print(variants_table(title, shown), highlight=False)
        for note in notes(shown, str(folder.path)):
            console.print(note, style="dim", highlight=False, soft_wrap=True)
    return len(built) < len(due) + len(stale)


def find_sensitivity(work: "Work", config: Any, due: list["Variant"], console: "Console") -> None:
    """Measure layers one at a time where that is asked for or needed, and show what was asked."""
    from tqdm import tqdm

    from lit_effnet.deploy.int8_tables import sensitivity_table
    from lit_effnet.deploy.sensitivity import sensitivities
    from lit_effnet.training.progress import say

    needed = ["layer"] if any(variant.keeps_worst for variant in due) else []
    for by in dict.fromkeys([*needed, *filter(None, [config.sensitivity])]):
        parts = work.parts(by)
        with tqdm(total=len(parts), unit=f" {by}s", leave=False, disable=None) as bar:
            bar.set_description("sensitivity")
            found = sensitivities(work.subject.network, work.few_batches(), parts, bar.update)
        if by == "layer":
            work.keep(found)
        if by == config.sensitivity:
            title = f"{work.subject.arm}: sensitivity by {by}"
            console.print(sensitivity_table(title, found), highlight=False)
            place = written(f"{work.subject.folder.path}:", work.add_figure, title, found, by)
            say(f"figure and numbers: {place}")


def build_all(work: "Work", due: list["Variant"], stale: list["Variant"]) -> "BuiltVariants":
    """Build all, and score what is due, each with a row; what fails is told and left out."""
    from tqdm import tqdm

    from lit_effnet.deploy.int8_tables import line
    from lit_effnet.training.progress import say

    built: BuiltVariants = {}
    for variant in stale:
        with failure_told(variant):
            built[variant] = work.build(variant)
    if not due:
        return built
    images = work.study.evaluator.images
    with tqdm(total=(len(due) + 1) * images, unit=" images", leave=False, disable=None) as bar:
        bar.set_description("float32")
        clean, reference = work.study.clean(bar.update)
        written(f"{work.subject.folder.path}:", work.subject.folder.add_evaluation, clean)
        for variant in due:
            bar.set_description(variant.label)
            with failure_told(variant):
                made = work.build(variant)
                kept = work.kept_layers(variant)
                row = work.study.row(variant, made, reference, kept, bar.update)
                written(f"{work.subject.folder.path}:", work.subject.folder.add_evaluation, row)
                built[variant] = made
                if bar.disable:
                    say(line(variant.label, row))
    return built


@contextmanager
def failure_told(variant: "Variant") -> Iterator[None]:
    """Tell in one line that a variant failed, and go on."""
    try:
        yield
    except Exception as error:  # three programs raise errors of their own kinds
        reason = " ".join(str(error).split()) or type(error).__name__
        sys.stderr.write(f"failed: {variant.label}: {reason}; the others go on\n")


def time_all(work: "Work", built: "BuiltVariants", runs: int) -> None:
    """Time what was built in turns, PyTorch's eager mode always among it, and complete the rows."""
    from tqdm import tqdm

    from lit_effnet.deploy.study import EAGER, Variant
    from lit_effnet.deploy.timing import BATCHES, WARM_UP, timed_in_turn

    if not built:
        return
    eager = Variant(EAGER)
    networks = {eager: work.build(eager).runtime}
    networks |= {variant: found.runtime for variant, found in built.items()}
    rounds = len(BATCHES) * (WARM_UP + runs)
    with tqdm(total=rounds * len(networks), unit=" runs", leave=False, disable=None) as bar:
        bar.set_description("timing")
        timings = [
            timed_in_turn(networks, work.image_size, batch, runs, bar.update) for batch in BATCHES
        ]
    rows = {row["id"]: row for row in work.subject.folder.read_evaluations()}
    when = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    for variant in built:
        row = rows[work.study.id(variant)]
        mine = [timing[variant] for timing in timings]
        timed = work.study.timed(row, mine, [timing[eager] for timing in timings], when)
        written(f"{work.subject.folder.path}:", work.subject.folder.add_evaluation, timed)


if __name__ == "__main__":
    main()
