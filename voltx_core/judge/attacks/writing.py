"""Attacks that try to change something outside: contents, names, modes, times, objects."""

from voltx_core.judge.attacks.attack import Attack

_CODES = {
    "write into a private file": """
def attack(place): open(place["private"] + "/victim", "w").write("overwritten")
""",
    "write into a file that everyone may write": """
def attack(place): open(place["public"] + "/victim", "w").write("overwritten")
""",
    "append by a raw system call": """
def attack(place):
    path = ctypes.c_char_p((place["public"] + "/victim").encode())
    os.write(syscall(place, "openat", -100, path, os.O_WRONLY | os.O_APPEND, 0), b"more")
""",
    "truncate by path": """
def attack(place):
    return tries(lambda: os.truncate(place["public"] + "/victim", 0),
                 lambda: os.truncate(place["private"] + "/victim", 0))
""",
    "create a file": "def attack(place): open(place['public'] + '/new', 'x').close()",
    "create a folder": "def attack(place): os.mkdir(place['public'] + '/new')",
    "create a symbolic link": "def attack(place): os.symlink('/', place['public'] + '/new')",
    "create a hard link": """
def attack(place): os.link(place["public"] + "/victim", place["public"] + "/new")
""",
    "create a pipe": "def attack(place): os.mkfifo(place['public'] + '/new')",
    "create a socket": """
def attack(place):
    import socket
    socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).bind(place["public"] + "/new")
""",
    "give an unnamed file a name": """
def attack(place):
    fd = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600)
    os.link(f"/proc/self/fd/{fd}", place["public"] + "/new", follow_symlinks=True)
""",
    "remove a file": "def attack(place): os.unlink(place['public'] + '/victim')",
    "remove a folder": "def attack(place): os.rmdir(place['public'] + '/empty')",
    "rename a file": """
def attack(place): os.rename(place["public"] + "/victim", place["public"] + "/renamed")
""",
    "exchange two files": """
def attack(place):
    a, b = (ctypes.c_char_p((place["public"] + n).encode()) for n in ("/victim", "/secret"))
    syscall(place, "renameat2", -100, a, -100, b, 2)
""",
    "change a mode": """
def attack(place):
    return tries(*[lambda n=n: os.chmod(place["public"] + n, 0o4777) for n in ("/victim", "")])
""",
    "change a mode through a descriptor": """
def attack(place):
    fd = os.open(place["public"] + "/victim", os.O_RDONLY)
    os.fchmod(fd, 0o777)
""",
    "change an owner": """
def attack(place): os.chown(place["public"] + "/victim", os.getuid(), os.getgid())
""",
    "change times": "def attack(place): os.utime(place['public'] + '/victim', (1, 1))",
    "change attributes": """
def attack(place): os.setxattr(place["public"] + "/victim", "user.note", b"x")
""",
    "change flags of a file": """
def attack(place):
    import fcntl
    fd = os.open(place["public"] + "/victim", os.O_RDONLY)
    fcntl.ioctl(fd, 0x40086602, (0x40).to_bytes(8, "little"))
""",
    "write through an inherited descriptor": """
def attack(place):
    def write(fd):
        os.pwrite(fd, b"overwritten", 0) and os.ftruncate(fd, 3)
    return tries(*[lambda fd=fd: write(fd) for fd in range(5, 300)])
""",
    "write by way of /proc": """
def attack(place):
    roots = ("self", os.getppid(), 1, place["pid"])
    def write(root): open(f"/proc/{root}/root{place['public']}/victim", "w").write("x")
    return tries(*[lambda r=r: write(r) for r in roots])
""",
    "make a database": """
def attack(place):
    import sqlite3
    with sqlite3.connect(place["public"] + "/new.db") as base: base.execute("create table t (x)")
""",
    "leave files where everyone may": """
def attack(place):
    def leave(folder): open(folder + "/" + place["mark"], "w").close()
    folders = ("/dev/shm", "/tmp", "/var/tmp", "/run", "/", "/dev", place["judge"])
    return tries(*[lambda f=f: leave(f) for f in folders])
""",
    "write into the standard library": """
def attack(place):
    import json
    folder = os.path.dirname(json.__file__)
    return tries(lambda: open(folder + "/" + place["mark"], "w").close(),
                 lambda: os.mkdir(folder + "/__pycache__/" + place["mark"]))
""",
    "make shared memory": """
def attack(place): syscall(place, "shmget", place["key"], 4096, 0o1666)
""",
    "make semaphores": "def attack(place): syscall(place, 'semget', place['key'], 1, 0o1666)",
    "make a queue": "def attack(place): syscall(place, 'msgget', place['key'], 0o1666)",
    "write into the trainer's memory": """
def attack(place):
    mine = ctypes.create_string_buffer(place["mark"][-11:].encode())
    local = (ctypes.c_void_p * 2)(ctypes.addressof(mine), 11)
    remote = (ctypes.c_void_p * 2)(place["target"], 11)
    syscall(place, "process_vm_writev", place["pid"], local, 1, remote, 1, 0)
""",
    "write into the trainer's memory file": """
def attack(place):
    os.pwrite(os.open(f"/proc/{place['pid']}/mem", os.O_RDWR), place["mark"][-9:].encode(),
              place["target"])
""",
    "have a core dumped outside": """
def attack(place):
    import resource
    def unlimited(): resource.setrlimit(resource.RLIMIT_CORE, (-1, -1))
    tries(unlimited, lambda: _libc.prctl(4, 1, 0, 0, 0))
    os.chdir(place["public"])
    ctypes.string_at(0)
""",
}

ATTACKS = tuple(
    Attack(name=name, group="writing", code=code, sign="changed") for name, code in _CODES.items()
)
