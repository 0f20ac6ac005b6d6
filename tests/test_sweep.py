"""`python -m lit_effnet.sweep`: every sweep file, all mistakes at once, trials run and resumed."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from lit_effnet import sweep
from lit_effnet.experiment import preview as outlook
from lit_effnet.network.registry import BASELINES
from lit_effnet.scaling.arms import coefficient_grid, parse
from tests.conftest import ROOT, TINY

FILES = sorted((ROOT / "sweeps").glob("*.yaml"))
NAMES = {
    "scaling_ablation", "scaling_curves", "coefficient_search", "coefficient_search_fine",
    "se_ratio", "transfer", "noise_robustness", "recipe_by_scale", "learning_rate",
    "baselines", "transfer_flowers102",
}  # fmt: skip
HEADINGS = ("question", "arms", "cost", "expected", "command")

COMMAND = ["${env}", "${interpreter}", "-m", "lit_effnet.fit", "--config", "${args_json_file}",
           "--run.group=small"]  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("LIT_EFFNET_ON", "")  # so that it is put back
    monkeypatch.delenv("LIT_EFFNET_ON")


def write(folder: Path, **changes: object) -> Path:
    """A sweep file of two arms with two repeats, in which something is changed."""
    config = {
        "method": "grid",
        "metric": {"name": "val/top1", "goal": "maximize"},
        "command": COMMAND,
        "parameters": {
            "model.se_ratio": {"values": [0.0, 0.25]},
            "scaling.phi": {"value": None},
            "seed_everything": {"values": [0, 1]},
        },
        **changes,
    }
    file = folder / "small.yaml"
    file.write_text(yaml.safe_dump(config, sort_keys=False))
    return file


def tiny(*flags: str) -> list[str]:
    return ["--", *TINY, "--trainer.max_epochs=1", *flags]


def test_more_repeats_leave_what_has_finished(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, root = str(write(tmp_path)), f"--root={tmp_path / 'runs'}"
    flags = tiny("--trainer.limit_train_batches=1", "--trainer.limit_val_batches=1")
    sweep.main([file, root, "--repeats=1", *flags])
    before = records(tmp_path / "runs")
    assert sorted(record["seed"] for record in before.values()) == [0, 0]
    sweep.main([file, root, "--repeats=3", "--count=3", *flags])
    after = records(tmp_path / "runs")
    assert sorted(record["seed"] for record in after.values()) == [0, 0, 1, 2]
    assert before.items() <= after.items()
    capsys.readouterr()
    sweep.main([file, root, "--repeats=3", "--status", *flags])
    assert "4 finished, 2 to run of 6" in capsys.readouterr().out
    script = tmp_path / "job.sh"
    sweep.main([file, root, "--repeats=3", f"--slurm={script}", *flags])
    assert " --repeats=3 " in script.read_text()
    (line,) = fails([file, "--repeats=0"], capsys)
    assert line == "error: --repeats 0: must be at least 1"


def fails(arguments: list[str], capsys: pytest.CaptureFixture[str], status: int = 2) -> list[str]:
    """The lines on standard error of a command that does not succeed."""
    with pytest.raises(SystemExit) as end:
        sweep.main(arguments)
    assert end.value.code == status
    return capsys.readouterr().err.splitlines()


def records(root: Path) -> dict[str, dict]:
    return {f.parent.name: json.loads(f.read_text()) for f in root.glob("*/*/run.json")}


# The files.


def test_the_sweeps_are_there() -> None:
    assert {file.stem for file in FILES} == NAMES


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_a_sweep_file_says_what_it_is_for(file: Path) -> None:
    comment = [line[2:] for line in file.read_text().splitlines() if line.startswith("#")]
    for heading in HEADINGS:
        (line,) = [line for line in comment if line.startswith(f"{heading} ")]
        assert line.removeprefix(heading).strip()
    assert f"python -m lit_effnet.sweep sweeps/{file.name}" in "\n".join(comment)
    config = yaml.safe_load(file.read_text())
    assert config["name"] == file.stem
    assert all(
        "." in name or name in ("seed_everything", "config") for name in config["parameters"]
    )


SLOWER = [pytest.param(on, marks=pytest.mark.slow) for on in (None, "imagenet")]


@pytest.mark.parametrize("on", ["photos", *SLOWER])
@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_every_trial_of_a_sweep_file_can_be_run(
    file: Path, on: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep.main(["--check", str(file), *([] if on is None else ["--on", on])])
    out = capsys.readouterr().out
    seeds = len(yaml.safe_load(file.read_text())["parameters"]["seed_everything"]["values"])
    trials, arms = map(int, re.search(r"OK, (\d+) trials.* (\d+) arms$", out.strip()).groups())
    assert trials == arms * seeds
    assert ": OK, " in out


def test_several_files_are_checked_at_once_and_reported_in_order(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, metric={"name": "val/top1", "goal": "max"})
    right = ROOT / "sweeps/se_ratio.yaml"
    with pytest.raises(SystemExit) as end:
        sweep.main(["--check", str(right), str(file), str(right), "--on=photos"])
    assert end.value.code == 2
    printed = capfd.readouterr()
    assert printed.out == f"{right}: OK, 18 trials, 6 arms\n" * 2
    assert printed.err.startswith(f"{file}:")


@pytest.mark.parametrize("flag", ["--dry-run", "--dry_run"])
def test_dashes_in_a_flag_are_underscores(flag: str) -> None:
    assert sweep.make_parser().parse_args([flag, "--retry-failed"]).dry_run


def test_a_setting_for_a_file_that_has_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    file = "sweeps/transfer_flowers102.yaml"
    (line,) = fails([file, "--on=photos", "--dry_run"], capsys)
    assert line.startswith("error: --on photos: must be left out, the command of ")


def test_matched_arms_have_three_repeats_of_the_same_seeds_at_two_budgets() -> None:
    parameters = yaml.safe_load((ROOT / "sweeps/scaling_ablation.yaml").read_text())["parameters"]
    arms = [parse(arm) for arm in parameters["scaling.arm"]["values"]]
    assert len(parameters["seed_everything"]["values"]) >= 3
    for budget in (2.04, 3.99):
        matched = [arm for arm in arms if arm.get("budget") == budget]
        assert {arm["axis"] for arm in matched} == {"depth", "width", "resolution", "compound"}
        assert {a.get("rounding") for a in matched if a["axis"] == "compound"} == {None, "round"}
    for document in ({}, {"depth": 1.5}, {"width": 1.5}, {"resolution": 1.5}):
        assert document in arms


@pytest.mark.parametrize(
    ("name", "step", "tolerance"),
    [("coefficient_search", 0.05, 0.05), ("coefficient_search_fine", 0.025, 0.02)],
)
def test_the_coefficient_searches_hold_the_whole_grid(
    name: str, step: float, tolerance: float
) -> None:
    parameters = yaml.safe_load((ROOT / f"sweeps/{name}.yaml").read_text())["parameters"]
    arms = [parse(arm) for arm in parameters["scaling.arm"]["values"]]
    points = [(arm["alpha"], arm["beta"], arm["gamma"]) for arm in arms]
    assert points == coefficient_grid((1.2, 1.25, 1.3), step, 1.4, tolerance)
    assert {arm["phi"] for arm in arms} == {1}


def test_the_baselines_sweep_holds_b0_and_every_baseline_with_three_repeats() -> None:
    parameters = yaml.safe_load((ROOT / "sweeps/baselines.yaml").read_text())["parameters"]
    names = parameters["model.name"]["values"]
    assert len(names) == len(set(names))
    assert set(names) == {"efficientnet", *BASELINES}
    assert parameters["seed_everything"]["values"] == [0, 1, 2]


# Mistakes.


def test_all_mistakes_of_a_file_are_told_at_once_with_their_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(
        "method: grid\n"
        "metric: {name: val/top1, goal: max}\n"
        "comand: []\n"
        "program: x.py\n"
        "parameters:\n"
        "  scaling.depth: {min: 1.0, max: 2.0}\n"
        "  scaling.width: {vales: [1]}\n"
    )
    lines = fails(["--check", str(file)], capsys)
    assert [line.removeprefix(f"{file}:").split(":")[0] for line in lines] == ["2", "3", "6", "7"]
    assert "maximize" in lines[0]
    assert "command" in lines[1]
    assert "values" in lines[3]


def test_what_fit_would_refuse_is_told_with_line_key_and_what_is_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(
        tmp_path,
        parameters={
            "scaling.depht": {"values": [1.5]},
            "data.batch_size": {"values": [8, "many"]},
            "seed_everything": {"values": [0]},
        },
    )
    lines = fails([str(file), f"--root={tmp_path}"], capsys)
    told = "\n".join(lines)
    assert "parameters.scaling.depht" in told
    assert "nearest: scaling.depth" in told
    assert "parameters.data.batch_size" in told
    assert "'many' must be a whole number" in told
    text = file.read_text().splitlines()
    for line in lines:
        number = int(line.removeprefix(f"{file}:").split(":")[0])
        assert any(word in text[number - 1] for word in ("depht", "many"))
    assert not list(tmp_path.glob("*/*"))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"recipe.name": {"values": ["papr"]}}, "'papr': must be one of paper, quick, plain"),
        ({"scaling.arm": {"values": ["depth=x"]}}, "depth 'x' must be a number"),
        ({"scaling.arm": {"values": ["axis=depth,budget=1e9"]}}, "cannot be reached along depth"),
        ({"data.image_size": {"values": [8]}}, "must give at least 32 pixels"),
        ({"model.name": {"values": ["resnet50"]}, "scaling.depth": {"values": [2]}}, "resnet50 has no depth"),
    ],
)  # fmt: skip
def test_a_trial_that_cannot_be_built_is_found_before_the_first_begins(
    parameters: dict, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = fails([str(write(tmp_path, parameters=parameters)), f"--root={tmp_path}"], capsys)
    assert words in lines[0]
    assert not list(tmp_path.glob("*/*"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"metric": {"name": "accuracy"}}, "'accuracy' is not logged; logged: train/loss"),
        (
            {"command": ["${env}", "python", "train.py", "${args}"]},
            "must be ${env} ${interpreter} -m",
        ),
        ({"command": [*COMMAND[:3], "lit_effnet.scale"]}, "must run lit_effnet.fit"),
        ({"command": COMMAND[:4]}, "passes no parameters: must have ${args}"),
        ({"command": [*COMMAND, "--config=nope.yaml"]}, "--config nope.yaml: no such file"),
        ({"method": "random"}, "has no end of its own; set run_cap or --count"),
    ],
)
def test_a_file_that_would_not_run_as_meant_is_refused(
    changes: dict, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = fails([str(write(tmp_path, **changes)), f"--root={tmp_path}"], capsys)
    assert words in line
    assert line.startswith(str(tmp_path / "small.yaml:"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "FILE: name one sweep file, such as sweeps/baselines.yaml"),
        (["sweeps/scaling_ablatoin.yaml"], "nearest: sweeps/scaling_ablation.yaml"),
        (["sweeps/se_ratio.yaml", "--on=fotos"], "experiments/ablation/fotos.yaml: no such file; nearest: experiments/ablation/photos.yaml"),
        (["sweeps/se_ratio.yaml", "--workers=0"], "--workers 0: must be at least 1"),
        (["sweeps/se_ratio.yaml", "--wokers=1"], "unknown flag --wokers; nearest: --workers"),
        (["sweeps/se_ratio.yaml", "--", "--trainer.max_epoch=1"], "unknown flag --trainer.max_epoch"),
        (["sweeps/se_ratio.yaml", "--on=photos", "--", "--data.name=nowhere"], "--data.name 'nowhere'"),
        (["sweeps"], "sweeps"),
        (["sweeps/se_ratio.yaml", "--", "--model.se_ratio=1"], "--model.se_ratio after --: the sweep sets it"),
        (["sweeps/se_ratio.yaml", "--", "--resume", "x"], "--resume after --: the launcher sets it"),
        (["sweeps/se_ratio.yaml", "--on=photos", "--root=Makefile"], "--root Makefile: File exists"),
        (["sweeps/se_ratio.yaml", "--on=photos", "--root=/proc/none"], "--root /proc/none: No such file"),
    ],
)  # fmt: skip
def test_a_mistyped_command_is_told_in_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = fails(arguments, capsys)
    assert words in line


# Running.


def test_a_sweep_runs_each_trial_once_and_prints_what_the_runs_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, root = write(tmp_path), tmp_path / "runs"
    sweep.main([str(file), f"--root={root}", *tiny()])
    out = capsys.readouterr().out
    assert "4 finished of 4" in out
    first = records(root)
    assert {(r["status"], r["group"]) for r in first.values()} == {("finished", "small")}
    assert sorted((r["model"]["se_ratio"], r["seed"]) for r in first.values()) == [
        (0, 0), (0, 1), (0.25, 0), (0.25, 1),
    ]  # fmt: skip
    for name in first:
        parameters = json.loads((root / "small" / name / "parameters.json").read_text())
        assert parameters["scaling.phi"] is None
    for arm in (0, 0.25):
        (line,) = [row for row in out.splitlines() if f"│ se_ratio={arm:g} " in row]
        runs = sorted(
            (r for r in first.values() if r["model"]["se_ratio"] == arm), key=lambda r: r["seed"]
        )
        assert f"{runs[0]['complexity']['params'] / 1e6:.2f}" in line
        for run in runs:
            assert f"{100 * run['metrics']['val/top1']:.1f} %" in line
    sweep.main([str(file), f"--root={root}", *tiny()])
    assert records(root) == first


@pytest.mark.slow
def test_an_identity_is_what_the_flags_come_to_and_not_where_it_is_recorded(tmp_path: Path) -> None:
    def ids(root: str, **changes: object) -> set[str]:
        arguments = [str(write(tmp_path, **changes)), f"--root={tmp_path / root}", "--count=1"]
        sweep.main([*arguments, *tiny()])
        return set(records(tmp_path / root))

    one = {"model.se_ratio": {"values": [0.25]}, "seed_everything": {"value": 0}}
    first = ids("a", parameters=one)
    assert ids("b", parameters=one) == first
    # What is said and is so anyway changes nothing; another group neither.
    said = {**one, "scaling.rounding": {"value": "ceil"}}
    assert ids("c", parameters=said, command=[*COMMAND[:-1], "--run.group=other"]) == first
    assert ids("d", parameters={**one, "seed_everything": {"value": 1}}) != first


def test_a_trial_that_fails_leaves_the_others_and_the_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rates = {"recipe.learning_rate": {"values": [1e30, 0.01]}, "seed_everything": {"value": 0}}
    file, root = write(tmp_path, parameters=rates), tmp_path / "runs"
    arguments = [
        str(file),
        f"--root={root}",
        *tiny("--recipe.name=plain", "--recipe.warmup_epochs=0"),
    ]
    errors = fails(arguments, capsys, status=1)
    assert "1 failed; see trial.log in a trial's folder; --retry_failed" in errors[-1]
    statuses = sorted(record["status"] for record in records(root).values())
    assert statuses == ["failed", "finished"]
    with pytest.raises(SystemExit):
        sweep.main(arguments)
    out = capsys.readouterr().out
    assert "exit status 1: failed: the loss became" in out
    assert "1 finished, 1 failed of 2" in out


def test_a_dry_run_tells_costs_and_time_and_makes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = {
        "scaling.arm": {"values": ["baseline", "axis=width,budget=2.04", "width=1.0"]},
        "seed_everything": {"values": [0, 1]},
    }
    file, root = write(tmp_path, parameters=arms), tmp_path / "runs"
    small = ["--scaling.base_width=0.3", "--data.image_size=64", "--trainer.limit_train_batches=3"]
    sweep.main([str(file), f"--root={root}", "--dry_run", "--", *small])
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if "axis=width,budget=2.04" in line)
    assert re.search(r" [+-]\d+\.\d ", row)
    assert "0, 1" in row
    assert "identical: trials 1, 5 (baseline, width=1.0); run once" in out
    assert "4 trials, 4 to run" in out
    assert "about" in out.splitlines()[-1]
    assert not root.exists()


def test_data_that_cannot_be_had_leave_the_time_open(capsys: pytest.CaptureFixture[str]) -> None:
    sweep.main(["sweeps/se_ratio.yaml", "--dry-run", "--count=1"])
    out = capsys.readouterr().out
    assert "no estimate of the time: name 'cifar100'" in out


@pytest.mark.slow
def test_a_trial_of_two_processes_is_one_trial(tmp_path: Path) -> None:
    """Lightning starts the second process by the command line, which must be the trial's."""
    file, root = write(tmp_path), tmp_path / "runs"
    ddp = ["--trainer.devices=2", "--trainer.accelerator=cpu", "--trainer.strategy=ddp"]
    sweep.main([str(file), f"--root={root}", "--workers=1", "--count=2", *tiny(*ddp)])
    found = records(root).values()
    assert [(r["status"], r["processes"]) for r in found] == [("finished", 2)] * 2
    assert {r["seed"] for r in found} == {0, 1}


def test_the_w_and_b_run_of_a_trial_is_closed_with_its_status(tmp_path: Path) -> None:
    rates = {"recipe.learning_rate": {"values": [1e30, 0.01]}, "seed_everything": {"value": 0}}
    file, root = write(tmp_path, parameters=rates), tmp_path / "runs"
    with pytest.raises(SystemExit):
        sweep.main([str(file), f"--root={root}", *tiny("--run.wandb=offline", "--recipe.name=plain",
                                                      "--recipe.warmup_epochs=0")])  # fmt: skip
    told = {}
    for run in root.glob("small/*"):
        (offline,) = run.glob("wandb/offline-run-*")
        inspect = [
            Path(sys.executable).with_name("wandb"),
            "leet",
            "inspect",
            "--summary",
            "--json",
        ]
        done = subprocess.run([*inspect, offline], check=True, capture_output=True, text=True)
        told[records(root)[run.name]["status"]] = json.loads(done.stdout)["exit_code"]
    assert told == {"finished": 0, "failed": 1}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"scaling.arm": "depth=1.5"}, {"scaling.depth": 1.5}),
        ({"scaling.arm": "depth=1.50"}, {"scaling.arm": "depth=1.5"}),
        ({"recipe.learning_rate": None}, {"recipe.learning_rate": 0.016}),
        ({"data.num_workers": 2}, {"data.num_workers": 0}),
        ({"model.se_ratio": None}, {}),
    ],
)
def test_one_training_has_one_identity_however_it_is_said(
    first: dict, second: dict, tmp_path: Path
) -> None:
    assert identity_of(first, tmp_path) == identity_of(second, tmp_path)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"scaling.depth": 1.5}, {"scaling.depth": 1.6}),
        ({"trainer.accumulate_grad_batches": 1}, {"trainer.accumulate_grad_batches": 2}),
        ({"run.test": True}, {}),
        ({"run.noise": [0.1]}, {"run.noise": [0.2]}),
        ({"seed_everything": 1}, {"seed_everything": 2}),
        ({"recipe.name": "plain"}, {"recipe.name": "paper"}),
    ],
)
def test_two_trainings_have_two_identities(first: dict, second: dict, tmp_path: Path) -> None:
    assert identity_of(first, tmp_path) != identity_of(second, tmp_path)


def identity_of(flags: dict, folder: Path) -> str:
    file = folder / "flags.json"
    file.write_text(json.dumps(flags))
    return outlook.identity(outlook.parse(["--config", str(file)]))


def test_bayes_asks_for_as_many_trials_as_are_wanted_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rates = {
        "recipe.learning_rate": {"min": 0.001, "max": 0.1, "distribution": "log_uniform_values"}
    }
    file, root = write(tmp_path, method="bayes", parameters=rates), tmp_path / "runs"
    sweep.main([str(file), f"--root={root}", "--count=2", *tiny()])
    first = records(root)
    assert len(first) == 2
    sweep.main([str(file), f"--root={root}", "--count=3", *tiny()])
    assert len(records(root)) == 3
    assert first.items() <= records(root).items()
    assert "3 finished of 3" in capsys.readouterr().out


def test_ctrl_c_ends_the_trials_cleanly_and_says_how_to_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, root = write(tmp_path), tmp_path / "runs"

    def interrupt() -> None:
        while sum(bool(r.get("cost", {}).get("epochs")) for r in records(root).values()) < 2:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    long = ["--", *TINY, "--trainer.max_epochs=2000"]
    # A background process of a shell ignores SIGINT, and so would these tests.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Thread(target=interrupt, daemon=True).start()
        errors = fails([str(file), f"--root={root}", "--workers=2", *long], capsys, status=130)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert errors[-1] == "stopped; run the same command again to go on"
    assert {record["status"] for record in records(root).values()} == {"interrupted"}
