"""What an instructor writes in the course tree, as frozen records. No I/O."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from grader.records import Record, Team

Positive = Annotated[int, Field(gt=0)]
Points = Annotated[Decimal, Field(ge=0)]


class LatePolicy(Record):
    """The late rule as data."""

    enabled: bool = True
    max_days: Annotated[int, Field(ge=0)] = 2
    rate: Annotated[Decimal, Field(ge=0, le=1)] = Decimal("0.10")
    """Share taken per started day."""
    base: Literal["earned", "possible"] = "possible"
    """What the rate is a share of: the marks earned, or the total of the assignment."""
    grace_minutes: Annotated[int, Field(ge=0)] = 0
    takes: Literal["on_time", "latest"] = "on_time"
    """Where work was handed in on time and again late: the on-time commit (no penalty) or the latest one."""


class CollectPolicy(Record):
    """What git may do while collecting."""

    protocols: tuple[Literal["https", "file"], ...] = ("https",)
    allowed_hosts: tuple[str, ...] = ()
    """Hosts that a repository may live on; empty means any host of an allowed protocol."""
    branch: str = ""
    """Branch that counts; empty means the repository's default branch."""
    gap_tolerance_minutes: Annotated[int, Field(ge=0)] = 0
    """How long after the deadline a commit dated on time may first be seen and still count (decision GAP)."""
    blob_limit_mib: Positive = 25
    tree_limit_mib: Positive = 200
    file_limit: Positive = 5000
    timeout_s: Positive = 120
    workers: Positive = 8


class Component(Record):
    """One share of the final mark."""

    weight: Annotated[Decimal, Field(ge=0, le=100)]
    items: tuple[str, ...] = ()
    """Equal shares of the weight; the assignments by id. Empty: the component is one item."""


class Components(Record):
    """The three shares; they must sum to 100."""

    assignments: Component
    exam: Component
    project: Component


class LetterScale(Record):
    """Lowest mark of each letter, highest first; whatever is below all of them is `below`."""

    letters: dict[str, int]
    below: str


class Course(Record):
    """course.toml."""

    title: str
    term: str
    time_zone: str
    components: Components
    late: LatePolicy = LatePolicy()
    collect: CollectPolicy = CollectPolicy()
    scales: dict[str, LetterScale]
    """By level: undergraduate, graduate."""


class Limits(Record):
    """What one sandbox session may use; each is enforced from outside and reported when hit."""

    session_wall_s: Positive = 120
    question_s: Positive = 20
    """Longest wait for one answer, training excepted."""
    cpu_s: Positive = 240
    memory_mib: Positive = 2048
    processes: Positive = 64
    disk_mib: Positive = 256
    output_kib: Positive = 1024
    examination_wall_s: Positive = 300
    """All sessions of one submission together."""


class Task(Record):
    """One programming task of an assignment: a module with names that are the contract."""

    id: str
    title: str
    module: str
    """File name without `.py`; a notebook that defines the names does as well."""
    names: tuple[str, ...]
    """Names that must be there."""
    optional: tuple[str, ...] = ()
    config: dict[str, int | float | str | bool] = Field(default_factory=dict)
    """Handed to the submission's constructor as `config.<name>`."""
    budget: dict[str, int | float] = Field(default_factory=dict)
    """Handed to the training function as `budget.<name>`; `steps` and `wall_s` at least, where it trains."""


class Assignment(Record):
    """assignments/<id>/assignment.toml."""

    id: str
    title: str
    deadline: str
    """Wall clock, 'YYYY-MM-DD HH:MM[:SS]', in the course's zone; a deadline to the minute includes it."""
    folder: str = ""
    """Folder of the submission inside the repository; empty means its root."""
    seed: int
    device: Literal["cpu", "cuda"] = "cpu"
    tasks: tuple[Task, ...]
    limits: Limits = Limits()


class Criterion(Record):
    """One line of a rubric: how checks and measurements become points."""

    id: str
    title: str
    points: Points
    kind: Literal["check", "metric", "manual", "penalty"]
    checks: tuple[str, ...] = ()
    """kind 'check': ids of checks, or folders/files of them; points in proportion to those passed."""
    requires: tuple[str, ...] = ()
    """Checks that must pass; otherwise the criterion earns nothing."""
    all_or_nothing: bool = False
    metric: str = ""
    """kind 'metric': name of the measurement, and of its band in bands.json."""
    direction: Literal["higher", "lower"] = "lower"
    """Which way is better."""
    scale: Literal["linear", "log"] = "linear"
    step: Annotated[Decimal, Field(gt=0)] = Decimal("0.5")
    """Points are quantised to this."""
    guide: str = ""
    """kind 'manual': the marking guide."""


class Rubric(Record):
    """rubrics/<id>.toml."""

    assignment: str
    title: str
    criteria: tuple[Criterion, ...]

    @property
    def out_of(self) -> Decimal:
        """Sum of the points of all criteria that are not penalties."""
        return sum((c.points for c in self.criteria if c.kind != "penalty"), Decimal(0))


class Band(Record):
    """Calibrated spread of the reference solution and level of the trivial baseline, for one measurement."""

    mean: float
    standard_deviation: float
    n: int
    """Number of seeds."""
    full_at: float
    """Tolerance bound of the reference: full points here or better."""
    none_at: float
    """The trivial baseline: no points here or worse."""
    unit: str = ""


class Bands(Record):
    """reference_solutions/<id>/bands.json."""

    device: str
    engine: str
    seeds: tuple[int, ...]
    bands: dict[str, Band]


class Student(Record):
    """One line of the roster. `name`, `student_number` and `email` never leave the roster file."""

    student: str
    """A handle without personal data, used in every file and page."""
    name: str = ""
    student_number: str = ""
    email: str = ""
    level: str = "undergraduate"
    team: str
    repo_url: str
    status: Literal["active", "dropped"] = "active"


class Roster(Record):
    """roster.csv, with the extensions of extensions.csv."""

    students: tuple[Student, ...]
    teams: tuple[Team, ...]
