"""Attacks that want to be there after their session, poison the next one, or hand back traps. Data alone."""

from grader.attacks.attack import Attack, Line
from grader.attacks.verdicts import (
    gone_afterwards,
    gone_at_the_end,
    gone_with_the_worker,
    harmless_text,
    no_descriptor_kept,
    nothing_got,
    only_data,
)

_PLACES = """
        home = os.environ["HOME"]
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        places = [TMP, "/dev/shm", "/var/tmp", home, home + "/.cache", home + "/.nv/ComputeCache",
                  home + "/.triton/cache", home + "/.cache/tor" "ch_extensions", home + "/.cache/huggingface",
                  TMP + "/tor" "chinductor_student", home + "/.config",
                  home + "/.ipython/profile_default/startup",
                  home + f"/.local/lib/{version}/site-packages", SUBMISSION + "/__pycache__",
                  os.path.dirname(os.__file__) + "/__pycache__"]
"""

OUTLIVING = (
    Attack(
        id="outliving/daemon",
        line=Line.OUTLIVE,
        tried="leave a daemon: a session of its own, two forks, all signals ignored, output held open",
        program="""
        heard, said = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for number in range(1, 65):
                    refusal(lambda: signal.signal(number, signal.SIG_IGN))
                os.write(said, b"alive")
                time.sleep(600)
            os._exit(0)
        os.wait()
        return {"works": os.read(heard, 5) == b"alive"}
        """,
        judge=gone_at_the_end,
        barrier="pid namespace: its first process takes all others along",
        control="the daemon is seen, inside and from outside, while the session lives",
        is_alone=True,
    ),
    Attack(
        id="outliving/daemon-without-channel",
        line=Line.OUTLIVE,
        tried="leave a daemon that closed every descriptor, and end the worker",
        program="""
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.closerange(0, 1024)
                while True:
                    time.sleep(1)
            os._exit(0)
        os.wait()
        os._exit(0)
        """,
        judge=gone_with_the_worker,
        barrier="pid namespace",
        is_alone=True,
    ),
    Attack(
        id="outliving/exit-hooks",
        line=Line.OUTLIVE,
        tried="delay its end by exit hooks, threads that do not end and destructors",
        program="""
        import atexit
        atexit.register(time.sleep, 600)
        threading.Thread(target=time.sleep, args=(600,)).start()
        class Slow:
            def __del__(self):
                time.sleep(600)
        globals()["kept"] = Slow()
        return {"works": True}
        """,
        judge=gone_at_the_end,
        barrier="SIGKILL from outside",
        is_alone=True,
    ),
    Attack(
        id="outliving/neighbour",
        line=Line.OUTLIVE,
        tried="reach the session beside it: its files, shared memory, ports, sockets and processes",
        program="""
        got = [path for path in (TMP + "/neighbour", "/dev/shm/neighbour", os.environ["HOME"] + "/neighbour")
               if os.path.exists(path)]
        if refusal(lambda: socket.create_connection(("127.0.0.1", 45454), 2)) == "":
            got.append("its port")
        if refusal(lambda: socket.socket(socket.AF_UNIX).connect("\\0neighbour")) == "":
            got.append("its abstract socket")
        open(TMP + "/own", "w").close()
        return {"works": os.path.exists(TMP + "/own"), "got": got}
        """,
        judge=nothing_got,
        barrier="namespaces and temporary folders of its own",
        control="it finds a file of its own there",
    ),
)

POISON = (
    Attack(
        id="poison/caches",
        line=Line.POISON,
        tried="leave files in /tmp, /dev/shm, home, and the caches of Python, CUDA, Triton and notebooks",
        program=_PLACES
        + """
        for place in places:
            refusal(lambda: os.makedirs(place, exist_ok=True))
            refusal(lambda: open(place + "/poison.py", "w").write("x"))
        return {"works": os.path.exists(TMP + "/poison.py")
                and os.path.exists(home + "/.triton/cache/poison.py")}
        """,
        afterwards=_PLACES
        + """
        return {"got": [place for place in places if os.path.exists(place + "/poison.py")]}
        """,
        judge=gone_afterwards,
        barrier="temporary file systems end with their session",
        control="the files are there while the session lives",
        is_alone=True,
    ),
    Attack(
        id="poison/shared-objects",
        line=Line.POISON,
        tried="leave System V shared memory, semaphores and message queues",
        program="""
        made = [libc.shmget(4711, 4096, 0o1666), libc.semget(4711, 1, 0o1666), libc.msgget(4711, 0o1666)]
        return {"works": min(made) >= 0 or ctypes.get_errno() == errno.EPERM}
        """,
        afterwards="""
        found = [libc.shmget(4711, 0, 0), libc.semget(4711, 0, 0), libc.msgget(4711, 0)]
        return {"got": [number for number in found if number >= 0]}
        """,
        judge=gone_afterwards,
        barrier="ipc namespace",
        control="they are made",
        is_alone=True,
    ),
    Attack(
        id="poison/interpreter",
        line=Line.POISON,
        tried="change modules, builtins, the environment and generators for who runs in this process next",
        program="""
        import builtins, json, random
        builtins.poison = True
        json.poison = sys.modules["poison"] = True
        os.environ["PYTHONSTARTUP"] = TMP + "/poison.py"
        sys.path.insert(0, "/tmp")
        random.random = lambda: 0.5
        return {"works": "poison" in dir(builtins)}
        """,
        afterwards="""
        import json, random
        import builtins
        found = {"builtins": "poison" in dir(builtins), "module": hasattr(json,
                                                            "poison") or "poison" in sys.modules,
                 "environment": "PYTHONSTARTUP" in os.environ, "path": "/tmp" in sys.path,
                 "generator": random.random() == 0.5}
        return {"got": [name for name, is_there in found.items() if is_there]}
        """,
        judge=gone_afterwards,
        barrier="every session is a process of its own",
        control="the change shows in its own session",
        is_alone=True,
    ),
)

HANDING_BACK = (
    Attack(
        id="handing-back/special-files",
        line=Line.HAND_BACK,
        tried="hand back links, hard links, FIFOs, setuid files and names that climb out of a folder",
        program="""
        path = known["paths"]["hidden_check"]
        os.symlink(path, TMP + "/link")
        os.mkfifo(TMP + "/fifo")
        open(TMP + "/setuid", "w").close()
        refusal(lambda: os.chmod(TMP + "/setuid", 0o6777))
        refusal(lambda: os.link(TMP + "/setuid", TMP + "/hard"))
        refusal(lambda: os.link(SUBMISSION + "/own.txt", TMP + "/hard_own"))
        names = [TMP + "/link", TMP + "/fifo", TMP + "/hard", "/proc/self/fd/0", "../../../" + path, path]
        names.append("a\\0b")
        return {"works": os.path.islink(TMP + "/link"), "handed": names}
        """,
        judge=only_data,
        barrier="only numbers, text and arrays come back; nothing it wrote is read",
        control="it has made them",
    ),
    Attack(
        id="handing-back/descriptors",
        line=Line.HAND_BACK,
        tried="send descriptors over the channel along with its bytes",
        program="""
        channel = socket.socket(fileno=os.dup(CHANNEL))
        refusal(lambda: os.mkfifo(TMP + "/f"))
        numbers = [os.open(TMP + "/f", os.O_RDWR) for _ in range(100)]
        sent = socket.send_fds(channel, [b"GRD1"], numbers)
        return {"works": sent > 0}
        """,
        judge=no_descriptor_kept,
        barrier="the channel is read without room for descriptors",
        is_alone=True,
    ),
    Attack(
        id="handing-back/terminal",
        line=Line.HAND_BACK,
        tried="steer the terminal of whoever reads its output or its error",
        program="""
        trap = "\\x1b[2J\\x1b]0;title\\x07\\r\\b\\x9b31m \\u202eright to left\\u2066"
        os.write(1, trap.encode() + b"\\xff\\n")
        os.write(2, trap.encode())
        raise ValueError(trap)
        """,
        judge=harmless_text,
        barrier="control characters are shown as escapes",
        control="their escapes are in what is shown",
        is_alone=True,
    ),
)
