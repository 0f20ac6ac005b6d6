"""An order of images whose first part, however long, has the classes in the split's proportions."""

import numpy as np
from numpy.typing import NDArray

SEED = 0  # not the run's: all runs on a data set see the same part of it


def stratified_order(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return all indices of `labels`, shuffled and always the same.

    Among the first n each class has its share of n, within one image. Longer parts contain
    shorter ones.

    Args:
        labels: `int64 [N]`.
    """
    order = np.random.default_rng(SEED).permutation(len(labels))
    place = np.empty(len(labels))  # of each image within its class, from 0 to 1
    for label in np.unique(labels):
        of_class = order[labels[order] == label]
        place[of_class] = (np.arange(len(of_class)) + 0.5) / len(of_class)
    return order[np.argsort(place[order], kind="stable")]
