"""Places that cannot be written, before the first write: one line that names the place."""

import ctypes
import json
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lit_effnet.network.registry import build
from lit_effnet.network.weight_sources import safetensors_of
from lit_effnet.scaling.compound import VARIANTS
from tests.conftest import TINY
from tests.forked import run

FIT = [*TINY, "--trainer.max_epochs=1", "--run.wandb=disabled"]
RELEASED = ["--data.name=photos", "--network=efficientnet_b0", "--image_size=32"]
SWEEP = """
method: grid
command: ["${env}", "${interpreter}", "-m", lit_effnet.fit, "${args}"]
parameters:
  scaling.width: {values: [0.25]}
"""

# A command and its flags; PLACE is what cannot be written, RUN a trained run.
WRITERS = {
    "fit root": ("fit", [*FIT, "--run.root=PLACE"]),
    "sweep": ("sweep", ["sweep.yaml", "--root=PLACE", "--workers=1", "--", *FIT[2:]]),
    "slurm": ("sweep", ["sweep.yaml", "--slurm=PLACE/job.sh", "--root=other", "--", *FIT[2:]]),
    "evaluate released": ("evaluate", ["weights/model.safetensors", "--root=PLACE", *RELEASED]),
    "explain": ("explain", ["RUN", "--output=PLACE"]),
    "measure": ("measure", ["RUN", "--output=PLACE/rows.jsonl", "--runs=1", "--rounds=1"]),
    "export tensors": ("export", ["RUN", "--output=PLACE/model.safetensors"]),
    "export onnx": ("export", ["RUN", "--format=onnx", "--output=PLACE/a.onnx", "--images=4"]),
    "report": ("report", ["RUN", "--output=PLACE"]),
    "report numbers": ("report", ["RUN", "--output=report", "--numbers=PLACE/a.json"]),
    "sheet": ("data.__main__", ["photos", "--sheet=PLACE/sheet.png"]),
}
RUN_WRITERS = {
    "resume": ("fit", ["--resume=PLACE"]),
    "evaluate": ("evaluate", ["PLACE"]),
    "quantize": ("quantize", ["PLACE", "--backends=onnxruntime", "--methods=min-max"]),
}


def full() -> None:
    """A limit on the size of files stands for the full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def without_privileges() -> None:
    """Root can write everywhere; without its capabilities it is like others."""
    libc = ctypes.CDLL(None, use_errno=True)
    version_3, none = 0x20080522, (ctypes.c_uint32 * 6)()
    header = (ctypes.c_uint32 * 2)(version_3, 0)
    if libc.capset(header, none):
        raise OSError(ctypes.get_errno(), "capset")


def nothing() -> None:
    """Change nothing in the process."""


def folder(path: Path) -> Path:
    path.mkdir()
    return path


def read_only(path: Path) -> Path:
    path.mkdir()
    path.chmod(0o555)
    return path


def beneath_a_file(path: Path) -> Path:
    path.write_text("")
    return path / "below"


PLACES: dict[str, tuple[Callable[[Path], Path], Callable[[], None]]] = {
    "full": (folder, full),
    "read-only": (read_only, without_privileges),
    "read-only, to be made": (lambda path: read_only(path) / "new", without_privileges),
    "name of 256": (lambda path: path / ("n" * 256), nothing),
    "path over 4,096": (lambda path: path.joinpath(*["n" * 200] * 21), nothing),
    "a file above": (beneath_a_file, nothing),
}
NAMES = {
    "256 characters": "n" * 256,
    "line feed": "a\nb",
    "escape": "a\x1b[31mb",
    "bell": "a\ab",
    "separator": "../a",
    "mark of direction": "a\u202eb",
    "no text": "a\udcffb",
}


@pytest.fixture(scope="module")
def b0(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a network of three classes in timm's names, as others hand them on."""
    network = build("efficientnet", VARIANTS["b0"].scaling, 9)
    file = tmp_path_factory.mktemp("b0") / "model.safetensors"
    file.write_bytes(safetensors_of(network.state_dict()))
    return file


@pytest.fixture
def here(
    photos_run: Path, b0: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A working directory with a run, released weights and a sweep file."""
    shutil.copytree(photos_run, tmp_path / "run")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "model.safetensors").symlink_to(b0)
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for path in (tmp_path, *tmp_path.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)


def assert_one_line(command: str, arguments: list[str], prepare: Callable[[], None]) -> str:
    """The only line that is an error's, of a command that ends with status 2."""
    outcome = run(command, arguments, prepare)
    errors = [line for line in outcome.lines if line.startswith(("error: ", "failed: "))]
    assert outcome.status == 2, outcome.lines[-5:]
    assert len(errors) == 1, outcome.lines[-5:]
    assert len(errors[0]) < 300
    assert errors[0].isprintable()
    assert "Errno" not in errors[0]
    return errors[0]


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("writer", WRITERS)
def test_a_place_that_cannot_be_written_is_one_line(writer: str, place: str, here: Path) -> None:
    make, prepare = PLACES[place]
    target = make(here / "place")
    command, arguments = WRITERS[writer]
    filled = [a.replace("PLACE", str(target)).replace("RUN", str(here / "run")) for a in arguments]
    assert_one_line(command, filled, prepare)


def unfinished(run_folder: Path) -> None:
    """Make a run one that goes on."""
    record = json.loads((run_folder / "run.json").read_text())
    (run_folder / "run.json").write_text(json.dumps({**record, "status": "interrupted"}))


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("writer", RUN_WRITERS)
def test_a_run_folder_that_cannot_be_written_is_one_line(
    writer: str, place: str, here: Path
) -> None:
    make, prepare = PLACES[place]
    if place in ("full", "read-only"):
        target = here / "run"
        unfinished(target)
        if place == "read-only":
            for path in (target / "checkpoints", target):
                path.chmod(0o555)
    else:
        target = make(here / "place")
    command, arguments = RUN_WRITERS[writer]
    assert_one_line(command, [a.replace("PLACE", str(target)) for a in arguments], prepare)


@pytest.mark.parametrize(
    ("flag", "name"),
    [*(("id", name) for name in NAMES), ("group", "line feed"), ("project", "escape")],
)
def test_a_name_that_is_no_plain_name_is_one_line(flag: str, name: str, here: Path) -> None:
    line = assert_one_line("fit", [*FIT, f"--run.{flag}={NAMES[name]}"], nothing)
    assert line.startswith(f"error: --run.{flag} ")
    assert not (here / "runs").exists()


@pytest.mark.slow
@pytest.mark.parametrize("variable", ["LIT_EFFNET_CACHE", "HF_HOME", "HOME", "TMPDIR"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("command", ["fit", "data.__main__", "evaluate"])
def test_a_cache_that_cannot_be_written_is_no_traceback(
    command: str, place: str, variable: str, here: Path, own_images: Path
) -> None:
    """What can be done without it is done; else the line names what helps."""
    make, prepare = PLACES[place]
    target = make(here / "place")

    def elsewhere() -> None:
        for name in ("LIT_EFFNET_CACHE", "HF_DATASETS_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
            os.environ.pop(name, None)
        os.environ[variable] = str(target)
        if place != "full":
            prepare()

    arguments = {
        "fit": [*FIT, "--run.root=runs", f"--data.name={own_images}"],
        "data.__main__": [str(own_images), "--check"],
        "evaluate": ["run"],
    }
    outcome = run(command, arguments[command], elsewhere)
    assert not any("Traceback" in line for line in outcome.lines), outcome.lines[-5:]
    errors = [line for line in outcome.lines if line.startswith(("error: ", "failed: "))]
    assert outcome.status == len(errors) * 2, outcome.lines[-5:]
    assert all(len(line) < 300 and variable in line for line in errors)
