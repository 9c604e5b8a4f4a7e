"""What an instructor writes in the course tree, as frozen records. No I/O."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from grader.course.cluster_settings import ClusterSettings
from grader.course.decision_policy import DecisionPolicy
from grader.course.watch_policy import WatchPolicy
from grader.records import Record, Team

Positive = Annotated[int, Field(gt=0)]
Whole = Annotated[int, Field(ge=0)]
Points = Annotated[Decimal, Field(ge=0)]


class LatePolicy(Record):
    """The late rule as data."""

    enabled: bool = True
    """False: nothing that is late counts."""
    max_days: Annotated[int, Field(ge=0)] = 2
    """Nothing that is later than this many started days counts."""
    rate: Annotated[Decimal, Field(ge=0, le=1)] = Decimal("0.10")
    """Share taken per started day."""
    base: Literal["earned", "possible"] = "possible"
    """What the rate is a share of: the marks earned, or the total of the assignment."""
    grace_minutes: Annotated[int, Field(ge=0)] = 0
    """Minutes after the deadline that are not late."""
    takes: Literal["on_time", "latest"] = "on_time"
    """Where work was handed in on time and again late: the on-time commit (no penalty) or the latest one."""


class CollectPolicy(Record):
    """What git may do while collecting."""

    protocols: tuple[Literal["https", "file"], ...] = ("https",)
    """How repositories may be reached; 'file' is for courses on one machine."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts that a repository may live on; empty means any host of an allowed protocol."""
    branch: str = ""
    """Branch that counts; empty means the repository's default branch."""
    gap_tolerance_minutes: Annotated[int, Field(ge=0)] = 0
    """How long after the deadline a commit dated on time may first be seen and still count (decision GAP)."""
    decisions: DecisionPolicy = DecisionPolicy()
    """What counts where the evidence leaves a choice; see below."""
    other_branches: Literal["newer", "any", "none"] = "newer"
    """Branches that are pointed out beside the one that counts: those with newer work, any with work that it
    has not, or none. They never count."""
    forges: dict[str, Literal["github", "gitlab", "gitea", "reflog", "none"]] = Field(default_factory=dict)
    """Whose API tells of pushes, by host: 'gitea' is Forgejo too, 'none' asks nobody; github.com, gitlab.com
    and codeberg.org are known. `file = "reflog"` trusts the logs of repositories on this machine."""
    blob_limit_mib: Positive = 25
    """Largest single file that is taken."""
    tree_limit_mib: Positive = 200
    """Largest submission that is taken."""
    file_limit: Positive = 5000
    """Most files that a submission may have."""
    timeout_s: Positive = 120
    """Longest that one git command may take."""
    workers: Positive = 8
    """Repositories that are fetched side by side."""
    watch: WatchPolicy = WatchPolicy()
    """When `grader collect --watch` looks; see below."""
    timestamp_authority: Annotated[str, Field(pattern=r"^(https?://[!-~]+)?$")] = ""
    """Address of an RFC 3161 authority that stamps the ledger when a deadline has passed, and whenever
    `grader collect` has looked; empty for none."""
    timestamp_ca: str = ""
    """PEM file with that authority's root certificate, beside course.toml or absolute."""


class Component(Record):
    """One share of the final mark."""

    weight: Annotated[Decimal, Field(ge=0, le=100)]
    """Percent of the final mark; the three sum to 100."""
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
    """Lowest whole mark of each letter."""
    below: str
    """Letter of whatever is below all of them."""


class Course(Record):
    """course.toml."""

    title: str
    """As it stands on every report."""
    term: str
    """Such as 'Summer 2025'."""
    time_zone: str
    """IANA name, such as 'America/Toronto'; every deadline is in it."""
    components: Components
    """Weights; see below."""
    late: LatePolicy = LatePolicy()
    """The late rule; see below."""
    collect: CollectPolicy = CollectPolicy()
    """What may be fetched; see below."""
    scales: dict[str, LetterScale]
    """Letter scales by level: undergraduate, graduate."""
    cluster: ClusterSettings = ClusterSettings()
    """Where `grader grade --cluster` runs; see below and docs/cluster.md."""
    data_folder: str = "data"
    """Folder with image data sets, beside course.toml or absolute; read at other scales than 'cpu'."""


class Limits(Record):
    """What one sandbox session may use; each is enforced from outside and reported when hit."""

    session_wall_s: Positive = 120
    """Longest that one worker may live."""
    question_s: Positive = 20
    """Longest wait for one answer, training excepted."""
    cpu_s: Positive = 240
    """Processor time of one worker, over all its cores."""
    memory_mib: Positive = 2048
    """Memory of one worker with everything it starts."""
    processes: Positive = 64
    """Processes and threads of one worker."""
    disk_mib: Positive = 256
    """What one worker may write."""
    output_kib: Positive = 1024
    """What one worker may print; the rest is dropped."""
    examination_wall_s: Positive = 300
    """All sessions of one submission together."""
    gpu_memory_mib: Whole = 0
    """What one submission takes of a GPU, with about 500 MiB for CUDA itself: as many as fit run side by
    side on one. 0: not known, so each has a GPU to itself."""
    gpu_exclusive: bool = False
    """Whether a submission has a GPU to itself whatever it takes: where its time is measured."""


class TaskScale(Record):
    """What another scale changes of a task. Every key must be one that the task has."""

    config: dict[str, int | float | str | bool] = Field(default_factory=dict)
    """In the place of the same keys of `config`."""
    budget: dict[str, int | float] = Field(default_factory=dict)
    """In the place of the same keys of `budget`."""


class Task(Record):
    """One programming task of an assignment: a module with names that are the contract."""

    id: str
    """The name that checks give in `pytest.mark.task`."""
    title: str
    """For people."""
    module: str
    """File name without `.py`; a notebook that defines the names does as well."""
    names: tuple[str, ...]
    """Names that must be there."""
    optional: tuple[str, ...] = ()
    """Names that may be there."""
    config: dict[str, int | float | str | bool] = Field(default_factory=dict)
    """Handed to the submission's constructor as `config.<name>`."""
    budget: dict[str, int | float] = Field(default_factory=dict)
    """Handed to the training function as `budget.<name>`; `steps` and `wall_s` at least, where it trains."""
    scales: dict[str, TaskScale] = Field(default_factory=dict)
    """Other sizes and budgets by scale; see below."""


class Scale(Record):
    """What another scale changes of an assignment; what it does not name stays as it is."""

    device: Literal["cpu", "cuda"] | None = None
    """In the place of `device`."""
    images: str | None = None
    """In the place of `images`."""
    train_images: Positive | None = None
    """In the place of `train_images`."""
    held_out_images: Positive | None = None
    """In the place of `held_out_images`."""
    limits: dict[str, Positive] = Field(default_factory=dict)
    """In the place of the same keys of `limits`."""


class Assignment(Record):
    """assignments/<id>/assignment.toml."""

    id: str
    """The name of the folder."""
    title: str
    """For people."""
    deadline: str
    """Wall clock, 'YYYY-MM-DD HH:MM[:SS]', in the course's zone; a deadline to the minute includes it."""
    folder: str = ""
    """Folder of the submission inside the repository; empty means its root."""
    seed: int
    """Every random choice of the grader follows from it, so the whole class gets the same questions. Keep it
    secret and draw a new one each term: whoever knows it knows every random choice."""
    own_files: bool = False
    """Whether a submission sees its other files (committed weights, say) beside its code while examined."""
    device: Literal["cpu", "cuda"] = "cpu"
    """What submissions run on."""
    scale: str = "cpu"
    """Which sizes count: 'cpu' for those of this file, or one of `scales`."""
    images: str = "digits"
    """Image data: 'digits' (8x8, part of the grader) or a data set of the data folder, such as 'mnist'."""
    train_images: Positive = 20_000
    """At most so many images are trained on."""
    held_out_images: Positive = 500
    """So many images are kept back from all training."""
    scales: dict[str, Scale] = Field(default_factory=dict)
    """Other scales by name; see below."""
    tasks: tuple[Task, ...]
    """The programming tasks; see below."""
    limits: Limits = Limits()
    """What a submission may use; see below."""


class Criterion(Record):
    """One line of a rubric: how checks and measurements become points."""

    id: str
    """Lower-case letters, digits and '_'."""
    title: str
    """As it stands in the marks table."""
    points: Points
    """The most that it earns; of a penalty, the most that it takes."""
    kind: Literal["check", "metric", "manual", "penalty"]
    """Where the points come from; see below."""
    task: str = ""
    """The programming task that it is about; empty for written work."""
    checks: tuple[str, ...] = ()
    """Ids of checks, or folders/files of them. Kind 'check': points in proportion to those passed. Kind
    'penalty': points are taken in proportion to those failed. Kind 'metric': the checks that measure it;
    they say whose fault it is when there is no measurement."""
    requires: tuple[str, ...] = ()
    """Checks that must pass; otherwise the criterion earns nothing."""
    all_or_nothing: bool = False
    """True: one failed check counts like all of them."""
    metric: str = ""
    """Kind 'metric': name of the measurement, and of its band in bands.json."""
    direction: Literal["higher", "lower"] = "lower"
    """Which way is better."""
    scale: Literal["linear", "log"] = "linear"
    """How points grow between the baseline and the reference."""
    step: Annotated[Decimal, Field(gt=0)] = Decimal("0.5")
    """Points are quantised to this."""
    guide: str = ""
    """Kind 'manual': the marking guide."""
    per_member: bool = False
    """In the rubric of the project: each member of the group is marked alone, not the group as a whole."""


class Rubric(Record):
    """rubrics/<id>.toml."""

    assignment: str
    """The id of the assignment, or 'exam' or 'project'; and the name of the file."""
    title: str
    """For people."""
    criteria: tuple[Criterion, ...]
    """See below."""

    @property
    def out_of(self) -> Decimal:
        """Sum of the points of all criteria that are not penalties."""
        return sum((c.points for c in self.criteria if c.kind != "penalty"), Decimal(0))


class Band(Record):
    """Calibrated spread of the reference solution and level of the trivial baseline, for one measurement."""

    mean: float
    """Of the reference solution over the seeds."""
    standard_deviation: float
    """Of the reference solution over the seeds."""
    n: int
    """Number of seeds."""
    full_at: float
    """Tolerance bound of the reference: full points here or better."""
    none_at: float
    """The trivial baseline: no points here or worse."""
    unit: str = ""
    """Of the measurement."""
    standard_error: float = 0.0
    """Of one measurement by its own account: root of the mean square over the seeds; 0 where it has none."""
    quantiles: dict[str, float] = Field(default_factory=dict)
    """Of the reference solution over the seeds: at 0 and 1 the smallest and the largest, and between them."""
    seeds: tuple[int, ...] = ()
    """Seeds of the runs that this band comes from."""
    engine: str = ""
    """Version of the grader that measured this band."""


class Bands(Record):
    """reference_solutions/<id>/bands.json."""

    device: str
    """What the reference ran on."""
    engine: str
    """Version of the grader at the latest runs."""
    seeds: tuple[int, ...]
    """Seeds of the latest runs."""
    versions: str = ""
    """Of Python and of the packages that a figure may depend on, at the latest runs."""
    bands: dict[str, Band]
    """By name of the measurement."""


class Student(Record):
    """One line of the roster. `name`, `student_number` and `email` never leave the roster file."""

    student: str
    """A handle without personal data, used in every file and page."""
    name: str = ""
    student_number: str = ""
    email: str = ""
    level: str = "undergraduate"
    team: str
    project_team: str = ""
    """Empty where the project is done by those who also hand in the assignments together."""
    repo_url: str
    status: Literal["active", "dropped"] = "active"

    @property
    def group(self) -> str:
        """The team of the project."""
        return self.project_team or self.team


class Roster(Record):
    """roster.csv, with the extensions of extensions.csv."""

    students: tuple[Student, ...]
    teams: tuple[Team, ...]
