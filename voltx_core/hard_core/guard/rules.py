"""What the guard holds against a call, once it knows what is called and with what."""

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping

from voltx_core.hard_core.axioms import Axiom
from voltx_core.hard_core.guard.values import Call, Value, words

Charge = tuple[Axiom, str]
Rule = Callable[[Call], Iterator[Charge]]

HARM, PRIVACY, HONESTY = Axiom.HARM, Axiom.PRIVACY, Axiom.HONESTY
AUTONOMY, BENEFICENCE = Axiom.AUTONOMY, Axiom.BENEFICENCE

SENSITIVE = words("os sys subprocess shutil builtins ctypes importlib pty socket signal pathlib")
"""Modules of which no attribute may be picked by a name that cannot be read."""

ESCAPES = words(
    "__subclasses__ __globals__ __code__ __builtins__ __closure__ __mro__ __bases__ "
    "__getattribute__ f_globals f_builtins f_locals gi_frame tb_frame __loader__ __reduce_ex__"
)
"""Attributes that lead out of an object to everything else."""

DESTRUCTIVE = re.compile(
    r"\brm\s+(-\w+\s+)*[-/~.*\w]|\brmdir\b|\bdel\s+/|\bmkfs|\bdd\s+(if|of)=|\bshred\b|\bwipefs\b"
    r"|\bfdisk\b|\bformat\s+\w:|\bshutdown\b|\breboot\b|\bhalt\b|\bpoweroff\b|\bkill(all)?\b"
    r"|\bpkill\b|\btruncate\b|>\s*/(dev/[sh]d|etc)|\bmv\b.*/dev/null|\bunlink\b|-delete\b"
    r"|\bgit\s+(push\s+.*--force|reset\s+--hard|clean\s+-\w*f)|\bdrop\s+(table|database)\b",
    re.IGNORECASE,
)
SENDING = re.compile(
    r"\b(curl|wget|nc|ncat|netcat|scp|sftp|ftp|ssh|rsync|telnet|mail|sendmail)\b|/dev/tcp/",
    re.IGNORECASE,
)
ELEVATING = re.compile(
    r"\b(sudo|su|doas|pkexec|chmod|chown|useradd|usermod|passwd|visudo|crontab|setcap|insmod"
    r"|systemctl|setenforce|iptables|ufw|schtasks|runas|reg\s+add|nohup|chattr)\b",
    re.IGNORECASE,
)
EXHAUSTING = re.compile(
    r":\(\)\s*\{|\bstratum\+tcp\b|\bxmrig\b|\byes\b\s*[|>]|\bstress\b|/dev/(zero|u?random)"
)
HARMLESS_COMMANDS = words(
    "ls echo pwd date whoami true false uname cat wc which hostname sleep sort head tail python "
    "python3 pip pytest git make gcc node java ffmpeg"
)
SECRET = re.compile(
    r"\.ssh/|id_rsa|id_ed25519|/etc/(passwd|shadow|sudoers|gshadow)|\.aws/|credentials|\.netrc"
    r"|\.pgpass|\.env$|\.gnupg|\.kube/config|\.docker/config|_history$|cookies(\.sqlite)?$"
    r"|login data|wallet\.dat|keychain|\.git-credentials|/proc/self/environ|/proc/\d+/|private_key"
    r"|secrets?(\.\w+)?$|passwords?(\.\w+)?$|tokens?\.(json|txt)$",
    re.IGNORECASE,
)
SECRET_NAME = re.compile(
    r"key|token|secret|passw|credential|private|session|cookie|auth", re.IGNORECASE
)
SYSTEM_PATH = re.compile(
    r"^(/(etc|bin|sbin|usr|boot|lib|lib64|dev|proc|sys|root|var)(/|$)|/$|[a-z]:[\\/]|\\\\)"
    r"|^~?/?\.?ssh/authorized_keys",
    re.IGNORECASE,
)
SYSTEM_RECORD = re.compile(
    r"^/(etc|root|proc|sys|var/(log|mail|spool|lib))(/|$)"
    r"(?!(hostname|os-release|timezone|localtime|cpuinfo|meminfo|stat|loadavg|uptime)$)"
)
HARMLESS_DEVICE = re.compile(r"^/dev/(null|stdout|stderr|tty)$")
STARTUP = re.compile(
    r"\.(bashrc|bash_profile|profile|zshrc|bash_login|xinitrc)$|/etc/(sudoers|cron|rc\.local|init"
    r"|profile|systemd|ld\.so)|/cron|autostart|\.config/systemd|LaunchAgents|authorized_keys"
    r"|start menu|startup|sitecustomize|usercustomize",
    re.IGNORECASE,
)
DROPPING = re.compile(
    r"\bdrop\s+(table|database|schema)\b|\btruncate\s+table\b|\bdelete\s+from\s+[\w.`\"]+\s*(;|$)",
    re.IGNORECASE,
)


def always(axiom: Axiom, reason: str) -> Rule:
    """Every call is held against the program."""

    def rule(call: Call) -> Iterator[Charge]:
        del call
        yield axiom, reason

    return rule


def deletion(call: Call) -> Iterator[Charge]:
    """Deleting is harm, except of one's own temporary files."""
    target = call.argument(0, "path") or call.receiver
    if "temporary" not in target.tags | call.receiver.tags:
        yield HARM, "deletes files"


def command(call: Call) -> Iterator[Charge]:
    """Starting another program: judged by its command line, which must be readable."""
    for value in (call.argument(0, "args") or Value()).each():
        line, whole = _command_line(value)
        charges = [
            (axiom, f"{verb} by the command {line[:60]!r}")
            for pattern, axiom, verb in (
                (DESTRUCTIVE, HARM, "destroys"),
                (SENDING, PRIVACY, "reaches the network"),
                (ELEVATING, AUTONOMY, "raises its rights"),
                (EXHAUSTING, BENEFICENCE, "exhausts the machine"),
                (SECRET, PRIVACY, "reads secrets"),
            )
            if pattern.search(line)
        ]
        first = (line.split() or [""])[0].rsplit("/", 1)[-1]
        if not charges and not whole:
            charges = [(HARM, "starts a program whose command line cannot be read")]
        elif not charges and (first not in HARMLESS_COMMANDS or re.search(r"[;&|`$]", line)):
            charges = [(HARM, f"starts another program: {line[:60]!r}")]
        yield from charges


def opening(call: Call) -> Iterator[Charge]:
    """Opening a file: reading secrets, writing where it does damage."""
    mode = call.argument(1, "mode")
    if call.path.startswith("pathlib."):
        where, mode = call.receiver, call.argument(0, "mode")
    else:
        where = call.argument(0, "file") or Value()
    if call.path == "os.open":
        writing = True
    else:
        letters = "r" if mode is None else mode.text
        writing = letters is not None and bool(set(letters) & set("wax+"))
    yield from _touching(where, writing=writing)


def writing(call: Call) -> Iterator[Charge]:
    """Writing to or replacing a path: the receiver's own, or the arguments."""
    if call.path.startswith("pathlib."):
        yield from _touching(call.receiver, writing=True)
    for value in call.arguments[:2]:
        if not call.path.endswith(("write_text", "write_bytes")):
            yield from _touching(value, writing=True)


def reading(call: Call) -> Iterator[Charge]:
    """Reading through a path object."""
    yield from _touching(call.receiver, writing=False)


def copying(call: Call) -> Iterator[Charge]:
    """Copying: secrets at the source, damage at the destination."""
    if source := call.argument(0, "src"):
        yield from _touching(source, writing=False)
    if target := call.argument(1, "dst"):
        yield from _touching(target, writing=True)


def permission(call: Call) -> Iterator[Charge]:
    """chmod: giving everyone or the superuser's bit, or on a system path."""
    mode, where = call.argument(1, "mode"), call.argument(0, "path")
    if call.path.startswith("pathlib."):
        mode, where = call.argument(0, "mode"), call.receiver
    bits = mode.constant if mode is not None and mode.known else None
    text = (where.text if where else None) or ""
    if not isinstance(bits, int) or bits & 0o6002 or SYSTEM_PATH.search(text):
        yield AUTONOMY, "loosens permissions"


def fetching(call: Call) -> Iterator[Charge]:
    """Downloading: fine from a fixed address, a leak when data is part of the request."""
    address = call.argument(0, "url") or Value()
    sent = call.argument(1, "data")
    if address.text is None:
        yield PRIVACY, "requests an address that it computes"
    if sent is not None and call.path.startswith("urllib") and sent.constant is not None:
        yield PRIVACY, "sends data over the network"


def environment_name(call: Call) -> Iterator[Charge]:
    """Reading one environment variable: a secret by its name."""
    name = (call.argument(0, "key") or Value()).text
    if name is not None and SECRET_NAME.search(name):
        yield PRIVACY, f"reads the secret {name!r} from the environment"


def forking(call: Call) -> Iterator[Charge]:
    """Processes and threads are fine; without end they are a bomb."""
    if call.endless:
        yield BENEFICENCE, "starts processes or threads without end"


def allocation(call: Call) -> Iterator[Charge]:
    """A buffer of a gigabyte or more."""
    size = call.argument(0)
    if size is not None and isinstance(size.constant, int) and size.constant >= 1 << 30:
        yield BENEFICENCE, "allocates gigabytes at once"


def statement(call: Call) -> Iterator[Charge]:
    """A data base statement or a remote command given as text."""
    for value in call.everything():
        if value.text and DROPPING.search(value.text):
            yield HARM, f"destroys data by {value.text[:60]!r}"
        elif value.text and DESTRUCTIVE.search(value.text) and "execute" not in call.path:
            yield HARM, f"destroys by the command {value.text[:60]!r}"


def ignoring(call: Call) -> Iterator[Charge]:
    """A handler for the signals that end a program."""
    name = call.argument(0)
    if name is None or name.path is None or name.path.endswith(("SIGTERM", "SIGINT", "SIGHUP")):
        yield AUTONOMY, "resists being ended"


def unpickling(call: Call) -> Iterator[Charge]:
    """Byte streams that run code when they are read."""
    del call
    yield HONESTY, "runs code hidden in a serialised object"


def leaking(call: Call) -> Iterator[Charge]:
    """Any call on a web client session that carries a body."""
    yield from always(PRIVACY, "sends data over the network")(call)


def _touching(where: Value, *, writing: bool) -> Iterator[Charge]:
    for value in where.each():
        text = posixpath.normpath(value.outline) if value.outline else None
        if writing and "temporary" not in value.tags:
            if "listing" in value.tags:
                yield HARM, "overwrites the files it finds"
            if value.path == "__file__" or (text and text.endswith("__file__")):
                yield AUTONOMY, "rewrites its own program"
            if text and STARTUP.search(text):
                yield AUTONOMY, f"installs itself in {text!r}"
            elif text and SYSTEM_PATH.search(text) and not HARMLESS_DEVICE.search(text):
                yield HARM, f"overwrites the system's {text!r}"
        if text and SECRET.search(text) and not (writing and STARTUP.search(text)):
            yield PRIVACY, f"opens the secret {text!r}"
        elif not writing and text and SYSTEM_RECORD.search(text):
            yield PRIVACY, f"reads the system's records in {text!r}"
        elif text and re.search(r"/dev/([sh]d|nvme|mem|kmem)", text):
            yield HARM, f"opens the device {text!r}"


def _command_line(value: Value) -> tuple[str, bool]:
    """A command line as far as it is known, and whether that is all of it."""
    if isinstance(value.constant, list | tuple):
        return " ".join(map(str, value.constant)), True
    if value.items:
        return " ".join(item.outline or "?" for item in value.items), False
    return value.outline or "", value.text is not None


def _table() -> dict[str, Rule]:
    table: dict[str, Rule] = {}

    def put(rule: Rule, names: str) -> None:
        table.update(dict.fromkeys(names.split(), rule))

    put(
        deletion,
        "os.remove os.unlink os.rmdir os.removedirs shutil.rmtree pathlib.Path().unlink "
        "pathlib.Path().rmdir",
    )
    put(always(HARM, "cuts files short"), "os.truncate os.ftruncate")
    put(
        always(HARM, "ends other processes"),
        "os.kill os.killpg signal.pthread_kill psutil.Process().kill psutil.Process().terminate",
    )
    put(always(HARM, "deletes registry keys"), "winreg.DeleteKey winreg.DeleteValue")
    put(
        command,
        "os.system os.popen subprocess.run subprocess.call subprocess.Popen subprocess.check_call "
        "subprocess.check_output subprocess.getoutput subprocess.getstatusoutput pty.spawn "
        "asyncio.create_subprocess_shell asyncio.create_subprocess_exec commands.getoutput "
        "platform.popen os.execv os.execve os.execvp os.execvpe os.execl os.execle os.execlp "
        "os.spawnl os.spawnle os.spawnlp os.spawnv os.spawnve os.spawnvp os.posix_spawn "
        "os.posix_spawnp os.startfile ctypes.system",
    )
    put(opening, "builtins.open os.open pathlib.Path().open os.fdopen")
    put(
        writing,
        "pathlib.Path().write_text pathlib.Path().write_bytes pathlib.Path().rename "
        "pathlib.Path().replace pathlib.Path().symlink_to os.rename os.replace os.symlink "
        "os.link shutil.move",
    )
    put(reading, "pathlib.Path().read_text pathlib.Path().read_bytes")
    put(copying, "shutil.copy shutil.copy2 shutil.copyfile shutil.copytree")
    put(permission, "os.chmod pathlib.Path().chmod")
    put(
        always(PRIVACY, "sends data over the network"),
        "requests.post requests.put requests.patch requests.request requests.Session().post "
        "requests.Session().put httpx.post httpx.put httpx.Client().post "
        "aiohttp.ClientSession().post "
        "http.client.HTTPConnection().request http.client.HTTPSConnection().request "
        "http.client.HTTPConnection http.client.HTTPSConnection "
        "ftplib.FTP ftplib.FTP_TLS ftplib.FTP().storbinary smtplib.SMTP smtplib.SMTP_SSL "
        "socket.socket socket.create_connection telnetlib.Telnet paramiko.SSHClient "
        "poplib.POP3 imaplib.IMAP4 asyncio.open_connection xmlrpc.client.ServerProxy "
        "websocket.create_connection websockets.connect urllib.request.Request "
        "dns.resolver.resolve socket.gethostbyname",
    )
    put(
        fetching,
        "requests.get requests.Session().get httpx.get urllib.request.urlopen "
        "urllib.request.urlretrieve webbrowser.open",
    )
    put(
        always(PRIVACY, "reads what a person keeps to themselves"),
        "getpass.getpass keyring.get_password browser_cookie3.chrome browser_cookie3.firefox "
        "browser_cookie3.load spwd.getspall spwd.getspnam pwd.getpwall pyperclip.paste "
        "win32crypt.CryptUnprotectData",
    )
    put(environment_name, "os.getenv os.environ.get os.environ.pop os.environ.setdefault")
    put(
        always(PRIVACY, "collects the whole environment"),
        "os.environ.items os.environ.values os.environ.copy",
    )
    put(
        always(HONESTY, "reaches below Python through ctypes"),
        "ctypes.CDLL ctypes.PyDLL ctypes.WinDLL ctypes.OleDLL ctypes.cdll ctypes.windll "
        "ctypes.oledll ctypes.pythonapi ctypes.memmove ctypes.memset ctypes.cast "
        "ctypes.string_at ctypes.CFUNCTYPE ctypes.cdll.LoadLibrary cffi.FFI "
        "ctypes.util.find_library",
    )
    put(
        unpickling,
        "pickle.loads pickle.load pickle.Unpickler marshal.loads marshal.load dill.loads dill.load "
        "cloudpickle.loads shelve.open jsonpickle.decode yaml.unsafe_load yaml.load joblib.load",
    )
    put(
        always(HONESTY, "assembles code out of bytes"),
        "types.FunctionType types.CodeType code.InteractiveInterpreter code.interact "
        "code.InteractiveConsole runpy.run_path runpy.run_module builtins.breakpoint "
        "gc.get_objects gc.get_referrers sys._getframe importlib.util.spec_from_file_location "
        "importlib.util.module_from_spec imp.load_source",
    )
    put(
        always(AUTONOMY, "changes its own rights"),
        "os.setuid os.setgid os.seteuid os.setegid os.setreuid os.setregid os.setresuid "
        "os.setresgid os.setgroups os.initgroups os.chown os.lchown os.chroot os.setsid "
        "os.setcap resource.setrlimit os.sched_setscheduler os.nice winreg.SetValueEx "
        "prctl.cap_permitted os.fchown os.pivot_root os.unshare os.mount",
    )
    put(ignoring, "signal.signal")
    put(always(BENEFICENCE, "multiplies itself"), "os.fork os.forkpty")
    put(
        forking,
        "multiprocessing.Process().start threading.Thread().start _thread.start_new_thread "
        "multiprocessing.Process threading.Thread concurrent.futures.ThreadPoolExecutor().submit",
    )
    put(allocation, "builtins.bytearray builtins.bytes os.urandom")
    put(
        always(BENEFICENCE, "watches the person at the machine"),
        "pynput.keyboard.Listener pynput.mouse.Listener keyboard.hook keyboard.on_press "
        "keyboard.record pyautogui.screenshot PIL.ImageGrab.grab mss.mss cv2.VideoCapture "
        "sounddevice.rec pyaudio.PyAudio win32api.GetAsyncKeyState",
    )
    return table


RULES: Mapping[str, Rule] = _table()

METHOD_RULES: Mapping[str, Rule] = {
    "unlink": deletion,
    "rmtree": deletion,
    "rmdir": deletion,
    "sendall": always(PRIVACY, "sends data over the network"),
    "sendto": always(PRIVACY, "sends data over the network"),
    "sendmail": always(PRIVACY, "sends data over the network"),
    "send_message": always(PRIVACY, "sends data over the network"),
    "storbinary": always(PRIVACY, "sends data over the network"),
    "storlines": always(PRIVACY, "sends data over the network"),
    "upload_file": always(PRIVACY, "sends data over the network"),
    "upload_fileobj": always(PRIVACY, "sends data over the network"),
    "execute": statement,
    "executescript": statement,
    "exec_command": statement,
    "sendline": statement,
}
"""Methods so telling that the receiver need not be known."""

LISTINGS = words(
    "os.walk os.listdir os.scandir glob.glob glob.iglob pathlib.Path().iterdir "
    "pathlib.Path().glob pathlib.Path().rglob pathlib.Path().walk os.fwalk"
)
"""Calls whose results are files that were found, not named."""
