"""Experiments on model scaling with EfficientNet."""

import os

# torch's threads wait for one another by spinning, for so long that trainings which share cores
# hardly move (`benchmarks/shared_cores.py`). A short wait mends that and costs one that is alone
# a few per cent. GNU's OpenMP reads it when torch is loaded; what is set already stays.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
