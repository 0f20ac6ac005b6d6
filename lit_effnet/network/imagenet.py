"""Class names of ImageNet-1k, from timm."""

from functools import cache

from lit_effnet.network.efficientnet import IMAGENET_CLASSES

NUM_CLASSES = IMAGENET_CLASSES


@cache
def class_names() -> tuple[tuple[str, ...], ...]:
    """Return the names of each class in the order of the labels.

    Each class has its usual name first (tench), then the other names of its synset (Tinca tinca),
    all names as one text, and WordNet's id (n01440764).
    """
    from timm.data import ImageNetInfo

    info = ImageNetInfo()
    described = [(info.index_to_description(n), n) for n in range(NUM_CLASSES)]
    return tuple((*text.split(", "), text, info.index_to_label_name(n)) for text, n in described)
