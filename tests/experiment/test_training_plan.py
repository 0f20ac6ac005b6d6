"""The plan of a training, from flags, data and devices."""

from types import SimpleNamespace

import pytest

from lit_effnet.experiment.training_plan import Devices, TrainingPlan, plan_training
from lit_effnet.training.recipe import choose

IMAGES = {"train": 2160, "validation": 540}


def plan(processes: int = 1, *, batch_size: int = 16, options=None, **recipe) -> TrainingPlan:
    settings = {
        "strategy": "auto",
        "accumulate_grad_batches": 1,
        "limit_train_batches": None,
        "max_epochs": None,
        "sync_batchnorm": False,
        **(options or {}),
    }
    return plan_training(
        SimpleNamespace(**settings),
        choose(**recipe),
        Devices(processes, on_cpu=True),
        images=IMAGES,
        batch_size=batch_size,
    )


@pytest.mark.parametrize(
    ("made", "epoch_steps", "epochs", "global_batch"),
    [
        (plan(), 135, 10, 16),
        (plan(2), 67, 10, 32),
        (plan(2, global_batch=64), 33, 10, 64),
        (plan(options={"limit_train_batches": 0.5, "max_epochs": 3}), 67, 3, 16),
        (plan(options={"accumulate_grad_batches": 4}), 34, 10, 64),
        (plan(name="plain", steps=1350), 135, 10, 16),
    ],
)
def test_it_has_the_steps_epochs_and_images_per_step(
    made: TrainingPlan, epoch_steps: int, epochs: int, global_batch: int
) -> None:
    assert (made.epoch_steps, made.epochs, made.global_batch) == (epoch_steps, epochs, global_batch)


def test_batch_norm_is_synchronised_between_several_processes_only() -> None:
    options = {"sync_batchnorm": True}
    assert not plan(1, options=options).synchronised
    assert plan(2, options=options).synchronised


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 4000}, "batch_size 4000: there are 2,160 training images for 1 process"),
        ({"processes": 541}, "devices 541: must be at most 540, the validation images"),
        ({"global_batch": 24}, "recipe.global_batch 24: must be a multiple of 16"),
        (
            {"processes": 2, "head_only": 0.5},
            "strategy auto: must be ddp_find_unused_parameters_true",
        ),
    ],
)
def test_a_training_that_these_devices_and_data_cannot_do_is_refused(
    arguments: dict, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        plan(**arguments)
