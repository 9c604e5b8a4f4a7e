"""A scheduler in; which nodes came, were refused or are gone since the last look, out."""

from dataclasses import dataclass
from typing import Any

from distributed import Client

from grader.cluster.fitness import Demands, Report
from grader.cluster.node import look
from grader.cluster.placement import Node
from grader.errors import ClusterError


@dataclass(frozen=True)
class Change:
    """What is new."""

    joined: tuple[Node, ...]
    refused: tuple[str, ...]
    """What is wrong with nodes that get no work."""
    gone: tuple[str, ...]
    """Addresses."""


class Watch:
    """Knows the nodes that were seen; every node is asked once."""

    def __init__(self, client: Client, demands: Demands) -> None:
        self._client = client
        self._demands = demands
        self._seen: dict[str, str] = {}
        """Address -> id of the worker process: after a restart the same address may be another worker."""

    def look(self) -> Change:
        """Ask every new node whether it is fit.

        Raises:
            ClusterError: the scheduler does not answer.
        """
        present = self._present()
        gone = [address for address, name in self._seen.items() if present.get(address) != name]
        for address in gone:
            del self._seen[address]
        new = [address for address in present if address not in self._seen]
        answers = self._ask(new) if new else {}
        self._seen |= {address: present[address] for address in answers}
        joined = tuple(_node(address, said) for address, said in answers.items() if _is_fit(said))
        refused = tuple(_words(address, said) for address, said in answers.items() if not _is_fit(said))
        return Change(joined, refused, tuple(gone))

    def _present(self) -> dict[str, str]:
        try:
            if self._client.status != "running":
                raise ClusterError(f"the scheduler is gone (connection {self._client.status})")
            workers = self._client.scheduler_info(n_workers=-1)["workers"]
        except (OSError, TimeoutError) as error:
            raise ClusterError(f"the scheduler does not answer: {error}") from error
        return {address: worker["id"] for address, worker in workers.items()}

    def _ask(self, addresses: list[str]) -> dict[str, Any]:
        """What each says; one that died while it was asked says nothing and is asked when it is back."""
        answers = self._client.run(
            look, self._demands.model_dump_json(), workers=addresses, on_error="return"
        )
        return {
            address: Report.model_validate_json(said) if isinstance(said, str) else said
            for address, said in answers.items()
            if not isinstance(said, OSError)
        }


def _node(address: str, report: Report) -> Node:
    return Node(address, report.host, report.slots, report.gpu_memory_mib)


def _is_fit(said: Any) -> bool:
    return isinstance(said, Report) and not said.problems


def _words(address: str, said: Any) -> str:
    if isinstance(said, Report):
        return "\n".join(f"node {said.host} ({address}) gets no work: {problem}" for problem in said.problems)
    return (
        f"node {address} gets no work: it cannot load this grader ({type(said).__name__}: {said}); "
        "install the coordinator's version there and restart its worker"
    )
