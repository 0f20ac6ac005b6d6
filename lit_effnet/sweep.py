"""Run the trials of a W&B sweep file, here or on a cluster; no account and no server is needed.

python -m lit_effnet.sweep sweeps/scaling_ablation.yaml --on photos
python -m lit_effnet.sweep sweeps/scaling_ablation.yaml --on photos --dry_run
python -m lit_effnet.sweep sweeps/scaling_ablation.yaml --workers 4 -- --data.path FOLDER
python -m lit_effnet.sweep sweeps/scaling_ablation.yaml --rates runs/learning_rate_cifar100
python -m lit_effnet.sweep --check sweeps/*.yaml
python -m lit_effnet.sweep sweeps/scaling_ablation.yaml --on photos --status
python -m lit_effnet.sweep sweeps/scaling_ablation.yaml --on photos --ray auto
python -m lit_effnet.sweep sweeps/scaling_ablation.yaml --on photos --slurm job.sh

The same command again runs what is missing. Flags after -- go to every trial.
"""

import os
import sys
from dataclasses import fields, replace
from pathlib import Path

from lit_effnet.cli.errors import fail, one_line_errors, stopping
from lit_effnet.cli.output import prepare_output, quiet_libraries
from lit_effnet.cli.parser import OneLineErrors
from lit_effnet.orchestration.options import FORKSERVER_PRELOAD, LaunchOptions, Options
from lit_effnet.runs.paths import local
from lit_effnet.trials import process
from lit_effnet.trials.command import SETTING

MODES = ("check", "status", "dry_run", "ray", "slurm", "trial")


def make_parser() -> OneLineErrors:
    """Return the command's parser."""
    parser = OneLineErrors(
        prog="python -m lit_effnet.sweep",
        description=__doc__,
        usage="%(prog)s FILE [--NAME VALUE ...] [-- --FLAG_OF_FIT VALUE ...]",
    )
    add = parser.add_argument
    add("files", nargs="*", type=str, metavar="FILE", help="A W&B sweep file.")
    add(
        "--on",
        type=str | None,
        help="Data set: photos (embedded, minutes on two cores), cifar10, imagenette, cifar100 "
        f"(default) or imagenet. Same as the variable {SETTING}, which W&B's agent reads too.",
    )
    add("--workers", type=int | None, help="Trials at a time; default: one per core or GPU.")
    add("--dry_run", action="store_true", help="Print the plan and its cost; train nothing.")
    add("--check", action="store_true", help="Print every mistake in the files; train nothing.")
    add("--retry_failed", action="store_true", help="Run failed trials again.")
    add("--count", type=int | None, help="Run at most so many trials, from the first.")
    add("--seed", type=int, default=0, help="Seed of a random or bayes search.")
    add("--repeats", type=int | None, help="Random seeds per arm; default: those of the file.")
    add(
        "--rates",
        type=str | None,
        help="Runs of a learning-rate sweep, or their file in results/: each arm gets the rate "
        "that was best for it there.",
    )
    add("--root", type=str, default="runs", help="Folder of all run folders.")
    add("--status", action="store_true", help="Print progress from the run folders; run nothing.")
    add("--ray", type=str | None, help="Run on Ray: local, auto, or HOST:PORT of a cluster's head.")
    add("--slurm", type=str | None, help="Write a SLURM job array to this file; run nothing.")
    add("--sbatch", type=str | None, help="Further flags of sbatch, like '--partition=gpu'.")
    add("--trial", type=int | None, help="Run only the trial of this number, from 1.")
    add("--cpus_per_trial", type=float | None, help="CPUs per trial on a cluster.")
    add("--gpus_per_trial", type=float | None, help="GPUs per trial on a cluster; may be 0.5.")
    return parser


def main(args: list[str] | None = None) -> None:
    """Run the command: 0 if every trial finished, 1 if not, 2 for bad input, 130 if stopped."""
    prepare_output()
    quiet_libraries()
    words = list(sys.argv[1:] if args is None else args)
    end = words.index("--") if "--" in words else len(words)
    own, extra = words[:end], tuple(words[end + 1 :])
    parser = make_parser()
    flags = parser.parse_args(own)
    files = [Path(file) for file in flags.files]
    if not files or (len(files) > 1 and not flags.check):
        there = ", ".join(str(path) for path in sorted(Path("sweeps").glob("*.yaml")))
        fail(f"FILE: name one sweep file{f', such as {there}' if there else ''}")
    modes = [f"--{name}" for name in MODES if flags[name] not in (None, False)]
    if len(modes) > 1:
        fail(f"{modes[0]} {modes[1]}: must be one of them")
    with stopping("no trial has begun"), one_line_errors(parser.keys(), own):
        launch_options = LaunchOptions(**{f.name: flags[f.name] for f in fields(LaunchOptions)})
        given = {name: flags[name] for name in ("seed", "count", "repeats", "on")}
        options = Options(local(flags.root, "--root"), extra=extra, **given)
        if flags.on is not None:
            os.environ[SETTING] = flags.on
        if not (flags.check or flags.status or flags.ray or flags.slurm):
            process.prepare(FORKSERVER_PRELOAD)  # it imports while this process does
        from lit_effnet.orchestration import launcher, learning_rates, status, tables

        if flags.rates is not None:
            rates = learning_rates.rates_in(flags.rates)
            options = replace(options, rates=rates, rates_from=flags.rates)
        if flags.check:
            launcher.check_files(files, options)
        elif flags.status:
            status.show_progress(files[0], options, tables.console())
        else:
            screen = tables.console()
            launcher.run(files[0], options, launch_options, screen, dry_run=flags.dry_run)


if __name__ == "__main__":
    main()
