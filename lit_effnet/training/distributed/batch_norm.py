"""Batch norm in distributed training: synchronised, or with averaged running statistics."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.plugins.layer_sync import LayerSync
from torch import Tensor, distributed, nn
from torch.nn.modules.batchnorm import _BatchNorm
from typing_extensions import override

from lit_effnet.training.precision import at_least_float32


def batch_norms(network: nn.Module) -> list[_BatchNorm]:
    """Return all batch norms of a network."""
    return [module for module in network.modules() if isinstance(module, _BatchNorm)]


def check_batch(model: nn.Module, batch_size: int, image_size: int) -> None:
    """Check that batch norm gets more than one value per channel in training.

    Raises:
        ValueError: batches have one image, and its last map has one pixel.
    """
    if batch_size > 1:
        return
    state = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    shapes = {name: torch.empty_like(tensor, device="meta") for name, tensor in state.items()}
    image = torch.empty(1, 3, image_size, image_size, device="meta")
    training = model.training
    model.train()
    try:
        with torch.no_grad():
            torch.func.functional_call(model, shapes, (image,))
    except ValueError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise ValueError(
            f"batch_size 1: must be at least 2 at {image_size} px, where the last map is one pixel "
            "and batch norm has no variance; or train on larger images (data.image_size)"
        ) from error
    finally:
        model.train(training)


def check_synchronised_on_cpu(network: nn.Module) -> None:
    """Raise ValueError for a batch norm that only GPUs can synchronise."""
    kinds = {type(norm) for norm in batch_norms(network) if norm.affine} - {nn.BatchNorm2d}
    kinds |= {type(norm) for norm in batch_norms(network) if not norm.affine}
    if kinds:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise ValueError(f"sync_batchnorm true: must be false on a CPU with {names} in the network")


class SharedBatchNorm2d(nn.BatchNorm2d):
    """`BatchNorm2d` over the batches of all processes, on any device.

    torch's SyncBatchNorm needs GPUs. All processes must have batches of the same size.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Normalise `[N, C, H, W]`, in training by the statistics of all processes."""
        if not self.training or not distributed.is_initialized():
            return super().forward(images)
        world, momentum = distributed.get_world_size(), self.momentum
        assert momentum is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        exact = at_least_float32(images)
        mean: Tensor = MeanOfAll.apply(exact.mean((0, 2, 3)))
        centred = exact - mean[:, None, None]
        # Of the centred values, since a difference of two means of squares loses digits.
        variance: Tensor = MeanOfAll.apply(centred.square().mean((0, 2, 3)))
        with torch.no_grad():
            count = world * images.numel() / images.shape[1]
            self.num_batches_tracked += 1
            unbiased = variance * (count / max(count - 1, 1))
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
            self.running_var.lerp_(unbiased.to(self.running_var.dtype), momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        normalised: Tensor = centred * scale[:, None, None] + self.bias[:, None, None]
        return normalised.to(images.dtype)


class MeanOfAll(torch.autograd.Function):
    """Mean over all processes, with its gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        """Return the mean of `values` over all processes."""
        total = values.clone()
        distributed.all_reduce(total)
        return total / distributed.get_world_size()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Return the mean of the gradients, since each process's loss depends on all values."""
        return MeanOfAll.forward(ctx, gradients[0].contiguous())


class SynchronisedBatchNorm(LayerSync):
    """Lightning's `sync_batchnorm`, for every device and for timm's layers."""

    @override
    def apply(self, model: nn.Module) -> nn.Module:
        """Convert the batch norms into synchronised ones."""
        if distributed.get_backend() == "gloo":
            for module in batch_norms(model):
                module.__class__ = SharedBatchNorm2d  # keeps its tensors and its name
            return model
        from timm.layers import convert_sync_batchnorm  # keeps the activation of timm's batch norms

        converted: nn.Module = convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        return converted

    @override
    def revert(self, model: nn.Module) -> nn.Module:
        """Leave them converted: they evaluate alike, and Lightning's reversal loses activations."""
        return model


class AverageRunningStatistics(Callback):
    """Averages the running statistics of all processes after each batch.

    For batch norms that are not synchronised: DDP would broadcast the statistics of rank 0, which
    leave out most images, and averaged weights and evaluations would differ between processes.
    """

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Average the statistics, in one all-reduce for the whole network."""
        statistics = [
            statistic
            for module in batch_norms(pl_module)
            for statistic in (module.running_mean, module.running_var)
            if statistic is not None
        ]
        if not statistics:
            return
        joined = torch.cat(statistics)
        distributed.all_reduce(joined)
        joined /= trainer.world_size
        parts = torch.split(joined, [len(statistic) for statistic in statistics])
        torch._foreach_copy_(statistics, list(parts))
