"""Attacks that ask the kernel for what no exercise needs. Data alone.

A refusal is an answer of the program; that nothing was gained is looked at from outside: the user,
capabilities, filter and namespaces of every process of the session are the same before and after.
"""

import signal

from grader.attacks.attack import Attack, Line
from grader.attacks.verdicts import all_refused, killed_by, only_its_own_died

_FILTER = "system-call filter"

PRIVILEGES = (
    Attack(
        id="privileges/namespaces",
        line=Line.PRIVILEGES,
        tried="make or join namespaces: unshare, clone, clone3, setns",
        program="""
        clone3 = struct.pack("<11Q", 0x10000000, 0, 0, 0, signal.SIGCHLD, *[0] * 6)
        flags = {"user": 0x10000000, "mount": 0x20000, "network": 0x40000000, "pid": 0x20000000,
                 "group": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000}
        refused = {f"unshare {name}": call("unshare", flag) for name, flag in flags.items()}
        for name, flag in flags.items():
            refused[f"clone {name}"] = call("clone", ctypes.c_ulong(flag | signal.SIGCHLD), None, None,
                                            None, None)
        refused["clone3 user"] = call("clone3", clone3, len(clone3))
        refused["setns"] = call("setns", os.open("/proc/self/ns/net", os.O_RDONLY), 0)
        refused["user map"] = refusal(lambda: os.write(os.open("/proc/self/uid_map", os.O_WRONLY), b"0 0 1"))
        return {"works": calls_work(), "refused": refused}
        """,
        judge=all_refused("EPERM", "ENOSYS", "EACCES", "EROFS"),
        barrier=f"{_FILTER}; no more user namespaces",
    ),
    Attack(
        id="privileges/mounts",
        line=Line.PRIVILEGES,
        tried="mount, unmount, remount, chroot, pivot_root, and the new mount calls",
        program="""
        return {"works": calls_work(), "refused": {
            "mount": call("mount", b"none", b"/tmp", b"tmpfs", 0, None),
            "remount": call("mount", None, b"/submission", None, 32, None),
            "bind": call("mount", b"/proc", b"/tmp", None, 4096, None),
            "unmount": call("umount2", b"/submission", 2),
            "pivot_root": call("pivot_root", b"/tmp", b"/tmp"),
            "chroot": refusal(lambda: os.chroot("/tmp")),
            "open_tree": call("open_tree", -100, b"/", 1), "fsopen": call("fsopen", b"tmpfs", 0),
            "move_mount": call("move_mount", -100, b"/", -100, b"/tmp", 0),
            "mount_setattr": call("mount_setattr", -100, b"/", 0, None, 0)}}
        """,
        judge=all_refused("EPERM"),
        barrier=_FILTER,
    ),
    Attack(
        id="privileges/identity",
        line=Line.PRIVILEGES,
        tried="become root or another user or group",
        program="""
        return {"works": os.getuid() != 0, "refused": {
            "setuid": refusal(lambda: os.setuid(0)), "setgid": refusal(lambda: os.setgid(0)),
            "setresuid": refusal(lambda: os.setresuid(0, 0, 0)),
            "setgroups": refusal(lambda: os.setgroups([0])),
            "chown": refusal(lambda: os.chown(os.environ["HOME"], 0, 0))}}
        """,
        judge=all_refused("EPERM", "EINVAL"),
        barrier="user namespace with one user",
    ),
    Attack(
        id="privileges/setuid-programs",
        line=Line.PRIVILEGES,
        tried="run su, sudo and mount, and a setuid shell of its own making",
        program="""
        import shutil
        def identity(*command):
            try:
                done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=5)
            except (OSError, subprocess.TimeoutExpired):
                return "EACCES"
            return "" if b"uid=0" in done.stdout or b"=ep" in done.stdout else "EPERM"
        shutil.copyfile("/usr/bin/id", TMP + "/id")
        refusal(lambda: os.chmod(TMP + "/id", 0o6755))
        works = b"uid=" in subprocess.run(["/usr/bin/id"], capture_output=True, timeout=5).stdout
        return {"works": works, "refused": {
            "su": identity("/usr/bin/su", "-c", "id"), "sudo": identity("/usr/bin/sudo", "-n", "id"),
            "own setuid program": identity(TMP + "/id"), "mount": identity("/usr/bin/mount", "-t", "tmpfs",
                                                            "x", "/tmp"),
            "newuidmap": identity("/usr/bin/newuidmap", str(os.getpid()), "0", "0", "1")}}
        """,
        judge=all_refused("EPERM", "EACCES"),
        barrier="no new privileges; nosuid mounts",
        control="it runs id, which says who it is",
    ),
    Attack(
        id="privileges/limits",
        line=Line.PRIVILEGES,
        tried="raise its limits or its priority, or hide from the killer of those who use too much memory",
        program="""
        def lower_oom():
            with open("/proc/self/oom_score_adj", "w") as file:
                file.write("-900")
        def lift(which):
            soft, hard = resource.getrlimit(which)
            resource.setrlimit(which, (hard * 2 + 1, hard * 2 + 1))
        kinds = {"files": resource.RLIMIT_NOFILE, "file size": resource.RLIMIT_FSIZE,
                 "processes": resource.RLIMIT_NPROC,
                 "core": resource.RLIMIT_CORE}
        refused = {name: refusal(lambda: lift(kind)) for name, kind in kinds.items()}
        return {"works": resource.getrlimit(resource.RLIMIT_NOFILE)[1] > 0, "refused": refused | {
            "priority": refusal(lambda: os.setpriority(os.PRIO_PROCESS, 0, -5)),
            "real time": refusal(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))),
            "oom score": refusal(lower_oom)}}
        """,
        judge=all_refused("EPERM", "EACCES", "EROFS"),
        barrier="no capabilities",
        control="it reads its limits",
    ),
    Attack(
        id="privileges/terminal",
        line=Line.PRIVILEGES,
        tried="type into a terminal (TIOCSTI, TIOCLINUX)",
        program="""
        import fcntl, termios
        try:
            _, terminal = os.openpty()
            works = len(termios.tcgetattr(terminal)) == 7
        except PermissionError:  # there is none to be had; the filter refuses the requests for any file
            terminal, works = os.open("/dev/null", os.O_RDWR), calls_work()
        return {"works": works, "refused": {
            "TIOCSTI": refusal(lambda: fcntl.ioctl(terminal, 0x5412, b"x")),
            "TIOCLINUX": refusal(lambda: fcntl.ioctl(terminal, 0x541C, b"\\x02")),
            "the grader's terminal": refusal(lambda: open("/dev/tty", "w"))}}
        """,
        judge=all_refused("EPERM", "ENXIO", "ENOENT", "EACCES"),
        barrier=f"{_FILTER}; a session without a terminal",
        control="it reads the settings of its own terminal",
    ),
)

SIGNALS = (
    Attack(
        id="signals/tracing",
        line=Line.SIGNAL,
        tried="trace other processes, read or write their memory, or steal their descriptors",
        program="""
        child = os.fork()
        if child == 0:
            time.sleep(30)
            os._exit(0)
        vector = struct.pack("<QQ", 0, 0)
        refused = {}
        for name, pid in (("first process", 1), ("own child", child), ("grader", known["grader_pid"])):
            refused[f"attach to {name}"] = call("ptrace", 16, pid, 0, 0)
            refused[f"seize {name}"] = call("ptrace", 0x4206, pid, 0, 0)
            refused[f"read {name}"] = call("process_vm_readv", pid, vector, 1, vector, 1, 0)
            refused[f"write {name}"] = call("process_vm_writev", pid, vector, 1, vector, 1, 0)
        refused["pidfd_getfd"] = call("pidfd_getfd", os.pidfd_open(1), 3, 0)
        refused["kcmp"] = call("kcmp", 1, os.getpid(), 0, 0, 0)
        os.kill(child, 9)
        os.waitpid(child, 0)
        return {"works": calls_work(), "refused": refused}
        """,
        judge=all_refused("EPERM"),
        barrier=_FILTER,
    ),
    Attack(
        id="signals/others",
        line=Line.SIGNAL,
        tried="signal the grader and its group by number",
        program="""
        pid = known["grader_pid"]
        send = {"kill": lambda: os.kill(pid, 9), "group": lambda: os.killpg(pid, 9),
                "pidfd": lambda: os.pidfd_open(pid),
                "parent": lambda: os.kill(os.getppid(), 0) if os.getppid() != 1 else os.kill(pid, 0)}
        return {"works": refusal(lambda: os.kill(os.getpid(), 0)) == "",
                "refused": {name: refusal(act) for name, act in send.items()}}
        """,
        judge=all_refused("ESRCH", "EINVAL"),
        barrier="pid namespace",
        control="it may signal itself",
    ),
    Attack(
        id="signals/everybody",
        line=Line.SIGNAL,
        tried="kill everybody it can see, and stop the first process",
        program="""
        child = os.fork()
        if child == 0:
            time.sleep(30)
            os._exit(0)
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for who in (1, 0 - 1):
                refusal(lambda: os.kill(who, number)) if number == signal.SIGKILL or who == 1 else None
        _, status = os.waitpid(child, 0)
        died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == 9
        return {"works": died}
        """,
        judge=only_its_own_died,
        barrier="pid namespace; the neighbour answers afterwards",
        control="it kills a child of its own",
        is_alone=True,
    ),
    Attack(
        id="signals/orphaned",
        line=Line.SIGNAL,
        tried="undo that it dies with the grader (PR_SET_PDEATHSIG)",
        program="""
        now = ctypes.c_int()
        libc.prctl(1, 15, 0, 0, 0)
        libc.prctl(2, ctypes.byref(now), 0, 0, 0)
        return {"works": calls_work(), "refused": {"own death signal": "" if now.value == 15 else "ignored"}}
        """,
        judge=all_refused("ignored"),
        barrier=_FILTER,
    ),
)

KERNEL = (
    Attack(
        id="kernel/interfaces",
        line=Line.KERNEL,
        tried="use bpf, perf, io_uring, userfaultfd, keyrings, secret memory and personality",
        program="""
        empty = ctypes.create_string_buffer(128)
        return {"works": calls_work(), "refused": {
            "bpf": call("bpf", 0, empty, 48), "perf": call("perf_event_open", empty, 0, -1, -1, 0),
            "io_uring": call("io_uring_setup", 8, empty), "userfaultfd": call("userfaultfd", 1),
            "add a key": call("add_key", b"user", b"name", b"data", 4, -3),
            "read a key": call("keyctl", 11, -3, None, 0),
            "request a key": call("request_key", b"user", b"x", None, 0),
            "secret memory": call("memfd_secret", 0), "personality": call("personality",
                                                            ctypes.c_ulong(0x40000))}}
        """,
        judge=all_refused("EPERM"),
        barrier=_FILTER,
    ),
    Attack(
        id="kernel/administration",
        line=Line.KERNEL,
        tried="load modules or a kernel, reboot, set the clock or the host's name, read the kernel's log",
        program="""
        empty = ctypes.create_string_buffer(128)
        return {"works": calls_work(), "refused": {
            "module": call("init_module", None, 0, b""), "kernel": call("kexec_load", 0, 0, None, 0),
            "reboot": call("reboot", 0xFEE1DEAD, 672274793, 0, None),
            "clock": call("clock_settime", 0, empty),
            "host name": call("sethostname", b"mine", 4), "log": call("syslog", 3, empty, 100),
            "accounting": call("acct", None), "quota": call("quotactl", 0, None, 0, None)}}
        """,
        judge=all_refused("EPERM"),
        barrier=_FILTER,
    ),
    Attack(
        id="kernel/other-interface",
        line=Line.KERNEL,
        tried="call the kernel through its 32-bit interface, past a filter for the other one",
        program="""
        if platform.machine() != "x86_64":
            return "?"
        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20 (getpid); int 0x80; ret
        act = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
        return act()
        """,
        judge=killed_by(signal.SIGSYS),
        barrier=_FILTER,
        is_alone=True,
    ),
    Attack(
        id="kernel/x32-interface",
        line=Line.KERNEL,
        tried="call the kernel through its x32 interface",
        program="""
        if platform.machine() != "x86_64":
            return "?"
        return libc.syscall(ctypes.c_long(0x40000000 | 39))
        """,
        judge=killed_by(signal.SIGSYS),
        barrier=_FILTER,
        is_alone=True,
    ),
)
