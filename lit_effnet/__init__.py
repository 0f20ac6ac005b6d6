"""Experiments on model scaling with EfficientNet."""

import os
import sys
from types import TracebackType

# torch's threads wait for one another by spinning, so long that two trainings on the same cores
# take several times as long as one after the other (`benchmarks/shared_cores.py`). A short wait
# avoids that, and slows a single training by about a tenth. GNU's OpenMP reads the variable when
# torch is loaded; a value set by the user stays.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def _stopped_early(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)


# Commands import for seconds before their own handlers exist: no traceback on Ctrl-C meanwhile.
if any(word.startswith("lit_effnet.") for word in sys.orig_argv[1:4]):
    sys.excepthook = _stopped_early
