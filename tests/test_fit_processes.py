"""`fit` in several processes: the same numbers as in one, and one end for all of them."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import torch
import yaml

from lit_effnet import fit
from lit_effnet.data.images import ImageData
from lit_effnet.data.photos import photos
from lit_effnet.evaluation.scoring import score
from lit_effnet.network.trained import network_of_run
from lit_effnet.runs.folder import RunFolder
from tests.conftest import HUNG_S, ROOT, TINY, start

SPOILT = ROOT / "tests" / "spoilt_fit.py"


def spoilt(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`fit` in whose ranks something happens, as the environment says."""
    return subprocess.run(
        [sys.executable, str(SPOILT), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=HUNG_S,
    )


def run_of(root: Path) -> tuple[Path, dict]:
    (file,) = root.glob("*/*/run.json")
    return file.parent, json.loads(file.read_text())


def checkpoint(folder: Path) -> dict:
    return torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)


def two_nodes(arguments: list[str], port: int) -> list[subprocess.CompletedProcess[str]]:
    """torchrun on two nodes of one process each, which meet at a port of the loopback."""
    words = ["--nnodes=2", "--nproc-per-node=1", "--master-addr=127.0.0.1", f"--master-port={port}"]
    nodes = [
        subprocess.Popen(
            [sys.executable, "-m", "torch.distributed.run", *words, f"--node-rank={node}",
             "-m", "lit_effnet.fit", *arguments],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for node in (0, 1)
    ]  # fmt: skip
    try:
        told = [node.communicate(timeout=HUNG_S) for node in nodes]
    finally:
        for node in nodes:
            node.kill()
    return [
        subprocess.CompletedProcess(node.args, node.returncode, *texts)
        for node, texts in zip(nodes, told, strict=True)
    ]


def free_port() -> int:
    import socket

    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return place.getsockname()[1]


@pytest.mark.slow
def test_two_nodes_train_as_one_process_with_their_batches_together(tmp_path: Path) -> None:
    """In double precision and by small steps: at a usual rate a difference grows with each.

    Dropout has no part in it: each process draws its own.
    """
    flags = [
        *("--scaling.width=0.25", "--scaling.depth=0.3", "--data.image_size=32"),
        *("--data.num_workers=0", "--recipe.dropout=0", "--recipe.drop_path_rate=0"),
        *("--recipe.name=plain", "--recipe.ema_decay=0.9", "--trainer.precision=64-true"),
        "--recipe.learning_rate=0.02",
        *("--trainer.max_epochs=1", "--trainer.limit_val_batches=3", "--trainer.accelerator=cpu"),
        *("--run.wandb=disabled", "--recipe.global_batch=128"),
    ]
    fit.main([*flags, f"--run.root={tmp_path / 'one'}", "--data.batch_size=64"])
    shared = ["--trainer.num_nodes=2", "--trainer.sync_batchnorm=true", "--data.batch_size=32"]
    nodes = two_nodes([*flags, *shared, f"--run.root={tmp_path / 'two'}"], free_port())
    assert [node.returncode for node in nodes] == [0, 0], nodes[0].stderr[-2000:]
    assert nodes[1].stdout == ""
    (one, alone), (two, together) = run_of(tmp_path / "one"), run_of(tmp_path / "two")
    assert (alone["processes"], together["processes"]) == (1, 2)
    assert (alone["sync_batchnorm"], together["sync_batchnorm"]) == (False, True)
    assert alone["data"]["global_batch"] == together["data"]["global_batch"] == 128
    assert alone["peak_learning_rate"] == together["peak_learning_rate"] == 0.02 * 128 / 256
    assert alone["cost"]["images"] == together["cost"]["images"] == 2160 // 128 * 128
    assert together["cost"]["epochs"] == 1
    a, b = checkpoint(one), checkpoint(two)
    for key in ("state_dict", "current_model_state"):
        for name, values in a[key].items():
            torch.testing.assert_close(b[key][name], values, rtol=1e-7, atol=1e-7)
    assert together["metrics"]["train/loss"] == pytest.approx(
        alone["metrics"]["train/loss"], rel=1e-5
    )


@pytest.mark.slow
def test_two_processes_evaluate_the_final_weights_once_more(tmp_path: Path) -> None:
    """The trainer is used again after the training, and its limits are of each process."""
    flags = [
        *(flag for flag in TINY if "limit_val" not in flag),
        *("--trainer.max_epochs=1", "--trainer.check_val_every_n_epoch=2", "--run.test=true"),
        *("--trainer.limit_test_batches=2", "--trainer.precision=32-true"),
        *("--trainer.devices=2", "--trainer.accelerator=cpu", f"--run.root={tmp_path}"),
    ]
    done = spoilt(*flags)
    assert done.returncode == 0, done.stderr[-2000:]
    folder, run = run_of(tmp_path)
    assert (run["metrics"]["val/images"], run["test"]["test/images"]) == (540, 32)
    assert run["narrowed"] == {"test": "32 of 540 images"}
    network, _ = network_of_run(folder)
    data = ImageData("photos", image_size=32, batch_size=90, num_workers=0)
    true = score(network, data.evaluation_loader("validation"), data.num_classes)
    assert run["metrics"]["val/top1"] == pytest.approx(true["top1"], abs=1.5 / 540)
    assert run["metrics"]["val/top1_macro"] == pytest.approx(true["top1_macro"], abs=1.5 / 540)


def test_a_global_batch_is_accumulated_on_one_device(tmp_path: Path) -> None:
    fit.main([*TINY, "--trainer.max_epochs=1", f"--run.root={tmp_path}", "--recipe.global_batch=32",
              "--trainer.limit_train_batches=8"])  # fmt: skip
    folder, run = run_of(tmp_path)
    assert (run["data"]["batch_size"], run["data"]["global_batch"]) == (8, 32)
    assert run["peak_learning_rate"] == 0.016 * 32 / 256
    assert RunFolder(folder).read_metrics()[0]["step"] == "2"
    assert run["cost"]["images"] == 64


@pytest.mark.parametrize(
    ("flags", "line"),
    [
        (["--recipe.global_batch=12"], "--recipe.global_batch 12: must be a multiple of 8, the images of 1 process with batch_size 8"),
        (["--recipe.global_batch=32", "--trainer.accumulate_grad_batches=2"], "--trainer.accumulate_grad_batches 2: must be 1 with a recipe.global_batch"),
        (["--recipe.global_batch=4000"], "--recipe.global_batch 4000: must be at most 2160, the training images"),
        (["--trainer.devices=2", "--trainer.accelerator=cpu", "--trainer.strategy=ddp_spawn"], "--trainer.strategy 'ddp_spawn': must be one of auto, ddp, ddp_find_unused_parameters_true, ddp_find_unused_parameters_false with 2 processes"),
        (["--run.stall_timeout=0"], "--run.stall_timeout 0: must be above 0 and below 7200"),
        (["--trainer.devices=2", "--trainer.accelerator=cpu", "--trainer.sync_batchnorm=true", "--model.name=densenet201", "--scaling.width=null", "--scaling.depth=null"], "--trainer.sync_batchnorm true: must be false on a CPU with BatchNormAct2d in the network"),
    ],
)  # fmt: skip
def test_what_the_devices_cannot_do_is_one_line(
    flags: list[str], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        fit.main([*TINY, f"--run.root={tmp_path}", *flags])
    assert end.value.code == 2
    assert line in capsys.readouterr().err
    assert not list(tmp_path.glob("*/*"))


@pytest.mark.parametrize("devices", ["auto", "3"])
def test_torchruns_processes_are_those_that_are_asked_for(
    devices: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        **{"TORCHELASTIC_RUN_ID": "none", "WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"},
        **{"GROUP_RANK": "0", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "x", "MASTER_PORT": "1"},
    }.items():
        monkeypatch.setenv(name, value)
    flags = ["--trainer.accelerator=cpu", f"--trainer.devices={devices}"]
    with pytest.raises(SystemExit) as end:
        fit.main([*TINY, f"--run.root={tmp_path}", *flags])
    assert end.value.code == 2
    told = (
        f"--trainer.devices {devices}: must, with num_nodes 1, make as many processes as torchrun"
    )
    assert told in capsys.readouterr().err


def test_two_processes_make_one_run_and_have_the_same_averages(
    tiny: list[str], tmp_path: Path
) -> None:
    """Though each has batch norms of its own."""
    flags = ["--trainer.devices=2", "--trainer.accelerator=cpu"]
    done = spoilt(*tiny, *flags, SPOIL="averages", FOUND=str(tmp_path))
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr == ""
    assert done.stdout.count("val top-1") == 3  # one line for each epoch, and the closing one
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)
    folder, run = run_of(tmp_path)
    assert (run["status"], run["processes"], run["sync_batchnorm"]) == ("finished", 2, False)
    assert run["cost"]["images"] == 2 * 2 * 3 * 8
    assert [row["epoch"] for row in RunFolder(folder).read_metrics()] == ["0", "1"]
    assert checkpoint(folder)["epoch"] == 1


@pytest.mark.slow
def test_each_image_counts_once_in_one_two_and_three_processes(
    trained: Path, tmp_path: Path
) -> None:
    """Of 25 images, which neither two nor three processes divide."""
    rows = photos()
    for split in ("train", "validation"):
        rows[split].to_parquet(tmp_path / "images" / f"{split}-00000-of-00001.parquet")
    twenty_five = rows["test"].select(range(0, 500, 20))
    twenty_five.to_parquet(tmp_path / "images" / "test-00000-of-00001.parquet")
    images, found = ImageData(str(tmp_path / "images")), {}
    for processes in (1, 2, 3):
        run = tmp_path / f"run{processes}"
        shutil.copytree(trained, run)
        record = RunFolder(run).read()
        data = {**record["data"], "fingerprint": images.fingerprint}
        RunFolder(run).write({**record, "asked": ["test"], "data": data})
        config = yaml.safe_load((run / "config.yaml").read_text())
        config["trainer"] |= {"devices": processes, "accelerator": "cpu"}
        config["data"]["name"] = str(tmp_path / "images")
        config["run"]["test"] = True
        (run / "config.yaml").write_text(yaml.safe_dump(config))
        seen = tmp_path / f"seen{processes}"
        seen.mkdir()
        done = spoilt("--resume", str(run), SPOIL="predictions", FOUND=str(seen))
        assert done.returncode == 0, done.stderr[-2000:]
        ranks = [torch.load(seen / f"rank{rank}.pt") for rank in range(processes)]
        joined = [None] * sum(len(rank) for rank in ranks)
        for rank, rows_of_rank in enumerate(ranks):
            joined[rank::processes] = rows_of_rank
        found[processes] = (joined, RunFolder(run).read()["test"])
    assert found[1][0] == found[2][0] == found[3][0]
    for name, value in found[1][1].items():
        assert found[2][1][name] == pytest.approx(value, rel=1e-5)
        assert found[3][1][name] == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(
    ("spoil", "status", "line"),
    [
        pytest.param(
            "nan",
            1,
            "failed: rank 1: the loss became nan in epoch 2, batch 2: ",
            marks=pytest.mark.slow,
        ),
        ("KILL", 1, "failed: rank 1: its process "),
        pytest.param(
            "hang",
            1,
            "failed: rank 1: stalled for 20 s in epoch 2, batch 2; ",
            marks=pytest.mark.slow,
        ),
        pytest.param("TERM", 130, "stopped (rank 1); ", marks=pytest.mark.slow),
        pytest.param("STOP", 1, "failed: rank 1: stalled", marks=pytest.mark.slow),
        pytest.param(
            "hang in test",
            1,
            "failed: rank 1: stalled for 20 s in batch 1 of the test; ",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_what_ends_a_rank_ends_all_with_one_line_and_the_run_resumes(
    spoil: str, status: int, line: str, tiny: list[str], tmp_path: Path
) -> None:
    flags = ["--trainer.devices=2", "--trainer.accelerator=cpu"]
    flags += ["--run.stall_timeout=20"] if spoil in ("hang", "STOP", "hang in test") else []
    flags += ["--run.test=true"] if "test" in spoil else []
    done = spoilt(*tiny, *flags, SPOIL=spoil)
    assert done.returncode == status
    assert [text for text in done.stderr.splitlines() if line in text] == [done.stderr.strip()]
    folder, run = run_of(tmp_path)
    ends = {"TERM": "interrupted", "hang in test": "finished"}
    assert run["status"] == ends.get(spoil, "failed")
    assert f"python -m lit_effnet.fit --resume {folder}" in done.stderr
    if spoil != "hang":  # a resume is a resume; one is enough
        return
    again = start("--resume", str(folder))
    assert again.communicate(timeout=HUNG_S) is not None
    assert again.returncode == 0
    assert [row["epoch"] for row in RunFolder(folder).read_metrics()] == ["0", "1"]


@pytest.mark.slow
@pytest.mark.parametrize(("spoil", "status"), [("KILL", -9), ("TERM", 130), ("STOP", None)])
def test_what_ends_the_first_rank_ends_all(
    spoil: str, status: int, tiny: list[str], tmp_path: Path
) -> None:
    flags = ["--trainer.devices=2", "--trainer.accelerator=cpu"]
    lost = {
        "KILL": "failed: rank 0: its process ",
        "TERM": "stopped; ",
        "STOP": "failed: rank 0: no heartbeat for 20 s",
    }
    with subprocess.Popen(
        [sys.executable, str(SPOILT), *tiny, *flags], cwd=ROOT, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SPOIL": spoil, "SPOILT_RANK": "0"},
    ) as process:  # fmt: skip
        assert process.stderr is not None
        first = process.stderr.readline()
        if spoil == "STOP":
            process.kill()  # nothing else reaches a frozen process
        rest = process.stderr.read()
    assert first.startswith(lost[spoil])
    assert rest == ""
    assert status in (None, process.returncode)
    left = [
        p
        for p in psutil.process_iter(["cmdline"])
        if str(tmp_path) in " ".join(p.info["cmdline"] or ())
    ]
    assert not left
    again = start("--resume", str(run_of(tmp_path)[0]))
    assert again.communicate(timeout=HUNG_S) is not None
    assert again.returncode == 0


@pytest.mark.slow
def test_the_processes_of_one_machine_listen_on_its_loopback_only(
    tiny: list[str], tmp_path: Path
) -> None:
    flags = ["--trainer.devices=2", "--trainer.accelerator=cpu", "--trainer.max_epochs=500"]
    with start(*tiny, *flags) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("epoch   1/"):
                break
        first = psutil.Process(process.pid)
        ranks = [first, *first.children()]
        listening = [
            place.laddr.ip
            for rank in ranks
            for place in rank.net_connections("inet")
            if place.status == psutil.CONN_LISTEN
        ]
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert len(ranks) == 2
    assert listening
    assert {*listening} == {"127.0.0.1"}


@pytest.mark.slow
def test_torchrun_leaves_the_line_on_a_dead_rank_to_us(tiny: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={free_port()}",
         str(SPOILT), *tiny, "--trainer.devices=2", "--trainer.accelerator=cpu"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), "SPOIL": "KILL"},
        capture_output=True, text=True, timeout=HUNG_S,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("failed: rank 1: its process ") == 1
    _, run = run_of(tmp_path)
    assert run["status"] == "failed"
    assert run["error"].startswith("rank 1: its process ")


@pytest.mark.slow
def test_a_process_that_does_not_come_to_the_training_ends_the_others(
    tiny: list[str], tmp_path: Path
) -> None:
    flags = ["--trainer.devices=2", "--trainer.accelerator=cpu"]
    done = spoilt(*tiny, *flags, SPOIL="never begin")
    assert done.returncode == 1
    assert (
        done.stderr
        == "failed: local rank 1: its process ended with status 7 before the training began\n"
    )


def test_a_run_does_not_go_on_with_other_steps(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit.main(tiny)
    folder, run = run_of(tmp_path)
    RunFolder(folder).write({**run, "status": "interrupted"})
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["data"]["batch_size"] = 4
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(SystemExit) as end:
        fit.main(["--resume", str(folder)])
    assert end.value.code == 2
    assert (
        f"{folder}: began with 8 images per step, and the devices here make 4"
        in capsys.readouterr().err
    )


@pytest.mark.slow
def test_the_tasks_of_a_slurm_job_are_the_processes_of_one_run(
    tiny: list[str], tmp_path: Path
) -> None:
    job = {
        **{"SLURM_JOB_ID": "4711", "SLURM_JOB_NAME": "fit", "SLURM_NTASKS": "2"},
        **{"SLURM_NTASKS_PER_NODE": "1", "SLURM_NNODES": "2", "SLURM_NODELIST": "127.0.0.1"},
        **{"MASTER_PORT": str(free_port()), "SLURM_LOCALID": "0"},
    }
    tasks = [
        start(
            *tiny, "--trainer.num_nodes=2", "--trainer.devices=1", "--trainer.accelerator=cpu",
            env={**os.environ, **job, "SLURM_PROCID": task, "SLURM_NODEID": task},
        )
        for task in ("0", "1")
    ]  # fmt: skip
    ends = [(*task.communicate(timeout=HUNG_S), task.returncode) for task in tasks]
    assert [code for _, _, code in ends] == [0, 0], ends[0][1][-2000:]
    folder, run = run_of(tmp_path)
    assert (run["status"], run["processes"]) == ("finished", 2)
    assert ends[1][0] == ""
    assert checkpoint(folder)["epoch"] == 1


@pytest.mark.gpu
def test_two_gpus_train_with_shared_batch_norm(tiny: list[str], tmp_path: Path) -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two CUDA devices")
    flags = ["--trainer.devices=2", "--trainer.accelerator=cuda", "--trainer.sync_batchnorm=true"]
    done = spoilt(*tiny, *flags, "--recipe.reduced_precision=true")
    assert done.returncode == 0, done.stderr[-2000:]
    run = run_of(tmp_path)[1]
    assert (run["status"], run["processes"], run["sync_batchnorm"]) == ("finished", 2, True)
    assert run["precision"] == "16-mixed"
