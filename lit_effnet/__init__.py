"""Experiments on model scaling with EfficientNet."""

import os

# torch's threads wait for one another by spinning, for so long that two trainings which share
# cores take several times as long as one after the other (`benchmarks/shared_cores.py`). A short
# wait mends that and costs one that is alone about a tenth. GNU's OpenMP reads it when torch is
# loaded; what is set already stays.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
