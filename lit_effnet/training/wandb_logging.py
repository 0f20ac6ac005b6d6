"""Log a run to W&B: online with a key, offline without one, never with a prompt."""

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

from lit_effnet.cli.progress import say
from lit_effnet.runs.paths import Location

LONGEST_CAUSE = 80  # characters

Mode = Literal["auto", "online", "offline", "disabled"]

SILENT_S, SAY_EVERY_S = 2.0, 15.0  # while waiting for W&B
GRACE_S = 2.0
FLUSH_S = 1.0  # until W&B writes a value to its local file


def choose_mode(mode: Mode) -> str:
    """Return online, offline or disabled.

    `auto` means WANDB_MODE if that is set, else online with a key and offline without.

    Raises:
        ValueError: online without a key, or a WANDB_MODE that W&B does not know.
    """
    chosen = os.environ.get("WANDB_MODE", "auto") if mode == "auto" else mode
    chosen = {"dryrun": "offline", "run": "online"}.get(chosen, chosen)
    if chosen not in get_args(Mode):
        raise ValueError(f"WANDB_MODE {chosen!r}: must be one of online, offline, disabled")
    if chosen in ("offline", "disabled"):
        return chosen
    if has_key():
        return "online"
    if chosen == "online":
        raise ValueError("wandb 'online': there is no W&B key; `wandb login` stores one")
    return "offline"


def has_key() -> bool:
    """Return whether W&B has a valid API key, without a prompt or a request to the server."""
    wandb = _quiet_wandb()
    try:
        return bool(wandb.login(prompt=False, verify=False))
    except Exception as error:  # W&B's own errors, and those of validating its settings
        warnings.warn(f"W&B's key is not usable ({_line(error)})", stacklevel=2)
        return False


def check_timeout(seconds: float) -> None:
    """Raise ValueError for a timeout that is not a positive number of seconds."""
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
    """Return Lightning's logger for a W&B run with the run folder's id; None if disabled.

    A training never fails because of W&B. If W&B cannot start online, it records offline; if it
    cannot start at all, the run is not logged. Both give a warning. W&B writes local files only:
    for a run folder in a store, into WANDB_DIR or the working directory.

    Args:
        folder: Run folder, in which W&B keeps its own folder.
        group: W&B's group of the run.
        run_id: Name of the run folder.
        project: W&B's project. Defaults to WANDB_PROJECT, else lit_effnet.
        mode: online, offline or disabled.
        config: Configuration of the run.
        timeout_s: Seconds that the server may take to answer, and at the end to receive all values.
    """
    if mode == "disabled":
        return None
    if mode == "offline":  # W&B would look up its server for error reports
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    wandb = _quiet_wandb()
    project = project or os.environ.get("WANDB_PROJECT", "lit_effnet")
    place = folder if isinstance(folder, Path) else None
    failures = ""
    for attempt in dict.fromkeys((mode, "offline")):
        before = set(place.glob("wandb/run-*")) if place else set()
        line = f"wandb    waiting for its server, {timeout_s:g} s at most"
        waiting = threading.Timer(SILENT_S, say, [line])
        waiting.start()
        try:
            run = wandb.init(
                project=project,
                group=os.environ.get("WANDB_RUN_GROUP", group),
                id=run_id,
                dir=place,
                mode=attempt,
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
            failures += f"{' nor ' if failures else ''}{attempt} ({_line(error)})"
            _end_service()  # it holds the id, and would refuse it to the next attempt
            _quiet_wandb()
            for leftover in set(place.glob("wandb/run-*")) - before if place else ():
                shutil.rmtree(leftover, ignore_errors=True)
        else:
            if failures:
                warnings.warn(
                    f"W&B does not start {failures}; it records offline; upload later with: "
                    f"{sync_command(run)}",
                    stacklevel=2,
                )
            return _PlainConfigLogger(experiment=run, save_dir=place or ".", project=project)
        finally:
            waiting.cancel()
    warnings.warn(f"W&B does not start {failures}; the run continues without it", stacklevel=2)
    return None


def sync_command(run: Any) -> str:
    """Return the command that uploads the local files of a W&B run."""
    flag = "" if run.offline else "--no-skip-online "
    return f"wandb sync {flag}{shlex.quote(str(Path(run.dir).parent))}"


def finish(exit_status: int, timeout_s: float) -> None:
    """Close the W&B run, if there is one, and W&B's service process, within `timeout_s`.

    W&B's own exit hook does not run in every process, and may wait forever for a server that went
    away. Ctrl-C ends the waiting only.
    """
    import wandb

    run = wandb.run
    if run is None:
        return
    errors: list[BaseException] = []
    sync = f"upload the rest later with: {sync_command(run)}"
    last = threading.Thread(target=_finish, args=(exit_status, errors), daemon=True)
    try:
        last.start()
        _await(last, timeout_s)
    except KeyboardInterrupt:
        with suppress(KeyboardInterrupt):  # pressed twice
            last.join(2 * FLUSH_S)  # by then, all values are in the local files
        ended = "is finished" if exit_status == 0 else "has ended"
        sys.stderr.write(f"stopped uploading to W&B; the run {ended}; {sync}\n")
    else:
        if last.is_alive() or any(isinstance(error, TimeoutError) for error in errors):
            line = f"W&B did not receive all values within {timeout_s:g} s; {sync}"
            warnings.warn(line, stacklevel=2)
        elif errors:
            warnings.warn(f"W&B did not close its run ({_line(errors[0])}); {sync}", stacklevel=2)
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
    """Wait until W&B has closed the run, and print a line now and then."""
    deadline = time.monotonic() + timeout_s
    patience = min(SILENT_S, timeout_s / 2)
    while last.is_alive() and (left := deadline - time.monotonic()) > 0:
        last.join(min(patience, left))
        if last.is_alive() and left > patience:
            seconds = f"{left - patience:.0f} s"
            say(f"wandb    uploading the last values, {seconds} at most; Ctrl-C skips them")
        patience = SAY_EVERY_S
    last.join(GRACE_S)  # W&B started its own timeout a little later


def _end_service() -> None:
    """Kill W&B's service process; W&B's exit hook in this process would wait for it, or raise."""
    import wandb

    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if child.name().startswith("wandb-core"):
                child.kill()
    with suppress(Exception, SystemExit):
        wandb.teardown()
    wandb.run = None


def _quiet_wandb() -> Any:
    """Return the module wandb, set to print nothing, since its lines would repeat ours."""
    import wandb

    wandb.setup(wandb.Settings(silent=True))
    return wandb


class _PlainConfigLogger(WandbLogger):
    """Logger that leaves W&B's config unchanged; Lightning would add a flat copy of parts."""

    lost = False

    def log_hyperparams(self, params: Any) -> None:
        """Leave the config unchanged."""

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Log the metrics; warn once and stop logging where W&B fails."""
        if self.lost:
            return
        try:
            super().log_metrics(metrics, step)
        except Exception as error:
            self.lost = True
            why, sync = _line(error), sync_command(self.experiment)
            if isinstance(error, ConnectionError):
                why = f"its service process has ended: {why}"
                _end_service()
            since = f"epoch {int(metrics['epoch']) + 1}" if "epoch" in metrics else "here"
            warnings.warn(
                f"W&B stopped logging ({why}); it lacks the values from {since} on, which "
                f"metrics.csv has; upload earlier ones that it may lack with: {sync}",
                stacklevel=2,
            )


def _line(error: BaseException) -> str:
    """Return the cause, which ends W&B's message, without the text of the server's answer."""
    line = (str(error).strip() or type(error).__name__).splitlines()[-1]
    line = line.removeprefix("while retrying: ").split(": {")[0]
    return line if len(line) <= LONGEST_CAUSE else f"...{line[-LONGEST_CAUSE:]}"
