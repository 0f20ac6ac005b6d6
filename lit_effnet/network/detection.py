"""EfficientDet by name, from the optional package effdet; for its complexity, not for training."""

import warnings
from importlib.util import find_spec

from torch import nn

# Image side in pixels: Tan, Pang and Le 2020, arXiv 1911.09070, Table 2.
DETECTORS = {
    "efficientdet_d0": 512,
    "efficientdet_d1": 640,
    "efficientdet_d2": 768,
    "efficientdet_d3": 896,
    "efficientdet_d4": 1024,
}

COCO_CLASSES = 90  # in effdet's configurations: COCO's ids, ten of which are unused

# The coarsest of the five maps, level 7, has a stride of 2^7.
STRIDE = 128

INSTALL = 'pip install "lit_effnet[detection]", or make test-detection for an environment with it'


def can_count() -> bool:
    """Return whether effdet is installed, which builds the detectors."""
    return find_spec("effdet") is not None


def build_detector(
    name: str, num_classes: int = COCO_CLASSES, image_size: int | None = None
) -> nn.Module:
    """Build an EfficientDet with random weights, including class and box heads.

    It maps images `float [N, 3, H, W]` to two lists of five maps: class logits `[N, 9 * K, h, w]`
    and boxes `[N, 9 * 4, h, w]`, with nine anchors at each location.

    Args:
        name: One of `DETECTORS`.
        num_classes: K.
        image_size: H and W in pixels, which fix the sizes of the maps. Defaults to its own.

    Raises:
        ValueError: an unknown name, an unsupported size or number of classes, or effdet is not
            installed.
    """
    if name not in DETECTORS:
        raise ValueError(f"network {name!r}: must be one of {', '.join(DETECTORS)}")
    size = DETECTORS[name] if image_size is None else image_size
    if size < STRIDE or size % STRIDE:
        raise ValueError(f"image_size {size}: {name} must have a multiple of {STRIDE} pixels")
    if num_classes < 1:
        raise ValueError(f"num_classes {num_classes}: must be at least 1")
    try:
        with warnings.catch_warnings():
            # effdet compiles its losses, which are unused here.
            warnings.filterwarnings("ignore", message=r".*torch\.jit\.\w+` is deprecated")
            import effdet
    except ImportError as error:
        raise ValueError(
            f"network {name!r}: must have the package effdet ({error}): {INSTALL}"
        ) from error
    network: nn.Module = effdet.create_model(
        f"tf_{name}",
        bench_task="",
        num_classes=num_classes,
        pretrained=False,
        pretrained_backbone=False,
        image_size=(size, size),
    )
    return network
