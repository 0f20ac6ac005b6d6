"""What a sweep file asks for and every trial would fail on, or ignore: refused at the check."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lit_effnet import fit, sweep
from lit_effnet.orchestration.options import Options
from lit_effnet.orchestration.validate import check
from tests.conftest import ROOT, TINY

AS_FLAGS = ["${env}", "${interpreter}", "-m", "lit_effnet.fit", "${args}"]
AS_JSON = [*AS_FLAGS[:-1], "--config", "${args_json_file}"]
SEEDS = {"seed_everything": {"values": [0, 1]}}


def written(folder: Path, **changes: Any) -> Path:
    """A right sweep file, in which something is changed."""
    config = {
        "method": "grid",
        "metric": {"name": "val/top1", "goal": "maximize"},
        "command": AS_JSON,
        "parameters": {"model.se_ratio": {"values": [0.0, 0.25]}, **SEEDS},
        **changes,
    }
    file = folder / "small.yaml"
    file.write_text(yaml.safe_dump(config, sort_keys=False))
    return file


def refused(file: Path, capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    """The one line by which a sweep is refused; nothing is made."""
    with pytest.raises(SystemExit) as end:
        sweep.main([*(flags or ["--check"]), str(file)])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert len(line.removeprefix(str(file))) < 300
    assert sorted(path.name for path in file.parent.iterdir()) == [file.name]
    return line.removeprefix(f"{file}:")


def line_of(file: Path, text: str) -> int:
    lines = file.read_text().splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


@pytest.mark.parametrize(
    "name", ["data.subset", "run.project", "data.path", "weights.name", "scaling.arm"]
)
@pytest.mark.parametrize("macro", ["${args}", "${args_no_equals}"])
def test_a_null_that_would_arrive_as_the_word_none_is_refused_with_the_remedy(
    name: str, macro: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parameters = {name: {"value": None}, **SEEDS}
    file = written(tmp_path, command=[*AS_FLAGS[:-1], macro], parameters=parameters)
    assert refused(file, capsys) == (
        f"{line_of(file, 'value: null')}: parameters.{name}.value: null arrives as the word None "
        f"through {macro}; ${{args_json_file}} passes it unchanged"
    )


def test_a_null_inside_a_nested_parameter_is_refused_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nested = {"data": {"parameters": {"subset": {"values": [None]}}}, **SEEDS}
    file = written(tmp_path, command=AS_FLAGS, parameters=nested)
    assert "null arrives as the word None through ${args}" in refused(file, capsys)


def test_a_null_as_json_is_none_and_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, parameters={"data.subset": {"value": None}, **SEEDS})
    sweep.main(["--check", str(file)])
    assert capsys.readouterr().out == f"{file}: OK, 2 trials, 1 arms\n"


def test_a_false_that_a_macro_leaves_out_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    parameters = {"data.keep_decoded": {"value": False}, **SEEDS}
    command = [*AS_FLAGS[:-1], "${args_no_boolean_flags}"]
    line = refused(written(tmp_path, command=command, parameters=parameters), capsys)
    assert "False arrives as True through ${args_no_boolean_flags}" in line


@pytest.mark.parametrize(
    "words",
    [["--data.subset=None"], ["--run.project", "None"], ["--config=FILE"]],
    ids=["subset", "project", "in a file"],
)
def test_fit_refuses_the_word_none(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("data: {subset: None}\n")
    with pytest.raises(SystemExit) as end:
        fit.main([*TINY, *(word.replace("FILE", str(file)) for word in words)])
    assert end.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("'None' is read as text; write null for no value")
    assert ("in " + str(file) in line) == (words == ["--config=FILE"])


NO_FOLDER = ["a/b", "../escaped", "a:b", "..", " x ", "tab\tx", "x" * 300, "a\\b", "a\nb"]


@pytest.mark.parametrize("name", NO_FOLDER)
def test_a_name_that_is_no_folders_is_refused_wherever_it_stands(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, name=name)
    assert " name: run.group " in refused(file, capsys)
    assert " name: run.group " in refused(file, capsys, f"--root={tmp_path / 'runs'}")
    file = written(tmp_path, command=[*AS_JSON, f"--run.group={name}"])
    assert "command: run.group " in refused(file, capsys)


def test_a_sweeps_name_may_be_any_text_where_the_command_names_the_group(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path, name="Scale: depth/width?", command=[*AS_JSON, "--run.group=scale"])
    sweep.main(["--check", str(file)])
    assert ": OK, 4 trials" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("parameters", "changes", "words"),
    [
        ({"trainer.limit_val_batches": 0}, {}, "metric.name: 'val/top1' is not logged with"),
        ({"trainer.limit_val_batches": 0.0}, {}, "logged: train/loss"),
        ({"trainer.barebones": True}, {}, "with these trainer flags; logged: nothing"),
        (
            {"trainer.max_epochs": 2},
            {"early_terminate": {"type": "hyperband", "min_iter": 3}},
            "early_terminate: stops no trial: val/top1 is logged 2 times, before the first band",
        ),
        (
            {"trainer.max_epochs": 4, "trainer.check_val_every_n_epoch": 2},
            {"early_terminate": {"type": "hyperband", "min_iter": 3}},
            "is logged 2 times",
        ),
        ({"trainer.max_epochs": 2}, {"metric": {"name": "val/acc"}}, "'val/acc' is not logged;"),
        (
            {"trainer.enable_checkpointing": False, "run.noise": [0.1]},
            {},
            "but no checkpoint is kept",
        ),
        (
            {"trainer.enable_checkpointing": False, "run.test": True},
            {},
            "but no checkpoint is kept",
        ),
        ({"trainer.fast_dev_run": True, "run.test": True}, {}, "but no checkpoint is kept"),
        ({"run.noise": [-0.1]}, {}, "run.noise: sigma -0.1: must be a number of at least 0"),
        ({"run.stall_timeout": 0}, {}, "--run.stall_timeout 0: must be above 0"),
        (
            {"run.project": "a/b"},
            {},
            "--run.project 'a/b': must be at most 128 printable characters",
        ),
        ({"run.id": "a"}, {}, "is set by the launcher"),
        ({"run.root": "a"}, {}, "is set by the launcher"),
        ({"run.group": "a"}, {}, "is set by the launcher; --run.group may stand in the command"),
        ({"resume": "a"}, {}, "is set by the launcher"),
        ({"trainer.max_epochs": 1}, {"command": [*AS_JSON, "--resume=x"]}, "--resume: is set"),
        ({"trainer.accelerator": "gpuu"}, {}, "--trainer.accelerator 'gpuu': must be one of gpu"),
        ({"trainer.strategy": "dpp"}, {}, "--trainer.strategy 'dpp': must be one of ddp"),
        ({"weights.name": "/no/file.ckpt"}, {}, "weights.name /no/file.ckpt: no such file or f"),
        ({"weights.name": "nosuch"}, {}, "weights.name nosuch: no such file, folder or name"),
        ({"data.batch_size": 2161}, {}, "--data.batch_size 2161: must be at most 2,160, the train"),
        ({"recipe.global_batch": 7}, {}, "global_batch 7: must be"),
        ({"data.name": "imagenette", "run.test": True}, {}, "run.test true: imagenette has only"),
        ({"recipe.label_smoothing": 2}, {}, "--recipe.label_smoothing 2.0: must be from 0 to"),
        ({"trainer.max_epochs": 1}, {"project": "a/b"}, "--run.project 'a/b': must be at most"),
    ],
)
def test_what_every_trial_would_fail_on_or_ignore_is_refused_at_the_check(
    parameters: dict[str, Any],
    changes: dict[str, Any],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    constants = {name: {"value": value} for name, value in parameters.items()}
    line = refused(written(tmp_path, parameters={**constants, **SEEDS}, **changes), capsys)
    assert words in line


def test_early_termination_that_can_judge_and_a_sweep_without_validation_are_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    constants = {"trainer.max_epochs": {"value": 3}, **SEEDS}
    early = {"type": "hyperband", "min_iter": 3}
    sweep.main(["--check", str(written(tmp_path, parameters=constants, early_terminate=early))])
    constants = {"trainer.limit_val_batches": {"value": 0}, **SEEDS}
    metric = {"name": "train/loss", "goal": "minimize"}
    sweep.main(["--check", str(written(tmp_path, parameters=constants, metric=metric))])
    assert capsys.readouterr().out.count(": OK, 2 trials") == 2


def test_trials_that_come_to_the_same_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arms = {"scaling.arm": {"values": ["depth=1.5", "depth=1.50"]}, **SEEDS}
    sweep.main(["--check", str(written(tmp_path, parameters=arms))])
    out = capsys.readouterr().out
    assert out.endswith(": OK, 4 trials (2 identical to another), 2 arms\n")


def test_a_metric_that_was_never_logged_ends_with_status_1_and_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, root = written(tmp_path), tmp_path / "runs"
    flags = [str(file), f"--root={root}", "--count=1"]
    tiny = ["--", *TINY, "--trainer.max_epochs=1"]
    sweep.main([*flags, *tiny])
    (record,) = root.glob("*/*/run.json")
    content = json.loads(record.read_text())
    record.write_text(json.dumps({**content, "metrics": {"train/loss": 1.0}}))
    capsys.readouterr()
    for more in ([], ["--trial=1"]):
        with pytest.raises(SystemExit) as end:
            sweep.main([*flags, *more, *tiny])
        assert end.value.code == 1
        assert capsys.readouterr().err == (
            f"val/top1 is missing from 1 of 1 finished trials, such as {record.parent}: they cannot "
            "be compared\n"
        )
    sweep.main([*flags, "--status", *tiny])
    assert "val/top1 is missing from 1 of 1 finished trials" in capsys.readouterr().out


SMALL = {"se_ratio": "model.se_ratio", "transfer_flowers102": "config"}  # with few values


def typo(word: str) -> str:
    """The word without the letter in its middle."""
    return word[: len(word) // 2] + word[len(word) // 2 + 1 :] if len(word) > 3 else word + word[-1]


def typos(node: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each copy of a nested value with one misspelt key, text or number, and its place."""
    if isinstance(node, str | int | float):
        yield place, typo(node) if isinstance(node, str) else f"{node}o"
    elif isinstance(node, list):
        for index, value in enumerate(node):
            for told, changed in typos(value, f"{place}.{index}"):
                yield told, [*node[:index], changed, *node[index + 1 :]]
    elif isinstance(node, dict):
        for key, value in node.items():
            yield f"key {place}.{key}", {typo(k) if k == key else k: v for k, v in node.items()}
            for told, changed in typos(value, f"{place}.{key}"):
                yield told, {**node, key: changed}


@pytest.mark.parametrize("name", SMALL)
def test_a_misspelt_word_in_a_shipped_sweep_is_refused_unless_it_is_a_free_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("LIT_EFFNET_ON", "photos")
    content = yaml.safe_load((ROOT / f"sweeps/{name}.yaml").read_text())
    content["parameters"][SMALL[name]]["values"][2:] = []
    content["run_cap"] = 2
    file, right, group = tmp_path / f"{name}.yaml", set(), "--run.group="
    for place, changed in typos(content):
        file.write_text(yaml.safe_dump(changed, sort_keys=False))
        if not check(file, Options()).problems:
            right.add(place)
    free = {f".command.{i}" for i, word in enumerate(content["command"]) if group in word}
    assert right - free == {".name", ".project"}
