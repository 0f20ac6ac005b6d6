"""Find the rows of a split that can be decoded, and read their pixels from files or the cache."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lit_effnet.data.batches import FromFiles
from lit_effnet.data.decoded_cache import Store, bad_rows, decoded_bytes, open_store, place, room
from lit_effnet.data.decoding import BadImageError
from lit_effnet.data.pixels import Rgb
from lit_effnet.data.sources import ImageSet

SKIP_FLAG = "--data.on_bad_image skip"
MOST_BAD = 0.01  # part of a split that may be skipped

OnBadImage = Literal["error", "skip"]


@dataclass(frozen=True, kw_only=True)
class ReadableRows:
    """Decide which images of a data set are used, and where their pixels come from.

    Args:
        images: The data set.
        name: Its name, for messages.
        check_command: Command that lists all bad images, for messages.
        on_bad_image: Whether a bad image is an error or skipped.
        keep_decoded: Whether decoded images are kept in the cache, if they fit.
        keep_short_side: Short side in pixels to which they are reduced first; None for none.
    """

    images: ImageSet
    name: str
    check_command: str
    on_bad_image: OnBadImage
    keep_decoded: bool
    keep_short_side: int | None

    def prepare(self, split: str) -> tuple[Callable[[int], Rgb], NDArray[np.int64]]:
        """Return the reader of a split's pixels, and the rows that can be decoded, `int64 [N]`.

        Raises:
            BadImageError: an image cannot be decoded, or too many cannot.
        """
        rows = self.images.splits[split]
        title = f"{self.name} {split}"
        store = self._store(rows, title) if self.keep_decoded else None
        if store is not None:
            bad = store.bad
        else:  # with on_bad_image error, the loader meets them on the way
            bad = bad_rows(rows, title) if self.on_bad_image == "skip" else {}
        if bad:
            self._check_bad(split, bad)
        used = np.setdiff1d(np.arange(len(rows)), np.fromiter(bad, np.int64))
        hint = f"{SKIP_FLAG} leaves out up to one in a hundred; {self.check_command} lists them"
        return store or FromFiles(self.images, split, self.name, hint), used

    def _store(self, rows: Any, title: str) -> Store | None:
        try:
            if not (self._fits or place(rows, self.keep_short_side).exists()):
                return None
            return open_store(rows, self.keep_short_side, warnings.warn, title)
        except OSError as error:
            warnings.warn(
                f"{title}: the decoded images cannot be kept ({error.strerror}): they are decoded "
                "in every epoch; LIT_EFFNET_CACHE names another place",
                stacklevel=2,
            )
            return None

    @cached_property  # before the first split takes room
    def _fits(self) -> bool:
        """Whether the cache has room for all splits, also those that a run does not use."""
        splits = self.images.splits.values()
        return sum(decoded_bytes(rows, self.keep_short_side) for rows in splits) <= room()

    def _check_bad(self, split: str, bad: Mapping[int, str]) -> None:
        """Raise BadImageError, or warn if the bad images may be skipped."""
        count = len(self.images.splits[split])
        first, reason = next(iter(bad.items()))
        example = f"{self.images.where(split, first)}: {reason}"
        few = len(bad) <= MOST_BAD * count
        if self.on_bad_image == "error":
            more = f" (and {len(bad) - 1:,} more)" if len(bad) > 1 else ""
            remedy = f"{SKIP_FLAG} leaves them out" if few else f"{self.check_command} lists them"
            raise BadImageError(f"name {self.name!r}: {example}{more}; {remedy}")
        if not few:
            raise BadImageError(
                f"name {self.name!r}: {len(bad):,} of {count:,} images of {split} cannot be "
                f"decoded, more than 1 %; the first is {example}; {self.check_command} lists them"
            )
        warnings.warn(
            f"{self.name}: {len(bad):,} of {count:,} images of {split} left out; the first is "
            f"{example}",
            stacklevel=2,
        )
