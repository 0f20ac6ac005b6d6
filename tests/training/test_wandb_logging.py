"""W&B's mode: what a key, a variable and a flag lead to, and never a question."""

import warnings
from pathlib import Path

import pytest

from lit_effnet.training.wandb_logging import choose_mode, wandb_logger


@pytest.fixture
def no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sys.stdin", None)  # a question would fail


@pytest.mark.usefixtures("no_key")
def test_without_a_key_auto_is_offline_and_online_is_refused() -> None:
    assert choose_mode("auto") == "offline"
    assert choose_mode("offline") == "offline"
    assert choose_mode("disabled") == "disabled"
    with pytest.raises(ValueError, match="wandb 'online': there is no W&B key"):
        choose_mode("online")


@pytest.mark.usefixtures("no_key")
@pytest.mark.parametrize(
    ("variable", "mode"), [("offline", "offline"), ("dryrun", "offline"), ("disabled", "disabled")]
)
def test_the_variable_decides_where_no_flag_does(
    variable: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", variable)
    assert choose_mode("auto") == mode
    assert choose_mode("disabled") == "disabled"


@pytest.mark.usefixtures("no_key")
def test_a_misspelt_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "ofline")
    with pytest.raises(ValueError, match="WANDB_MODE 'ofline': must be one of online, offline"):
        choose_mode("auto")


def test_disabled_makes_no_logger(tmp_path: Path) -> None:
    logger = wandb_logger(
        tmp_path, group="g", run_id="r", project=None, mode="disabled", config={}, timeout_s=9
    )
    assert logger is None
    assert list(tmp_path.iterdir()) == []


def test_a_mode_that_does_not_start_is_a_warning(tmp_path: Path) -> None:
    """W&B refuses the id, online and offline; the training goes on without it."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        logger = wandb_logger(
            tmp_path, group="g", run_id="a/b", project=None, mode="offline", config={}, timeout_s=9
        )
    assert logger is None
    assert any("W&B does not start offline" in str(warning.message) for warning in told)
