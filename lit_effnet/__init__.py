"""Experiments on model scaling with EfficientNet."""

import os

# torch's threads wait for one another by spinning, for so long that two trainings which share
# two cores took 15 times one's time (40 s against 2.7 s for 30 steps of B0 at 64 px). A short
# wait costs the one 7 % and makes it 3 times (8.2 s) for the two. Read when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
