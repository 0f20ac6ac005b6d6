"""W&B beside the run folder: online with a key, offline without one, never with a question."""

import math
import os
import shlex
import shutil
import sys
import threading
import time
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, get_args

import psutil
from lightning.pytorch.loggers import WandbLogger

from lit_effnet.runs.paths import Location
from lit_effnet.training.progress import say

LONGEST = 80  # of a cause, in characters

Mode = Literal["auto", "online", "offline", "disabled"]

SILENT_S, SAY_EVERY_S = 2.0, 15.0  # of a wait for W&B
GRACE_S = 2.0
FLUSH_S = 1.0  # from a value to W&B's local file


def choose_mode(mode: Mode) -> str:
    """online, offline or disabled: what was asked for, or what `auto` means here.

    `auto` is WANDB_MODE where that is set, else online with a key, else offline.

    Raises:
        ValueError: online without a key, or a WANDB_MODE that W&B does not know.
    """
    asked = os.environ.get("WANDB_MODE", "auto") if mode == "auto" else mode
    asked = {"dryrun": "offline", "run": "online"}.get(asked, asked)
    if asked not in get_args(Mode):
        raise ValueError(f"WANDB_MODE {asked!r}: must be one of online, offline, disabled")
    if asked in ("offline", "disabled"):
        return asked
    if has_key():
        return "online"
    if asked == "online":
        raise ValueError("wandb 'online': there is no W&B key; `wandb login` stores one")
    return "offline"


def has_key() -> bool:
    """Whether W&B finds a key that looks like one; asks nobody and no server."""
    wandb = _quiet_wandb()
    try:
        return bool(wandb.login(prompt=False, verify=False))
    except Exception as error:  # W&B's own errors and those of its settings' validation
        warnings.warn(f"W&B's key is not usable ({_line(error)})", stacklevel=2)
        return False


def check_timeout(seconds: float) -> None:
    """Raise ValueError for a time that W&B cannot be given."""
    if not 0 < seconds < math.inf:
        raise ValueError(f"wandb_timeout {seconds:g}: must be a number of seconds above 0")


def wandb_logger(
    folder: Location,
    *,
    group: str,
    run_id: str,
    project: str | None,
    mode: str,
    config: dict[str, Any],
    timeout_s: float,
) -> WandbLogger | None:
    """Lightning's logger on a W&B run that has the run folder's id; none if disabled.

    A training does not fail for its tracking: where W&B cannot be started online it goes on
    offline, and where not even that without, each with a warning. W&B writes local files only: of
    a run folder in a store they go where W&B puts them by itself, into WANDB_DIR or here.

    Args:
        folder: The run folder, in which W&B keeps its own.
        group: W&B's group of the run.
        run_id: Name of the run folder.
        project: W&B's project; WANDB_PROJECT if None, else lit_effnet.
        mode: online, offline or disabled.
        config: The whole configuration.
        timeout_s: How long the server may take to answer, and at the end to take all values.
    """
    if mode == "disabled":
        return None
    if mode == "offline":  # W&B would look its server up, to report on itself
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    wandb = _quiet_wandb()
    project = project or os.environ.get("WANDB_PROJECT", "lit_effnet")
    place = folder if isinstance(folder, Path) else None
    refused = ""
    for how in dict.fromkeys((mode, "offline")):
        before = set(place.glob("wandb/run-*")) if place else set()
        line = f"wandb    waits for its server, {timeout_s:g} s at most"
        waiting = threading.Timer(SILENT_S, say, [line])
        waiting.start()
        try:
            run = wandb.init(
                project=project,
                group=os.environ.get("WANDB_RUN_GROUP", group),
                id=run_id,
                dir=place,
                mode=how,
                config=config,
                resume="allow",
                settings=wandb.Settings(
                    silent=True,
                    init_timeout=timeout_s,
                    finish_timeout=timeout_s,
                    finish_timeout_raises=True,
                    x_transaction_log_flush_interval=FLUSH_S,
                ),
            )
        except KeyboardInterrupt:
            _end_service()
            raise
        except Exception as error:
            refused += f"{' nor ' if refused else ''}{how} ({_line(error)})"
            _end_service()  # which holds the id, and would refuse it to the next start
            _quiet_wandb()
            for leftover in set(place.glob("wandb/run-*")) - before if place else ():
                shutil.rmtree(leftover, ignore_errors=True)
        else:
            if refused:
                warnings.warn(
                    f"W&B does not start {refused}; it records offline, and later sends by: "
                    f"{sync_command(run)}",
                    stacklevel=2,
                )
            return _PlainConfigLogger(experiment=run, save_dir=place or ".", project=project)
        finally:
            waiting.cancel()
    warnings.warn(f"W&B does not start {refused}; the run goes on without it", stacklevel=2)
    return None


def sync_command(run: Any) -> str:
    """The command that sends what W&B wrote of a run into local files."""
    flag = "" if run.offline else "--no-skip-online "
    return f"wandb sync {flag}{shlex.quote(str(Path(run.dir).parent))}"


def finish(exit_status: int, timeout_s: float) -> None:
    """Close the W&B run, if there is one, and W&B's own process, within `timeout_s`.

    Not every process runs the hook by which W&B would, and that may wait for ever for a server
    that went away. Ctrl-C ends the waiting, and nothing else.
    """
    import wandb

    run = wandb.run
    if run is None:
        return
    errors: list[BaseException] = []
    sync = f"send the rest later by: {sync_command(run)}"
    last = threading.Thread(target=_finish, args=(exit_status, errors), daemon=True)
    try:
        last.start()
        _await(last, timeout_s)
    except KeyboardInterrupt:
        with suppress(KeyboardInterrupt):  # pressed twice
            last.join(2 * FLUSH_S)  # what was logged is in the local files by then
        ended = "is finished" if exit_status == 0 else "has ended"
        sys.stderr.write(f"stopped sending to W&B; the run {ended}; {sync}\n")
    else:
        if last.is_alive() or any(isinstance(error, TimeoutError) for error in errors):
            line = f"W&B did not take all values within {timeout_s:g} s; {sync}"
            warnings.warn(line, stacklevel=2)
        elif errors:
            warnings.warn(f"W&B does not end its run ({_line(errors[0])}); {sync}", stacklevel=2)
        else:
            return
    _end_service()


def _finish(exit_status: int, errors: list[BaseException]) -> None:
    import wandb

    try:
        wandb.finish(exit_code=exit_status)
        wandb.teardown(exit_code=exit_status)
    except (Exception, SystemExit) as error:
        errors.append(error)


def _await(last: threading.Thread, timeout_s: float) -> None:
    """Wait until W&B's run has ended; say so as long as it takes."""
    deadline = time.monotonic() + timeout_s
    patience = min(SILENT_S, timeout_s / 2)
    while last.is_alive() and (left := deadline - time.monotonic()) > 0:
        last.join(min(patience, left))
        if last.is_alive() and left > patience:
            seconds = f"{left - patience:.0f} s"
            say(f"wandb    sends the last values, {seconds} at most; Ctrl-C leaves them")
        patience = SAY_EVERY_S
    last.join(GRACE_S)  # W&B's own clock has begun a little later


def _end_service() -> None:
    """End W&B's own process; W&B's hook at the end of this one would wait for it, or raise."""
    import wandb

    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if child.name().startswith("wandb-core"):
                child.kill()
    with suppress(Exception, SystemExit):
        wandb.teardown()
    wandb.run = None


def _quiet_wandb() -> Any:
    """W&B without lines of its own, which would repeat ours."""
    import wandb

    wandb.setup(wandb.Settings(silent=True))
    return wandb


class _PlainConfigLogger(WandbLogger):
    """W&B's config is the whole configuration, once; Lightning would add a flat copy of parts."""

    lost = False

    def log_hyperparams(self, params: Any) -> None:
        """Leave the config as it is."""

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Log, as long as W&B's own process takes it; a training does not end with that."""
        if self.lost:
            return
        try:
            super().log_metrics(metrics, step)
        except Exception as error:
            self.lost = True
            why, sync = _line(error), sync_command(self.experiment)
            if isinstance(error, ConnectionError):
                why = f"its own process has ended: {why}"
                _end_service()
            since = f"epoch {int(metrics['epoch']) + 1}" if "epoch" in metrics else "here"
            warnings.warn(
                f"W&B logs no more ({why}); it lacks the values from {since} on, which metrics.csv "
                f"has; send earlier ones that it may lack by: {sync}",
                stacklevel=2,
            )


def _line(error: BaseException) -> str:
    """The cause, from the end of W&B's message, without an answer's text."""
    line = (str(error).strip() or type(error).__name__).splitlines()[-1]
    line = line.removeprefix("while retrying: ").split(": {")[0]
    return line if len(line) <= LONGEST else f"...{line[-LONGEST:]}"
