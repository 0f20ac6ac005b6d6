"""Runs, weights and data in a store: the same as on the disk, or one line that says why not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
import torch
from fsspec.registry import known_implementations
from lightning.pytorch import Callback, LightningModule, Trainer
from upath import UPath

from lit_effnet import evaluate, export, fit, sweep
from lit_effnet.experiment import trainer
from lit_effnet.results.figures.epochs import epoch_values
from lit_effnet.results.frame.table import load
from lit_effnet.runs.exit_status import INTERRUPTED
from lit_effnet.runs.folder import RunFolder
from lit_effnet.runs.paths import file_state, is_url, local, locate, read_file
from tests.conftest import TINY


@pytest.fixture
def store(tmp_path: Path) -> Iterator[UPath]:
    """A folder of the test's own in fsspec's store in this process's memory."""
    files = fsspec.filesystem("memory")
    yield UPath(f"memory://{tmp_path.name}")
    if files.exists(f"/{tmp_path.name}"):
        files.rm(f"/{tmp_path.name}", recursive=True)


class StopBefore(Callback):
    """Ctrl-C before an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.current_epoch == self.epoch:
            raise KeyboardInterrupt


def weights(folder: UPath | Path) -> dict[str, torch.Tensor]:
    with (folder / "checkpoints" / "last.ckpt").open("rb") as file:
        state: dict[str, torch.Tensor] = torch.load(file, weights_only=True)["state_dict"]
    return state


def test_a_path_stays_a_path_and_file_urls_become_one(tmp_path: Path) -> None:
    assert locate("runs") == Path("runs")
    assert locate(f"file://{tmp_path}/runs") == tmp_path / "runs"
    assert local(f"file://{tmp_path}/runs", "root") == tmp_path / "runs"
    assert isinstance(locate(f"local://{tmp_path}"), Path)
    assert [is_url(name) for name in ("s3://b", "a/b", "C:/a", "timm/b0")] == [True, *[False] * 3]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("foo://x", r"^root foo://x: must be a local path, or the URL .* foo:// is unknown$"),
        (
            "shop://x",
            r"^root shop://x: must be .* installed \(shopfs is missing: pip install s\w+\)$",
        ),
    ],
)
def test_a_protocol_that_is_not_there_is_one_line(
    name: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"class": "shopfs.Shop", "err": "shopfs is missing"}
    monkeypatch.setitem(known_implementations, "shop", known)
    with pytest.raises(ValueError, match=message) as raised:
        locate(name, "root")
    assert "\n" not in str(raised.value)


def test_a_store_that_does_not_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no\ncredentials")  # clients have errors of their own

    monkeypatch.setattr(fsspec.get_filesystem_class("memory"), "exists", refuse)
    with pytest.raises(ValueError, match=r"^memory://x: cannot be reached \(no credentials\)$"):
        locate("memory://x")
    monkeypatch.setattr(fsspec.get_filesystem_class("memory"), "cat_file", refuse)
    with pytest.raises(OSError, match="no credentials"):
        read_file("memory://x/y")


def test_the_state_of_a_file_changes_with_it(store: UPath, tmp_path: Path) -> None:
    for folder in (store, tmp_path):
        file = folder / "a"
        file.write_bytes(b"one")
        size, before = file_state(str(file))
        assert (size, bool(before)) == (3, True)
        assert file_state(str(file)) == (size, before)
        file.write_bytes(b"two")
        assert file_state(str(file)) != (size, before)


def test_a_run_in_a_store_leaves_the_whole_folder_and_goes_on_from_it(
    store: UPath,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = [*TINY, "--trainer.max_epochs=2", "--run.test=true"]
    fit.main([*flags, "--run.root=here", "--run.id=whole"])
    made = trainer.checkpoint_callbacks
    with monkeypatch.context() as stopped:
        stopped.setattr(
            trainer, "checkpoint_callbacks", lambda *a, **k: [*made(*a, **k), StopBefore(1)]
        )
        gone = pytest.warns(UserWarning, match="is lost when this process ends")
        with gone, pytest.raises(SystemExit) as ended:
            fit.main([*flags, f"--run.root={store}", "--run.id=stopped"])
    assert ended.value.code == INTERRUPTED
    folder = store / "photos" / "stopped"
    assert f"resume with: python -m lit_effnet.fit --resume {folder}" in capsys.readouterr().err
    assert RunFolder(folder).read()["status"] == "interrupted"
    fit.main(["--resume", str(folder)])
    files = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.*"))
    assert files == [
        *("checkpoints/best.ckpt", "checkpoints/last.ckpt", "config.yaml"),
        *("metrics.csv", "run.json"),
    ]
    whole = Path("here/photos/whole")
    expected = weights(whole)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in weights(folder).items())
    records = [json.loads((path / "run.json").read_text()) for path in (whole, folder)]
    for key in ("status", "metrics", "test", "config_hash"):
        assert records[0][key] == records[1][key], key
    assert [path.name for path in tmp_path.iterdir()] == ["here"]  # and no "memory:"


def test_a_file_url_is_the_local_folder(tmp_path: Path) -> None:
    fit.main([*TINY, "--trainer.max_epochs=1", f"--run.root=file://{tmp_path}/runs"])
    (record,) = (tmp_path / "runs").glob("photos/*/run.json")
    assert json.loads(record.read_text())["status"] == "finished"
    assert (record.parent / ".lock").exists()


@pytest.fixture
def on_disk(tiny: list[str], tmp_path: Path) -> Path:
    fit.main([*tiny, "--run.id=trained"])
    return tmp_path / "photos" / "trained"


@pytest.fixture
def stored(on_disk: Path, store: UPath) -> UPath:
    """A copy of the run in a store."""
    folder = store / "runs" / "photos" / "trained"
    for file in on_disk.rglob("*"):
        if file.is_file() and file.name[0] != ".":
            (folder / file.relative_to(on_disk)).write_bytes(file.read_bytes())
    return folder


def test_the_table_of_a_store_is_that_of_the_disk(
    on_disk: Path, stored: UPath, store: UPath
) -> None:
    (store / "runs" / "photos" / "empty" / "notes.txt").write_text("nothing")
    found, here = load([f"{store}/runs/", str(stored), "foo://x"]), load([on_disk])
    assert list(found.frame["run"]) == [str(stored)]
    assert found.frame.drop(columns="run").equals(here.frame.drop(columns="run"))
    assert [one.path for one in found.skipped] == [f"{store}/runs/photos/empty", "foo://x"]
    assert list(epoch_values(str(stored), "top1")) == list(epoch_values(str(on_disk), "top1"))


def test_a_run_in_a_store_is_evaluated_exported_and_begun_with(
    stored: UPath, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        evaluate.main([str(stored.parent), "--num_workers=0"])
    assert ended.value.code == 0
    (row,) = RunFolder(stored).read_evaluations()
    assert (row["condition"], row["images"]) == ("clean", 540)
    RunFolder(stored).add_evaluation({**row, "top1": 0.5})
    assert [one["top1"] for one in RunFolder(stored).read_evaluations()] == [0.5]
    file = tmp_path / "model.safetensors"
    export.main([str(stored), f"--output={file}"])
    assert f"tensors in timm's layout: {file}" in capsys.readouterr().out
    fit.main(
        [*TINY, "--trainer.max_epochs=1", f"--weights.name={stored}", f"--run.root={tmp_path}"]
    )
    assert f"weights  {stored}: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        (fit, ["--run.root=foo://x"], "--run.root foo://x: must be a local path, or the URL"),
        (
            fit,
            ["--run.root=s3:x"],
            "--run.root s3:x: must begin with s3:// to be the URL of a store",
        ),
        (fit, ["--run.root=memory:/x"], "--run.root memory:/x: must begin with memory://"),
        (fit, ["--run.root=http://127.0.0.1:9/x"], "--run.root http://127.0.0.1:9/x: "),
        (fit, ["--data.name=http://127.0.0.1:9/x"], "--data.name 'http://127.0.0.1:9/x': "),
        (fit, ["--resume=foo://x"], "--resume foo://x: must be a local path, or the URL"),
        (fit, ["--resume=memory://none"], "memory://none: no run folder (it has no run.json)"),
        (fit, ["--weights.name=memory://none"], "--weights.name memory://none: no such file"),
        (fit, ["--data.name=foo://x"], "--data.name 'foo://x': must be a local path, or the URL"),
        (fit, ["--data.name=memory://none"], "--data.name 'memory://none': no such folder"),
        (evaluate, ["memory://none"], "memory://none: no such file or folder"),
        (
            export,
            ["b0", "--output=memory://x/y.safetensors"],
            "--output memory://x/y.safetensors: must be a local path, not the URL of a store",
        ),
        (
            sweep,
            ["sweeps/se_ratio.yaml", "--root=memory://x"],
            "--root memory://x: must be a local path, not the URL of a store",
        ),
    ],
)
def test_what_cannot_be_in_a_store_is_one_line(
    command: Any, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1
    assert not Path("memory:").exists()


def test_a_path_begins_at_home_where_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert locate("~") == tmp_path
    assert local("~/runs", "root") == tmp_path / "runs"
    assert locate("./~") == Path("~")
    assert locate("~nobody-of-this-name/x") == Path("~nobody-of-this-name/x")
    monkeypatch.chdir(tmp_path)
    fit.main([*TINY, "--trainer.max_epochs=1", "--run.root=~/runs", "--run.wandb=disabled"])
    assert (tmp_path / "runs" / "photos").is_dir()
    assert not (tmp_path / "~").exists()
