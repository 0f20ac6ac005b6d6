"""Write a sweep as a SLURM job array: a script for `sbatch`.

Each task of the array runs one trial, by its number in the sweep, into its usual run folder. SLURM
sends a signal before the time is over, or when another job takes the place. The trial then ends
after its step and keeps its last whole epoch, and the script requeues the task.
"""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Lightning would treat the tasks of a job as processes of one training, and handle the signals
# itself; it ignores a job of this name.
VARIABLES = {"SLURM_JOB_NAME": "interactive"}

USUAL_LARGEST_ARRAY = 1000  # MaxArraySize is 1001 by default

WARNING_S = 120  # from the signal to the end of the time; a trial ends after its step

SCRIPT = """\
#!/bin/bash
{options}

# Submit by: sbatch {name}
# Written by: {written_by}
cd {folder} || exit 1
{variables}
trial= asked=
trap 'asked=1; [ -z "$trial" ] || kill -TERM "$trial" 2>/dev/null' USR1 TERM
{command} &
trial=$!
[ -z "$asked" ] || kill -TERM "$trial"  # it came before there was a trial to pass it on to
wait "$trial"; status=$?
# A signal ends the wait, not the trial.
while [ -n "$asked" ]; do asked=; wait "$trial"; status=$?; done

# 130: it was stopped, and goes on when its task runs again, unless the job was cancelled.
task="${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
if [ "$status" -eq 130 ] && [ "$(squeue --noheader --format=%T --jobs="$task")" = RUNNING ]; then
  scontrol requeue "$task"
fi
exit "$status"
"""


@dataclass(frozen=True)
class Job:
    """A job array.

    Args:
        name: The sweep's name.
        numbers: Numbers of the trials to run, from 1.
        at_a_time: Most tasks that run at a time; None for no limit.
        cpus: CPUs per task.
        gpus: GPUs per task.
        options: Further flags of `sbatch`, like --partition=gpu.
        command: Words of the command that runs a trial, without its number.
        extra: Arguments after --.
        folder: Working directory of the command.
        logs: Folder of the tasks' output.
        variables: Environment variables that the command needs.
    """

    name: str
    numbers: Sequence[int]
    at_a_time: int | None
    cpus: int
    gpus: int
    options: Sequence[str]
    command: Sequence[str]
    extra: Sequence[str]
    folder: str
    logs: str
    variables: dict[str, str]


def script(job: Job, file: str, written_by: str) -> str:
    """Return the text of the script; flags in `job.options` override the others.

    Args:
        job: The job array.
        file: Name of the script.
        written_by: The command that writes it.
    """
    most = f"%{job.at_a_time}" if job.at_a_time else ""
    gpus = [f"--gpus={job.gpus}"] if job.gpus else []
    options = (
        f"--job-name={shlex.quote(job.name)}",
        f"--array={ranges(job.numbers)}{most}",
        "--ntasks=1",
        f"--cpus-per-task={job.cpus}",
        *gpus,
        f"--output={shlex.quote(job.logs)}/slurm-%A_%a.log",
        "--open-mode=append",
        "--requeue",
        f"--signal=B:USR1@{WARNING_S}",
        *job.options,
    )
    words = shlex.join(job.command) + ' --trial="$SLURM_ARRAY_TASK_ID"'
    return SCRIPT.format(
        options="\n".join(f"#SBATCH {option}" for option in options),
        name=file,
        written_by=written_by,
        folder=shlex.quote(job.folder),
        variables="\n".join(
            f"export {key}={shlex.quote(value)}" for key, value in job.variables.items()
        ),
        command=f"{words} -- {shlex.join(job.extra)}" if job.extra else words,
    )


def ranges(numbers: Iterable[int]) -> str:
    """Return numbers in the form of the option --array: 1-3,5."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in spans)
