"""What a check is given: workers to ask, seeds, data, and places to put figures and evidence."""

import hashlib
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType, SimpleNamespace

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from grader.candidate import Candidate
from grader.course.model import Assignment, Limits, Task
from grader.errors import CandidateDied, CandidateError, CandidateTimeout
from grader.examine.request import ExamRequest, Work, digest
from grader.records import Artifact, Measurement, Usage
from grader.sandbox.seam import Ending, Sandbox, SessionSpec

RESTARTS: Mapping[type[CandidateError], int] = MappingProxyType({CandidateTimeout: 2, CandidateDied: 12})
"""How often the shared worker is started again, so that one bad function costs only the checks that call it.

Waiting for an answer in vain takes long, dying does not; after that every later check fails at once.
"""

STARTING_S = 30
"""Time that a worker has however late it begins; to run out of it while starting would count as our fault."""


class Exam:
    """One examination in progress. Opens workers, keeps the clock, and collects what the checks record."""

    def __init__(
        self,
        request: ExamRequest,
        sandbox: Sandbox,
        *,
        artifacts_folder: Path,
        references: Path | None = None,
        report: Callable[[Ending], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.assignment: Assignment = request.material.assignment
        self.device: str = request.material.assignment.device
        self.references = references
        """Where prepared references are kept between examinations, by content; None: nowhere."""
        self.measurements: list[Measurement] = []
        self.artifacts: list[Artifact] = []
        self.notes: list[str] = []
        self.usages: list[Usage] = []
        self._request = request
        self._sandbox = sandbox
        self._artifacts_folder = artifacts_folder
        self._report = report
        self._clock = clock
        self._started = clock()
        self._shared: dict[tuple[str, bool], Candidate] = {}
        self._deaths: Counter[tuple[tuple[str, bool], type[CandidateError]]] = Counter()
        self._open: list[Candidate] = []
        # beside the artifacts, so that a killed examination leaves nothing outside the scratch folder
        self._code = tempfile.TemporaryDirectory(prefix="code-", dir=artifacts_folder.parent)

    @property
    def data_dir(self) -> Path:
        """Data that students have too."""
        return Path(self._request.material.folder) / "data"

    @property
    def data_folder(self) -> Path:
        """The course's image data sets; never shown to a worker."""
        return Path(self._request.material.data_folder)

    @property
    def hidden_dir(self) -> Path:
        """Hidden checks and hidden data; never shown to a worker."""
        return Path(self._request.material.folder) / "checks" / "hidden"

    @property
    def sandbox_name(self) -> str:
        """Backend and tier that the workers run in."""
        return self._sandbox.name

    def task(self, task_id: str) -> Task:
        """The task with this id.

        Raises:
            LookupError: the check names a task that assignment.toml does not have (our mistake).
        """
        for task in self.assignment.tasks:
            if task.id == task_id:
                return task
        raise LookupError(f"no task '{task_id}' in {self.assignment.id}")

    def config(self, task_id: str) -> SimpleNamespace:
        """The task's configuration, as the submission's constructor receives it."""
        return SimpleNamespace(**self.task(task_id).config)

    def budget(self, task_id: str) -> SimpleNamespace:
        """The task's training budget, as the submission's training function receives it."""
        return SimpleNamespace(**self.task(task_id).budget)

    def seed_for(self, name: str) -> int:
        """A seed for one use of randomness: the same for the whole class, unrelated between names.

        It depends on the examination's seed and never on the submission, so that everybody is measured
        with the same noise.
        """
        noise = f".{self._request.noise}" if self._request.noise else ""
        return self._seed(f"{self._request.seed}{noise}", name)

    def training_seed(self, name: str) -> int:
        """As `seed_for`, for whatever is trained: a submission's model, a classifier of ours.

        It stays the same where a model is to be measured once more with other noise (`grader stability`).
        """
        return self._seed(str(self._request.seed), name)

    def _seed(self, seed: str, name: str) -> int:
        digest = hashlib.sha256(f"{seed}/{self.assignment.id}/{name}".encode()).digest()
        return int.from_bytes(digest[:6], "little")

    def samples(self, n: int) -> int:
        """How many samples to draw where n are usual: more where noise left points open the first time."""
        return n * self._request.effort

    def portions(self, name: str) -> tuple[str, ...]:
        """Names of the noise for `samples(n)` samples, one for each n of them.

        The first is `name` itself: more effort adds samples to the usual ones and changes none. Ask for one
        portion at a time, so that no single question grows.
        """
        more = (f"{name}, portion {number}" for number in range(2, self._request.effort + 1))
        return (name, *more)

    def fresh(self, task_id: str, *, reference: bool = False) -> Candidate:
        """A new worker that has seen nothing yet. Closed with the examination at the latest."""
        self.check_time()
        work = self._request.material.reference if reference else self._request.work
        spec = SessionSpec(
            submission=Path(work.folder) if self.assignment.own_files else self._code_of(work),
            limits=self._limits_now(),
            device=self._request.session_device,
            slot=self._request.slot,
        )
        candidate = Candidate(
            self._sandbox,
            spec,
            work.prepared,
            module=self.task(task_id).module,
            seed=self.training_seed("worker"),
            props=self._props(),
        )
        self._open.append(candidate)
        return candidate

    def shared(self, task_id: str, *, reference: bool = False) -> Candidate:
        """The worker that the checks of a task share; started again when it died, but not for ever."""
        self.check_time()
        name = (task_id, reference)
        candidate = self._shared.get(name)
        if candidate is not None and candidate.failure is not None and self._may_restart(name):
            self.close_worker(candidate)
            candidate = None
        if candidate is None:
            candidate = self._shared[name] = self.fresh(task_id, reference=reference)
        return candidate

    def _props(self) -> Mapping[str, str]:
        """Our models that run beside the submission, by name."""
        folder = Path(self._request.material.folder) / "checks" / "props"
        return {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))}

    def _limits_now(self) -> Limits:
        """The limits of a session that starts now: it may outlive the examination by its start alone."""
        limits = self.assignment.limits
        left_s = max(STARTING_S, int(self._started + limits.examination_wall_s - self._clock()))
        return limits.model_copy(update={"session_wall_s": min(limits.session_wall_s, left_s)})

    def _code_of(self, work: Work) -> Path:
        """A copy of the work's Python files and nothing else, so that weights from home cannot be loaded."""
        folder = Path(self._code.name) / digest([work.folder])
        if not folder.exists():
            folder.mkdir()
            for path in sorted(Path(work.folder).rglob("*.py")):
                if not path.is_file():
                    continue  # a folder may have such a name, and must not break every check
                copy = folder / path.relative_to(work.folder)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
        return folder

    def check_time(self) -> None:
        """Stop asking once the time for the whole examination is used up.

        Raises:
            CandidateTimeout: earlier checks used it all.
        """
        allowed = self.assignment.limits.examination_wall_s
        if self._clock() - self._started > allowed:
            raise CandidateTimeout(f"earlier checks used up the {allowed} s for the whole examination")

    def artifact(self, kind: str, title: str, value: object) -> None:
        """Keep evidence for the report.

        Args:
            kind: 'images' (float array [n, height, width] in [0, 1]), 'curve' (float array [n]) or 'text'.
            title: shown above it; the reference's artifact of the same name is shown beside it.
            value: the array or string.
        """
        tensors = _artifact_tensors(kind, value)
        blob = save(tensors)
        digest = hashlib.sha256(blob).hexdigest()
        self._artifacts_folder.mkdir(parents=True, exist_ok=True)
        (self._artifacts_folder / f"{digest}.safetensors").write_bytes(blob)
        self.artifacts.append(Artifact(name=f"{kind}/{title}", sha256=digest))

    def note(self, text: str) -> None:
        """Tell the student something that costs no mark."""
        if text not in self.notes:
            self.notes.append(text)

    def close_worker(self, candidate: Candidate) -> Ending:
        """End one worker early, so that it does not hold memory until the examination ends."""
        ending = candidate.close()
        if candidate in self._open:
            self._open.remove(candidate)
            self.usages.append(ending.usage)
            if ending.limit is not None:
                self._report(ending)
        return ending

    def close(self) -> None:
        """End every worker that is still open."""
        for candidate in list(self._open):
            self.close_worker(candidate)
        self._code.cleanup()

    def usage(self) -> Usage:
        """What all closed workers used together."""
        return Usage(
            wall_s=round(self._clock() - self._started, 3),
            cpu_s=round(sum(usage.cpu_s for usage in self.usages), 3),
            peak_memory_mib=max((usage.peak_memory_mib for usage in self.usages), default=0.0),
            sessions=len(self.usages),
        )

    def _may_restart(self, name: tuple[str, bool]) -> bool:
        failure = self._shared[name].failure
        for kind, restarts in RESTARTS.items():
            if isinstance(failure, kind):
                self._deaths[name, kind] += 1
                return self._deaths[name, kind] <= restarts
        return False


MOST_POINTS = 2000
"""Points of a curve that are kept; a drawing shows no more."""


def _thinned(values: NDArray[np.float64]) -> NDArray[np.float64]:
    if len(values) <= MOST_POINTS:
        return np.ascontiguousarray(values)
    kept = np.linspace(0, len(values) - 1, MOST_POINTS).round().astype(np.int64)
    thinned: NDArray[np.float64] = values[kept]
    return thinned


def _artifact_tensors(kind: str, value: object) -> dict[str, "np.ndarray"]:
    match kind:
        case "images":
            return {"images": np.ascontiguousarray(value, dtype=np.float32)}
        case "curve":
            return {"values": _thinned(np.asarray(value, dtype=np.float64))}
        case "text":
            text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "�", str(value))
            return {"utf8": np.frombuffer(text.encode(), dtype=np.uint8)}
    raise ValueError(f"artifact kind '{kind}': expected images, curve or text")
