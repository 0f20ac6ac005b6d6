"""`LitClassifier`: loss, metrics, optimiser groups and learning rate, NaN."""

import warnings

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from sklearn.metrics import balanced_accuracy_score
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lit_effnet.metrics.classification import ClassMeanAccuracy, classification_metrics
from lit_effnet.network.efficientnet import EfficientNet
from lit_effnet.scaling.compound import Scaling
from lit_effnet.training.classifier import LitClassifier, NonFiniteLossError
from lit_effnet.training.recipe import choose, warmup_cosine


class Network(nn.Sequential):
    """As timm's: it tells which layer is the classifier, and how its layers lie."""

    def __init__(self, classes: int = 4) -> None:
        super().__init__(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
            nn.Linear(8, classes),
        )  # fmt: skip

    def get_classifier(self) -> nn.Module:
        return self[-1]

    def group_matcher(self, coarse: bool = False) -> dict[str, object]:
        return {"stem": r"^0", "blocks": [(r"^1", (0,))]}


def network(classes: int = 4) -> nn.Module:
    return Network(classes)


def loader(count: int = 32, batch: int = 8) -> DataLoader:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(count, 3, 8, 8, generator=generator)
    return DataLoader(TensorDataset(images, torch.arange(count) % 4), batch)


def trainer(**options: object) -> Trainer:
    defaults = {
        "accelerator": "cpu",
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "max_epochs": 2,
    }
    return Trainer(**{**defaults, **options})  # type: ignore[arg-type]


def test_metrics_equal_their_formulas() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(500, 10, generator=generator)
    labels = torch.randint(0, 10, (500,), generator=generator) // 2  # unbalanced
    labels[:60] = torch.arange(60) % 10
    got = classification_metrics(10, "val/")(logits, labels)
    order = logits.numpy().argsort(1)[:, ::-1]
    hit = order[:, 0] == labels.numpy()
    recalls = [hit[labels.numpy() == c].mean() for c in np.unique(labels)]
    confidence = logits.softmax(1).max(1).values.numpy()
    bins = np.minimum((confidence * 15).astype(int), 14)
    gaps = [
        abs(hit[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).mean()
        for b in np.unique(bins)
    ]
    assert got["val/top1"].item() == pytest.approx(hit.mean())
    assert got["val/top5"].item() == pytest.approx(
        (order[:, :5] == labels.numpy()[:, None]).any(1).mean()
    )
    assert got["val/top1_macro"].item() == pytest.approx(np.mean(recalls), abs=1e-6)
    assert got["val/calibration_error"].item() == pytest.approx(sum(gaps), abs=1e-5)


@pytest.mark.parametrize("present", [[0, 1, 2, 3, 4], [1, 3], [4]])
def test_class_mean_accuracy_is_scikit_learns_where_classes_are_absent(present: list[int]) -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor(present)[torch.randint(0, len(present), (60,), generator=generator)]
    logits = torch.randn(60, 5, generator=generator)
    logits[torch.arange(40), labels[:40]] += 3  # absent classes are predicted for some
    metric = ClassMeanAccuracy(5)
    for part in (slice(0, 25), slice(25, 60)):
        metric.update(logits[part].softmax(1), labels[part])
    guessed = logits.argmax(1)
    assert set(guessed.tolist()) - set(present) or len(present) == 5
    with warnings.catch_warnings():  # scikit-learn warns of classes without images
        warnings.simplefilter("ignore")
        wanted = balanced_accuracy_score(labels, guessed)
    assert metric.compute().item() == pytest.approx(wanted, abs=1e-6)


def test_the_loss_is_smoothed_cross_entropy() -> None:
    module = LitClassifier(network(), choose(label_smoothing=0.2), 4, 8)
    module.log = lambda *_, **__: None  # type: ignore[method-assign] # no trainer here
    images, labels = next(iter(loader()))
    loss = module.training_step((images, labels), 0)
    module.network.train()
    log_p = module(images).log_softmax(1)
    target = torch.full((8, 4), 0.2 / 4) + 0.8 * nn.functional.one_hot(labels, 4)
    assert loss.item() == pytest.approx(-(target * log_p).sum(1).mean().item(), rel=1e-5)


def test_norms_and_biases_are_not_decayed() -> None:
    module = LitClassifier(network(), choose(weight_decay=0.3), 4, 8)
    fit = trainer()
    fit.fit(module, loader())
    decays = {
        id(parameter): group["weight_decay"]
        for group in fit.optimizers[0].param_groups
        for parameter in group["params"]
    }
    by_name = {name: decays[id(p)] for name, p in module.network.named_parameters()}
    assert by_name == {
        "0.weight": 0.3,
        "0.bias": 0,
        "1.weight": 0,
        "1.bias": 0,
        "4.weight": 0.3,
        "4.bias": 0,
    }


class LearningRates(LitClassifier):
    """Keeps the learning rate of each step."""

    def on_train_batch_end(self, *_: object) -> None:
        self.rates = [*getattr(self, "rates", []), self.optimizers().param_groups[0]["lr"]]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_learning_rate_follows_images_per_step_and_the_schedule(accumulate: int) -> None:
    recipe = choose(learning_rate=0.256, warmup_epochs=1)
    module = LearningRates(network(), recipe, 4, batch_size=8)
    trainer(max_epochs=4, accumulate_grad_batches=accumulate).fit(module, loader())
    steps, per_epoch = 16 // accumulate, 4 // accumulate
    expected = [
        0.008 * accumulate * warmup_cosine(s, per_epoch, steps) for s in range(1, steps + 1)
    ]
    assert module.rates[accumulate - 1 :: accumulate] == pytest.approx(expected)


def test_a_warm_up_longer_than_the_run_takes_half_of_it() -> None:
    module = LearningRates(network(), choose(warmup_epochs=50), 4, 8)
    trainer(max_epochs=2).fit(module, loader())
    assert max(module.rates) == module.rates[3] == pytest.approx(0.016 * 8 / 256)


def test_batch_norm_takes_its_momentum_from_the_recipe() -> None:
    assert LitClassifier(network(), choose(bn_momentum=0.37), 4, 8).network[1].momentum == 0.37


def test_a_loss_that_is_not_finite_ends_the_training() -> None:
    module: LightningModule = LitClassifier(network(), choose(learning_rate=1e30), 4, 8)
    with pytest.raises(
        NonFiniteLossError, match=r"the loss became (nan|inf) in epoch \d, batch \d"
    ):
        trainer(max_epochs=20).fit(module, loader())


def state(lit: LitClassifier) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in lit.network.state_dict().items()}


def changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> set[str]:
    return {name for name in before if not torch.equal(before[name], after[name])}


HEAD = {"4.weight", "4.bias"}
STATISTICS = {"1.running_mean", "1.running_var", "1.num_batches_tracked"}
FEATURES = {"0.weight", "1.weight", "1.bias", *STATISTICS}  # a bias before a norm has no gradient


def test_a_linear_probe_changes_the_classifier_and_nothing_else() -> None:
    """Running statistics of frozen batch norms are where other suites go wrong."""
    lit = LitClassifier(network(), choose(name="linear_probe"), 4, 8)
    before = state(lit)
    trainer(max_epochs=2).fit(lit, loader(), loader())  # validation switches modes in between
    assert changed(before, state(lit)) == HEAD
    assert not lit.network[1].training
    optimizer = lit.optimizers().optimizer
    assert sum(len(group["params"]) for group in optimizer.param_groups) == len(HEAD)


def test_head_first_freezes_for_its_part_and_then_trains_all() -> None:
    lit = LitClassifier(network(), choose(name="finetune", head_only=0.5), 4, 8)
    before, seen = state(lit), {}

    class Look(Callback):
        def on_train_batch_end(self, trainer, module, *_) -> None:
            seen[trainer.global_step] = state(module)

    trainer(max_epochs=4, callbacks=[Look()]).fit(lit, loader(), loader())  # 16 steps
    assert changed(before, seen[8]) == HEAD
    assert changed(seen[8], seen[9]) == HEAD | FEATURES
    assert not lit.frozen


def test_each_part_has_a_warm_up_and_a_cosine_of_its_own() -> None:
    recipe = choose(name="finetune", head_only=0.25, learning_rate=32.0, warmup_epochs=0.5)
    lit = LitClassifier(network(), recipe, 4, 8)
    rates = []

    class Look(Callback):
        def on_train_batch_start(self, trainer, *_) -> None:
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    trainer(max_epochs=8, callbacks=[Look()]).fit(lit, loader())  # 32 steps, 2 of warm-up
    expected = [warmup_cosine(step, 2, 8) for step in range(8)]
    expected += [warmup_cosine(step, 2, 24) for step in range(24)]
    assert rates == pytest.approx(expected)


@pytest.mark.parametrize(("batches", "momentum"), [(4, 0.1), (200, 0.05)])
def test_batch_norms_momentum_follows_the_steps_of_an_epoch(batches: int, momentum: float) -> None:
    """Kornblith et al. 2019: max(1 - 10 / s, 0.9) for the old statistics, s steps an epoch."""
    lit = LitClassifier(network(), choose(name="finetune"), 4, 1)
    trainer(max_epochs=1, limit_train_batches=batches).fit(lit, loader(count=batches, batch=1))
    assert lit.network[1].momentum == pytest.approx(momentum)


def test_layer_wise_learning_rates_fall_from_the_classifier_down() -> None:
    recipe = choose(name="finetune", layer_decay=0.5, learning_rate=32.0)
    lit = LitClassifier(network(), recipe, 4, 8)
    trainer(max_epochs=1).fit(lit, loader())
    optimizer = lit.optimizers().optimizer
    rate = {}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            (name,) = [n for n, p in lit.network.named_parameters() if p is parameter]
            rate[name] = group["initial_lr"]
    assert rate["4.weight"] == rate["4.bias"]
    assert rate["1.weight"] == pytest.approx(rate["4.weight"] / 2)
    assert rate["0.weight"] == pytest.approx(rate["4.weight"] / 4)


def test_fine_tuning_is_sgd_with_nesterovs_momentum() -> None:
    lit = LitClassifier(network(), choose(name="finetune"), 4, 8)
    trainer(max_epochs=1).fit(lit, loader())
    optimizer = lit.optimizers().optimizer
    assert isinstance(optimizer, torch.optim.SGD)
    assert all(group["nesterov"] and group["momentum"] == 0.9 for group in optimizer.param_groups)


def test_our_network_and_the_baselines_tell_their_layers() -> None:
    from timm.optim import create_optimizer_v2

    from lit_effnet.network.registry import build
    from lit_effnet.scaling.compound import Scaling

    for name, scaling in (("efficientnet", Scaling(0.3, 0.25)), ("resnet50", None)):
        net = build(name, scaling, 5)
        optimizer = create_optimizer_v2(net, opt="sgd", lr=1.0, layer_decay=0.5)
        scales = {id(p): g["lr_scale"] for g in optimizer.param_groups for p in g["params"]}
        of = {n: scales[id(p)] for n, p in net.named_parameters()}
        head = next(n for n, m in net.named_modules() if m is net.get_classifier())
        stem = next(iter(of))
        assert of[f"{head}.weight"] == 1
        assert of[stem] == min(of.values()) < 0.1
        assert len(set(of.values())) > 5


def test_weights_and_maps_are_channels_last() -> None:
    """Strides of one-pixel maps tell no layout, so weights must: the other is half as quick."""
    model = LitClassifier(EfficientNet(Scaling(0.1, 0.25), num_classes=4), choose(), 4, 8)
    seen: list[bool] = []
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            assert layer.weight.is_contiguous(memory_format=torch.channels_last)
            layer.register_forward_hook(
                lambda _, __, maps: seen.append(
                    maps.is_contiguous(memory_format=torch.channels_last)
                )
            )
    images = torch.randn(2, 3, 32, 32).contiguous(memory_format=torch.channels_last)
    model(images)
    assert seen
    assert all(seen)
