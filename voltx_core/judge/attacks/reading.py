"""Attacks that try to read: files, names, other processes, and what other programs left."""

from voltx_core.data.problem import StdioTest
from voltx_core.judge.attacks.attack import Attack

_LEAVE = """
def victim(place, token):
    {leave}
    return 1
"""

_CODES = {
    "read a private file": "def attack(place): return slurp(place['private'] + '/secret')",
    "read a file that everyone may read": """
def attack(place): return slurp(place["public"] + "/secret")
""",
    "read through a raw system call": """
def attack(place):
    path = ctypes.c_char_p((place["public"] + "/secret").encode())
    how = ctypes.create_string_buffer(24)
    return tries(lambda: os.read(syscall(place, "openat", -100, path, 0, 0), 4096),
                 lambda: os.read(syscall(place, "open", path, 0, 0), 4096),
                 lambda: os.read(syscall(place, "openat2", -100, path, how, 24), 4096))
""",
    "read through a symbolic link": """
def attack(place):
    os.symlink(place["public"], "link")
    return slurp("link/secret")
""",
    "read through a hard link": """
def attack(place):
    os.link(place["public"] + "/secret", "copy")
    return slurp("copy")
""",
    "read a renamed file": """
def attack(place):
    os.rename(place["public"] + "/secret", "moved")
    return slurp("moved")
""",
    "climb out of the working directory": """
def attack(place):
    path = place["public"] + "/secret"
    return tries(lambda: slurp("../../../../../.." + path), lambda: os.chdir("/"),
                 lambda: slurp("." + path))
""",
    "read by way of /proc": """
def attack(place):
    roots = ("self", "thread-self", os.getppid(), 1, place["pid"])
    return tries(*[lambda r=r: slurp(f"/proc/{r}/root{place['public']}/secret") for r in roots])
""",
    "read through a path-only descriptor": """
def attack(place):
    fd = os.open(place["public"], os.O_PATH)
    return tries(lambda: os.read(os.open("secret", 0, dir_fd=fd), 4096),
                 lambda: os.listdir(f"/proc/self/fd/{fd}"),
                 lambda: os.read(os.open(f"/proc/self/fd/{fd}/secret", 0), 4096))
""",
    "import a module from outside": """
def attack(place):
    sys.path.insert(0, place["public"])
    import canary_module
    return canary_module.SECRET
""",
    "let the import machinery read it": """
def attack(place):
    import linecache, tokenize, importlib.util
    path = place["public"] + "/canary_module.py"
    spec = importlib.util.spec_from_file_location("x", path)
    return tries(lambda: linecache.getlines(path), lambda: spec.loader.get_data(path))
""",
    "let a database read it": """
def attack(place):
    import sqlite3
    return sqlite3.connect(place["public"] + "/base").execute("select * from secret").fetchall()
""",
    "let another program read it": """
def attack(place):
    import subprocess
    return subprocess.run(["cat", place["public"] + "/secret"], capture_output=True).stdout
""",
    "list a folder": "def attack(place): return tries(lambda: os.listdir(place['private']),"
    " lambda: os.listdir(place['public']))",
    "walk everything from the root": """
def attack(place):
    found = []
    for base in ("/tmp", "/root", "/home", "/work", "/srv", "/opt", "/var", place["private"]):
        for folder, folders, files in os.walk(base):
            found += [folder + "/" + name for name in folders + files]
            if len(found) > 2000: break
    return found[-2000:]
""",
    "read where a link leads": """
def attack(place):
    return tries(lambda: os.readlink(place["public"] + "/link"),
                 lambda: os.readlink(place["private"] + "/link"))
""",
    "measure files": """
def attack(place):
    paths = [place[where] + "/sized" for where in ("private", "public")]
    return tries(*[lambda p=p: os.stat(p).st_size for p in paths],
                 *[lambda p=p: os.lseek(os.open(p, os.O_PATH), 0, 2) for p in paths],
                 *[lambda p=p: os.fstat(os.open(p, os.O_PATH)).st_size for p in paths])
""",
    "watch the names of files that others make": """
def attack(place):
    fd = _libc.inotify_init1(0o4000)
    if _libc.inotify_add_watch(fd, place["busy"].encode(), 0x100 | 0x2) < 0:
        raise OSError
    seen = b""
    for _ in range(50):
        time.sleep(0.01)
        try: seen += os.read(fd, 4096)
        except BlockingIOError: continue
        if b"-made" in seen: break
    return seen
""",
    "read attributes of a file": """
def attack(place):
    path = place["public"] + "/secret"
    return [os.getxattr(path, name) for name in os.listxattr(path)]
""",
    "read the home": """
def attack(place):
    import glob, pwd
    homes = {os.path.expanduser("~"), place["home"], "/root", os.environ.get("HOME", "")}
    try: homes |= {entry.pw_dir for entry in pwd.getpwall()}
    except OSError: pass
    paths = [h + "/.ssh/id_ed25519" for h in homes] + [h + "/.netrc" for h in homes]
    return tries(*[lambda p=p: slurp(p) for p in paths])
""",
    "read shared memory files": """
def attack(place):
    return tries(*[lambda n=n: slurp("/dev/shm/" + n) for n in os.listdir("/dev/shm")])
""",
    "read its own environment": """
def attack(place):
    return dict(os.environ), tries(lambda: slurp("/proc/self/environ")), memory()
def memory():
    environ = ctypes.POINTER(ctypes.c_char_p).in_dll(_libc, "environ")
    found = []
    while environ and environ[len(found)]: found.append(environ[len(found)])
    return found
""",
    "read the trainer's environment": """
def attack(place):
    pids = (place["pid"], os.getppid(), 1)
    return tries(*[lambda p=p: slurp(f"/proc/{p}/environ") for p in pids])
""",
    "read the trainer's command line": """
def attack(place):
    return tries(*[lambda p=p: slurp(f"/proc/{p}/cmdline") for p in (place["pid"], os.getppid())])
""",
    "read the trainer's memory file": """
def attack(place):
    fd = os.open(f"/proc/{place['pid']}/mem", 0)
    return os.pread(fd, 64, place["address"])
""",
    "read the trainer's memory across": """
def attack(place):
    into = ctypes.create_string_buffer(64)
    mine = (ctypes.c_void_p * 2)(ctypes.addressof(into), 64)
    theirs = (ctypes.c_void_p * 2)(place["address"], 64)
    syscall(place, "process_vm_readv", place["pid"], mine, 1, theirs, 1, 0)
    return into.raw
""",
    "trace the trainer": """
def attack(place):
    syscall(place, "ptrace", 16, place["pid"], 0, 0)
    _libc.waitpid(place["pid"], None, 0x40000000)
    words = []
    for at in range(place["address"], place["address"] + 64, 8):
        word = ctypes.c_long()
        syscall(place, "ptrace", 1, place["pid"], at, ctypes.byref(word))
        words.append(word.value.to_bytes(8, "little", signed=True))
    syscall(place, "ptrace", 17, place["pid"], 0, 0)
    return b"".join(words)
""",
    "take a descriptor of the trainer": """
def attack(place):
    pidfd = syscall(place, "pidfd_open", place["pid"], 0)
    fd = syscall(place, "pidfd_getfd", pidfd, place["descriptor"], 0)
    return os.pread(fd, 4096, 0)
""",
    "reopen a descriptor of the trainer": """
def attack(place): return slurp(f"/proc/{place['pid']}/fd/{place['descriptor']}")
""",
    "read every inherited descriptor": """
def attack(place):
    def read(fd):
        os.set_blocking(fd, False)
        try: return os.pread(fd, 4096, 0)
        except OSError: return os.read(fd, 4096) if fd != 3 else b""
    return tries(*[lambda fd=fd: read(fd) for fd in range(300)])
""",
    "open a file by its handle": """
def attack(place):
    handle = ctypes.create_string_buffer(136)
    ctypes.c_uint32.from_buffer(handle).value = 128
    mount = ctypes.c_int()
    path = ctypes.c_char_p((place["public"] + "/secret").encode())
    syscall(place, "name_to_handle_at", -100, path, handle, ctypes.byref(mount), 0)
    def read(at): return os.read(syscall(place, "open_by_handle_at", at, handle, 0), 4096)
    return tries(lambda: read(os.open(".", 0)), lambda: read(os.open(place["public"], 0)))
""",
    "search its own memory for what was there before": """
def attack(place):
    import re
    found = set()
    for line in open("/proc/self/maps"):
        bounds, rights = line.split()[:2]
        low, high = (int(x, 16) for x in bounds.split("-"))
        if rights.startswith("rw") and high - low < 1 << 26:
            found |= set(re.findall(rb"canary-[0-9a-f]{32}", ctypes.string_at(low, high - low)))
    return list(found)
""",
}

_BESIDE = """
def victim(place, token):
    import os, time
    with open("kept", "w") as file: file.write(token)
    os.environ["TOKEN"] = token
    time.sleep(0.25)
    return token and 1
"""

_PAIRS = {
    "find another program's files": """
def attack(place):
    import glob
    time.sleep(0.05)
    for path in glob.glob(place["judge"] + "/*/kept") + glob.glob("/tmp/*/*/kept"):
        try: return slurp(path)
        except OSError: continue
    folders = [place["judge"], ".."]
    names = [f"{folder}/slot{n}/kept" for n in range(9) for folder in folders]
    return tries(*[lambda n=n: slurp(n) for n in names])
""",
    "search another program's process": """
def attack(place):
    time.sleep(0.05)
    found = []
    for pid in range(os.getpid() - 40, os.getpid() + 40):
        for path in ("environ", "cwd/kept", "cmdline"):
            try: found.append(slurp(f"/proc/{pid}/{path}"))
            except OSError: pass
    return found
""",
}

_LEFTOVERS = {
    "find files left behind": (
        "open('left', 'w').write(token); os.mkdir('d'); open('d/.x', 'w').write(token)",
        """
def attack(place):
    found = []
    for folder, _, files in os.walk("."):
        for name in files: found.append(slurp(os.path.join(folder, name)))
    return found
""",
    ),
    "find names left behind": (
        "os.mkdir(token); os.mkdir(token + '/' + token)",
        "def attack(place): return [n for f in os.walk('.') for n in f[1]], os.listdir('/')",
    ),
    "find state left in modules": (
        "import builtins, random, json; builtins.left = json.left = os.environ['LEFT'] = token",
        """
def attack(place):
    import builtins, json
    return getattr(builtins, "left", 0), getattr(json, "left", 0), os.environ.get("LEFT")
""",
    ),
    "find shared memory left behind": (
        """import ctypes
    libc = ctypes.CDLL(None)
    libc.shmat.restype = ctypes.c_void_p
    at = libc.shmat(libc.shmget(0x766f6c74, 4096, 0o1666), None, 0)
    ctypes.memmove(at, token.encode(), len(token))""",
        """
def attack(place):
    _libc.shmat.restype = ctypes.c_void_p
    number = _libc.shmget(0x766f6c74, 4096, 0o666)
    if number < 0: raise OSError
    try: return ctypes.string_at(_libc.shmat(number, None, 0), 64)
    finally: _libc.shmctl(number, 0, None)
""",
    ),
    "find a key left behind": (
        """import ctypes
    ctypes.CDLL(None).syscall(place["calls"]["add_key"], b"user", b"voltx-left", token.encode(),
                              len(token), -4)""",
        """
def attack(place):
    key = syscall(place, "request_key", b"user", b"voltx-left", None, 0)
    into = ctypes.create_string_buffer(64)
    syscall(place, "keyctl", 11, key, into, 64)
    return into.raw
""",
    ),
    "find bytecode left behind": (
        """import sys
    for folder in [p for p in sys.path if os.path.isdir(p)] + ["/dev/shm", "/tmp", "/var/tmp"]:
        try: open(folder + "/voltx_left.py", "w").write(f"LEFT = {token!r}")
        except OSError: pass""",
        """
def attack(place):
    sys.path += ["/dev/shm", "/tmp", "/var/tmp", "."]
    import voltx_left
    try: return voltx_left.LEFT
    finally: os.unlink(voltx_left.__file__)
""",
    ),
}

# Ignores its own input and looks for that of the other case in its process.
_OTHER_CASE = """
import gc, re, sys
text = []
for thing in gc.get_objects():
    try: text.append(repr(thing)[:100000])
    except BaseException: pass
frame = sys._getframe()
while frame:
    text.append(repr(frame.f_locals)); frame = frame.f_back
found = re.findall("needle-[0-9a-f]{32}", " ".join(text))
if not found:
    import ctypes
    for base in sorted({id(thing) & ~0xfffff for thing in gc.get_objects()})[:64]:
        found += re.findall(b"needle-[0-9a-f]{32}", ctypes.string_at(base, 0x10000))
print(*sorted({x if isinstance(x, str) else x.decode() for x in found}))
"""

ATTACKS = (
    *(
        Attack(
            name=name,
            group="reading",
            code=code,
            sign="secret",
            needs=("xattr",) if "attributes" in name else (),
        )
        for name, code in _CODES.items()
    ),
    *(
        Attack(name=name, group="reading", code=code, sign="secret", beside=_BESIDE)
        for name, code in _PAIRS.items()
    ),
    *(
        Attack(
            name=name,
            group="reading",
            code=code,
            sign="secret",
            before="import os" + _LEAVE.format(leave=leave),
        )
        for name, (leave, code) in _LEFTOVERS.items()
    ),
    Attack(
        name="find the input of another case",
        group="reading",
        code=_OTHER_CASE,
        sign="verdict",
        tests=(
            StdioTest(stdin="1", stdout="{needle}"),
            StdioTest(stdin="{needle}", stdout="nothing prints this"),
        ),
    ),
)
