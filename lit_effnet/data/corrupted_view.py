"""Corrupt evaluation images at a reference size, identically for all networks."""

from dataclasses import replace

import numpy as np

from lit_effnet.data.corruptions.corruption import Corruption
from lit_effnet.data.pixels import Rgb
from lit_effnet.data.preprocessing import Preprocessing
from lit_effnet.data.transforms import Evaluation


class CorruptedEvaluation:
    """Take evaluation's view at a reference size, corrupt it, then resize it for the network.

    Random numbers follow from the image's row alone, so that severities, networks and repeats
    are compared image by image. Noise added at the network's own size would average out in larger
    inputs, and favour arms with higher resolution.

    Args:
        size: Side of the network's input in pixels.
        preprocessing: The network's preprocessing; its filter is used.
        reference: Size, crop and filter of the view to corrupt.
        corruption: Applied to the view; None for clean images.
    """

    def __init__(
        self,
        size: int,
        preprocessing: Preprocessing,
        reference: Preprocessing,
        corruption: Corruption | None = None,
    ) -> None:
        self.view = Evaluation(round(reference.image_size or size), reference)
        self.corruption = corruption
        self.fit = Evaluation(size, replace(preprocessing, crop_fraction=1.0))

    def __call__(self, image: Rgb, key: tuple[int, ...]) -> Rgb:
        """Return the corrupted image `uint8 [size, size, 3]`; only the row of the key matters."""
        view = self.view(image, key)
        if self.corruption is not None:
            view = self.corruption(view, np.random.default_rng(key[-1]))
        return self.fit(view, key)
