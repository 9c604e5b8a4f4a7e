"""Coverage-guided fuzzing of the decoder: how many inputs in, a report as Markdown and a small corpus out.

    python -m tests.fuzz.protocol --inputs 200000 --report docs/evidence/fuzz.md --keep tests/sandbox/corpus

Needs the extra `fuzz` (atheris, which is libFuzzer for Python); without it, it says so and ends with 0. Runs
in a process of its own, since libFuzzer never returns; finds are kept in `--work`, and end it with 1.
"""

import argparse
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from tests.fuzz.report import Run, coverage_of, write_report

ROOT = Path(__file__).parents[2]
LONGEST_BYTES = 60_000
"""What one send on a socket pair always takes."""
SECONDS_EACH = 5
RESIDENT_MIB = 1024
EVERY = 500
"""Inputs between two notes of the counts, which libFuzzer's exit would otherwise lose."""


def main() -> int:
    """Parse the command line; fuzz, reduce, replay, report."""
    options = _options()
    if importlib.util.find_spec("atheris") is None:
        sys.stderr.write("skipped: atheris is not installed; pip install 'grader[fuzz]' on Linux or macOS\n")
        return 0
    if options.child:
        _fuzz(options.child, Path(options.counts))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        run = _run(options, Path(options.work or folder))
    if options.report:
        write_report(Path(options.report), run)
    sys.stdout.write(run.summary() + "\n")
    return 1 if run.finds else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.protocol", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--inputs", type=int, default=100_000, help="how many inputs to try")
    parser.add_argument("--seed", type=int, default=1, help="of the fuzzer")
    parser.add_argument("--work", help="a folder for the corpus and for what breaks the decoder")
    parser.add_argument("--keep", help="a folder that the minimised corpus is written to")
    parser.add_argument("--report", help="a Markdown file for the evidence")
    parser.add_argument("--child", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parser.add_argument("--counts", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def _run(options: argparse.Namespace, work: Path) -> Run:
    corpus, small = work / "corpus", work / "small"
    corpus.mkdir(parents=True, exist_ok=True)
    small.mkdir()
    _plant(corpus)
    started = time.monotonic()
    limits = [f"-timeout={SECONDS_EACH}", f"-rss_limit_mb={RESIDENT_MIB}", f"-max_len={LONGEST_BYTES}"]
    goal = [f"-runs={options.inputs}", f"-seed={options.seed}", f"-artifact_prefix={work}/find-"]
    log = _child(work, [*limits, *goal, "-print_final_stats=1", str(corpus)])
    wall_s = time.monotonic() - started
    finds = sorted(path.name for path in work.glob("find-*"))
    from tests.fuzz.reduce import reduce_corpus

    reduced = reduce_corpus(corpus)
    for number, data in enumerate(reduced):
        (small / f"{number:03}").write_bytes(data)
    if options.keep:
        _keep(small, Path(options.keep))
    counts = json.loads((work / "counts.json").read_text())
    return Run(options.inputs, wall_s, counts, finds, log.splitlines(), len(reduced), coverage_of(small))


def _plant(corpus: Path) -> None:
    from tests.fuzz.seeds import seeds

    for number, frame in enumerate(seeds()):
        (corpus / f"seed-{number:02}").write_bytes(frame)


def _keep(small: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for path in small.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())


def _child(work: Path, arguments: list[str]) -> str:
    counts = ["--counts", str(work / "counts.json")]
    command = [sys.executable, "-m", "tests.fuzz.protocol", *counts, "--child", *arguments]
    done = subprocess.run(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    return done.stdout


def _fuzz(arguments: list[str], counts_file: Path) -> None:
    import atheris

    names = ["frames", "strict_json", "channel", "visible", "output", "questions"]
    with atheris.instrument_imports(include=[f"grader.sandbox.{name}" for name in names]):
        from tests.fuzz.judge import judge
        from tests.fuzz.mutations import mutate
        from tests.fuzz.seeds import seeds
    valid = seeds()
    counts: Counter[str] = Counter()

    def test_one(data: bytes) -> None:
        verdict = judge(data)
        counts[verdict] += 1
        counts["inputs"] += 1
        if counts["inputs"] % EVERY == 0:
            _note(counts, counts_file)

    def change(data: bytes, most_bytes: int, seed: int) -> bytes:
        chance = Random(seed)
        match chance.randrange(4):
            case 0:
                return atheris.Mutate(data, most_bytes)
            case 1:
                return mutate(data, chance)[:most_bytes]
        return mutate(chance.choice(valid), chance)[:most_bytes]  # what is refused already has less to tell

    atheris.Setup([sys.argv[0], *arguments], test_one, custom_mutator=change)
    atheris.Fuzz()


def _note(counts: "Counter[str]", file: Path) -> None:
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps({**counts, "peak_mib": round(peak_mib)}))
    os.replace(partial, file)  # noqa: PTH105 - one word for one act


if __name__ == "__main__":
    sys.exit(main())
