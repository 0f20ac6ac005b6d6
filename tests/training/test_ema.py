"""Averaged weights: warm-up, the literal average, and raw weights left as they were."""

import pytest
import torch
from torch import Tensor

from lit_effnet.training.classifier import LitClassifier
from lit_effnet.training.ema import ExponentialMovingAverage, warmed_up_decay
from lit_effnet.training.recipe import choose
from tests.training.test_classifier import loader, network, trainer


class Snapshots(LitClassifier):
    """Keeps the raw weights after each step."""

    def on_train_batch_end(self, *_: object) -> None:
        state = {name: t.clone() for name, t in self.network.state_dict().items()}
        self.taken = [*getattr(self, "taken", []), state]


def literal_average(snapshots: list[dict[str, Tensor]], name: str, decay: float) -> Tensor:
    """TensorFlow's average with num_updates: it begins at the first weights."""
    average = snapshots[0][name].double()
    for updates, state in enumerate(snapshots[1:], start=1):
        d = min(decay, (1 + updates) / (10 + updates))
        average = d * average + (1 - d) * state[name].double()
    return average


def test_the_decay_warms_up_as_tensorflows() -> None:
    assert warmed_up_decay(0.9999, 0) == 0.1
    assert warmed_up_decay(0.9999, 990) == 0.991
    assert warmed_up_decay(0.9999, 10**7) == 0.9999


def test_weights_and_statistics_end_as_the_literal_average() -> None:
    torch.manual_seed(0)
    module = Snapshots(network(), choose(), 4, 8)
    trainer(max_epochs=5, callbacks=[ExponentialMovingAverage(0.6, 4)]).fit(
        module, loader(), loader()
    )
    assert len(module.taken) == 20
    for name, value in module.network.state_dict().items():
        if value.is_floating_point():
            expected = literal_average(module.taken, name, 0.6).float()
            assert torch.allclose(value, expected, atol=1e-6), name
        else:
            assert value == module.taken[-1][name]


def test_validation_logs_both_and_disturbs_nothing() -> None:
    def weights(validate: bool) -> list[dict[str, Tensor]]:
        torch.manual_seed(0)
        module = Snapshots(network(), choose(), 4, 8)
        fit = trainer(callbacks=[ExponentialMovingAverage(0.99, 4)])
        fit.fit(module, loader(), loader() if validate else None)
        if validate:
            assert {"val/top1", "val/top1_raw"} <= fit.callback_metrics.keys()
        return module.taken

    with_validation, without = weights(True), weights(False)
    for a, b in zip(with_validation, without, strict=True):
        assert all(torch.equal(a[name], b[name]) for name in a)


def test_the_raw_accuracy_is_that_of_the_weights_in_training() -> None:
    torch.manual_seed(0)
    module = Snapshots(network(), choose(learning_rate=1.0), 4, 8)
    fit = trainer(max_epochs=3, callbacks=[ExponentialMovingAverage(0.99, 4)])
    fit.fit(module, loader(), loader())
    raw = network()
    raw.load_state_dict(module.taken[-1])
    raw.eval()
    with torch.no_grad():
        hits = torch.cat([raw(x).argmax(1) == y for x, y in loader()])
    assert fit.callback_metrics["val/top1_raw"].item() == pytest.approx(hits.float().mean().item())
