"""`python -m lit_effnet.fit` from the command line to the run folder, and what can end it."""

import csv
import json
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from lit_effnet import fit
from lit_effnet.data.images import ImageData
from lit_effnet.evaluation.target import Overrides, load_target
from lit_effnet.network.complexity import complexity
from lit_effnet.network.registry import build
from lit_effnet.runs.folder import RunFolder
from lit_effnet.scaling.compound import Scaling
from tests.conftest import HUNG_S, ROOT, TINY, start


def only_run(root: Path) -> Path:
    (folder,) = root.glob("*/*")
    return folder


def record(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text())


def checkpoint(folder: Path, name: str = "last") -> dict:
    return torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)


def assert_same_training(a: dict, b: dict) -> None:
    """Weights, averages and optimiser state are equal to the last bit."""
    for key in ("state_dict", "current_model_state"):
        assert a[key].keys() == b[key].keys()
        assert all(torch.equal(a[key][name], b[key][name]) for name in a[key])
    states = [c["optimizer_states"][0]["state"] for c in (a, b)]
    for index, state in states[0].items():
        for name, value in state.items():
            assert torch.equal(value, states[1][index][name])


def wait_for_epoch(process: subprocess.Popen, epoch: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if re.match(rf"epoch +{epoch}/", line):
            return
    raise AssertionError(f"no epoch {epoch}: {process.stderr.read()}")


def test_a_run_leaves_a_whole_folder(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit.main([*tiny, "--seed_everything=3"])
    folder = only_run(tmp_path)
    assert sorted(path.name for path in folder.iterdir() if path.name != ".lock") == [
        "checkpoints",
        "config.yaml",
        "metrics.csv",
        "run.json",
    ]
    run = record(folder)
    assert (run["status"], run["arm"], run["seed"]) == ("finished", "depth 0.3, width 0.25", 3)
    assert run["model"] == {"name": "efficientnet"}
    assert run["processes"] == 1
    assert run["group"] == folder.parent.name == "photos"
    assert run["id"] == folder.name
    assert run["scaling"]["width"] == 0.25
    assert run["recipe"]["name"] == "quick"
    assert run["data"]["name"] == "photos"
    assert run["data"]["image_size"] == 32
    assert run["cost"]["images"] == 2 * 3 * 8
    assert run["cost"]["seconds"] > 0
    assert run["cost"]["processor_seconds"] > 0
    cost = complexity(build("efficientnet", Scaling(0.3, 0.25), 9), 32)
    assert run["complexity"] == {
        "params": cost.params,
        "macs": cost.macs,
        "activations": cost.activations,
    }
    assert {"torch", "lightning"} <= run["versions"].keys()
    for key in ("config_hash", "device", "precision", "started"):
        assert run[key]
    with (folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    for name in (
        "train/loss",
        "val/loss",
        "val/top1",
        "val/top5",
        "val/top1_macro",
        "val/calibration_error",
        "val/top1_raw",
    ):
        assert float(rows[-1][name]) == pytest.approx(run["metrics"][name])
    closing = capsys.readouterr().out.splitlines()[-1]
    top1 = 100 * run["metrics"]["val/top1"]
    assert closing.startswith(f"val top-1 {top1:.1f} %")
    assert closing.endswith(f"{cost.macs / 1e6:,.1f} M MACs, {folder}")


def test_the_written_config_repeats_the_run(tiny: list[str], tmp_path: Path) -> None:
    fit.main([*tiny, "--run.group=first", "--scaling.phi=null", "--recipe.dropout=0.4"])
    config = only_run(tmp_path) / "config.yaml"
    fit.main(["--config", str(config), "--run.group=second"])
    (first,), (second,) = (tmp_path.glob(f"{name}/*") for name in ("first", "second"))
    assert_same_training(checkpoint(first), checkpoint(second))
    assert record(first)["config_hash"] == record(second)["config_hash"]
    written = yaml.safe_load(config.read_text())
    assert written["scaling"]["width"] == 0.25
    assert written["recipe"]["dropout"] == 0.4
    assert written["trainer"]["max_epochs"] == 2


def test_another_seed_is_another_run(tiny: list[str], tmp_path: Path) -> None:
    for seed in (0, 1):
        fit.main([*tiny, f"--run.group={seed}", f"--seed_everything={seed}"])
    (first,), (second,) = (tmp_path.glob(f"{seed}/*") for seed in (0, 1))
    a, b = (checkpoint(folder)["state_dict"] for folder in (first, second))
    assert not all(torch.equal(a[name], b[name]) for name in a)
    assert record(first)["config_hash"] != record(second)["config_hash"]


def test_resuming_a_finished_run_trains_nothing(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit.main(tiny)
    folder = only_run(tmp_path)
    before = (folder / "run.json").read_text()
    fit.main(["--resume", str(folder)])
    assert "already finished" in capsys.readouterr().out
    assert (folder / "run.json").read_text() == before


def test_a_run_killed_before_its_first_checkpoint_begins_again(
    tiny: list[str], tmp_path: Path
) -> None:
    fit.main([*tiny, "--run.group=a"])
    (folder,) = tmp_path.glob("a/*")
    finished = checkpoint(folder)
    for path in (folder / "checkpoints").iterdir():
        path.unlink()
    (folder / "metrics.csv").unlink()
    run = record(folder)
    RunFolder(folder).write(
        {
            **run,
            "status": "running",
            "cost": {"seconds": 5.0, "processor_seconds": 1000.0, "images": 8},
        }
    )
    fit.main(["--resume", str(folder)])
    assert_same_training(finished, checkpoint(folder))
    assert record(folder)["cost"]["images"] == 8 + run["cost"]["images"]
    assert record(folder)["cost"]["processor_seconds"] >= 1000


def test_changed_data_do_not_resume(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit.main(tiny)
    folder = only_run(tmp_path)
    run = record(folder)
    run["status"] = "running"
    run["data"]["fingerprint"] = "another"
    RunFolder(folder).write(run)
    with pytest.raises(SystemExit) as stopped:
        fit.main(["--resume", str(folder)])
    assert stopped.value.code == 2
    assert "the data are not those that the run began with" in capsys.readouterr().err


def test_a_run_whose_record_has_the_first_fingerprint_resumes_and_keeps_it(
    own_images: Path, tmp_path: Path
) -> None:
    root = tmp_path / "runs"
    fit.main([*TINY, "--trainer.max_epochs=1", f"--data.name={own_images}", f"--run.root={root}"])
    folder = only_run(root)
    run = record(folder)
    assert run["data"]["fingerprint"].startswith("2-")
    first = ImageData(str(own_images)).images.first_fingerprint
    run["data"]["fingerprint"], run["status"] = first, "running"  # as an earlier version left it
    RunFolder(folder).write(run)
    fit.main(["--resume", str(folder)])
    assert record(folder)["status"] == "finished"
    assert record(folder)["data"]["fingerprint"] == first
    found = load_target(str(folder), Overrides({}))
    assert found.data.fingerprint == first


@pytest.mark.parametrize(
    "sent", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_a_stopped_run_says_so_and_how_to_go_on(sent: signal.Signals, tmp_path: Path) -> None:
    process = start(*TINY, "--trainer.max_epochs=500", f"--run.root={tmp_path}")
    wait_for_epoch(process, 1)
    process.send_signal(sent)
    _, err = process.communicate(timeout=HUNG_S)
    folder = only_run(tmp_path)
    assert process.returncode == 130
    assert (
        err.splitlines()[-1] == f"stopped; resume with: python -m lit_effnet.fit --resume {folder}"
    )
    assert "Traceback" not in err
    assert record(folder)["status"] == "interrupted"


def test_a_loss_that_is_not_finite_is_one_line(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        fit.main([*tiny, "--recipe.learning_rate=1e30", "--trainer.max_epochs=9"])
    assert stopped.value.code == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert re.match(
        r"failed: the loss became (nan|inf) in epoch \d, batch \d: lower --recipe", error
    )
    run = record(only_run(tmp_path))
    assert run["status"] == "failed"
    assert "the loss became" in run["error"]


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    """No file may grow past 200 kB: the first checkpoint does not fit."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    process = start(*TINY, "--trainer.max_epochs=2", f"--run.root={tmp_path}", preexec_fn=limit)
    _, err = process.communicate(timeout=HUNG_S)
    folder = only_run(tmp_path)
    assert process.returncode == 1, err
    assert err.splitlines()[-1].startswith("failed: no space left on the disk of")
    assert err.splitlines()[-1].endswith(f"--resume {folder}")
    assert "Traceback" not in err
    assert record(folder)["status"] == "failed"


@pytest.mark.slow
def test_two_at_once_do_not_share_a_folder(tiny: list[str], tmp_path: Path) -> None:
    first = start(*TINY, "--trainer.max_epochs=500", f"--run.root={tmp_path}")
    wait_for_epoch(first, 1)
    folder = only_run(tmp_path)
    second = start("--resume", str(folder))
    _, err = second.communicate(timeout=HUNG_S)
    first.kill()
    first.communicate()
    assert second.returncode == 2
    assert err == f"error: {folder}: another process is training this run\n"


def test_an_id_that_is_taken_is_refused(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit.main([*tiny, "--run.id=mine"])
    with pytest.raises(SystemExit) as stopped:
        fit.main([*tiny, "--run.id=mine"])
    assert stopped.value.code == 2
    assert f"lit_effnet.fit --resume {tmp_path / 'photos' / 'mine'}" in capsys.readouterr().err


def test_without_a_key_wandb_is_offline_and_asks_nothing(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WANDB")}
    environment |= {"HOME": str(tmp_path), "NETRC": str(tmp_path / "none")}
    process = start(
        *TINY,
        "--trainer.max_epochs=1",
        f"--run.root={tmp_path / 'runs'}",
        env=environment,
        stdin=subprocess.DEVNULL,
    )
    _, err = process.communicate(timeout=HUNG_S)
    assert process.returncode == 0, err
    assert err == ""
    folder = only_run(tmp_path / "runs")
    (kept,) = folder.glob("wandb/offline-run-*/*.wandb")
    assert kept.name == f"run-{folder.name}.wandb"
    content = kept.read_bytes()
    for expected in (b"val/top1", b"scaling", folder.parent.name.encode()):
        assert expected in content


def test_a_run_takes_wandbs_id_where_an_agent_gave_one_and_resumes_by_it(
    tiny: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An agent gives a preempted trial out again under the same id, with a flag of its own."""
    monkeypatch.setenv("WANDB_RUN_ID", "abc123")
    fit.main(tiny)
    folder = only_run(tmp_path)
    assert folder.name == "abc123"
    again = [*tiny, "--_wandb={}"]
    fit.main(again)
    assert "already finished" in capsys.readouterr().out
    run = record(folder)
    RunFolder(folder).write({**run, "status": "running"})
    fit.main(again)
    assert record(folder)["status"] == "finished"
    with pytest.raises(SystemExit) as stopped:
        fit.main([*tiny, "--seed_everything=5"])
    assert stopped.value.code == 2


def test_sweep_parameters_come_as_a_json_file_with_dotted_keys_and_null(
    tiny: list[str], tmp_path: Path
) -> None:
    """What W&B's agent writes for `${args_json_file}`."""
    parameters = tmp_path / "parameters.json"
    parameters.write_text('{"scaling.depth": 0.3, "scaling.phi": null, "seed_everything": 2}')
    fit.main([*tiny, "--config", str(parameters), "--run.group=swept"])
    (folder,) = tmp_path.glob("swept/*")
    assert record(folder)["seed"] == 2
    assert record(folder)["scaling"]["depth"] == 0.3


def test_nothing_to_train_on_is_a_failure(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        fit.main([*tiny, "--trainer.max_steps=0"])
    assert stopped.value.code == 1
    assert "the trainer's limits leave nothing to train on" in capsys.readouterr().err
    assert record(only_run(tmp_path))["status"] == "failed"


def test_old_scores_are_not_recorded_as_new(tiny: list[str], tmp_path: Path) -> None:
    fit.main([*tiny, "--trainer.max_epochs=3", "--trainer.check_val_every_n_epoch=2"])
    rows = RunFolder(only_run(tmp_path)).read_metrics()
    # Of the last epoch they are those of the evaluation at the end.
    assert [bool(row["val/top1"]) for row in rows] == [False, True, True]
    assert record(only_run(tmp_path))["metrics"]["val/top1"] == float(rows[2]["val/top1"])


@pytest.mark.parametrize(
    "flag",
    [
        "--trainer.enable_progress_bar=false",
        "--trainer.enable_checkpointing=false",
        "--trainer.callbacks=RichProgressBar",
        "--trainer.logger=false",
        "--trainer.logger=CSVLogger",
        "--trainer.fast_dev_run=true",
        "--trainer.limit_val_batches=0",
        "--trainer.max_steps=2",
    ],
)
def test_lightnings_own_flags_work(flag: str, tiny: list[str], tmp_path: Path) -> None:
    more = [f"--trainer.logger.save_dir={tmp_path / 'csv'}"] if "CSV" in flag else []
    fit.main([*tiny, flag, *more])
    (run,) = tmp_path.glob("photos/*/run.json")
    assert json.loads(run.read_text())["status"] == "finished"


@pytest.mark.gpu
def test_cuda_trains_in_fp16(tiny: list[str], tmp_path: Path) -> None:
    fit.main([*tiny, "--recipe.reduced_precision=true", "--trainer.accelerator=cuda"])
    assert record(only_run(tmp_path))["precision"] == "16-mixed"


def test_help_is_quick_enough_to_be_read() -> None:
    """No heavy package is imported for it; the timing itself is a benchmark's."""
    code = (
        "import sys\nfrom lit_effnet import fit\n"
        "try: fit.main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'timm', 'albumentations', 'datasets', 'wandb', 'skimage'} & sys.modules.keys()\n"
        "sys.exit(' '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    for group in (
        "scaling.depth",
        "model.se_ratio",
        "data.name",
        "recipe.name",
        "trainer.max_epochs",
    ):
        assert f"--{group}" in done.stdout


def test_noise_is_evaluated_at_the_end_and_once(tiny: list[str], tmp_path: Path) -> None:
    fit.main([*tiny, "--run.noise=[0.1,0.3]"])
    folder = only_run(tmp_path)
    file = folder / "evaluations.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(row["condition"], row["parameters"], row["images"]) for row in rows] == [
        ("clean", {}, 540),
        ("gaussian_noise", {"sigma": 0.1}, 540),
        ("gaussian_noise", {"sigma": 0.3}, 540),
    ]
    assert [row["clean"] for row in rows] == [None, rows[0]["id"], rows[0]["id"]]
    assert record(folder)["noise"] == [0.1, 0.3]
    # As if it had been killed before the last level.
    file.write_text("".join(json.dumps(row) + "\n" for row in rows[:2]))
    (folder / "run.json").write_text(
        json.dumps({key: value for key, value in record(folder).items() if key != "noise"})
    )
    fit.main(["--resume", str(folder)])
    again = [json.loads(line) for line in file.read_text().splitlines()]
    assert again[:2] == rows[:2]
    timed = {"seconds": 0, "evaluated": ""}
    assert {**again[2], **timed} == {**rows[2], **timed}
    assert record(folder)["noise"] == [0.1, 0.3]


def test_latency_is_measured_where_it_is_asked_for(tiny: list[str], tmp_path: Path) -> None:
    fit.main([*tiny, "--run.latency=true"])
    assert record(only_run(tmp_path))["latency"]["runs"] == 50
