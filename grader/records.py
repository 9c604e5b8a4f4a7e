"""The frozen records that flow from stage to stage. No I/O, no clock, no torch.

`Team → Snapshot → Examination → Marksheet → GradeRow`; each is saved whole or not at all, so any stage can
be replayed from the one before. A student's fault is a value in here; our fault is an exception or the
status `could_not_check`.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator


class Record(BaseModel):
    """Frozen, strict, and closed: an unknown field is an error."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Status(StrEnum):
    """The three outcomes of every check."""

    PASSED = "passed"
    FAILED = "failed"
    COULD_NOT_CHECK = "could_not_check"


NOT_IMPLEMENTED = "is not implemented yet"
"""How the message of a check ends where a hole of the starter is still open."""


class Decision(StrEnum):
    """How the commit that counts was found; see docs/deadlines.md."""

    CONFIRMED = "CONFIRMED"
    CONFIRMED_OTHER_HEADS = "CONFIRMED+OTHER-HEADS"
    GAP = "GAP"
    REWRITTEN = "REWRITTEN"
    AMBIGUOUS = "AMBIGUOUS"
    CLAIMED_ONLY = "CLAIMED-ONLY"
    NO_COMMIT = "NO-COMMIT"
    UNREACHABLE = "UNREACHABLE"


class EvidenceLevel(StrEnum):
    """How strong the proof of a deadline decision is, strongest first."""

    PUSH_RECORD = "A"
    FORGE_SIGNATURE = "A'"
    OWN_SNAPSHOT = "B"
    DATES_ONLY = "C"


class Extension(Record):
    """A later deadline for one team and one assignment."""

    assignment: str
    deadline: str
    """Wall clock in the course's zone, as in assignment.toml."""
    approver: str
    reason_code: str


class Team(Record):
    """Those who hand in together; a team of one for assignments."""

    id: str
    members: tuple[str, ...]
    repo_url: str
    extensions: tuple[Extension, ...] = ()


class Sighting(Record):
    """Something independent of the student saw `ref` at `commit` at `time` (seconds since the epoch)."""

    time: int
    ref: str
    commit: str
    level: EvidenceLevel
    source: str
    """Where it comes from, in words: 'push record', 'round 12 of our own ledger'."""


class Evidence(Record):
    """Why this commit and no other."""

    decision: Decision
    level: EvidenceLevel | None
    deadline: int
    """First late instant, exclusive, in seconds since the epoch."""
    deadline_text: str
    """The same instant for people: '2025-06-20 23:59:59 America/Toronto'."""
    ref: str | None = None
    proven: str | None = None
    claimed: tuple[str, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    """The sightings that decided, oldest first."""
    explanation: str
    """One or two sentences for the student and the committee."""
    flags: tuple[str, ...] = ()
    """Context for a person, never a verdict."""


class Chunk(Record):
    """A piece of student source that is compiled under its own label, so a traceback names the cell."""

    label: str
    source: str


class Prepared(Record):
    """A submission's importable modules: top-level training code is gone, definitions are kept."""

    modules: dict[str, tuple[Chunk, ...]]
    """Module name → chunks, executed in order in one namespace."""
    notes: tuple[str, ...] = ()
    """What was skipped, unwrapped or repaired, in words for the student."""
    repaired: bool = False
    """True when a person should look at what was done to the files."""


class Snapshot(Record):
    """The commit that counts for one team and one assignment, and the tree that was taken from it."""

    team: str
    assignment: str
    commit: str | None
    tree: str | None
    """Object id of the submission's folder in that commit; identical work has an identical tree."""
    committer_date: int | None = None
    days_late: int = 0
    """Started days after the deadline; 0 is on time."""
    evidence: Evidence
    problem: str | None = None
    """Why nothing can be examined, in words for the student; None when there is a tree."""
    problem_is_ours: bool = False
    """True when nobody knows that it is the student's fault: no marks are lost, a person must look."""


class Outcome(Record):
    """What one check came to."""

    check: str
    """`public/test_vae.py::test_kl_is_closed_form`, relative to the assignment's checks folder."""
    status: Status
    message: str = ""
    """For the student: the fact, then the rule. Empty when passed."""

    @property
    def is_to_do(self) -> bool:
        """Whether it failed because a hole of the starter is still open."""
        return self.status is Status.FAILED and self.message.endswith(NOT_IMPLEMENTED)


class Measurement(Record):
    """A figure that we measured ourselves, with its interval."""

    name: str
    value: float | None
    """None when it could not be measured; never a number in its place."""
    unit: str
    n: int
    low: float | None = None
    high: float | None = None
    """Two-sided interval: value ± 2 standard errors unless the check says otherwise."""
    sampled: bool = False
    """Whether `n` counts samples that we draw, so that drawing more of them narrows the interval."""
    extractor: str = ""
    """For distances between samples: the feature space that the figure is measured in."""


class Limit(StrEnum):
    """What a session can run out of."""

    WALL = "wall"
    CPU = "cpu"
    MEMORY = "memory"
    PROCESSES = "processes"
    DISK = "disk"
    FILES = "files"
    OUTPUT = "output"
    GPU_MEMORY = "gpu_memory"


class Usage(Record):
    """What an examination used. Differs from run to run, so it is kept beside the results, never in them."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    """Of the submission's workers."""
    examiner_cpu_s: float = 0.0
    """Of the examining process, which asks and measures."""
    peak_memory_mib: float = 0.0
    sessions: int = 0


class Environment(Record):
    """What reproduces an examination, with the key."""

    engine: str
    """Version and digest of the grader's own source."""
    python: str
    torch: str
    device: str
    sandbox: str
    seed: int
    effort: int = 1
    """How many times the usual samples were drawn."""
    noise: int = 0
    """Not 0: other noise than everybody is measured with, to see how far it moves a figure."""


class Artifact(Record):
    """A file kept as evidence: tensors in safetensors layout."""

    name: str
    sha256: str


class Examination(Record):
    """Everything that was found out about one submission. Same key, same content."""

    key: str
    team: str
    assignment: str
    outcomes: tuple[Outcome, ...]
    measurements: tuple[Measurement, ...] = ()
    status: Status
    """`could_not_check` as soon as one check could not be checked."""
    notes: tuple[str, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    environment: Environment

    def outcome(self, check: str) -> Outcome | None:
        """The outcome of a check by its id, or None when it was not run."""
        return next((outcome for outcome in self.outcomes if outcome.check == check), None)

    def measurement(self, name: str) -> Measurement | None:
        """A measured figure by its name, or None when nothing was recorded."""
        return next((figure for figure in self.measurements if figure.name == name), None)


class Mark(Record):
    """Points for one criterion, with the reason."""

    criterion: str
    title: str
    points: Decimal | None
    """None: not marked yet, or could not be checked; `reason` says which."""
    out_of: Decimal
    reason: str
    """One sentence: the fact, then the rule."""
    needs_person: bool = False
    measurement: Measurement | None = None
    full_at: float | None = None
    none_at: float | None = None
    """Anchors of a metric criterion, for the band strip."""


class Lateness(Record):
    """What the late rule takes away."""

    days_late: int
    deducted: Decimal
    rule: str


class Marksheet(Record):
    """All marks of one team for one assignment."""

    team: str
    assignment: str
    marks: tuple[Mark, ...]
    lateness: Lateness
    total: Decimal | None
    """After the late rule; None while any criterion has no points."""
    out_of: Decimal
    flags: tuple[str, ...] = ()
    """Why a person must look; empty when nobody need."""

    @model_validator(mode="after")
    def _total_needs_every_mark(self) -> Self:
        if self.total is not None and any(mark.points is None for mark in self.marks):
            message = f"marksheet of {self.team}: a total with an open criterion"
            raise ValueError(message)
        return self


class RecordedMarks(Record):
    """The marks that a commit was last given; measured ones stand while noise explains a new figure."""

    commit: str | None
    marksheet: Marksheet


class CellState(StrEnum):
    """States of a gradebook cell; blanks do not exist."""

    MARK = "mark"
    MISSING = "missing"
    EXCUSED = "excused"
    DEFERRED = "deferred"
    WITHHELD = "withheld"
    NOT_YET_MARKED = "not_yet_marked"


class Cell(Record):
    """One component or item of one student's grade."""

    item: str
    """The id of an assignment, 'exam' or 'project'."""
    component: str
    """'assignments', 'exam' or 'project'."""
    state: CellState
    points: Decimal | None = None
    out_of: Decimal = Decimal(100)
    weight: Decimal
    """Share of the final mark, in percent, after re-weighting."""
    contribution: Decimal | None = None
    """points / out_of * weight, unrounded."""
    rule: str = ""
    """The rule that was applied, in words."""
    marks: tuple[Mark, ...] = ()
    """Criterion by criterion, where the exam or the project is divided by a rubric."""


class GradeRow(Record):
    """The final mark of one student, with its working."""

    student: str
    team: str
    level: str
    cells: tuple[Cell, ...]
    total: Decimal | None
    """Rounded once, half up; None while a cell blocks it."""
    letter: str | None
    flags: tuple[str, ...] = ()
