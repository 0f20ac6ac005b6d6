"""Trials on Ray, on a cluster of several nodes on this machine, of which one is lost."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lit_effnet.trials import ray_cluster
from lit_effnet.trials.launch import Launch
from lit_effnet.trials.ledger import Entry, Status
from lit_effnet.trials.process import Share
from lit_effnet.trials.ray_cluster import RayCluster
from lit_effnet.trials.source import Listed
from tests.conftest import ROOT
from tests.trials.test_launch import MODULE, make_launch, make_trials, run, times_run

SIX = ["--seconds=8", f"--values={','.join(str(0.1 * n) for n in range(1, 7))}"]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head that takes no trials, and two nodes of one CPU each."""
    pytest.importorskip("ray", reason="needs ray; pip install 'lit_effnet[ray]'")
    import ray
    from ray.cluster_utils import Cluster

    monkeypatch.chdir(ROOT)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    cluster.workers = [cluster.add_node(num_cpus=1) for _ in range(2)]
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def ray_launch(trials: list, workers: int, **options: object) -> Launch:
    machines = RayCluster(1, 0, [MODULE])
    shares = [Share(1, {})] * workers
    return Launch(make_launch([]).sweep, Listed(trials), MODULE, shares, machines=machines)


@pytest.mark.slow
def test_a_node_that_is_lost_in_mid_trial_means_that_its_trial_alone_runs_again(
    cluster: Any, tmp_path: Path
) -> None:
    found = ray_cluster.connect(cluster.address)
    ray_cluster.check_folders(found, tmp_path)
    assert sorted(node.cpus for node in found) == [0, 1, 1]
    trials = make_trials(tmp_path, 4, *SIX)
    launch = ray_launch(trials, workers=2)
    lost = False
    for _ in launch.run():
        if not lost and all(launch.all[key].epoch >= 2 for key in ("t0", "t1")):
            cluster.remove_node(cluster.workers[0], allow_graceful=False)
            lost = True
    assert {p.status for p in launch.all.values()} == {Status.FINISHED}
    assert sorted(map(times_run, trials[:2])) == [1, 2]
    assert [*map(times_run, trials[2:])] == [1, 1]
    for trial in trials:
        rows = [int(row["epoch"]) for row in trial.folder.read_metrics()]
        assert rows == list(range(6))
    assert {p.status for p in run(ray_launch(trials, workers=1)).values()} == {Status.FINISHED}
    assert sum(map(times_run, trials)) == 5


@pytest.mark.slow
def test_what_fails_or_is_stopped_is_told_as_on_one_machine(cluster: Any, tmp_path: Path) -> None:
    ray_cluster.connect(cluster.address)
    trials = make_trials(
        tmp_path, 4, "--seconds=3600", "--values=0.1,0.2", t0=["--exit=3", "--seconds=0"]
    )
    launch = ray_launch(trials, workers=4)
    for _ in launch.run():
        if launch.all["t0"].status is Status.FAILED and all(
            launch.all[f"t{n}"].epochs for n in (1, 2)
        ):
            break
    assert launch.all["t0"].reason == "exit status 3: failed: it was told to"
    began = time.monotonic()
    for _ in launch.stop():
        pass
    assert time.monotonic() - began < ray_cluster.GRACE_S
    assert {launch.all[f"t{n}"].status for n in (1, 2, 3)} == {Status.INTERRUPTED}
    assert [times_run(trial) for trial in trials] == [1, 1, 1, 0]
    assert "line before the last" in Entry(trials[0].folder).log.read_text()


@pytest.mark.slow
def test_a_folder_that_a_node_does_not_see_is_told_with_the_node(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ray_cluster.connect(cluster.address)
    monkeypatch.setattr(ray_cluster, "_missing", lambda paths: [paths[0]])
    with pytest.raises(ValueError, match=f"--root {tmp_path}: node [0-9.]+ does not see it"):
        ray_cluster.check_folders(found, tmp_path)
