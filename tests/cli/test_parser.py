"""One line for every mistake: what, where, what is accepted; exit status 2."""

import importlib
import io
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from lit_effnet import fit, scale
from lit_effnet.cli.output import plain_warnings, prepare_output
from lit_effnet.runs.messages import one_line
from tests.conftest import ROOT, TINY, start

FLAGS = [
    (["--scaling.dept", "2"], "unknown flag --scaling.dept; nearest: --scaling.depth"),
    (["--depth=2"], "unknown flag --depth; nearest: --scaling.depth"),
    (["--xyzzy", "2"], "unknown flag --xyzzy; --help lists what there is"),
    (["photos"], "unexpected argument 'photos': everything is given as --name value"),
    (["--config", "experiments/photo.yaml"], "--config experiments/photo.yaml: no such file; nearest: experiments/photos.yaml"),
    (["--data.name", "foto"], "--data.name 'foto': must be one of photos, cifar10"),
    (["--data.image_size", "16"], "--data.image_size 16: must give at least 32 pixels"),
    (["--scaling.resolution", "0.3"], "--data.image_size 64 times resolution 0.3: must give at least 32 pixels"),
    (["--data.batch_size", "0"], "--data.batch_size 0: must be at least 1"),
    (["--trainer.devices", "0"], "--trainer.devices 0: must be auto, at least 1, or -1 for all"),
    (["--data.batch_size", "5000"], "--data.batch_size 5000: there are 2,160 training images"),
    (["--data.image_size", "20000"], "--data.image_size 20000: a step's activations alone take"),
    (["--data.batch_size", "many"], "--data.batch_size: 'many' must be a whole number"),
    (["--run.test", "maybe"], "--run.test: 'maybe' must be true or false"),
    (["--trainer.max_epochs", "-3"], "--trainer.max_epochs -3: must be at least 1"),
    (["--trainer.limit_train_batches", "0"], "--trainer.limit_train_batches 0: must leave a batch"),
    (["--recipe.epochs", "0"], "--recipe.epochs 0: must be at least 1"),
    (["--recipe.name", "fast"], "--recipe.name 'fast': must be one of paper, quick"),
    (["--recipe.learning_rate", "-1"], "--recipe.learning_rate -1.0: must be a number above 0"),
    (["--recipe.optimizer", "sdg"], "--recipe.optimizer 'sdg': must be one of timm's"),
    (["--recipe.dropout", "2"], "--recipe.dropout 2.0: must be from 0 to 1"),
    (["--scaling.depth", "nan"], "--scaling.depth"),
    (["--scaling.depth", "0"], "--scaling.depth 0.0: must be a finite number above 0 and at most 64"),
    (["--scaling.rounding", "floor"], "--scaling.rounding: 'floor' must be ceil, round"),
    (["--scaling.variant", "b9"], "--scaling.variant 'b9': must be one of b0, b1"),
    (["--scaling.phi", "1", "--scaling.depth", "2"], "phi and depth given together"),
    (["--model.name", "resnet5"], "--model.name 'resnet5': must be one of efficientnet"),
    (["--model.name", "resnet50", "--scaling.width", "2"], "resnet50 has no width to set"),
    (["--model.se_ratio", "2"], "--model.se_ratio 2.0: must be from 0 to 1"),
    (["--trainer.accelerator", "gpuu"], "gpuu"),
    (["--seed_everything", "-1"], "--seed_everything -1: must be"),
    (["--data.name", "imagenet"], "--data.name 'imagenet': ILSVRC/imagenet-1k cannot be loaded"),
    (["--run.id", "a/b"], "--run.id 'a/b': must be a plain name"),
    (["--run.group", ".."], "--run.group '..': must be a plain name"),
    (["--recipe.flip", "2"], "--recipe.flip 2.0: must be from 0 to 1"),
    (["--recipe.crop_scale_min", "2"], "--recipe.crop_scale_min 2.0: must be above 0"),
    (["--recipe.randaugment_magnitude", "31"], "--recipe.randaugment_magnitude 31: must be from 0"),
    (["--model.bn_eps", "-1"], "--model.bn_eps -1.0: must be a number above 0"),
    (["--model.name", "resnet50", "--recipe.dropout", "2"], "--recipe.dropout 2.0: must be from 0"),
    (["--run.wandb", "online"], "--run.wandb 'online': there is no W&B key"),
    (["--resume", "runs/none"], "runs/none: no run folder"),
    (["--resume", "runs/none", "--scaling.depth", "2"], "--resume RUN takes no other flag"),
    (["--resume"], "--resume RUN takes no other flag"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), FLAGS, ids=[" ".join(a) for a, _ in FLAGS])
def test_fit_says_it_in_one_line_and_makes_no_folder(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    experiments = tmp_path / "experiments"
    experiments.mkdir()
    (experiments / "photos.yaml").touch()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        fit.main(arguments)
    assert stopped.value.code == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert message in printed.err
    assert printed.out == ""
    assert not (tmp_path / "runs").exists()


CONFIGS = [
    ("scaling:\n  dept: 3\n", "unknown key scaling.dept in mine.yaml; nearest: scaling.depth"),
    ("scalin:\n  depth: 3\n", "unknown key scalin.depth in mine.yaml; nearest: scaling.depth"),
    ("data:\n  batch_size: many\n", "data.batch_size in mine.yaml: 'many' must be a whole number"),
    ("data: [1\n", "mine.yaml:2: not YAML: did not find expected"),
    ("", "not a configuration in YAML in mine.yaml: it is empty"),
    ("scaling: [{depth: 2}]\n", 'scaling in mine.yaml: must be a mapping, and is [{"depth": 2}]'),
    ("scaling: [b3]\n", 'scaling in mine.yaml: must be a mapping, and is ["b3"]'),
    ("scaling: 2\n", "scaling in mine.yaml: must be a mapping, and is 2"),
    ("data: false\n", "data in mine.yaml: must be a mapping, and is false"),
    ("data: .nan\n", "data in mine.yaml: must be a mapping, and is NaN"),
    ("trainer:\n", "trainer in mine.yaml: must be a mapping, and is null"),
    ("run: 3\n", "run in mine.yaml: must be a mapping, and is 3"),
    ("recipe: [plain]\n", 'recipe in mine.yaml: must be a mapping, and is ["plain"]'),
    ("weights: 3\n", "weights in mine.yaml: must be a mapping, and is 3"),
    ("model: 3\n", "model in mine.yaml: must be a mapping, and is 3"),
    ("model: b3\n", "model in mine.yaml: must be a mapping, and is 'b3'"),
    (
        "scaling: {depth: 1}\nscaling: {depth: 2}\n",
        "mine.yaml:2: scaling: given twice, first on line 1",
    ),
    ("scaling: {gamma: null}\n", "scaling.gamma in mine.yaml: must not be null"),
    ("run: {root: null}\n", "run.root in mine.yaml: must not be null"),
    ("trainer: {devices: abc}\n", "--trainer.devices abc: must be auto, at least 1"),
    ("trainer: {devices: null}\n", "trainer.devices in mine.yaml: must not be null"),
    ("trainer: {accumulate_grad_batches: 0}\n", "--trainer.accumulate_grad_batches 0: must be at"),
    ("trainer: {check_val_every_n_epoch: 0}\n", "--trainer.check_val_every_n_epoch 0: must be at"),
    ("scaling: {depth: ._}\n", "mine.yaml: not YAML: could not convert string to float"),
    (f"data: {{image_size: {2**53}}}\n", "image_size 9.0072e+15: must be at most 32,768"),
    ("1: random\n", "mine.yaml:1: 1: a key must be text, and is a number: put it in quotes"),
    ("scaling: &a [*a]\n", "mine.yaml:1: scaling.0: holds itself"),
    (f"scaling: {{depth: {'1' * 400}}}\n", "mine.yaml:1: scaling.depth: the integer 1111"),
    ("just text\n", "not a configuration in YAML in mine.yaml: just text"),
]


@pytest.mark.parametrize(("text", "message"), CONFIGS, ids=[text for text, _ in CONFIGS])
def test_a_mistake_in_a_file_names_the_file(
    text: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(SystemExit) as stopped:
        fit.main(["--config", "mine.yaml"])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
    assert len(error) < 300


GROUPS = [
    (["--scaling=2"], "--scaling: must be a mapping, and is '2'"),
    (["--trainer=[1]"], "--trainer: must be a mapping, and is '[1]'"),
    (["--scaling", "list.yaml"], "--scaling: must be a mapping, and is 'list.yaml'"),
    (["--scaling", "twice.yaml"], "twice.yaml:1: depth: given twice, first on line 1"),
    (["--scaling", "utf16.yaml"], "utf16.yaml: not UTF-8 text, but UTF-16: save it as UTF-8"),
    (["--config", "utf16.yaml"], "utf16.yaml: not UTF-8 text, but UTF-16: save it as UTF-8"),
    (["--config", "outer.yaml"], "twice.yaml:1: depth: given twice, first on line 1"),
    (["--config", "{scaling: 2}"], "scaling: must be a mapping, and is 2"),
    (["--scaling.gamma", "null"], "--scaling.gamma"),
]


@pytest.mark.parametrize(("arguments", "message"), GROUPS, ids=[" ".join(a) for a, _ in GROUPS])
def test_a_group_that_is_no_mapping_is_refused_wherever_it_comes_from(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.yaml").write_text("[b3]\n")
    (tmp_path / "twice.yaml").write_text("{depth: 1, depth: 2}\n")
    (tmp_path / "utf16.yaml").write_bytes("depth: 1\n".encode("utf-16"))
    (tmp_path / "outer.yaml").write_text("scaling: twice.yaml\n")
    with pytest.raises(SystemExit) as stopped:
        fit.main(arguments)
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error


def test_a_message_is_one_printable_line_below_300_characters() -> None:
    assert one_line("a\n  b\x1b[31m") == r"a b\x1b[31m"
    long = one_line(f"data.name {'x' * 5000}: must be text")
    assert len(long) <= 290
    assert long.startswith("data.name xxx")
    assert long.endswith("xxx: must be text")


def test_a_run_root_that_cannot_be_made_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as stopped:
        fit.main([f"--run.root={tmp_path / 'file'}"])
    assert stopped.value.code == 2
    assert f"--run.root {tmp_path / 'file'}: Not a directory" in capsys.readouterr().err


SCALE = [
    (["--variant", "b33"], "--variant 'b33': must be one of b0, b1"),
    (["--scaling.depth", "-1"], "--scaling.depth -1.0: must be a finite number above 0"),
    (["--network", "resnet5"], "--network 'resnet5': must be one of efficientnet"),
    (["--network", "resnet50", "--scaling.depth", "2"], "resnet50 has no depth to set"),
    (["--image_size", "0"], "--image_size 0: must be at least 1 pixel"),
    (["--num_classes", "0"], "--num_classes 0: must be at least 1"),
    (["--varriant", "b0"], "unknown flag --varriant; nearest: --variant"),
]


@pytest.mark.parametrize(("arguments", "message"), SCALE, ids=[" ".join(a) for a, _ in SCALE])
def test_scale_says_it_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        scale.main(arguments)
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith(f"error: {message}")


@pytest.mark.parametrize("name", ["fit", "sweep", "evaluate", "report", "data"])
def test_ctrl_c_while_libraries_are_imported_prints_nothing(name: str, tmp_path: Path) -> None:
    for library in ("torch", "lightning", "pandas", "numpy", "jsonargparse"):
        (tmp_path / f"{library}.py").write_text("raise KeyboardInterrupt\n")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", f"lit_effnet.{name}", "sweeps/se_ratio.yaml"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.returncode == -signal.SIGINT  # as any program that Ctrl-C ends: 130 in a shell


def test_importing_the_package_changes_no_hook() -> None:
    code = "import sys, lit_effnet; assert sys.excepthook is sys.__excepthook__"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_process_that_trials_are_forked_from_asks_no_network() -> None:
    code = (
        "import sys\n"
        "asked = []\n"
        "sys.addaudithook(lambda event, _: asked.append(event) if 'getaddr' in event else None)\n"
        "import lit_effnet.fit, lit_effnet.orchestration.preload\n"
        "sys.exit(len(asked))"
    )
    plain = {k: v for k, v in os.environ.items() if k != "NO_ALBUMENTATIONS_UPDATE"}
    done = subprocess.run([sys.executable, "-c", code], env=plain, cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(
    "message",
    [
        "FLOPs not found for 'NVIDIA H200', chip is 'nvidia h200'",
        "The 'train_dataloader' does not have many workers which may be a bottleneck.",
        "Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0",
    ],
)
def test_what_only_a_gpu_makes_libraries_warn_of_is_not_shown(message: str) -> None:
    with warnings.catch_warnings(record=True) as seen:
        plain_warnings()
        warnings.warn(message, stacklevel=1)
        warnings.warn("something else", stacklevel=1)
    assert [str(one.message) for one in seen] == ["something else"]


COMMANDS = ("fit", "sweep", "evaluate", "explain", "export", "measure", "quantize", "report",
            "scale", "data.__main__")  # fmt: skip


@contextmanager
def streams(encoding: str) -> Iterator[tuple[io.TextIOWrapper, io.TextIOWrapper]]:
    """Standard output and error of an encoding."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding, write_through=True) for _ in "ab")
    with redirect_stdout(out), redirect_stderr(err):
        yield out, err


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_prints_its_help_in_any_encoding(name: str, encoding: str) -> None:
    main = importlib.import_module(f"lit_effnet.{name}").main
    with streams(encoding) as (out, err):
        with pytest.raises(SystemExit) as end:
            main(["--help"])
        out.write("any character: 深 \udcff\n")
    assert end.value.code in (0, None)
    assert out.buffer.getvalue().startswith(b"usage: ")
    assert out.buffer.getvalue().endswith(b"any character: \\u6df1 \\udcff\n")
    assert err.buffer.getvalue() == b""


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("ascii", b"error: --run.id 'gr\\xf6\\xdfe/x': must be"),
        ("cp1252", b"error: --run.id 'gr\xf6\xdfe/\xd7': must be"),
        ("utf-8", "error: --run.id 'größe/×': must be".encode()),  # noqa: RUF001
    ],
)
def test_what_an_encoding_lacks_has_a_stand_in_or_is_escaped(
    encoding: str, expected: bytes
) -> None:
    with streams(encoding) as (_, err), pytest.raises(SystemExit) as refused:
        fit.main(["--run.id", "größe/×"])  # noqa: RUF001
    assert refused.value.code == 2
    assert err.buffer.getvalue().startswith(expected)


@pytest.mark.parametrize("lost", ["stdout", "stderr"])
def test_a_reader_that_goes_away_ends_no_command(
    lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, lost, pipe)
        prepare_output()
        for _ in range(3):
            print("x" * 100_000, file=pipe, flush=True)
        assert Path(f"/proc/self/fd/{pipe.fileno()}").readlink() == Path(os.devnull)


def test_a_stream_that_was_closed_ends_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    scale.main(["--variant", "b0"])
    with pytest.raises(SystemExit) as refused:
        scale.main(["--variant", "b33"])
    assert refused.value.code == 2


@pytest.mark.slow
def test_a_run_is_trained_evaluated_and_reported_in_ascii(tmp_path: Path) -> None:
    root = tmp_path / "größe × 深"  # noqa: RUF001
    fit_words = ["fit", *TINY, "--trainer.max_epochs=1", f"--run.root={root}", "--run.id=one"]
    report_words = ["report", str(root), f"--output={tmp_path / 'report'}"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    for command, *words in (fit_words, ["evaluate", f"{root}/photos/one"], report_words):
        process = start(*words, command=command, env=environment)
        out, err = process.communicate()
        assert process.returncode == 0, err
        assert "Traceback" not in err
        assert out.isascii()
    assert (tmp_path / "report" / "index.html").exists()
