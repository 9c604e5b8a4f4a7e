"""Attacks that look for what a submission must not see. Data alone."""

from grader.attacks.attack import Attack, Line
from grader.attacks.verdicts import all_refused, nothing_got, only_its_own

_MOUNTS = "mount namespace: it is not mounted"
_OWN_FILE = "it reads a file of its own submission"

READING = (
    Attack(
        id="reading/known-paths",
        line=Line.READ,
        tried="open hidden checks, references, other submissions, results and credentials by their paths, "
        "directly, through /proc/1/root and through '..'",
        program="""
        ways = ["", "/proc/1/root", "/proc/self/root", "/proc/1/cwd", SUBMISSION + "/../..",
                "/oldroot", "/old", "/run/grader/old",
                "/newroot", f"/proc/{known['grader_pid']}/root", "/proc/self/fd/0/../../../.."]
        got = [mark for way in ways for path in known["paths"].values() for mark in loot(way + path)]
        refused = {name: refusal(lambda: open(path)) for name, path in known["paths"].items()}
        return {"works": bool(loot(SUBMISSION + "/own.txt")), "got": got, "refused": refused}
        """,
        judge=nothing_got,
        barrier=_MOUNTS,
        control=_OWN_FILE,
    ),
    Attack(
        id="reading/search",
        line=Line.READ,
        tried="search every file that can be seen for a planted secret",
        program="""
        own = loot(SUBMISSION + "/own.txt")
        found = search("/", leave_out=system_folders()) + search(SUBMISSION)
        return {"works": own and own[0] in found, "got": [mark for mark in found if mark not in own]}
        """,
        judge=nothing_got,
        barrier=_MOUNTS,
        control="it finds the mark in its own submission",
    ),
    Attack(
        id="reading/system-files",
        line=Line.READ,
        tried="find the shadow and password files, homes, keys, logs, mail and state of the host",
        program="""
        paths = ["/etc/shadow", "/etc/passwd", "/etc/sudoers", "/etc/hosts", "/etc/resolv.conf", "/etc/ssh",
                 "/root", "/root/.ssh", "/var/log", "/var/lib", "/var/mail", "/var/run", "/boot", "/mnt",
                 "/sys/kernel", "/sys/fs/cgroup", "/run/user", "/run/docker.sock", "/var/run/docker.sock",
                 "/run/dbus/system_bus_socket", "/run/systemd", "/dev/mem", "/proc/kcore"]
        def size(path):
            try:
                return len(os.listdir(path)) if os.path.isdir(path) else os.stat(path).st_size
            except OSError:
                return 0
        shown = (sys.prefix, sys.base_prefix, os.path.realpath(sys.executable))
        is_above = lambda path: any(folder.startswith(path + "/") for folder in shown)
        got = [path for path in paths if size(path) and not (is_above(path) and size(path) == 1)]
        homes = os.listdir("/home") if refusal(lambda: os.listdir("/home")) == "" else []
        got += [name for name in homes if name != "student" and not is_above("/home/" + name)]
        return {"works": size("/usr") > 0, "got": got, "refused": {p: refusal(lambda: os.stat(p))
                                                            for p in paths[:3]}}
        """,
        judge=nothing_got,
        barrier=_MOUNTS,
        control="it lists /usr",
    ),
    Attack(
        id="reading/environment",
        line=Line.READ,
        tried="read the environment of every process for the grader's tokens",
        program="""
        wanted = ("TOKEN", "SECRET", "PASSWORD", "GRADER_FORGE", "SSH_", "GIT_", "AWS_")
        texts = [open(f"/proc/{pid}/environ", "rb").read() for pid in processes()
                 if refusal(lambda: open(f"/proc/{pid}/environ")) == ""]
        names = [part.split(b"=")[0].decode() for text in texts for part in text.split(b"\\0")]
        names += list(os.environ)
        marks = [mark.decode() for text in texts for mark in MARK.findall(text)]
        return {"works": "HOME" in names, "got": marks + [n for n in names if any(w in n for w in wanted)]}
        """,
        judge=nothing_got,
        barrier="empty environment; pid namespace",
        control="it reads its own HOME there",
    ),
    Attack(
        id="reading/memory",
        line=Line.READ,
        tried="search the memory of every process that can be seen, its own inherited memory included",
        program="""
        planted = [b"CANARY-" + b"memory-" + bytes(f"{number:016x}", "ascii") for number in (1,)]
        found, looked_at = search_memory("self")
        others = [search_memory(pid) for pid in processes() if pid != os.getpid()]
        got = [mark for marks, _ in [(found, 0), *others] for mark in marks]
        got = [m for m in got if not m.startswith(("CANARY-" + "memory-", "CANARY-" + "own-"))]
        return {"works": planted[0].decode() in found, "got": got,
                "refused": {f"{len(others)} others, {looked_at >> 20} MiB of its own": "nothing there"}}
        """,
        judge=nothing_got,
        barrier="processes of their own; nothing secret before a fork",
        control="it finds a mark of its own in its own memory",
    ),
    Attack(
        id="reading/descriptors",
        line=Line.READ,
        tried="read every descriptor that it or another process may have inherited from the grader",
        program="""
        own = os.open(SUBMISSION + "/own.txt", os.O_RDONLY)
        found = {}
        for number in range(1024):
            try:
                found[number] = MARK.findall(os.pread(number, 1 << 20, 0))
            except OSError:
                continue
        for pid in processes():
            if pid != os.getpid() and refusal(lambda: os.listdir(f"/proc/{pid}/fd")) == "":
                for name in os.listdir(f"/proc/{pid}/fd"):
                    found[f"{pid}/{name}"] = [m.encode() for m in loot(f"/proc/{pid}/fd/{name}")]
        os.close(own)
        marks = [mark.decode() for marks in found.values() for mark in marks]
        return {"works": bool(found.get(own)), "got": [m for m in marks if "-own-" not in m]}
        """,
        judge=nothing_got,
        barrier="only named descriptors are passed on",
        control="it reads a descriptor of its own",
    ),
    Attack(
        id="reading/channels",
        line=Line.READ,
        tried="find sockets, pipes or namespaces left open to the grader or to what sessions are forked from",
        program="""
        own, mine = socket.socketpair()
        targets = {}
        for name in os.listdir("/proc/self/fd"):
            try:
                targets[int(name)] = os.readlink(f"/proc/self/fd/{name}")
            except OSError:
                continue
        kinds = ("socket:", "pipe:", "anon_inode:", "mnt:", "net:", "user:", "pid:", "/memfd:")
        found = {number: target for number, target in targets.items() if target.startswith(kinds)}
        ours = {1, 2, CHANNEL, own.fileno(), mine.fileno()}
        return {"works": own.fileno() in found,
                "got": [f"{n} {t}" for n, t in found.items() if n not in ours]}
        """,
        judge=nothing_got,
        barrier="only named descriptors are passed on",
        control="it finds a pair of its own",
    ),
    Attack(
        id="reading/grader-source",
        line=Line.READ,
        tried="import the grader, or read its source and the data that submissions are examined with",
        program="""
        import importlib.util, sysconfig
        got = []
        for name in ("grader", "grader.metrics", "tests", "assignments"):
            try:
                spec = importlib.util.find_spec(name)
            except (ImportError, PermissionError):
                continue
            got += [name] if spec is not None and spec.origin not in (None, "namespace") else []
        packages = sysconfig.get_paths()["purelib"]
        for folder in ("grader", "sklearn/datasets/data"):
            path = os.path.join(packages, folder)
            got += [path] if os.path.isdir(path) and os.listdir(path) else []
        works = importlib.util.find_spec("numpy") is not None
        return {"works": works, "got": got}
        """,
        judge=nothing_got,
        barrier="an empty folder is mounted over them",
        control="it finds numpy in the same way",
    ),
    Attack(
        id="reading/names",
        line=Line.READ,
        tried="learn the author, our folders or the host's name from mounts, command lines and groups",
        program="""
        def text(path):
            try:
                return open(path, errors="replace").read()
            except OSError:
                return ""
        names = ("mountinfo", "mounts", "cmdline", "cgroup", "environ", "comm")
        texts = [text(f"/proc/{pid}/{name}") for pid in processes() for name in names]
        texts += [text("/proc/sys/kernel/hostname"), " ".join(os.uname()), os.getcwd()]
        texts += [os.readlink(f"/proc/self/{link}") for link in ("cwd", "root", "exe")]
        return {"works": any(SUBMISSION in t for t in texts), "got": [], "refused": {}, "said": texts}
        """,
        judge=nothing_got,
        barrier="copies under neutral names, arguments by descriptor",
        control="it sees the mount of /submission",
    ),
    Attack(
        id="reading/processes",
        line=Line.READ,
        tried="see processes other than its own",
        program="""
        return {"pids": processes()}
        """,
        judge=only_its_own,
        barrier="pid namespace",
        control="it sees itself",
    ),
    Attack(
        id="reading/kernel",
        line=Line.READ,
        tried="read the kernel's log, memory, addresses and keys",
        program="""
        def text(path):
            try:
                with open(path, "rb") as file:
                    return file.read(4096)
            except OSError:
                return b""
        got = [path for path in ("/proc/kcore", "/proc/kmsg", "/dev/kmsg", "/dev/mem", "/dev/port",
                                 "/proc/keys",
                                 "/proc/sched_debug", "/proc/timer_list", "/proc/slabinfo",
                                 "/proc/vmallocinfo")
               if text(path).strip()]
        addresses = [line.split()[0] for line in text("/proc/kallsyms").splitlines() if line]
        got += ["addresses of the kernel"] if any(int(a, 16) for a in addresses[:20]) else []
        return {"works": bool(text("/proc/meminfo")), "got": got,
                "refused": {"log": call("syslog", 3, b"x" * 100, 100)}}
        """,
        judge=nothing_got,
        barrier="mount namespace; system-call filter; no capabilities",
        control="it reads /proc/meminfo",
    ),
    Attack(
        id="reading/devices",
        line=Line.READ,
        tried="make or open raw devices",
        program="""
        kinds = {"memory": (stat.S_IFCHR, 1, 1), "kernel log": (stat.S_IFCHR, 1, 11)}
        kinds |= {f"disk {a}:{b}": (stat.S_IFBLK, a, b) for a, b in known["devices"]}
        made = {f"make {name}": refusal(lambda: os.mknod(TMP + f"/{i}", 0o600 | kind, os.makedev(a, b)))
                for i, (name, (kind, a, b)) in enumerate(kinds.items())}
        names = ("mem", "kmsg", "port", "vda", "sda", "nvme0n1", "loop0", "fuse", "kvm", "net/tun",
                 "vhost-vsock")
        return {"works": refusal(lambda: open("/dev/null")) == "",
                "refused": made | {f"open /dev/{name}": refusal(lambda: open(f"/dev/{name}"))
                                   for name in names}}
        """,
        judge=all_refused("EPERM", "EACCES", "ENOENT", "ENXIO", "EROFS"),
        barrier="user namespace; a /dev of its own",
        control="it opens /dev/null",
    ),
    Attack(
        id="reading/handles",
        line=Line.READ,
        tried="open files by their handles instead of their names (open_by_handle_at)",
        program="""
        handle = struct.pack("<Ii", 8, 1) + bytes(128)
        mount = ctypes.c_int()
        return {"works": calls_work(), "refused": {
            "name_to_handle_at": call("name_to_handle_at", -100, b"/", handle, ctypes.byref(mount), 0),
            "open_by_handle_at": call("open_by_handle_at", os.open(TMP, os.O_RDONLY), handle, 0)}}
        """,
        judge=all_refused("EPERM"),
        barrier="system-call filter",
    ),
    Attack(
        id="reading/links",
        line=Line.READ,
        tried="hand in links that lead out of the submission",
        program="""
        ways = ["link_to_check", "link_to_course/checks/hidden/test_hidden.py", "link_upwards"]
        got = [mark for way in ways for mark in loot(SUBMISSION + "/" + way)]
        got += search(SUBMISSION + "/link_to_course/") + search(SUBMISSION + "/link_upwards/")
        return {"works": bool(loot(SUBMISSION + "/link_to_own")), "got": got}
        """,
        judge=nothing_got,
        barrier="links are copied as links, and lead nowhere",
        control="a link to its own file works",
    ),
    Attack(
        id="reading/proc-tricks",
        line=Line.READ,
        tried="reach files through /proc: other processes' folders, descriptors, maps and links",
        program="""
        got, tops = [], ["cwd", "root", "fd", "map_files", "task"]
        for pid in [*processes(), known["grader_pid"], "self", "thread-self"]:
            for path in known["paths"].values():
                got += loot(f"/proc/{pid}/root{path}") + loot(f"/proc/{pid}/cwd/../../../..{path}")
            for top in tops[2:4]:
                folder = f"/proc/{pid}/{top}"
                names = os.listdir(folder) if refusal(lambda: os.listdir(folder)) == "" else []
                got += [mark for name in names for mark in loot(f"{folder}/{name}")]
        works = bool(loot("/proc/self/root" + SUBMISSION + "/own.txt"))
        return {"works": works, "got": [m for m in got if "-own-" not in m]}
        """,
        judge=nothing_got,
        barrier="pid and mount namespace",
        control="it reads its own file through /proc/self/root",
    ),
)
