"""Attacks that use up what the machine has; each must be ended from outside at its limit. Data alone."""

from dataclasses import replace

from grader.attacks.attack import Attack, Line
from grader.attacks.verdicts import all_refused, either, ended_at
from grader.records import Limit

_BARRIER_PROCESSES = "control group or limit of processes in its user namespace"
_BARRIER_MEMORY = "control group, or a watchdog over resident memory"
_STARTED = "the meters outside say how much it used"


def _bomb(
    name: str, line: Line, tried: str, program: str, limit: Limit, barrier: str, **limits: int
) -> Attack:
    return Attack(
        id=f"exhaustion/{name}",
        line=line,
        tried=tried,
        program=program,
        judge=ended_at(limit),
        barrier=barrier,
        control=_STARTED,
        limits=limits,
        is_alone=True,
    )


PROCESSES = (
    _bomb(
        "fork-bomb",
        Line.PROCESSES,
        "fork in a loop",
        """
        while True:
            refusal(os.fork)
        """,
        Limit.PROCESSES,
        _BARRIER_PROCESSES,
        question_s=10,
        memory_mib=512,
    ),
    _bomb(
        "fork-bomb-recursive",
        Line.PROCESSES,
        "fork from every child, in sessions of their own that ignore all signals",
        """
        for number in range(1, 65):
            refusal(lambda: signal.signal(number, signal.SIG_IGN))
        while True:
            if refusal(os.fork) == "":
                refusal(os.setsid)
        """,
        Limit.PROCESSES,
        _BARRIER_PROCESSES,
        question_s=10,
        memory_mib=512,
    ),
    _bomb(
        "thread-bomb",
        Line.PROCESSES,
        "start threads in a loop",
        """
        while True:
            try:
                threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
            except RuntimeError:
                time.sleep(0.01)
        """,
        Limit.PROCESSES,
        _BARRIER_PROCESSES,
        question_s=10,
        memory_mib=512,
    ),
)

MEMORY = (
    _bomb(
        "memory-bomb",
        Line.MEMORY,
        "allocate memory without end in one process",
        """
        kept = []
        while True:
            kept.append(b"x" * (4 << 20))
        """,
        Limit.MEMORY,
        _BARRIER_MEMORY,
    ),
    _bomb(
        "memory-bomb-in-children",
        Line.MEMORY,
        "allocate memory in eight children, each of them small",
        """
        for _ in range(8):
            if os.fork() == 0:
                kept = [b"x" * (1 << 20) for _ in range(60)]
                time.sleep(60)
        time.sleep(60)
        """,
        Limit.MEMORY,
        _BARRIER_MEMORY,
    ),
    _bomb(
        "memory-in-nameless-files",
        Line.MEMORY,
        "fill files of memfd_create, which are in no folder and in no resident set",
        """
        kept = []
        while True:
            kept.append(os.memfd_create("bomb"))
            os.write(kept[-1], b"x" * (8 << 20))
        """,
        Limit.MEMORY,
        "control group, or a watchdog over open files",
    ),
    _bomb(
        "shared-memory",
        Line.MEMORY,
        "fill memory that processes share",
        """
        kept = []
        while True:
            kept.append(mmap.mmap(-1, 8 << 20))
            kept[-1].write(b"x" * (8 << 20))
        """,
        Limit.MEMORY,
        _BARRIER_MEMORY,
    ),
    _bomb(
        "socket-buffers",
        Line.MEMORY,
        "fill the kernel's buffers of many sockets, which are in nobody's resident set",
        """
        kept, sent = [], 0
        os.fork()  # one process may have too few descriptors
        while sent < 280 << 20:  # where nothing bounds it, it stops by itself, above its limit
            try:
                kept += socket.socketpair()
            except OSError:
                break
            for end in kept[-2:]:
                end.setblocking(False)
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
                try:
                    while sent < 280 << 20:
                        sent += end.send(b"x" * 65536)
                except OSError:
                    continue
        time.sleep(60)
        """,
        Limit.MEMORY,
        "control group; without one, the number of sockets, each of a bounded size",
        session_wall_s=6,
    ),
)


def _fill(place: str) -> Attack:
    bomb = _bomb(
        f"fill{place.replace('/', '-').replace('.', '-')}",
        Line.DISK,
        f"fill {place}",
        f"""
        open_one = lambda: open(place + "/0", "wb").close()
        place = {{"/tmp": TMP, "/home/student": os.environ["HOME"]}}.get("{place}", "{place}")
        if refusal(open_one) == "EACCES":
            return {{"works": True, "refused": {{place: "EACCES"}}}}
        try:
            for number in range(10_000):
                with open(f"{{place}}/{{number}}", "wb") as file:
                    file.write(b"x" * (1 << 20))
        except OSError:
            time.sleep(60)
        """,
        Limit.DISK,
        "memory file systems of a fixed size",
    )
    return replace(bomb, judge=either(all_refused("EACCES"), bomb.judge))


DISK = (
    _fill("/tmp"),  # noqa: S108 - inside the sandbox
    _fill("/dev/shm"),  # noqa: S108
    _fill("/home/student"),
    _bomb(
        "inodes",
        Line.DISK,
        "make empty files without end",
        """
        for number in range(10_000_000):
            os.close(os.open(TMP + f"/{number}", os.O_CREAT))
        """,
        Limit.FILES,
        "the number of files is watched",
        memory_mib=1024,
    ),
    Attack(
        id="exhaustion/large-file",
        line=Line.DISK,
        tried="make one file larger than anything allowed",
        program="""
        descriptor = os.open(TMP + "/sparse", os.O_CREAT | os.O_RDWR)
        works = refusal(lambda: os.truncate(descriptor, 1 << 10)) == ""
        refused = {"truncate": refusal(lambda: os.truncate(descriptor, 1 << 40)),
                   "allocate": refusal(lambda: os.posix_fallocate(descriptor, 0, 1 << 40)),
                   "write at the end": refusal(lambda: os.pwrite(descriptor, b"x", 1 << 40))}
        os.close(descriptor)
        os.unlink(TMP + "/sparse")
        return {"works": works, "refused": refused}
        """,
        judge=all_refused("EFBIG", "ENOSPC"),
        barrier="RLIMIT_FSIZE",
        control="a small file works",
    ),
    Attack(
        id="exhaustion/descriptors",
        line=Line.DISK,
        tried="open descriptors without end",
        program="""
        kept = []
        refused = {"dup": refusal(lambda: [kept.append(os.dup(0)) for _ in range(100_000)])}
        works = 0 < len(kept) < 100_000
        for number in kept:
            os.close(number)
        return {"works": works, "refused": refused}
        """,
        judge=all_refused("EMFILE"),
        barrier="RLIMIT_NOFILE",
        control="the first ones open",
    ),
)

OUTPUT = (
    _bomb(
        "output",
        Line.OUTPUT,
        "print without end",
        """
        while True:
            os.write(1, b"flood " * 10_000)
        """,
        Limit.OUTPUT,
        "what is printed is drained, counted and dropped",
    ),
)

TIME = (
    _bomb(
        "endless-loop",
        Line.TIME,
        "loop for ever, ignoring every signal",
        """
        for number in range(1, 65):
            refusal(lambda: signal.signal(number, signal.SIG_IGN))
        while True:
            pass
        """,
        Limit.WALL,
        "SIGKILL from outside at the wall",
        session_wall_s=3,
    ),
    _bomb(
        "sleep",
        Line.TIME,
        "sleep for ever",
        "time.sleep(10_000)",
        Limit.WALL,
        "SIGKILL from outside at the wall",
        session_wall_s=3,
    ),
    _bomb(
        "stopped",
        Line.TIME,
        "stop itself (SIGSTOP), so that it takes no signal but one",
        "os.kill(os.getpid(), signal.SIGSTOP)",
        Limit.WALL,
        "SIGKILL from outside at the wall",
        session_wall_s=3,
    ),
    _bomb(
        "processor-time",
        Line.TIME,
        "burn processor time in several processes, each within its own limit",
        """
        for _ in range(3):
            os.fork()
        while True:
            pass
        """,
        Limit.CPU,
        "processor time of all processes together is measured",
        cpu_s=1,
    ),
    _bomb(
        "processor-time-in-short-lives",
        Line.TIME,
        "burn processor time in children that end before anybody looks",
        """
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
        """,
        Limit.CPU,
        "processor time of the dead counts",
        cpu_s=1,
    ),
)

EXHAUSTION = (*PROCESSES, *MEMORY, *DISK, *OUTPUT, *TIME)
