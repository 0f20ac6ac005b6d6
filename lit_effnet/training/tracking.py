"""W&B beside the run folder: online with a key, offline without one, never with a question."""

import os
import warnings
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch.loggers import WandbLogger

Mode = Literal["auto", "online", "offline", "disabled"]

INIT_TIMEOUT_S = 30


def choose_mode(mode: Mode) -> str:
    """What `auto` means here: WANDB_MODE if it is set, else online with a key, else offline."""
    if mode != "auto":
        return mode
    if asked := os.environ.get("WANDB_MODE"):
        return {"dryrun": "offline", "run": "online"}.get(asked, asked)
    import wandb

    try:
        has_key = wandb.login(prompt=False, verify=False)
    except wandb.errors.Error as error:
        warnings.warn(f"W&B's key is not usable, going on offline ({_line(error)})", stacklevel=2)
        return "offline"
    return "online" if has_key else "offline"


def wandb_logger(
    folder: Path, *, group: str, run_id: str, project: str, mode: Mode, config: dict[str, Any]
) -> WandbLogger | None:
    """Lightning's logger on a W&B run that has the run folder's id; none if disabled.

    Falls back to offline, with a warning, where a key is there but the server is not.
    """
    chosen = choose_mode(mode)
    if chosen == "disabled":
        return None
    import wandb

    def start(how: str) -> Any:
        return wandb.init(
            project=os.environ.get("WANDB_PROJECT", project),
            group=os.environ.get("WANDB_RUN_GROUP", group),
            id=run_id,
            dir=folder,
            mode=how,  # type: ignore[arg-type]
            config=config,
            resume="allow",
            settings=wandb.Settings(silent=True, init_timeout=INIT_TIMEOUT_S),
        )

    try:
        run = start(chosen)
    except wandb.errors.CommError as error:
        warnings.warn(f"W&B cannot be reached, going on offline ({_line(error)})", stacklevel=2)
        run = start("offline")
    return _PlainConfigLogger(experiment=run, save_dir=folder, project=project)


class _PlainConfigLogger(WandbLogger):
    """W&B's config is the whole configuration, once; Lightning would add a flat copy of parts."""

    def log_hyperparams(self, params: Any) -> None:
        """Leave the config as it is."""


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
