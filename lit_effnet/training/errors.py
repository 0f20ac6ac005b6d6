"""Explain the error that ended a training, in one line that says what to do."""

import errno
import traceback

import torch

from lit_effnet.runs.files import write_whole
from lit_effnet.runs.paths import Location
from lit_effnet.training.classifier import NonFiniteLossError

NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # disk, quota, limit on a file's size

NO_MEMORY = ("not enough memory", "can't allocate memory", "Insufficient memory")


def explain_failure(error: BaseException, folder: Location) -> str:
    """Return one line about an error of a training.

    The traceback of an error without an explanation here is written to a file in the run folder,
    which the line names.
    """
    again = f"resume with --resume {folder}"
    if isinstance(error, NonFiniteLossError):
        return f"{error}: lower --recipe.learning_rate or raise --recipe.warmup_epochs"
    if is_out_of_memory(error):
        return "out of memory: lower --data.batch_size, --data.image_size or the scaling"
    if isinstance(error, OSError) and error.errno in NO_SPACE:
        return f"no space left on the disk of {error.filename or folder}: make room, then {again}"
    file = folder / "traceback.txt"
    summary = f"{type(error).__name__}: {str(error).strip() or 'no message'}"
    try:
        write_whole(file, "".join(traceback.format_exception(error)))
    except OSError:
        return summary
    return f"{summary} (traceback in {file})"


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether a GPU or the machine ran out of memory."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # Errors of torch's and OpenCV's allocators have no type of their own.
    return any(words in str(error) for words in NO_MEMORY)
