"""A submission uses up what the machine has. Each limit is enforced from outside and reported by name."""

import time

import pytest

from grader.records import Limit

pytestmark = pytest.mark.sandbox

MIB = 1 << 20


def assert_ended_at(outcome, limit: Limit, *, allowed: float) -> None:
    ending = outcome.ending
    assert (ending.limit, ending.allowed) == (limit, allowed), ending
    assert ending.used >= ending.allowed
    assert ending.exit_code == -9
    assert outcome.survivors == []


def test_a_fork_bomb_is_ended_at_the_limit_of_processes(attack):
    script = """
    say("start")
    while True:
        try:
            os.fork()
        except OSError:
            pass
    """
    assert_ended_at(attack(script), Limit.PROCESSES, allowed=24)


def test_a_recursive_fork_bomb_that_ignores_signals_is_ended(attack):
    script = """
    def bomb():
        for number in range(1, 65):
            refusal(lambda: signal.signal(number, signal.SIG_IGN))
        os.setsid()
        while True:
            if refusal(os.fork) == "":
                refusal(os.setsid)
    os.fork() or bomb()
    time.sleep(60)
    """
    assert_ended_at(attack(script), Limit.PROCESSES, allowed=24)


def test_a_thread_bomb_is_ended_at_the_limit_of_processes(attack):
    script = """
    while True:
        try:
            threading.Thread(target=time.sleep, args=(60,)).start()
        except RuntimeError:
            time.sleep(0.01)
    """
    assert_ended_at(attack(script), Limit.PROCESSES, allowed=24)


def test_a_memory_bomb_is_ended_at_the_limit_of_memory(attack):
    script = """
    kept = []
    while True:
        kept.append(b"x" * (4 << 20))
    """
    assert_ended_at(attack(script), Limit.MEMORY, allowed=192)


def test_a_memory_bomb_in_eight_children_is_ended_although_each_is_small(attack):
    script = """
    for _ in range(8):
        if os.fork() == 0:
            kept = [b"x" * (1 << 20) for _ in range(60)]
            time.sleep(60)
    time.sleep(60)
    """
    assert_ended_at(attack(script), Limit.MEMORY, allowed=192)


def test_memory_in_files_without_a_name_counts(attack):
    script = """
    kept = []
    while True:
        kept.append(os.memfd_create("bomb"))
        os.write(kept[-1], b"x" * (8 << 20))
    """
    assert_ended_at(attack(script), Limit.MEMORY, allowed=192)


def test_memory_shared_between_processes_counts(attack):
    script = """
    import mmap
    kept = []
    while True:
        kept.append(mmap.mmap(-1, 8 << 20))
        kept[-1].write(b"x" * (8 << 20))
    """
    assert_ended_at(attack(script), Limit.MEMORY, allowed=192)


@pytest.mark.parametrize("place", ["/tmp", "/home/student", "/dev/shm"])
def test_filling_a_disk_ends_the_session_at_its_size(attack, place):
    script = f"""
    try:
        for number in range(10_000):
            with open("{place}/" + str(number), "wb") as file:
                file.write(b"x" * (1 << 20))
    except OSError as error:
        say([errno.errorcode[error.errno], number])
    time.sleep(60)
    """
    outcome = attack(script)
    assert_ended_at(outcome, Limit.DISK, allowed=12)
    assert outcome.said in ([], [["ENOSPC", 12]])


def test_a_sparse_file_is_no_longer_than_the_disk(attack):
    outcome = attack(
        "say(refusal(lambda: os.truncate(os.open('/tmp/sparse', os.O_CREAT | os.O_RDWR), 1 << 40)))"
    )
    assert outcome.said == ["EFBIG"]


def test_very_many_empty_files_end_the_session(attack):
    script = """
    for number in range(10_000_000):
        os.close(os.open(f"/tmp/{number}", os.O_CREAT))
    """
    outcome = attack(script, memory_mib=1024)
    assert_ended_at(outcome, Limit.FILES, allowed=50_000)
    assert outcome.ending.unit == "files"


def test_very_many_descriptors_run_out(attack):
    script = """
    kept = []
    say([refusal(lambda: [kept.append(os.dup(0)) for _ in range(100_000)]), len(kept) < 1024])
    """
    assert attack(script).said == [["EMFILE", True]]


def test_a_flood_of_output_is_ended_and_its_end_is_kept(attack):
    started = time.monotonic()
    outcome = attack("while True: os.write(1, b'flood ' * 10_000)")
    assert_ended_at(outcome, Limit.OUTPUT, allowed=256)
    assert outcome.ending.output in "flood " * 12_000
    assert len(outcome.ending.output) == 64 * 1024
    assert time.monotonic() - started < 6


def test_what_it_prints_cannot_steer_a_terminal(attack):
    outcome = attack(r"os.write(2, b'\x1b[2J\x07\rred\xff \xe2\x80\xae' + b'\n\tend\n')")
    assert outcome.ending.output == "\\x1b[2J\\x07\\rred\\xff \\u202e\n\tend\n"


def test_an_endless_loop_that_ignores_signals_is_ended_at_the_wall(attack):
    script = """
    for number in range(1, 65):
        refusal(lambda: signal.signal(number, signal.SIG_IGN))
    while True:
        pass
    """
    started = time.monotonic()
    assert_ended_at(attack(script, session_wall_s=1), Limit.WALL, allowed=1)
    assert time.monotonic() - started < 6


def test_sleeping_for_ever_is_ended_at_the_wall(attack):
    assert_ended_at(attack("time.sleep(10_000)", session_wall_s=1), Limit.WALL, allowed=1)


def test_a_stopped_worker_is_ended_at_the_wall(attack):
    assert_ended_at(attack("os.kill(os.getpid(), signal.SIGSTOP)", session_wall_s=1), Limit.WALL, allowed=1)


def test_cpu_time_of_all_processes_together_counts(attack):
    script = """
    for _ in range(3):
        os.fork()
    while True:
        pass
    """
    assert_ended_at(attack(script, cpu_s=1), Limit.CPU, allowed=1)


def test_cpu_time_of_children_that_have_ended_counts(attack):
    script = """
    def burn():
        until = time.process_time() + 0.2
        while time.process_time() < until:
            pass
    while True:
        child = os.fork()
        if child == 0:
            burn()
            os._exit(0)
        os.waitpid(child, 0)
    """
    assert_ended_at(attack(script, cpu_s=1), Limit.CPU, allowed=1)


def test_closing_the_channel_and_working_on_is_ended_with_the_session(attacker):
    session = attacker.start("_channel.close(); os.closerange(0, 1024)\nwhile True: pass")
    assert session.channel.recv(1) == b""
    started = time.monotonic()
    ending = session.close()
    assert (ending.limit, ending.exit_code) == (None, None)
    assert time.monotonic() - started < 6
