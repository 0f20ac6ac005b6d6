"""`--ray`: what a person may mistype, what a trial asks of a node, and a first try on one machine."""

import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lit_effnet import sweep
from lit_effnet.orchestration.cluster import devices_of, resources
from lit_effnet.orchestration.options import LaunchOptions
from lit_effnet.trials import ray_cluster
from lit_effnet.trials.ray_cluster import Node
from tests.conftest import ROOT
from tests.test_sweep import fails, records, tiny, write

CPUS = Node("a", "10.0.0.1", 8, 0)
GPUS = Node("b", "10.0.0.2", 32, 4)


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("LIT_EFFNET_ON", raising=False)


def config(devices: Any = "auto", accelerator: str = "auto", num_nodes: int = 1) -> SimpleNamespace:
    trainer = SimpleNamespace(devices=devices, accelerator=accelerator, num_nodes=num_nodes)
    return SimpleNamespace(trainer=trainer)


def test_without_ray_one_line_says_how_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    arguments = [str(write(tmp_path)), f"--root={tmp_path / 'runs'}", "--ray=local"]
    assert fails(arguments, capsys) == ["error: --ray: needs ray; pip install 'lit_effnet[ray]'"]


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ray://10.0.0.1:10001", "must be local, auto or HOST:PORT of the cluster's head"),
        ("head", "must be local, auto or HOST:PORT"),
        ("127.0.0.1:{free}", "connection refused; is that its head?"),
        ("127.0.0.1:99999", "is that its head?"),
        ("no-such-host.invalid:6379", "is that its head?"),
    ],
)
def test_an_address_where_nothing_answers_is_told_at_once(
    address: str,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace())
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = address.format(free=unused.getsockname()[1])
        arguments = [str(write(tmp_path)), f"--root={tmp_path / 'runs'}", f"--ray={address}"]
        (line,) = fails(arguments, capsys)
    assert line.startswith(f"error: --ray {address}: ")
    assert words in line


@pytest.mark.parametrize(
    ("cpus", "gpus", "words"),
    [
        (64, 0, "--cpus_per_trial 64: no node of the cluster has more than 32"),
        (1, 8, "--gpus_per_trial 8: no node of the cluster has more than 4"),
    ],
)
def test_what_no_node_has_is_refused_instead_of_waited_for(
    cpus: float, gpus: float, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        ray_cluster.check_resources([CPUS, GPUS], cpus, gpus)
    with pytest.raises(ValueError, match="has both"):
        ray_cluster.check_resources([CPUS, Node("c", "10.0.0.3", 4, 4)], 8, 1)


@pytest.mark.parametrize(
    ("configs", "asked", "nodes", "expected"),
    [
        ([config()], (None, None), [CPUS], (1, 0)),
        ([config()], (None, None), [CPUS, GPUS], (8, 1)),
        ([config(2), config()], (None, None), [GPUS], (16, 2)),
        ([config("0,1")], (None, None), [GPUS], (16, 2)),
        ([config(2, "cpu")], (None, None), [GPUS], (2, 0)),
        ([config()], (None, 0.25), [GPUS], (2, 0.25)),
        ([config()], (3, None), [GPUS], (3, 1)),
    ],
)
def test_a_trial_asks_for_what_its_trainer_uses_where_nothing_is_said(
    configs: list, asked: tuple, nodes: list[Node], expected: tuple
) -> None:
    cpus, gpus = asked
    options = LaunchOptions(ray="auto", cpus_per_trial=cpus, gpus_per_trial=gpus)
    given = resources(configs, options, nodes)
    assert (given.cpus, given.gpus) == expected


def test_a_trial_of_several_machines_is_refused() -> None:
    with pytest.raises(ValueError, match=r"trainer\.num_nodes 2: must be 1"):
        devices_of([config(num_nodes=2)])


@pytest.mark.parametrize(("cpus", "gpus", "room"), [(1, 0, 32), (8, 1, 4), (1, 0.5, 8), (64, 0, 0)])
def test_a_node_has_room_for_as_many_trials_as_its_scarcest_part(
    cpus: float, gpus: float, room: int
) -> None:
    assert GPUS.room(cpus, gpus) == room


@pytest.mark.slow
def test_a_sweep_on_ray_has_the_folders_and_identities_of_one_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ray = pytest.importorskip("ray", reason="needs ray; pip install 'lit_effnet[ray]'")
    arguments = [str(write(tmp_path)), f"--root={tmp_path / 'runs'}"]
    try:
        sweep.main([*arguments, "--ray=local", "--workers=2", *tiny()])
    finally:
        ray.shutdown()
    assert "4 finished of 4" in capsys.readouterr().out
    found = records(tmp_path / "runs")
    assert {record["status"] for record in found.values()} == {"finished"}
    sweep.main([*arguments, *tiny()])
    assert records(tmp_path / "runs") == found


@pytest.mark.slow
def test_auto_without_a_cluster_and_more_gpus_than_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray", reason="needs ray; pip install 'lit_effnet[ray]'")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    arguments = [str(write(tmp_path)), f"--root={tmp_path / 'runs'}"]
    (line,) = fails([*arguments, "--ray=auto", *tiny()], capsys)
    assert "--ray auto: no cluster runs on this machine" in line
    try:
        told = fails([*arguments, "--ray=local", "--gpus_per_trial=64", *tiny()], capsys)
    finally:
        ray.shutdown()
    assert "--gpus_per_trial 64: no node of the cluster has more than" in told[-1]
