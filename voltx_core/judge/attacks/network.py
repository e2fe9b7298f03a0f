"""Attacks that try to reach somebody: every family of socket, every way to send."""

from voltx_core.judge.attacks.attack import Attack

_CODES = {
    "connect over TCP": """
def attack(place):
    import socket
    with socket.create_connection(("127.0.0.1", place["tcp"]), timeout=2) as s:
        s.sendall(b"hello")
""",
    "send a datagram": """
def attack(place):
    import socket
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"hello", ("127.0.0.1", place["udp"]))
""",
    "fetch a page": """
def attack(place):
    import urllib.request
    urllib.request.urlopen(f"http://127.0.0.1:{place['tcp']}/?stolen=1", timeout=0.2)
""",
    "connect from an event loop": """
def attack(place):
    import asyncio
    asyncio.run(asyncio.open_connection("127.0.0.1", place["tcp"]))
""",
    "connect by raw system calls": """
def attack(place):
    import socket, struct
    fd = syscall(place, "socket", 2, 1, 0)
    address = struct.pack("<H", 2) + struct.pack(">H", place["tcp"]) + bytes([127, 0, 0, 1])
    syscall(place, "connect", fd, ctypes.c_char_p(address + bytes(8)), 16)
""",
    "connect with the first data": """
def attack(place):
    import socket
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.settimeout(2)
    s.sendto(b"hello", 0x20000000, ("127.0.0.1", place["tcp"]))
""",
    "connect to a Unix socket": """
def attack(place):
    import socket
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.connect(place["stream"])
""",
    "send to a Unix socket": """
def attack(place):
    import socket
    socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"hello", place["datagram"])
""",
    "connect to an abstract socket": """
def attack(place):
    import socket
    socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect("\\0" + place["abstract"])
""",
    "send to an abstract socket": """
def attack(place):
    import socket
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.sendto(b"hello", "\\0" + place["abstract"] + "-datagram")
""",
    "send to a Unix socket from one of a pair": """
def attack(place):
    import socket
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    left.sendto(b"hello", place["datagram"])
""",
    "send to an abstract socket from one of a raw pair": """
def attack(place):
    import socket
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_RAW)
    left.sendto(b"hello", "\\0" + place["abstract"] + "-datagram")
""",
    "hand a descriptor to a Unix socket": """
def attack(place):
    import array, socket
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [3]))]
    left.sendmsg([b"hello"], rights, 0, place["datagram"])
""",
    "let a shell connect": """
def attack(place):
    import subprocess
    command = f"exec 3<>/dev/tcp/127.0.0.1/{place['tcp']}"
    subprocess.run(["/bin/bash", "-c", command], timeout=5)
""",
    "let a ring of the kernel connect": """
def attack(place):
    import mmap, struct
    libc = _libc
    libc.mmap.restype = ctypes.c_void_p
    def mapped(fd, size, offset):
        return libc.mmap(None, ctypes.c_size_t(size), 3, 0x8001, fd, ctypes.c_long(offset))
    parameters = ctypes.create_string_buffer(120)
    ring = syscall(place, "io_uring_setup", 8, parameters)
    entries, _, _, _, _, features = struct.unpack_from("<6I", parameters, 0)
    sq = struct.unpack_from("<9I", parameters, 40)
    cq = struct.unpack_from("<9I", parameters, 80)
    rings = mapped(ring, max(sq[6] + entries * 4, cq[5] + 2 * entries * 16), 0)
    slots = mapped(ring, entries * 64, 0x10000000)
    def submit(code, fd, offset, address, length):
        tail = ctypes.c_uint32.from_address(rings + sq[1])
        index = tail.value & (entries - 1)
        entry = struct.pack("<BBHiQQI", code, 0, 0, fd, offset, address, length) + bytes(36)
        ctypes.memmove(slots + 64 * index, entry, 64)
        ctypes.c_uint32.from_address(rings + sq[6] + 4 * index).value = index
        tail.value += 1
        syscall(place, "io_uring_enter", ring, 1, 1, 1, 0, 0)
        head = ctypes.c_uint32.from_address(rings + cq[0])
        at = rings + cq[5] + 16 * (head.value & (2 * entries - 1))
        head.value += 1
        return ctypes.c_int32.from_address(at + 8).value
    fd = submit(45, 2, 1, 0, 0)
    raw = struct.pack("<H", 2) + struct.pack(">H", place["tcp"]) + bytes([127, 0, 0, 1]) + bytes(8)
    address = ctypes.create_string_buffer(raw)
    return fd, submit(16, fd, 16, ctypes.addressof(address), 0)
""",
}

ATTACKS = tuple(
    Attack(name=name, group="network", code=code, sign="contact") for name, code in _CODES.items()
)
