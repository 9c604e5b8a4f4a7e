"""What a run of the fuzzer came to in, Markdown for docs/evidence out; and the coverage of its corpus."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

MODULES = ("frames", "strict_json", "channel", "visible", "questions")
DATE, MACHINE = "2026-11-28", "2-core x86-64 VM, Debian 12"
_WANTED = re.compile(
    r"cov: \d+ ft: \d+|stat::number_of_executed_units|stat::average_exec_per_sec|stat::peak_rss_mb"
)


@dataclass(frozen=True)
class Run:
    """One run of the fuzzer."""

    inputs: int
    wall_s: float
    counts: dict[str, int]
    """Verdicts, `inputs` and `peak_mib`, as last noted by the fuzzing process."""
    finds: list[str]
    """Inputs that broke the decoder, took too long or too much memory: there should be none."""
    log: list[str]
    corpus: int
    """Inputs in the minimised corpus."""
    coverage: dict[str, tuple[int, int, list[int]]]
    """Of each module: lines with code, lines reached by the corpus, lines not reached."""

    def summary(self) -> str:
        """One line."""
        return f"{self.counts.get('inputs', 0)} inputs in {self.wall_s:.0f} s, {len(self.finds)} finds: {self.finds}"


def coverage_of(corpus: Path) -> dict[str, tuple[int, int, list[int]]]:
    """Which lines of the decoder the corpus reaches, by replaying it."""
    import coverage

    measured = coverage.Coverage(data_file=None, config_file=False, include=["*/grader/sandbox/*"])
    measured.start()
    _forget_and_replay(corpus)
    measured.stop()
    found = {}
    for name in MODULES:
        _, lines, _, missing, _ = measured.analysis2(f"grader/sandbox/{name}.py")
        found[name] = (len(lines), len(lines) - len(missing), missing)
    return found


def _forget_and_replay(corpus: Path) -> None:
    """Import afresh, so that the lines of definitions count as well."""
    for name in [name for name in sys.modules if name.startswith(("grader.sandbox", "tests.fuzz.judge"))]:
        del sys.modules[name]
    from tests.fuzz.judge import judge

    for path in sorted(corpus.iterdir()):
        judge(path.read_bytes())


def write_report(path: Path, run: Run) -> None:
    """Write the evidence."""
    path.write_text("\n".join(_lines(run)) + "\n", encoding="utf-8")


def _lines(run: Run) -> list[str]:
    counts = run.counts
    tried = counts.get("inputs", 0)
    last = [line for line in run.log if _WANTED.search(line)][-4:]
    verdicts = [f"| {name} | {counts.get(name, 0)} |" for name in ("refused", "cut off", "accepted")]
    covered = [
        f"| grader/sandbox/{name}.py | {lines} | {reached} | {_runs(missing)} |"
        for name, (lines, reached, missing) in run.coverage.items()
    ]
    return [
        "# Fuzzing the protocol",
        "",
        (
            f"`python -m tests.fuzz.protocol --inputs {run.inputs}`, {DATE}; {MACHINE}, Python "
            f"{sys.version.split()[0]}, atheris (libFuzzer) over a structure-aware mutator (`tests/fuzz/mutations.py`)."
        ),
        "",
        (
            f"**{tried} inputs in {run.wall_s:.0f} s; {len(run.finds)} crashes, hangs or excesses of memory.** Each input "
            "goes over a socket pair through `Channel.receive` and `read_answer`; what is accepted is written again, read "
            "again and compared to the last bit. An input counts as a find if anything but our own typed error is raised, "
            "if it costs more than 2 s of processor time or 5 s of wall, if memory passes 1 GiB, or if what was accepted "
            "does not come back."
        ),
        "",
        "| outcome | inputs |",
        "|---|---|",
        *verdicts,
        f"| any other exception | {len(run.finds)} |",
        "",
        (
            f"Peak resident memory of the fuzzing process: {counts.get('peak_mib', 0)} MiB. "
            f"Minimised corpus: {run.corpus} inputs, replayed by the normal tests."
        ),
        "",
        "## Lines that the minimised corpus reaches",
        "| module | lines | reached | not reached |",
        "|---|---|---|---|",
        *covered,
        "",
        "libFuzzer's own words:",
        "",
        "```",
        *last,
        "```",
    ]


def _runs(missing: list[int]) -> str:
    return ", ".join(map(str, missing)) or "-"
