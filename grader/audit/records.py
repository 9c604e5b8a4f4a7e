"""What an audit says, as frozen records: one dossier per team and assignment, one audit per assignment.

Nothing here decides anything. The decision is the `Evidence` of the snapshot; flags, rewrites and shares are
context for a person.
"""

from typing import Literal

from grader.records import EvidenceLevel, Record, Sighting, Snapshot

SCHEMA = 1
"""Version of the JSON form; raised when a field changes its meaning or goes."""


class Flag(Record):
    """Something that a person may want to know about dates or branches. Never a verdict."""

    detector: str
    """Short name in lower case with '-', such as 'dated-before-parent'; one row of the table of rates."""
    kind: Literal["flag", "context"]
    """'flag': not seen in any ordinary student history; 'context': seen in some."""
    text: str
    """One sentence for a committee, with short ids of commits."""
    commits: tuple[str, ...] = ()
    """Full ids of the commits that it is about."""
    base_rate: str
    """How often honest work shows the same, in words, with the source's numbers."""


class Rewrite(Record):
    """A commit that the branch no longer has, and what took its place, found by content."""

    old: str
    """Id of the commit that was seen earlier."""
    new: str | None
    """Id of its counterpart in the later history; None when there is none."""
    matched_by: Literal["tree", "patch", "author", "nothing"]
    """'tree': the same files; 'patch': the same change; 'author': only the same author and author date."""
    text: str
    """One sentence: what changed (dates, author, message, files) and what did not."""


class UncountedSignatures(Record):
    """Commits whose signatures say nothing about time, all for the same reason."""

    status: str
    """Why, in one word, such as 'unknown-key'."""
    count: int
    commits: tuple[str, ...]
    """Full ids; of very many not all."""
    text: str
    """One sentence, with short ids."""
    meaning: str
    """What follows from it, and what to do if anything."""


class Share(Record):
    """What one author name and e-mail address contributed. Context, never a mark."""

    author: str
    """Name and address as the commits carry them."""
    member: str | None = None
    """Id of the team member, where the address says so."""
    commits: int
    co_authored: int
    """Commits of others that name this person in a Co-authored-by trailer."""
    lines_added: int
    """Binary files count as 0."""
    lines_removed: int
    notebook_lines: int = 0
    """Those of the added lines that are the JSON of notebooks."""
    uncounted: int = 0
    """Commits whose lines were not counted: too large, too many, or a file is not in our copy."""


class CommitFacts(Record):
    """One commit for people."""

    id: str
    author: str
    subject: str
    authored: int | None
    """Seconds since the epoch, as the commit claims; None when it cannot be read."""
    committed: int | None
    first_seen: int | None
    """Earliest independent proof that it existed; None without any."""
    first_seen_by: EvidenceLevel | None = None
    """How strong that proof is."""
    signed: int | None = None
    """Time of the forge's own signature."""
    offset_minutes: int | None = None
    """Time zone that the committer date claims, in minutes east of UTC; None when it cannot be read."""
    roles: tuple[str, ...] = ()
    """What it is to the decision: 'graded', 'ruled' (what the rule takes), 'proven', 'claimed'."""


class Dossier(Record):
    """Everything about one team and one assignment."""

    assignment: str
    team: str
    members: tuple[str, ...]
    repo_url: str
    extension: str = ""
    """The team's own deadline with approver and reason code; empty when it has none."""
    graded: Snapshot | None
    """What the stored marks rest on; None when nothing was collected for marking yet."""
    ruling: Snapshot
    """What the rule says on the evidence of today."""
    problem: str = ""
    """Why nothing could be ruled for this team; empty when it could."""
    unread_since: bool = False
    """True when the deadline is past and the repository was not read since."""
    evidence_text: str = ""
    """What the decision that is shown rests on, in words; a letter alone hides how an A came about."""
    timeline: tuple[Sighting, ...] = ()
    """What was seen of any branch, oldest first; of looks that found the same, the first and the last."""
    seen_again: int = 0
    """Looks that are left out because those before and after them found the same."""
    unanswered: tuple[int, ...] = ()
    """When we asked the server and the repository could not be read, in seconds since the epoch."""
    commits: tuple[CommitFacts, ...] = ()
    """The commits around the deadline, newest first."""
    commits_left_out: int = 0
    """Commits further away from the deadline that are not listed."""
    flags: tuple[Flag, ...] = ()
    signatures: tuple[UncountedSignatures, ...] = ()
    """Signatures that do not count, by reason; those that do are in `commits`."""
    rewritten: tuple[str, ...] = ()
    """One sentence for each time that the branch was rewritten, oldest first."""
    rewrites: tuple[Rewrite, ...] = ()
    """The commits that it lost."""
    shares: tuple[Share, ...] = ()
    commands: tuple[str, ...] = ()
    """Shell lines with which anybody can verify the decision from the exported files."""
    decide: tuple[str, ...] = ()
    """What a person must decide, one sentence each; empty when nothing is open."""

    @property
    def shown(self) -> Snapshot:
        """What counts: what was graded, else what the rule says."""
        return self.graded or self.ruling

    @property
    def agrees(self) -> bool:
        """Whether the rule still chooses what was graded, with the same lateness."""
        if self.graded is None:
            return True
        was, now = self.graded, self.ruling
        return (was.commit, was.tree, was.days_late) == (now.commit, now.tree, now.days_late)


class Fixed(Record):
    """Something outside the ledger that fixes a round and, through the chain, every round before it."""

    round: int
    sha256: str
    by: str
    """'a time stamp' or 'a posted hash'."""
    time: int | None
    """Seconds since the epoch, by the clock of whoever stamped it; None for a hash that was posted."""
    proves: str
    """For a committee."""


class Audit(Record):
    """One assignment."""

    schema_version: int = SCHEMA
    course: str
    term: str
    assignment: str
    title: str
    time_zone: str
    deadline: int
    """First late instant for everybody without an extension, exclusive, in seconds since the epoch."""
    deadline_text: str
    written: int
    """Seconds since the epoch."""
    version: str
    """Of the grader."""
    ledger_rounds: int
    ledger_head: str
    """Hash of the last round; compare it with what was posted at the deadline."""
    outside: tuple[Fixed, ...] = ()
    """What fixes rounds of the ledger from outside, as far as it was checked and holds."""
    outside_problems: tuple[str, ...] = ()
    """Time stamps and posted hashes that do not hold, or could not be checked."""
    clock: str = ""
    """How our own clock compared with the servers', in words; empty where no server told its time."""
    dossiers: tuple[Dossier, ...]


class Audits(Record):
    """Several assignments, as `grader audit --json` prints them."""

    schema_version: int = SCHEMA
    audits: tuple[Audit, ...]
