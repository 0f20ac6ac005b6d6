"""A finished run's row is of its final weights on the whole split, or says what it is of."""

import json
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from lit_effnet import fit
from lit_effnet.evaluation.target import Overrides, load_target
from lit_effnet.experiment import training
from lit_effnet.results.frame.columns import clean_rows
from lit_effnet.results.frame.narrowing import narrowed_line
from lit_effnet.results.frame.table import load
from lit_effnet.runs.folder import RunFolder
from tests.conftest import TINY

SMALL = [
    *(flag for flag in TINY if "limit" not in flag),
    *("--trainer.max_epochs=3", "--trainer.precision=32-true", "--recipe.learning_rate=0.3"),
]


def trained(root: Path, *flags: str) -> Path:
    fit.main([*SMALL, f"--run.root={root}", "--run.group=g", "--run.id=r", *flags])
    return root / "g" / "r"


def record(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text())


def loss_of_kept_weights(folder: Path) -> float:
    found = load_target(str(folder), Overrides({}))
    with torch.inference_mode():
        parts = [
            F.cross_entropy(found.network(images), labels, reduction="none")
            for images, labels in found.data.evaluation_loader("validation")
        ]
    return torch.cat(parts).mean().item()


@pytest.mark.parametrize(
    "flags",
    [
        ["--trainer.check_val_every_n_epoch=2"],
        ["--trainer.check_val_every_n_epoch=9"],
        ["--trainer.val_check_interval=2"],
        ["--trainer.val_check_interval=4", "--trainer.check_val_every_n_epoch=null"],
        ["--trainer.max_steps=8"],
        ["--trainer.num_sanity_val_steps=1", "--trainer.check_val_every_n_epoch=2"],
        ["--trainer.check_val_every_n_epoch=2", "--recipe.ema_decay=0.5"],
        ["--trainer.check_val_every_n_epoch=2", "--recipe.ema_decay=0"],
    ],
    ids=" ".join,
)
def test_the_row_is_of_the_kept_weights(flags: list[str], own_images: Path, tmp_path: Path) -> None:
    folder = trained(tmp_path, f"--data.name={own_images}", *flags)
    metrics = record(folder)["metrics"]
    assert metrics["val/loss"] == pytest.approx(loss_of_kept_weights(folder), rel=1e-4)
    last = RunFolder(folder).read_metrics()[-1]
    assert float(last["val/top1"]) == metrics["val/top1"]
    (row,) = load([folder]).frame.to_dict("records")
    whole = record(folder)["data"]["images"]["validation"]
    assert (row["top1"], row["images"]) == (metrics["val/top1"], whole)
    assert len(clean_rows(load([folder]).frame)) == 1


def test_scores_are_all_of_one_validation(own_images: Path, tmp_path: Path) -> None:
    """The final one has no raw weights to validate, and must not stand beside an earlier one's."""
    folder = trained(
        tmp_path, f"--data.name={own_images}", "--trainer.check_val_every_n_epoch=2",
        "--recipe.ema_decay=0.5",
    )  # fmt: skip
    rows = RunFolder(folder).read_metrics()
    assert [bool(row["val/top1_raw"]) for row in rows] == [False, True, False]
    assert "val/top1_raw" not in record(folder)["metrics"]


def test_a_final_validation_that_was_stopped_is_due(
    own_images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    flags = (f"--data.name={own_images}", "--trainer.check_val_every_n_epoch=2")
    monkeypatch.setattr(training, "evaluate_final_weights", stop)
    with pytest.raises(SystemExit) as stopped:
        trained(tmp_path, *flags)
    monkeypatch.undo()
    folder = tmp_path / "g" / "r"
    assert stopped.value.code == 130
    (row,) = load([folder]).frame.to_dict("records")
    assert row["narrowed"] == "scores of earlier weights"
    fit.main(["--resume", str(folder)])
    metrics = record(folder)["metrics"]
    assert metrics["val/loss"] == pytest.approx(loss_of_kept_weights(folder), rel=1e-4)
    assert load([folder]).frame["narrowed"].isna().all()


@pytest.mark.parametrize(
    ("flag", "told", "images"),
    [
        ("--trainer.limit_val_batches=2", "16 of 540 images", 16),
        ("--trainer.limit_val_batches=0.1", "48 of 540 images", 48),
        ("--trainer.overfit_batches=2", "overfit_batches 2; 16 of 540 images", 16),
        ("--trainer.fast_dev_run=true", "fast_dev_run true; 8 of 540 images", 8),
    ],
)
def test_what_narrows_a_row_is_in_it_and_keeps_it_out_of_comparisons(
    flag: str, told: str, images: int, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = trained(tmp_path, "--trainer.limit_train_batches=3", "--trainer.max_epochs=1", flag)
    frame = load([folder]).frame
    (row,) = frame.to_dict("records")
    assert (row["narrowed"], row["images"]) == (told, images)
    assert row["top1"] * images == pytest.approx(row["correct"])
    with pytest.raises(ValueError, match="1 run with narrowed scores"):
        clean_rows(frame)
    assert narrowed_line(frame).endswith(f"({told})")
    said = capsys.readouterr().out.splitlines()
    assert f"on {images} of 540 images" in said[-2]
    assert f"({images} of 540 images)" in said[-1]


def test_a_limited_test_is_narrowed_and_the_validation_is_not(tmp_path: Path) -> None:
    folder = trained(
        tmp_path, "--trainer.limit_train_batches=3", "--trainer.max_epochs=1",
        "--trainer.limit_test_batches=2", "--run.test=true",
    )  # fmt: skip
    frame = load([folder]).frame.set_index("split")
    assert frame["narrowed"].fillna("").to_dict() == {"validation": "", "test": "16 of 540 images"}
    assert frame["images"].to_dict() == {"validation": 540, "test": 16}


def test_an_evaluation_on_the_whole_split_ends_the_narrowing(tmp_path: Path) -> None:
    from lit_effnet import evaluate

    limits = ("--trainer.limit_train_batches=3", "--trainer.limit_val_batches=1")
    folder = trained(tmp_path, "--trainer.max_epochs=1", *limits)
    with pytest.raises(SystemExit):
        evaluate.main([str(folder)])
    (row,) = clean_rows(load([folder]).frame).to_dict("records")
    assert (row["source"], row["images"]) == ("evaluation", 540)


@pytest.mark.parametrize("flag", ["--run.test=true", "--run.noise=[0.1]"])
def test_without_a_checkpoint_nothing_can_be_evaluated_at_the_end(
    flag: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    with pytest.raises(SystemExit) as ended:
        trained(tmp_path, "--trainer.fast_dev_run=true", flag)
    assert ended.value.code == 2
    assert "the last checkpoint, but no checkpoint is kept" in capsys.readouterr().err
    assert not (tmp_path / "g").exists()
