"""Batch norm over several processes; what needs two of them is in tests/test_fit_processes.py."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import distributed, nn

from lit_effnet.training.distributed.batch_norm import (
    SharedBatchNorm2d,
    SynchronisedBatchNorm,
    check_synchronised_on_cpu,
)


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """A process group of this process alone."""
    distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'store'}", rank=0, world_size=1
    )
    yield
    distributed.destroy_process_group()


@pytest.mark.usefixtures("group")
def test_alone_it_is_torchs_batch_norm() -> None:
    torch.manual_seed(0)
    images = (3 + 2 * torch.randn(4, 5, 6, 6)).double()
    ours, torchs = (kind(5, momentum=0.3).double() for kind in (SharedBatchNorm2d, nn.BatchNorm2d))
    gradients = []
    for norm in (ours, torchs):
        leaf = images.clone().requires_grad_()
        for _ in range(2):
            out = norm(leaf)
        (out**3).sum().backward()
        gradients.append((leaf.grad, norm.weight.grad, norm.bias.grad))
    torch.testing.assert_close(gradients[0], gradients[1])
    torch.testing.assert_close(dict(ours.named_buffers()), dict(torchs.named_buffers()))
    torch.testing.assert_close(ours(images), torchs(images))
    torch.testing.assert_close(ours.eval()(images), torchs.eval()(images))


@pytest.mark.usefixtures("group")
def test_a_network_keeps_its_weights_when_it_is_synchronised() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.SiLU())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    shared = SynchronisedBatchNorm().apply(network)
    assert isinstance(shared[1], SharedBatchNorm2d)
    after = shared.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_kind_with_an_activation_of_its_own_is_refused_on_a_cpu() -> None:
    from timm.layers import BatchNormAct2d

    check_synchronised_on_cpu(nn.BatchNorm2d(4))
    with pytest.raises(ValueError, match="must be false on a CPU with BatchNormAct2d"):
        check_synchronised_on_cpu(BatchNormAct2d(4))
