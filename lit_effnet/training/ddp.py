"""Lightning's DDP as this suite needs it: evaluation without exchanges, ranks ended by us."""

import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher
from typing_extensions import override

STRATEGIES = ("auto", "ddp", "ddp_find_unused_parameters_true", "ddp_find_unused_parameters_false")

EXCHANGE_TIMEOUT = timedelta(hours=2)  # `RankWatch` ends a training that stands still long before


class Ddp(DDPStrategy):
    """DDP that exchanges nothing but gradients by itself.

    Its own hand-over of batch norm's statistics at each forward pass would also be done in an
    evaluation, where one process may have a batch more than another and would wait for ever.
    """

    def __init__(self, find_unused_parameters: bool = False) -> None:
        super().__init__(
            forward_sync_buffers=False,
            find_unused_parameters=find_unused_parameters,
            timeout=EXCHANGE_TIMEOUT,
        )

    @override
    def _configure_launcher(self) -> None:
        assert self.cluster_environment is not None
        self._launcher = _Launcher(self.cluster_environment, self.num_processes, self.num_nodes)


class _Launcher(_SubprocessScriptLauncher):
    """Starts the processes of a node, and leaves to `RankWatch` what happens when one ends.

    Lightning's observer would kill the first process before that could say why and record it.
    """

    @override
    def launch(
        self,
        function: Callable[..., Any],
        *args: Any,
        trainer: Trainer | None = None,
        **kwargs: Any,
    ) -> Any:
        environment = self.cluster_environment
        environment.validate_settings(num_devices=self.num_processes, num_nodes=self.num_nodes)
        if not environment.creates_processes_externally:
            # Of an end that `RankWatch` tells in a line, torch would tell a page of addresses.
            os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
            self._call_children_scripts()
        return function(*args, **kwargs)


def strategy_for(name: Any, processes: int) -> Any:
    """The strategy of a training of `processes` processes, for the name that Lightning knows.

    Raises:
        ValueError: several processes under a strategy that is none of `STRATEGIES`.
    """
    if processes == 1:
        return name
    if name not in STRATEGIES:
        accepted = ", ".join(STRATEGIES[:3])
        raise ValueError(f"strategy {name!r}: must be one of {accepted} with {processes} processes")
    return Ddp(find_unused_parameters=str(name).endswith("true"))
