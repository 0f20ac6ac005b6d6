"""The catalog of named data sets: origin, columns, splits, and known traps."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from lit_effnet.data.photos import NAMES, photos

if TYPE_CHECKING:
    from datasets import DatasetDict

IMAGENET_TERMS = "ImageNet terms of access: non-commercial research"
IMAGENET_CITATION = "Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, 2015"
NO_LICENCE = "none stated; for research use only"

SCHEMA_ONLY = "not reached where this was written; read from a local folder of the same schema"
UNSEEN = "not reached where this was written; columns and splits as other projects read them"
SAME_IMAGES = (
    "not reached where this was written; read from a local folder with the same splits and labels"
)


@dataclass(frozen=True)
class Split:
    """Original name of a split, and its official number of images."""

    name: str
    images: int


@dataclass(frozen=True)
class Entry:
    """One data set of the catalog.

    Args:
        num_classes: Number of classes.
        image_size: Usual side of the input in pixels at resolution 1.
        crop_fraction: Part of the resized short side that evaluation keeps.
        splits: train, validation and test where they exist with labels. A missing validation
            split is cut from train; a missing test split stays missing.
        licence: Licence that the owner states.
        citation: The publication.
        hub_id: Hugging Face hub id; None if it needs no download.
        data_dir: Folder in the hub repository, if it has several.
        revision: Branch of the hub repository.
        image_column: Name of the column of images.
        label_column: Name of the column of labels.
        trap: Known trap.
        checked: How the hub repository was checked.
        from_imagenet: Whether its images are from ImageNet, so that pretrained networks have seen
            them.
        make: Makes the splits, if it needs no download.
    """

    num_classes: int
    image_size: int
    crop_fraction: float
    splits: Mapping[str, Split]
    licence: str
    citation: str
    hub_id: str | None = None
    data_dir: str | None = None
    revision: str | None = None
    image_column: str = "image"
    label_column: str = "label"
    trap: str = ""
    checked: str = ""
    from_imagenet: bool = False
    make: Callable[[], "DatasetDict"] | None = field(default=None, repr=False)


CATALOG: Mapping[str, Entry] = MappingProxyType(
    {
        "photos": Entry(
            num_classes=len(NAMES),
            image_size=64,
            crop_fraction=1.0,  # the patches are square crops already
            splits={
                "train": Split("train", 2160),
                "validation": Split("validation", 540),
                "test": Split("test", 540),
            },
            licence="public domain, CC0 and CC BY 2.0; lit_effnet/data/photos.py lists them",
            citation="the photographs that ship inside scikit-image and scikit-learn",
            trap="windows of one cell overlap: its validation images show 78 places",
            make=photos,
        ),
        "cifar10": Entry(
            num_classes=10,
            image_size=32,
            crop_fraction=1.0,
            splits={"train": Split("train", 50_000), "test": Split("test", 10_000)},
            licence=NO_LICENCE,
            citation="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
            hub_id="uoft-cs/cifar10",
            image_column="img",
            trap="the image column is called img; there is no validation split",
            checked=SAME_IMAGES,
        ),
        "cifar100": Entry(
            num_classes=100,
            image_size=32,
            crop_fraction=1.0,
            splits={"train": Split("train", 50_000), "test": Split("test", 10_000)},
            licence=NO_LICENCE,
            citation="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009",
            hub_id="uoft-cs/cifar100",
            image_column="img",
            label_column="fine_label",
            trap=(
                "the image column is called img, and beside the 100 classes of fine_label stand "
                "the 20 of coarse_label; there is no validation split"
            ),
            checked=SCHEMA_ONLY,
        ),
        "stanford_dogs": Entry(
            num_classes=120,
            image_size=224,
            crop_fraction=0.875,
            splits={"train": Split("train", 12_000), "test": Split("test", 8_580)},
            licence=IMAGENET_TERMS,
            citation="Khosla et al., Novel Dataset for Fine-Grained Image Categorization, 2011",
            hub_id="maurice-fp/stanford-dogs",
            trap=(
                "cut from ImageNet: a network pretrained there has seen test images; other hub "
                "copies have no split or a random one instead of the official 12,000 / 8,580"
            ),
            checked=UNSEEN,
            from_imagenet=True,
        ),
        "flowers102": Entry(
            num_classes=102,
            image_size=224,
            crop_fraction=0.875,
            splits={
                "train": Split("train", 1_020),
                "validation": Split("validation", 1_020),
                "test": Split("test", 6_149),
            },
            licence=NO_LICENCE,
            citation=(
                "Nilsback and Zisserman, Automated Flower Classification over a Large Number of "
                "Classes, 2008"
            ),
            hub_id="dpdl-benchmark/oxford_flowers102",
            trap=(
                "the official split trains on 1,020 images and tests on 6,149; the hub copy "
                "nelorth/oxford-flowers has other splits, and its labels are sorted as text "
                "(1, 10, 100, ...), so that they are not the official ones"
            ),
            checked=SAME_IMAGES,
        ),
        "imagenette": Entry(
            num_classes=10,
            image_size=160,
            crop_fraction=0.875,
            splits={"train": Split("train", 9_469), "validation": Split("validation", 3_925)},
            licence=IMAGENET_TERMS,
            citation="Howard, Imagenette, github.com/fastai/imagenette, 2019",
            hub_id="frgfm/imagenette",
            data_dir="320px",
            revision="refs/convert/parquet",  # the main branch is a script, no longer run
            trap="cut from ImageNet's training images, its validation split too",
            checked=SAME_IMAGES,
            from_imagenet=True,
        ),
        "tiny_imagenet": Entry(
            num_classes=200,
            image_size=64,
            crop_fraction=1.0,
            splits={"train": Split("train", 100_000), "validation": Split("valid", 10_000)},
            licence=IMAGENET_TERMS,
            citation="Le and Yang, Tiny ImageNet Visual Recognition Challenge, 2015",
            hub_id="zh-plus/tiny-imagenet",
            trap="its validation split is called valid; its test labels were never published",
            checked=SCHEMA_ONLY,
            from_imagenet=True,
        ),
        "imagenet": Entry(
            num_classes=1000,
            image_size=224,
            crop_fraction=0.875,
            splits={
                "train": Split("train", 1_281_167),
                "validation": Split("validation", 50_000),
            },
            licence=IMAGENET_TERMS,
            citation=IMAGENET_CITATION,
            hub_id="ILSVRC/imagenet-1k",
            trap=(
                "the labels of its test split are all -1, so results are those of the validation "
                "split; its terms have to be accepted on the hub first"
            ),
            checked="not reached where this was written; validation read from a local folder",
            from_imagenet=True,
        ),
    }
)
