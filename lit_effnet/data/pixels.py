"""Type of a decoded image."""

import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]  # [H, W, 3]
