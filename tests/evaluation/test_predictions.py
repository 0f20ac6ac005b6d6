"""Predictions by class, as scikit-learn counts them."""

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix

from lit_effnet.evaluation.confusion_figure import confusion_figure
from lit_effnet.evaluation.predictions import Predictions, per_class

CLASSES = ["a", "b", "c", "d"]


@pytest.fixture
def predictions() -> Predictions:
    generator = torch.Generator().manual_seed(0)
    found = Predictions()
    for count in (7, 30):
        probabilities = torch.rand(count, 4, generator=generator).softmax(1)
        found.add(probabilities, torch.randint(0, 3, (count,), generator=generator))
    return found


def test_the_confusion_matrix_is_scikit_learns(predictions: Predictions) -> None:
    wanted = confusion_matrix(predictions.labels, predictions.predicted, labels=range(4))
    assert (predictions.confusion(4) == wanted).all()


def test_a_class_without_images_has_no_accuracy(predictions: Predictions) -> None:
    confusion = predictions.confusion(4)
    table = per_class(confusion, CLASSES)
    assert table["images"].tolist() == [*np.bincount(predictions.labels), 0]
    assert table["accuracy"].isna().tolist() == [False, False, False, True]
    assert table["predicted"].sum() == 37
    assert table["predicted"][3] > 0
    a = table.iloc[0]
    others = {name: confusion[0, place] for place, name in enumerate(CLASSES) if place}
    assert others[a["mistaken_for"]] == a["mistakes"] == max(others.values())


def test_of_many_classes_the_figure_shows_those_with_the_most_mistakes() -> None:
    confusion = np.diag([9] * 40)
    confusion[7, 8], confusion[30, 2], confusion[5, 7] = 5, 4, 3
    names = [f"class {number}" for number in range(40)]
    (axes,) = confusion_figure("title", confusion, names, most=3).axes
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "class 5",
        "class 7",
        "class 30",
    ]
    columns = [text.get_text() for text in axes.get_xticklabels()]
    assert columns == ["class 5", "class 7", "class 30", "others"]
    counts = sorted(text.get_text() for text in axes.texts)
    assert counts == ["3", "4", "5", "9", "9", "9"]
