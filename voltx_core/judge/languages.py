"""How each other language is found, compiled and run, and what it needs to do so."""

import dataclasses
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from voltx_core.data.problem import Language
from voltx_core.judge.archives import folder as archives_folder
from voltx_core.judge.archives import javac_archive

OTHERS: tuple[Language, ...] = ("javascript", "java", "rust", "go")
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/alternatives", "/etc/ld.so.cache")
_JAVA_FLAGS = ("-Xshare:auto", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")


@dataclass(frozen=True)
class Command:
    """One command line; ``{memory}`` in it stands for the memory limit in MiB.

    Attributes:
        argv: absolute path of the program and its arguments.
        memory_floor_mib: the runtime does not start with less.
        address_space: limit address space rather than data (native binaries).
    """

    argv: tuple[str, ...]
    memory_floor_mib: int = 512
    address_space: bool = False


@dataclass(frozen=True)
class Recipe:
    """A language whose tools are on this machine.

    Attributes:
        source: file name of the source.
        compile: the compiler's command; None for an interpreter.
        run: the program's command; ``{main}`` stands for a Java class.
        readable: folders its tools live in.
        environment: in its values ``{scratch}`` stands for the folder that programs run in.
        makes: how the names of the files end that the compiler makes.
    """

    language: Language
    version: str
    source: str
    compile: Command | None
    run: Command
    readable: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    makes: str = "main"


def find(language: Language) -> Recipe | str:
    """The recipe, or why there is none on this machine."""
    return _FINDERS[language]()


@cache
def readable_paths() -> tuple[str, ...]:
    """Everything that any language found here must be able to read."""
    recipes = [find(language) for language in OTHERS]
    own = [path for recipe in recipes if isinstance(recipe, Recipe) for path in recipe.readable]
    java = [str(path) for path in Path("/etc").glob("java*")]
    return (*_SYSTEM, *java, *own)


def _missing(program: str, remedy: str) -> str:
    return f"no {program} on PATH; {remedy}"


@cache
def _javascript() -> Recipe | str:
    node = shutil.which("node")
    if not node:
        return _missing("node", "install Node.js 18 or newer")
    node = os.path.realpath(node)
    flags = ("--max-old-space-size={memory}", "--no-addons", "--v8-pool-size=0")
    return Recipe(
        language="javascript",
        version=_version(node, "--version"),
        source="main.js",
        compile=None,
        run=Command((node, *flags, "main.js")),
        readable=(str(Path(node).parent.parent),),
        environment=(("OPENSSL_CONF", "/dev/null"),),
    )


@cache
def _java() -> Recipe | str:
    runtime, compiler = shutil.which("java"), shutil.which("javac")
    if not runtime or not compiler:
        absent = "java" if not runtime else "javac"
        return _missing(absent, "install a Java development kit, 17 or newer")
    runtime, compiler = os.path.realpath(runtime), os.path.realpath(compiler)
    # Joining strings by invokedynamic costs every run 20 ms of linkage.
    quick = ("-proc:none", "-XDstringConcat=inline")
    compiler_flags = (*quick, "-nowarn", "-encoding", "UTF-8", "-d", ".")
    return Recipe(
        language="java",
        version=_version(runtime, "-version"),
        source="Main.java",
        compile=Command(
            (compiler, *(f"-J{flag}" for flag in _JAVA_FLAGS), *compiler_flags, "Main.java"), 2048
        ),
        run=Command(
            (
                runtime,
                *_JAVA_FLAGS,
                "-Xmx{memory}m",
                "-ea",
                "--add-opens=java.base/java.io=ALL-UNNAMED",
                "-cp",
                ".",
                "{main}",
            ),
            2048,
        ),
        readable=(
            str(Path(runtime).parent.parent),
            str(Path(compiler).parent.parent),
            archives_folder(),
        ),
        makes=".class",
    )


def quickened(recipe: Recipe) -> Recipe:
    """The recipe with whatever makes its compiler start sooner; takes seconds the first time."""
    if recipe.language != "java" or not recipe.compile:
        return recipe
    archive = javac_archive(recipe.compile.argv[0], _JAVA_FLAGS)
    if not archive:
        return recipe
    compiler, *rest = recipe.compile.argv
    argv = (compiler, f"-J-XX:SharedArchiveFile={archive}", *rest)
    return dataclasses.replace(recipe, compile=dataclasses.replace(recipe.compile, argv=argv))


@cache
def _rust() -> Recipe | str:
    compiler = shutil.which("rustc")
    if not compiler:
        return _missing("rustc", "install Rust from your distribution or rustup")
    if not shutil.which("cc"):
        return _missing("cc", "rustc links with it; install gcc or clang")
    # rustup's rustc is a proxy that reads its user's home: take the real one.
    sysroot = _output(compiler, "--print", "sysroot")
    if sysroot and (Path(sysroot) / "bin" / "rustc").exists():
        compiler = str(Path(sysroot) / "bin" / "rustc")
    flags = ["--edition=2021", "-Copt-level=0", "-Cdebuginfo=0", "-Ccodegen-units=1"]
    libraries = _output(compiler, "--print", "target-libdir")
    if libraries and any(Path(libraries).glob("libstd-*.so")):  # linking it in costs 50 ms each
        flags += ["-Cprefer-dynamic", f"-Clink-arg=-Wl,-rpath,{libraries}"]
    return Recipe(
        language="rust",
        version=_version(compiler, "--version"),
        source="main.rs",
        compile=Command((compiler, *flags, "-o", "main", "main.rs"), 2048),
        run=Command(("./main",), 64, address_space=True),
        readable=tuple(path for path in (sysroot, libraries) if path),
    )


@cache
def _go() -> Recipe | str:
    compiler = shutil.which("go")
    if not compiler:
        return _missing("go", "install Go 1.20 or newer")
    compiler = os.path.realpath(compiler)
    root = _output(compiler, "env", "GOROOT")
    return Recipe(
        language="go",
        version=_version(compiler, "version"),
        source="main.go",
        compile=Command((compiler, "build", "-o", "main", "main.go"), 3072),
        run=Command(("./main",), 512),
        readable=(root,) if root else (),
        environment=(
            ("CGO_ENABLED", "0"),
            ("GOFLAGS", "-mod=mod"),
            ("GO111MODULE", "off"),
            ("GOCACHE", "{scratch}/cache"),
            ("GOMAXPROCS", "2"),
            ("GOTOOLCHAIN", "local"),
        ),
    )


_FINDERS = {"javascript": _javascript, "java": _java, "rust": _rust, "go": _go}


def _output(*argv: str) -> str:
    """What a trusted tool says about itself; empty when it fails."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout or done.stderr).strip() if done.returncode == 0 else ""


def _version(*argv: str) -> str:
    lines: Sequence[str] = _output(*argv).splitlines()
    found = re.search(r"\d+(?:\.\d+)+", lines[0]) if lines else None
    return found[0] if found else ""
