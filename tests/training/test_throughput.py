"""Images in a second are counted while a run trains."""

import json
from pathlib import Path

import torch

from lit_effnet import fit
from lit_effnet.runs.folder import RunFolder
from lit_effnet.training.precision import dtype_of
from lit_effnet.training.recorder import RunRecorder
from lit_effnet.training.throughput import ThroughputRecorder


def test_a_runs_record_has_its_throughput(tiny: list[str], tmp_path: Path) -> None:
    fit.main([*tiny, "--run.id=it"])
    record = json.loads((tmp_path / "photos" / "it" / "run.json").read_text())
    told = record["throughput"]
    assert told["batches"] == 3
    assert told["utilisation"] is None  # no table has the peak of a CPU
    # Training alone takes less than the whole run did.
    assert told["images_per_s"] > record["cost"]["images"] / record["cost"]["seconds"] / 2


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


def test_the_throughput_is_of_training_alone(tmp_path: Path, monkeypatch) -> None:
    clock = Clock()
    monkeypatch.setattr("lit_effnet.training.throughput.time", clock)
    recorder = RunRecorder(RunFolder(tmp_path), {})
    found = ThroughputRecorder(recorder, macs=1000)

    class Strategy:
        root_device = torch.device("cpu")

    class Trainer:
        strategy, world_size, num_training_batches, precision = Strategy(), 1, 4, "32-true"

    trainer, batch = Trainer(), (torch.zeros(8), torch.zeros(8))
    found.on_train_start(trainer, None)
    for _ in range(2):
        found.on_train_epoch_start(trainer, None)
        for _ in range(4):
            clock.now += 2  # seconds of a batch
            found.on_train_batch_end(trainer, None, None, batch, 0)
        clock.now += 100  # of a validation
        found.on_validation_end(trainer, None)
        found.on_train_epoch_end(trainer, None)
    assert recorder.record["throughput"] == {"images_per_s": 4, "batches": 4, "utilisation": None}


def test_a_precisions_type_is_the_one_it_multiplies_in() -> None:
    names = ("32-true", "16-mixed", "bf16-mixed", "bf16-true", "64-true")
    assert [dtype_of(name) for name in names] == [
        torch.float32,
        torch.float16,
        torch.bfloat16,
        torch.bfloat16,
        torch.float64,
    ]
