"""Networks are timed in turns."""

import torch
from torch import Tensor, nn

from lit_effnet.deploy.variant_timing import WARM_UP, EagerNetwork, Timing, time_interleaved
from tests.deploy.conftest import Trained


class Noted(nn.Module):
    def __init__(self, name: str, seen: list) -> None:
        super().__init__()
        self.name, self.seen = name, seen

    def forward(self, images: Tensor) -> Tensor:
        self.seen.append((self.name, tuple(images.shape), torch.get_num_threads()))
        return images


def test_each_runs_once_in_every_round_on_one_thread() -> None:
    seen: list = []
    done: list = []
    threads = torch.get_num_threads()
    networks = {name: Noted(name, seen) for name in "abc"}
    timings = time_interleaved(networks, 16, 4, runs=5, done=done.append)
    assert [name for name, *_ in seen] == list("abc") * (WARM_UP + 5)
    assert {(shape, used) for _, shape, used in seen} == {((4, 3, 16, 16), 1)}
    assert len(done) == len(seen)
    assert torch.get_num_threads() == threads
    assert list(timings) == list("abc")
    for timing in timings.values():
        assert (timing.batch, timing.runs, timing.threads) == (4, 5, 1)
        assert 0 < timing.p5_ms <= timing.median_ms <= timing.p95_ms


def test_the_ratio_is_that_of_processor_times() -> None:
    slow, fast = Timing(9, 8, 10, 6.0, 32, 5, 1), Timing(1, 1, 1, 1.5, 32, 5, 1)
    assert fast.as_row(slow)["eager_over_this"] == 4
    assert slow.as_row(slow)["eager_over_this"] == 1


def test_eager_is_the_network_in_channels_last_and_leaves_it_alone(photographs: Trained) -> None:
    eager = EagerNetwork(photographs.network)
    torch.testing.assert_close(
        eager(photographs.images), photographs.reference, rtol=1e-3, atol=1e-3
    )
    weight = eager.held[0].get_submodule("stem.0").weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
    assert photographs.network.get_submodule("stem.0").weight.is_contiguous()
    assert list(eager.parameters()) == []
    assert eager.built.file_bytes == sum(
        t.nbytes for t in photographs.network.state_dict().values()
    )
