"""Nodes and what runs on them in; where the next examination goes out. No I/O, no threads, no clock.

The coordinator gives a node no more than it can run at once. So the order is the coordinator's own, and
when a node dies exactly those examinations are under suspicion that were running there.
"""

from dataclasses import dataclass, field

from grader.examine.executor import Resources


@dataclass(frozen=True)
class Share:
    """What one examination holds of a node."""

    slots: int
    gpu_memory_mib: int = 0


@dataclass
class Node:
    """One worker process on some machine."""

    address: str
    host: str
    slots: int
    gpu_memory_mib: int = 0
    held: dict[str, Share] = field(default_factory=dict)
    gpu_company: set[str] = field(default_factory=set)
    """Those of `held` that were not alone on the GPU at some time."""

    @property
    def free_slots(self) -> int:
        """Slots that nobody holds."""
        return self.slots - sum(share.slots for share in self.held.values())

    @property
    def free_gpu_memory_mib(self) -> int:
        """GPU memory that nobody holds."""
        return self.gpu_memory_mib - sum(share.gpu_memory_mib for share in self.held.values())

    def share_of(self, resources: Resources, *, alone: bool) -> Share:
        """What an examination would hold here."""
        slots = self.slots if alone else min(resources.cpu, self.slots)
        exclusive = resources.exclusive or (alone and resources.needs_gpu)
        return Share(slots, self.gpu_memory_mib if exclusive else resources.gpu_memory_mib)

    def suits(self, resources: Resources) -> bool:
        """Whether it could run here if nothing else did."""
        enough = self.gpu_memory_mib >= max(resources.gpu_memory_mib, 1)
        return enough or not resources.needs_gpu

    def has_room(self, share: Share) -> bool:
        """Whether it can run here now."""
        return share.slots <= self.free_slots and share.gpu_memory_mib <= self.free_gpu_memory_mib


class Nodes:
    """The nodes of a run that are fit for it."""

    def __init__(self) -> None:
        self._by_address: dict[str, Node] = {}

    @property
    def slots(self) -> int:
        """Examinations that run side by side."""
        return sum(node.slots for node in self._by_address.values())

    @property
    def free_slots(self) -> int:
        """Slots that nobody holds, on all nodes."""
        return sum(node.free_slots for node in self._by_address.values())

    @property
    def addresses(self) -> frozenset[str]:
        """Of all nodes."""
        return frozenset(self._by_address)

    def join(self, node: Node) -> None:
        """A node is fit for work."""
        self._by_address[node.address] = node

    def leave(self, address: str) -> tuple[str, ...]:
        """A node is gone; returns the examinations that ran there."""
        node = self._by_address.pop(address, None)
        return tuple(node.held) if node else ()

    def why_never(self, resources: Resources) -> str:
        """Why none of the nodes could ever run it; empty where one can, or where there are none yet."""
        nodes = self._by_address.values()
        if not nodes or any(node.suits(resources) for node in nodes):
            return ""
        largest = max(node.gpu_memory_mib for node in nodes)
        return (
            f"it needs {max(resources.gpu_memory_mib, 1)} MiB of GPU memory and the largest node offers "
            f"{largest} MiB; see docs/cluster.md on how a node offers its GPU"
        )

    def place(
        self, key: str, resources: Resources, *, alone: bool = False, kept_free: set[str]
    ) -> Node | None:
        """Put an examination on the emptiest node with room for it.

        Args:
            key: of the examination.
            resources: what it needs.
            alone: whether it gets a node to itself.
            kept_free: nodes that somebody before it waits for. Without room, the one that will be free
                soonest is added, so that nobody starves.
        """
        able = [
            node
            for node in self._by_address.values()
            if node.address not in kept_free and node.suits(resources)
        ]
        with_room = [node for node in able if node.has_room(node.share_of(resources, alone=alone))]
        if not with_room:
            if able and (alone or resources.needs_gpu or resources.cpu > 1):
                kept_free.add(min(able, key=lambda node: (len(node.held), node.address)).address)
            return None
        wants_gpu = resources.needs_gpu
        best = min(
            with_room,
            key=lambda node: (not wants_gpu and node.gpu_memory_mib > 0, -node.free_slots, node.address),
        )
        best.held[key] = best.share_of(resources, alone=alone)
        on_gpu = [name for name, share in best.held.items() if share.gpu_memory_mib]
        if len(on_gpu) > 1:
            best.gpu_company |= set(on_gpu)
        return best

    def give_back(self, key: str, address: str) -> bool:
        """An examination has ended there; returns whether it shared the GPU at any time."""
        node = self._by_address.get(address)
        if node is None:
            return False
        shared = key in node.gpu_company
        node.gpu_company.discard(key)
        node.held.pop(key, None)
        return shared
