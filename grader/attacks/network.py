"""Attacks that try to talk to somebody. Data alone; the listeners that must hear nothing are in `bait`."""

from grader.attacks.attack import Attack, Line
from grader.attacks.verdicts import all_refused, nothing_got

_OWN_LOOPBACK = "it talks to itself over its own loopback"
_NO_SOCKETS = """
        if refused := no_sockets():
            return {"works": a_pair_works(), "got": [], "refused": refused}
"""
_CONTROL = (
    _NO_SOCKETS
    + """
        server = socket.create_server(("127.0.0.1", 0))
        client = socket.create_connection(server.getsockname(), 5)
        client.sendall(b"hello")
        works = server.accept()[0].recv(5) == b"hello"
"""
)

NETWORK = (
    Attack(
        id="network/host-loopback",
        line=Line.NETWORK,
        tried="connect to a service that listens on the host's loopback",
        program=_CONTROL
        + """
        return {"works": works, "refused": {
            address: refusal(lambda: socket.create_connection((address, known["tcp_port"]), 2).sendall(b"x"))
            for address in ("127.0.0.1", "127.0.0.2", "0.0.0.0", "localhost.localdomain")[:3]}}
        """,
        judge=all_refused("ECONNREFUSED", "EAFNOSUPPORT"),
        barrier="network namespace",
        control=_OWN_LOOPBACK,
    ),
    Attack(
        id="network/outside",
        line=Line.NETWORK,
        tried="connect to addresses outside: the internet, the cloud's metadata, private networks, this host",
        program=_CONTROL
        + """
        addresses = ["192.0.2.1", "8.8.8.8", "169.254.169.254", "10.0.0.1", "2001:db8::1",
                     *known["addresses"]]
        return {"works": works, "refused": {
            address: refusal(lambda: socket.create_connection((address, 80), 2)) for address in addresses}}
        """,
        judge=all_refused("ENETUNREACH", "EADDRNOTAVAIL", "EHOSTUNREACH", "EAFNOSUPPORT"),
        barrier="network namespace",
        control=_OWN_LOOPBACK,
    ),
    Attack(
        id="network/datagrams",
        line=Line.NETWORK,
        tried="send datagrams to the host and outside (UDP, and UDP to port 53)",
        program=_CONTROL
        + """
        def send(address, port):
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"loot", (address, port))
        refusal(lambda: send("127.0.0.1", known["udp_port"]))  # its own loopback: the host must not hear it
        return {"works": works, "refused": {
            address: refusal(lambda: send(address, 53)) for address in ("192.0.2.1", "8.8.8.8",
                                                            "255.255.255.255")}}
        """,
        judge=all_refused("ENETUNREACH", "EACCES", "EAFNOSUPPORT"),
        barrier="network namespace",
        control=_OWN_LOOPBACK,
    ),
    Attack(
        id="network/names",
        line=Line.NETWORK,
        tried="resolve names, which could carry data outside",
        program=_CONTROL
        + """
        got = []
        for name in ("example.com", "loot.example.com"):
            try:
                got.append(socket.gethostbyname(name))
            except OSError:
                continue
        return {"works": works, "got": got}
        """,
        judge=nothing_got,
        barrier="network namespace; no resolver",
        control=_OWN_LOOPBACK,
    ),
    Attack(
        id="network/abstract-socket",
        line=Line.NETWORK,
        tried="connect to an abstract Unix socket of the host",
        program=_NO_SOCKETS
        + """
        server, client = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        server.bind("\\0own")
        server.listen()
        works = refusal(lambda: client.connect("\\0own")) == ""
        reach = lambda: socket.socket(socket.AF_UNIX).connect("\\0" + known["abstract_name"])
        return {"works": works, "refused": {"connect": refusal(reach)}}
        """,
        judge=all_refused("ECONNREFUSED", "EAFNOSUPPORT"),
        barrier="network namespace",
        control="it connects to an abstract socket of its own",
    ),
    Attack(
        id="network/path-socket",
        line=Line.NETWORK,
        tried="connect to Unix sockets in folders of the host: ours, D-Bus, Docker, the session manager",
        program=_NO_SOCKETS
        + """
        server, client = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        server.bind(TMP + "/own")
        server.listen()
        works = refusal(lambda: client.connect(TMP + "/own")) == ""
        paths = (known["socket_path"], "/run/dbus/system_bus_socket", "/run/docker.sock",
                 "/run/systemd/notify",
                 "/proc/1/root" + known["socket_path"])
        return {"works": works, "refused": {
            path: refusal(lambda: socket.socket(socket.AF_UNIX).connect(path)) for path in paths}}
        """,
        judge=all_refused("ENOENT", "EACCES", "EAFNOSUPPORT"),
        barrier="mount namespace",
        control="it connects to a socket in its own /tmp",
    ),
    Attack(
        id="network/families",
        line=Line.NETWORK,
        tried="open sockets of families that leave the network namespace or reach into the kernel",
        program=_CONTROL
        + """
        families = {"netlink": 16, "packet": 17, "bluetooth": 31, "alg": 38, "nfc": 39, "vsock": 40,
                    "xdp": 44,
                    "rds": 21, "tipc": 30, "can": 29, "unknown": 77}
        refused = {f"{name} {kind}": refusal(lambda: socket.socket(family, kind))
                   for name, family in families.items() for kind in (1, 2, 3)}
        return {"works": works, "refused": refused | {
            "hidden in the upper half": call("socket", ctypes.c_uint64(0x1_0000_0000 | 40), 1, 0)}}
        """,
        judge=all_refused("EAFNOSUPPORT"),
        barrier="system-call filter",
        control=_OWN_LOOPBACK,
    ),
    Attack(
        id="network/raw",
        line=Line.NETWORK,
        tried="send raw packets, and set up interfaces or routes",
        program=_CONTROL
        + """
        plain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        import fcntl
        return {"works": works, "refused": {
            "raw": refusal(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
            "raw 6": refusal(lambda: socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58)),
            "interface": refusal(lambda: fcntl.ioctl(plain, 0x8914, struct.pack("16sH14x", b"lo", 0))),
            "bind to a device": refusal(lambda: plain.setsockopt(socket.SOL_SOCKET, 36, 1)),
            "tun": refusal(lambda: open("/dev/net/tun", "rb+"))}}
        """,
        judge=all_refused("EPERM", "ENOENT", "EACCES", "EAFNOSUPPORT"),
        barrier="no capabilities in the network namespace",
        control=_OWN_LOOPBACK,
    ),
    Attack(
        id="network/interfaces",
        line=Line.NETWORK,
        tried="find an interface other than its own loopback",
        program="""
        names = [name for _, name in socket.if_nameindex()] if refusal(socket.if_nameindex) == "" else []
        if no_sockets() and refusal(lambda: open("/proc/net/dev")) == "EACCES":
            return {"works": a_pair_works(), "got": names, "refused": {"/proc/net/dev": "EACCES"}}
        names += [line.split(":")[0].strip() for line in open("/proc/net/dev").readlines()[2:]]
        return {"works": "lo" in names, "got": [name for name in names if name != "lo"]}
        """,
        judge=nothing_got,
        barrier="network namespace",
        control="it sees its loopback",
    ),
)
