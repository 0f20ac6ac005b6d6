"""A sweep as a SLURM job array: the script that a person submits by `sbatch`.

Each task of the array runs one trial, by its place in the sweep, into the run folder that it has
everywhere. Before the time is over, or when another job takes its place, SLURM sends a signal; the
trial then ends with its step and keeps its last whole epoch, and the script has its task queued
again.
"""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Lightning would take the job's own tasks for the processes of one training, and answer the
# signals itself; a job of this name it leaves alone.
VARIABLES = {"SLURM_JOB_NAME": "interactive"}

USUAL_LARGEST_ARRAY = 1000  # MaxArraySize is 1001 where nobody has changed it

WARNING_S = 120  # from the signal to the end of the time; a trial ends with its step

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

# 130: it was stopped, and goes on when its task runs again. A job that was cancelled does not.
task="${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
if [ "$status" -eq 130 ] && [ "$(squeue --noheader --format=%T --jobs="$task")" = RUNNING ]; then
  scontrol requeue "$task"
fi
exit "$status"
"""


@dataclass(frozen=True)
class Job:
    """What a job array is to run.

    Args:
        name: The sweep's name.
        numbers: The trials to run, by their places in the sweep from 1.
        at_a_time: Most tasks that run at a time; null for as many as there is room for.
        cpus: CPUs of a task.
        gpus: GPUs of a task.
        options: Further flags of `sbatch`, like --partition=gpu.
        command: The words that run a trial, without its number.
        extra: Arguments after --.
        folder: Where the command runs.
        logs: Folder of what the tasks print.
        variables: Variables of the environment that the command needs.
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
    """The text of the script; a flag of `job.options` stands last, and so counts.

    Args:
        job: What it is to run.
        file: The name that the script is to have.
        written_by: The command that asked for it.
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
    """Numbers as an array's option has them: 1-3,5."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in found)
