"""Experiments on model scaling with EfficientNet."""

import os
import sys
from types import TracebackType

# torch's threads wait for one another by spinning, for so long that two trainings which share
# cores take several times as long as one after the other (`benchmarks/shared_cores.py`). A short
# wait mends that and costs one that is alone about a tenth. GNU's OpenMP reads it when torch is
# loaded; what is set already stays.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def _stopped_early(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)


# A command takes seconds to import what it needs; Ctrl-C meanwhile finds none of its own handlers.
if any(word.startswith("lit_effnet.") for word in sys.orig_argv[1:4]):
    sys.excepthook = _stopped_early
