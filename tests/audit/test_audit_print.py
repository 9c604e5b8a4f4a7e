"""A committee gets one printed page for each team: the page is printed by a browser and its sheets are counted."""

import re
import shutil
import subprocess

import pytest

from grader.audit.page import audit_page
from grader.records import Decision, EvidenceLevel
from tests.audit.examples import audit, crowded, dossier, oid, snapshot

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="Debian's chromium is not installed")

ONE_PAGE = re.compile(rb"/Type\s*/Page\b(?!s)")
WIDE, UNBROKEN, HIDDEN = "W M ", "w" * 60, "\u202e<b>&"


def pages(source, folder):
    """How many sheets of paper a browser makes of it."""
    page, printed = folder / "page.html", folder / "page.pdf"
    page.write_text(source, encoding="utf-8")
    options = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-pdf-header-footer",
        "--disable-dev-shm-usage",
    )
    command = [BROWSER, *options, f"--user-data-dir={folder / 'browser'}", f"--print-to-pdf={printed}"]
    subprocess.run([*command, page.as_uri()], capture_output=True, check=True, timeout=100)
    return len(ONE_PAGE.findall(printed.read_bytes()))


def of_every_decision():
    """One settled or open team for each decision and level."""
    for place, decision in enumerate(Decision):
        level = list(EvidenceLevel)[place % 4]
        yield dossier(decision.value, ruling=snapshot(1, decision, level, explanation="a reason " * 30))


def of_every_length():
    """Teams with one row of each list, with two, and so on; settled, with texts of one line each."""
    for rows in range(1, 10):
        full = crowded(f"rows-{rows}", "a few words ")
        lists = {
            name: getattr(full, name)[:rows]
            for name in ("flags", "rewrites", "shares", "timeline", "commits")
        }
        short = tuple(flag.model_copy(update={"text": flag.text[:90]}) for flag in lists["flags"])
        yield full.model_copy(
            update=lists
            | {"flags": short, "ruling": snapshot(), "graded": None, "decide": (), "extension": ""}
        )


@pytest.mark.timeout(240)
def test_every_team_takes_exactly_one_sheet_however_much_there_is_to_say(tmp_path):
    teams = (
        *of_every_decision(),
        *of_every_length(),
        crowded("crowded"),
        crowded("wide", WIDE),
        crowded("unbroken" + "w" * 40, UNBROKEN),
        crowded("hidden", HIDDEN),
        dossier("differs", graded=snapshot(7)),
        dossier(
            "gone", ruling=snapshot(None, Decision.UNREACHABLE), problem="no mirror", timeline=(), commits=()
        ),
        dossier("alone", commits=(), timeline=(), ruling=snapshot(9), commands=(f"git show {oid(9)}",)),
    )
    source = audit_page(audit(*teams), json_name="a1.json")
    without_teams = source.replace("</style>", "@media print { .sheet { display: none } }</style>", 1)
    assert pages(source, tmp_path) - pages(without_teams, tmp_path) == len(teams)
