"""A submission asks the kernel for what no exercise needs."""

import platform
import signal

import pytest

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.skipif(
        platform.machine() != "x86_64", reason="the scripts name system calls by x86_64 numbers"
    ),
]

REFUSED = {
    "mount": "call(165, b'none', b'/tmp', b'tmpfs', 0, None)",
    "unmount": "call(166, b'/submission', 2)",
    "pivot_root": "call(155, b'/tmp', b'/tmp')",
    "chroot": "refusal(lambda: os.chroot('/tmp'))",
    "new user namespace by unshare": "call(272, 0x10000000)",
    "new user namespace by clone": "call(56, 0x10000000 | 17, None, None, None, None)",
    "new network namespace by clone": "call(56, 0x40000000 | 17, None, None, None, None)",
    "join a namespace": "call(308, os.open('/proc/self/ns/net', os.O_RDONLY), 0)",
    "open_tree": "call(428, -100, b'/', 1)",
    "fsopen": "call(430, b'tmpfs', 0)",
    "bpf": "call(321, 0, None, 0)",
    "io_uring": "call(425, 8, ctypes.create_string_buffer(120))",
    "perf events": "call(298, ctypes.create_string_buffer(120), 0, -1, -1, 0)",
    "userfaultfd": "call(323, 1)",
    "keyring: add": "call(248, b'user', b'name', b'data', 4, -3)",
    "keyring: read": "call(250, 11, -3, None, 0)",
    "keyring: request": "call(249, b'user', b'name', None, 0)",
    "ptrace the first process": "call(101, 16, 1, 0, 0)",
    "be traced": "call(101, 0, 0, 0, 0)",
    "read another process's memory": "call(310, 1, None, 0, None, 0, 0)",
    "write another process's memory": "call(311, 1, None, 0, None, 0, 0)",
    "steal a descriptor": "call(438, -1, 0, 0)",
    "turn off address randomisation": "call(135, 0x0040000)",
    "load a kernel module": "call(175, None, 0, b'')",
    "load a kernel": "call(246, 0, 0, None, 0)",
    "reboot": "call(169, 0xfee1dead, 672274793, 0, None)",
    "set the clock": "call(227, 0, ctypes.create_string_buffer(16))",
    "set the host name": "call(170, b'mine', 4)",
    "read the kernel log": "call(103, 3, ctypes.create_string_buffer(100), 100)",
    "raise a limit": "refusal(lambda: __import__('resource').prlimit(0, 7, (1 << 20, 1 << 20)))",
    "raise its priority": "refusal(lambda: os.setpriority(os.PRIO_PROCESS, 0, -5))",
    "real-time scheduling": "refusal(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))",
    "become root": "refusal(lambda: os.setuid(0))",
    "become another group": "refusal(lambda: os.setgid(0))",
    "join more groups": "refusal(lambda: os.setgroups([0]))",
    "write the user map": "refusal(lambda: os.write(os.open('/proc/self/uid_map', os.O_WRONLY), b'0 0 1'))",
    "change the kernel's settings": "refusal(lambda: open('/proc/sys/kernel/core_pattern', 'w'))",
    "trigger the magic key": "refusal(lambda: open('/proc/sysrq-trigger', 'w'))",
    "type into a terminal": "call(16, os.openpty()[1], 0x5412, b'x')",
}

NO = {"EPERM", "EACCES", "EROFS", "EINVAL", "ENOENT"}
"""EINVAL: that user is not mapped; ENOENT: bubblewrap has covered it."""


@pytest.mark.parametrize("wish", list(REFUSED))
def test_the_kernel_refuses_to(attack, wish):
    outcome = attack(f"say({REFUSED[wish]})")
    assert outcome.said[0] in NO


def test_a_setuid_program_gives_nothing(attack):
    script = """
    places = ("/", "/usr", "/submission", "/tmp", "/home/student", "/dev/shm", sys.prefix)
    say([all(os.statvfs(place).f_flag & os.ST_NOSUID for place in places),
         "NoNewPrivs:\\t1\\n" in open("/proc/self/status").read()])
    """
    assert attack(script).said == [[True, True]]


def test_calls_of_the_32_bit_interface_end_the_process(attack):
    script = """
    import mmap
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20 (getpid); int 0x80; ret
    act = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
    say("before")
    act()
    say("after")
    """
    outcome = attack(script)
    assert outcome.said == ["before"]
    assert outcome.ending.exit_code == -signal.SIGSYS


def test_it_cannot_undo_that_it_dies_with_the_grader(attack):
    script = """
    now = ctypes.c_int()
    libc.prctl(1, 15, 0, 0, 0)
    libc.prctl(2, ctypes.byref(now), 0, 0, 0)
    say(now.value)
    """
    assert attack(script).said in ([0], [signal.SIGKILL])


def test_it_sees_its_own_processes_only(attack):
    outcome = attack("say(sorted(int(name) for name in os.listdir('/proc') if name.isdigit()))")
    assert outcome.said == [[1, 2]]


def test_killing_everybody_kills_nobody_else(attacker):
    bystander = attacker.start("time.sleep(60)")
    try:
        outcome = attacker.run("say([refusal(lambda: os.kill(who, 9)) for who in (-1, 1)])")
        assert outcome.said == [["ESRCH", ""]]
        assert not outcome.ending.limit
        bystander.channel.settimeout(0.1)
        with pytest.raises(TimeoutError):
            bystander.channel.recv(1)
    finally:
        assert bystander.close().exit_code is None
