"""The classes of ImageNet-1k by all their names, as timm knows them."""

from functools import cache

from lit_effnet.network.efficientnet import IMAGENET_CLASSES

NUM_CLASSES = IMAGENET_CLASSES


@cache
def class_names() -> tuple[tuple[str, ...], ...]:
    """Return the names of each class in the order of the labels.

    The usual one first (tench), then the others of its synset (Tinca tinca), all of them in one
    text, and WordNet's id (n01440764).
    """
    from timm.data import ImageNetInfo

    info = ImageNetInfo()
    described = [(info.index_to_description(n), n) for n in range(NUM_CLASSES)]
    return tuple((*text.split(", "), text, info.index_to_label_name(n)) for text, n in described)
