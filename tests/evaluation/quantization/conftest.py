"""A trained network with its images, shared by the tests of this room."""

from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from lit_effnet.data.images import ImageData
from lit_effnet.deploy.calibration import calibration_batches
from lit_effnet.evaluation.target import Changes, subject
from lit_effnet.network.efficientnet import EfficientNet
from lit_effnet.scaling.compound import Scaling


class Trained(NamedTuple):
    network: nn.Module
    data: ImageData
    calibration: list[Tensor]
    images: Tensor
    reference: Tensor

    @property
    def size(self) -> int:
        return self.data.image_size


@pytest.fixture(scope="session")
def photographs(photos_run: Path) -> Trained:
    found = subject(str(photos_run), Changes({}))
    found.data.prepare("validation")
    loader = found.data.evaluation_loader("validation", shuffled=True)
    images = torch.cat([pixels for pixels, _ in loader])
    with torch.inference_mode():
        reference = found.network(images)
    batches = calibration_batches(found.data, 64)
    return Trained(found.network, found.data, batches, images, reference)


@pytest.fixture
def lite() -> EfficientNet:
    """A small Lite network: ReLU6 and no gates."""
    torch.manual_seed(0)
    scaling = Scaling(depth=0.3, width=0.25)
    return EfficientNet(scaling, 5, se_ratio=0, activation="relu6", lite=True).eval()
