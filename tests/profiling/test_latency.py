"""Latency: what is reported with it, and that the network is left as it was."""

import torch
from torch import nn

from lit_effnet.network.efficientnet import EfficientNet
from lit_effnet.profiling.latency import RUNS, latency
from lit_effnet.scaling.compound import Scaling


def test_a_row_says_how_it_was_measured() -> None:
    row = latency(EfficientNet(Scaling(0.3, 0.25), 9), 32)
    assert (row.batch, row.runs, row.threads, row.precision, row.device) == (
        1, RUNS, 1, "float32", "cpu",
    )  # fmt: skip
    assert 0 < row.p5_ms <= row.median_ms <= row.p95_ms
    assert row.cpu_ms is not None
    assert row.cpu_ms > 0


def test_the_network_and_the_threads_are_left_as_they_were() -> None:
    network = EfficientNet(Scaling(0.3, 0.25), 9).train()
    network.stem.eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    threads = torch.get_num_threads()
    latency(network, 32)
    assert torch.get_num_threads() == threads
    assert network.training
    assert not network.stem.training
    assert all(torch.equal(before[name], t) for name, t in network.state_dict().items())


def test_every_run_after_the_warm_up_is_one_image_in_evaluation_mode() -> None:
    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))
            self.shapes: list[tuple[int, ...]] = []

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            assert not self.training
            self.shapes.append(tuple(images.shape))
            return images.mean() * self.weight

    network = Counter()
    latency(network, 40)
    assert set(network.shapes) == {(1, 3, 40, 40)}
    assert len(network.shapes) >= RUNS + 1
