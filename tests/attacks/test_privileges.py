"""No place that a session runs from gives privileges; what it asks of the kernel is in the catalogue."""

import pytest

pytestmark = pytest.mark.sandbox


def test_a_setuid_program_gives_nothing(attack):
    script = """
    places = ("/", "/usr", "/submission", "/tmp", "/home/student", "/dev/shm", sys.prefix)
    say([all(os.statvfs(place).f_flag & os.ST_NOSUID for place in places),
         "NoNewPrivs:\\t1\\n" in open("/proc/self/status").read()])
    """
    assert attack(script).said == [[True, True]]
