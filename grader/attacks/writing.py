"""Attacks that change what a submission must not. Data alone."""

from grader.attacks.attack import Attack, Line
from grader.attacks.verdicts import all_refused

WRITING = (
    Attack(
        id="writing/system",
        line=Line.WRITE,
        tried="write to /, /usr, /etc, /dev, the Python environment, /submission and the worker's folder",
        program="""
        folders = ["", "/usr", "/usr/bin", "/etc", "/dev", "/run", "/run/grader", "/root", "/var", "/opt",
                   "/srv",
                   SUBMISSION, "/proc", sys.prefix, os.path.dirname(os.__file__)]
        paths = [f"{folder}/{known['new_name']}" for folder in folders] + ["/usr/bin/env",
                                                            "/run/grader/worker.py"]
        return {"works": refusal(lambda: open(TMP + "/mine", "w")) == "",
                "refused": {path: refusal(lambda: open(path, "w")) for path in paths}}
        """,
        judge=all_refused("EROFS", "ENOENT", "EACCES", "EPERM"),
        barrier="read-only mounts",
        control="it writes to /tmp",
    ),
    Attack(
        id="writing/results",
        line=Line.WRITE,
        tried="overwrite the stored results, the reference and another submission by their paths",
        program="""
        def write(path):
            with open(path, "w") as file:
                file.write('{"points": 20}')
        return {"works": refusal(lambda: write(TMP + "/results.json")) == "",
                "refused": {name: refusal(lambda: write(path)) for name, path in known["paths"].items()}}
        """,
        judge=all_refused("ENOENT", "EROFS", "EACCES"),
        barrier="mount namespace: it is not mounted",
        control="it writes a file of the same name to /tmp",
    ),
    Attack(
        id="writing/submission",
        line=Line.WRITE,
        tried="change, delete, rename or add to the submitted files",
        program="""
        own = SUBMISSION + "/own.txt"
        return {"works": bool(loot(own)), "refused": {
            "write": refusal(lambda: open(own, "w")), "delete": refusal(lambda: os.unlink(own)),
            "rename": refusal(lambda: os.rename(own, own + "2")),
            "mode": refusal(lambda: os.chmod(own, 0o777)),
            "link": refusal(lambda: os.symlink("x", SUBMISSION + "/y")),
            "times": refusal(lambda: os.utime(own, (0, 0))),
            "add": refusal(lambda: open(SUBMISSION + "/added", "w"))}}
        """,
        judge=all_refused("EROFS", "EACCES", "EPERM"),
        barrier="a read-only mount of a copy",
        control="it reads the file",
    ),
    Attack(
        id="writing/kernel-settings",
        line=Line.WRITE,
        tried="change settings of the kernel, and trigger the magic key",
        program="""
        paths = ("sys/kernel/core_pattern", "sys/kernel/hostname", "sys/vm/overcommit_memory",
                 "sys/kernel/modprobe",
                 "sysrq-trigger", "sys/fs/binfmt_misc/register", "sys/net/ipv4/ip_forward", "1/oom_score_adj")
        write = lambda path: os.write(os.open("/proc/" + path, os.O_WRONLY), b"-1")
        return {"works": refusal(lambda: open("/proc/sys/vm/overcommit_memory")) == "",
                "refused": {path: refusal(lambda: write(path)) for path in paths}}
        """,
        judge=all_refused("EROFS", "ENOENT", "EACCES", "EPERM", "EINVAL"),
        barrier="read-only /proc; no capabilities",
        control="it reads one of them",
    ),
)
