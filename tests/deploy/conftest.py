"""Trained and small networks with their images, and a file of each format that is written once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from lit_effnet.data.images import ImageData
from lit_effnet.deploy import checked_export
from lit_effnet.deploy.base import FLOAT32
from lit_effnet.deploy.calibration_images import draw_batches
from lit_effnet.deploy.checked_export import write_checked
from lit_effnet.deploy.export_spec import ExportSpec
from lit_effnet.deploy.isolated_run import measure
from lit_effnet.deploy.parity import first_images
from lit_effnet.deploy.registry import RUNTIMES, by_format
from lit_effnet.evaluation.bn_adaptation import adapted
from lit_effnet.evaluation.target import Overrides, load_target
from lit_effnet.network.efficientnet import EfficientNet
from lit_effnet.network.registry import build
from lit_effnet.network.trained import network_of_run
from lit_effnet.scaling.compound import Scaling

SIZE = 64
FORMATS = by_format()


def needs(format_name: str) -> None:
    """Skip where a package of the format is in no environment here."""
    row = FORMATS[format_name]
    for packages in (row.writers, (row.runner,)):
        try:
            row.python(packages)
        except ValueError as error:
            pytest.skip(str(error))


@cache
def images() -> torch.Tensor:
    return torch.randn(5, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))


@cache
def small(name: str) -> nn.Module:
    """A network whose batch norms fit its images, or its logits would be all but alike."""
    torch.manual_seed(0)
    scaling = Scaling(width=0.25, depth=0.3) if name.startswith("efficientnet") else Scaling()
    network = build(name, scaling, 7)
    batches = torch.randn(4, 8, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    return adapted(network, [(batch, torch.zeros(8)) for batch in batches])


@pytest.fixture(scope="session")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The small EfficientNet in a format; written once for all tests."""

    @cache
    def write(name: str) -> Path:
        needs(name)
        file = tmp_path_factory.mktemp(f"small_{name}") / f"small{FORMATS[name].suffix}"
        FORMATS[name].write(small("efficientnet"), SIZE, file, FLOAT32)
        return file

    return write


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Files are run in this process, which is quicker than in one of their own."""
    threads = torch.get_num_threads()

    def run(file: Path, format_: object, shown: torch.Tensor, count: int) -> object:
        return measure(file, shown, count)

    monkeypatch.setattr(checked_export, "run_isolated", run)
    yield
    torch.set_num_threads(threads)


def write_onnx_by(monkeypatch: pytest.MonkeyPatch, write: Callable[..., object]) -> None:
    """Let another function write ONNX files."""
    monkeypatch.setitem(RUNTIMES, "onnxruntime", replace(FORMATS["onnx"], write=write))


@dataclass(frozen=True)
class Written:
    """A file with its network and its metadata."""

    file: Path
    network: nn.Module
    data: ImageData
    metadata: dict[str, Any]


@pytest.fixture(scope="session")
def written(photos_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Written]:
    """The run on the photographs, in a format; written once for all tests."""
    network, weights = network_of_run(photos_run)
    data = ImageData("photos", image_size=48, batch_size=16, num_workers=0)
    shown, labels = first_images(data.evaluation_loader("validation", shuffled=True), 24)

    @cache
    def write(name: str) -> Written:
        needs(name)
        file = tmp_path_factory.mktemp(name) / f"photos{FORMATS[name].suffix}"
        prepared = data.preprocessing
        description = {
            "preprocessing": {
                "image_size": 48,
                "crop_fraction": prepared.crop_fraction,
                "interpolation": prepared.interpolation,
                "mean": prepared.mean,
                "std": prepared.std,
            },
            "classes": list(data.images.classes),
            "source": {"name": str(photos_run), "fingerprint": weights.fingerprint},
        }
        metadata = write_checked(
            ExportSpec(file=file, format=name),
            network,
            shown,
            labels=labels,
            calibration=None,
            description=description,
        )
        return Written(file, network, data, metadata)

    return write


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
    found = load_target(str(photos_run), Overrides({}))
    found.data.prepare("validation")
    loader = found.data.evaluation_loader("validation", shuffled=True)
    images = torch.cat([pixels for pixels, _ in loader])
    with torch.inference_mode():
        reference = found.network(images)
    batches = draw_batches(found.data, 64, seed=0)
    return Trained(found.network, found.data, batches, images, reference)


@pytest.fixture
def lite() -> EfficientNet:
    """A small Lite network: ReLU6 and no gates."""
    torch.manual_seed(0)
    scaling = Scaling(depth=0.3, width=0.25)
    return EfficientNet(scaling, 5, se_ratio=0, activation="relu6", lite=True).eval()
