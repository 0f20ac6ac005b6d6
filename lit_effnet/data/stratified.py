"""Order images so that any first part has the class proportions of the split."""

import numpy as np
from numpy.typing import NDArray

SEED = 0  # not the run's seed, so that all runs use the same part


def stratified_order(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return all indices of `labels`, always in the same random order.

    Among the first n, each class has its share of n, within one image.

    Args:
        labels: `int64 [N]`.
    """
    order = np.random.default_rng(SEED).permutation(len(labels))
    place = np.empty(len(labels))  # of each image within its class, from 0 to 1
    for label in np.unique(labels):
        of_class = order[labels[order] == label]
        place[of_class] = (np.arange(len(of_class)) + 0.5) / len(of_class)
    return order[np.argsort(place[order], kind="stable")]
