# SPDX-License-Identifier: GPL-3.0-or-later
"""Several processes that train one model: each takes its own frames, gradients are averaged.

On a CPU, two processes of one thread each do more steps than one process of two threads, because they wait for each
other once a step and not once an operation.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
import torch.distributed as dist


class Team:
    """One process's view of the others.

    Parameters
    ----------
    rank, size : int
        Number of this process, and how many there are.
    folder : Path
        Folder all of them can write, where they meet.
    """

    def __init__(self, rank: int, size: int, folder: Path):
        self.rank, self.size = rank, size
        self._meeting = Path(folder).resolve() / "meeting"
        if self.leads:
            self._meeting.parent.mkdir(parents=True, exist_ok=True)
            self._meeting.unlink(missing_ok=True)

    @property
    def leads(self) -> bool:
        """Whether this process logs, saves and decides."""
        return self.rank == 0

    def start(self) -> None:
        """Meet the others."""
        if self.size > 1:
            dist.init_process_group("gloo", f"file://{self._meeting}", rank=self.rank, world_size=self.size)

    def stop(self) -> None:
        """Part."""
        if self.size > 1:
            dist.barrier()
            dist.destroy_process_group()
        if self.leads:
            self._meeting.unlink(missing_ok=True)

    def agree(self, value: float) -> float:
        """The leader's value, for everyone."""
        if self.size == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(shared, 0)
        return float(shared)

    def share(self, tensors: Iterable[torch.Tensor]) -> None:
        """Overwrite tensors with the leader's."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    @torch.no_grad()
    def average(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replace tensors by their mean over the processes, in one exchange."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        dist.all_reduce(flat)
        flat /= self.size
        first = 0
        for tensor in tensors:
            tensor.copy_(flat[first : first + tensor.numel()].view_as(tensor))
            first += tensor.numel()
