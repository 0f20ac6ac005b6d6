"""W&B beside the run folder: online with a key, offline without one, never with a question."""

import os
import warnings
from pathlib import Path
from typing import Any, Literal, get_args

from lightning.pytorch.loggers import WandbLogger

from lit_effnet.locations import Location

Mode = Literal["auto", "online", "offline", "disabled"]

INIT_TIMEOUT_S = 30


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
    import wandb

    try:
        return bool(wandb.login(prompt=False, verify=False))
    except Exception as error:  # W&B's own errors and those of its settings' validation
        warnings.warn(f"W&B's key is not usable ({_line(error)})", stacklevel=2)
        return False


def wandb_logger(
    folder: Location,
    *,
    group: str,
    run_id: str,
    project: str | None,
    mode: str,
    config: dict[str, Any],
) -> WandbLogger | None:
    """Lightning's logger on a W&B run that has the run folder's id; none if disabled.

    A training does not fail for its tracking: where W&B cannot be started online it goes on
    offline, and where not even that without, each with a warning. W&B writes local files only: of
    a run folder in a store they go where W&B puts them by itself, into WANDB_DIR or here.
    """
    if mode == "disabled":
        return None
    import wandb

    project = project or os.environ.get("WANDB_PROJECT", "lit_effnet")
    place = folder if isinstance(folder, Path) else None
    for how in dict.fromkeys((mode, "offline")):
        try:
            run = wandb.init(
                project=project,
                group=os.environ.get("WANDB_RUN_GROUP", group),
                id=run_id,
                dir=place,
                mode=how,  # type: ignore[arg-type]
                config=config,
                resume="allow",
                settings=wandb.Settings(silent=True, init_timeout=INIT_TIMEOUT_S),
            )
        except Exception as error:
            warnings.warn(f"W&B does not start {how} ({_line(error)})", stacklevel=2)
        else:
            return _PlainConfigLogger(experiment=run, save_dir=place or ".", project=project)
    return None


def finish(exit_status: int) -> None:
    """Close the W&B run, if there is one; not every process runs the hook by which W&B would."""
    import wandb

    if wandb.run is not None:
        try:
            wandb.finish(exit_code=exit_status)
        except Exception as error:
            warnings.warn(f"W&B does not end its run ({_line(error)})", stacklevel=2)


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
            warnings.warn(f"W&B logs no more ({_line(error)}); the run goes on", stacklevel=2)


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
