"""The data sets that go by a name: where they come from and how they are meant to be read."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from lit_effnet.data.photos import NAMES, photos

if TYPE_CHECKING:
    from datasets import DatasetDict

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

HUB_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Entry:
    """One data set of the catalog.

    `image_size` is the usual side in pixels at resolution 1; `crop_fraction` the part of the
    resized short side that evaluation keeps; `splits` name train, validation and test where
    they exist with labels.
    """

    load: Callable[[], "DatasetDict"]
    num_classes: int
    image_size: int
    crop_fraction: float
    splits: tuple[str, ...]
    licence: str
    image_column: str = "image"
    label_column: str = "label"


def load_from_hub(hub_id: str) -> "DatasetDict":
    """A data set from the Hugging Face hub; with HF_HUB_OFFLINE=1 from the local cache only.

    Raises:
        ValueError: the hub or the data set cannot be reached, said at once and not after retries.
    """
    import datasets
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError

    if not constants.HF_HUB_OFFLINE:
        try:
            HfApi().dataset_info(hub_id, timeout=HUB_TIMEOUT_S)
        except HfHubHTTPError as error:
            raise ValueError(f"the hub refuses {hub_id} ({_first_line(error)})") from error
        except Exception as error:  # the hub's HTTP client, and what it raises, changes
            raise ValueError(
                f"the hub cannot be reached for {hub_id} ({_first_line(error)}); "
                "HF_HUB_OFFLINE=1 reads a copy in its cache, photos needs no download"
            ) from error
    try:
        loaded: DatasetDict = datasets.load_dataset(hub_id)
    except (datasets.exceptions.DatasetsError, OSError) as error:
        raise ValueError(
            f"{hub_id} cannot be loaded ({_first_line(error)}); where its terms have to be "
            "accepted, do so on the hub and log in with `hf auth login`"
        ) from error
    return loaded


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


CATALOG = {
    "photos": Entry(
        load=photos,
        num_classes=len(NAMES),
        image_size=64,
        crop_fraction=1.0,  # the patches are square crops already
        splits=("train", "validation", "test"),
        licence="see lit_effnet/data/photos.py, photograph by photograph",
    ),
    # Schema as the hub describes it; not loaded here, since its terms must be accepted first.
    # The test split's labels are all -1.
    "imagenet": Entry(
        load=partial(load_from_hub, "ILSVRC/imagenet-1k"),
        num_classes=1000,
        image_size=224,
        crop_fraction=0.875,
        splits=("train", "validation"),
        licence="ImageNet terms of access: non-commercial research",
    ),
}


def entry(name: str) -> Entry:
    """The catalog's entry of that name.

    Raises:
        ValueError: an unknown name, with the known ones.
    """
    if name not in CATALOG:
        raise ValueError(f"name {name!r}: must be one of {', '.join(CATALOG)}")
    return CATALOG[name]
