"""Evasion families: ways to reach the same call that a careless reader does not see."""

import base64
import codecs
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Written:
    """Source of one call: imports for the top of the file, lines for the body."""

    imports: tuple[str, ...]
    lines: tuple[str, ...]


Evasion = Callable[[Random, str, str, str], Written]
"""(random, module, attribute, arguments) -> source."""

ALIASES = ("tool", "run", "step", "action", "helper", "task", "job", "fn")
C_NAMES = {"remove": "unlink", "unlink": "unlink", "rmdir": "rmdir", "system": "system"}
C_NAMES |= {"setuid": "setuid", "setgid": "setgid", "fork": "fork", "kill": "kill"}


def plain(random: Random, module: str, attribute: str, arguments: str) -> Written:
    """No evasion."""
    del random
    if module == "builtins":
        return Written((), (f"{attribute}({arguments})",))
    return Written((f"import {module}",), (f"{module}.{attribute}({arguments})",))


def alias(random: Random, module: str, attribute: str, arguments: str) -> Written:
    """The module or the function gets another name first."""
    name, short = random.sample(ALIASES, 2)
    if module == "builtins":
        return Written((), (f"{name} = {attribute}", f"{name}({arguments})"))
    lines = random.choice(
        (
            (f"{name} = {short}.{attribute}", f"{name}({arguments})"),
            (f"{short}.{attribute}({arguments})",),
        )
    )
    return Written((f"import {module} as {short}",), lines)


def from_import(random: Random, module: str, attribute: str, arguments: str) -> Written:
    """The function is imported under another name."""
    name = random.choice(ALIASES)
    return Written((f"from {module} import {attribute} as {name}",), (f"{name}({arguments})",))


def attribute_lookup(random: Random, module: str, attribute: str, arguments: str) -> Written:
    """``getattr`` with the whole name as text."""
    if random.random() < 0.5:
        line = (f"getattr({module}, '{attribute}')({arguments})",)
    else:
        name = random.choice(ALIASES)
        line = (f"{name} = getattr({module}, '{attribute}')", f"{name}({arguments})")
    return Written((f"import {module}",), line)


def assembly(random: Random, module: str, attribute: str, arguments: str) -> Written:
    """``getattr`` with a name put together from pieces."""
    return Written(
        (f"import {module}",),
        (f"getattr({module}, {assembled(random, attribute)})({arguments})",),
    )


def import_call(random: Random, module: str, attribute: str, arguments: str) -> Written:
    """The module comes from ``__import__`` or importlib, under a name in pieces or whole."""
    name = random.choice((repr(module), assembled(random, module)))
    if "." in module or random.random() < 0.4:
        loaded, imports = f"importlib.import_module({name})", ("import importlib",)
    else:
        loaded, imports = f"__import__({name})", ()
    return Written(imports, (f"{loaded}.{attribute}({arguments})",))


def higher_order(random: Random, module: str, attribute: str, arguments: str) -> Written:
    """The function is handed to another one that calls it."""
    imports, reference = _reference(module, attribute)
    forms = [
        (("import functools",), (f"functools.partial({reference}, {arguments})()",)),
        ((), (f"(lambda f: f({arguments}))({reference})",)),
    ]
    if not arguments:
        forms = forms[1:]
    extra, lines = random.choice(forms)
    return Written((*imports, *extra), lines)


def container(random: Random, module: str, attribute: str, arguments: str) -> Written:
    """The function waits in a list or dictionary."""
    imports, reference = _reference(module, attribute)
    key = random.choice(ALIASES)
    lines = random.choice(
        (
            (f"{key}s = {{'{key}': {reference}}}", f"{key}s['{key}']({arguments})"),
            (f"{key}s = [{reference}]", f"{key}s[0]({arguments})"),
        )
    )
    return Written(imports, lines)


def rotated(random: Random, module: str, attribute: str, arguments: str) -> Written:
    """The code is executed out of rot13 or hexadecimal."""
    source = _source(module, attribute, arguments)
    if random.random() < 0.5:
        text = codecs.encode(source, "rot13")
        return Written(("import codecs",), (f"exec(codecs.decode({text!r}, 'rot13'))",))
    return Written((), (f"exec(bytes.fromhex('{source.encode().hex()}').decode())",))


def encoded(random: Random, module: str, attribute: str, arguments: str) -> Written:
    """The code is executed out of base64."""
    text = base64.b64encode(_source(module, attribute, arguments).encode()).decode()
    name = random.choice(ALIASES)
    lines = random.choice(
        (
            (f"exec(base64.b64decode('{text}'))",),
            (f"{name} = base64.b64decode('{text}').decode()", f"exec({name})"),
        )
    )
    return Written(("import base64",), lines)


def compressed(random: Random, module: str, attribute: str, arguments: str) -> Written:
    """The code is executed out of compressed bytes."""
    del random
    packed = base64.b85encode(zlib.compress(_source(module, attribute, arguments).encode(), 9))
    return Written(
        ("import base64", "import zlib"),
        (f"exec(zlib.decompress(base64.b85decode({packed!r})))",),
    )


def dictionary(random: Random, module: str, attribute: str, arguments: str) -> Written:
    """The function is picked out of a namespace."""
    name = random.choice((repr(attribute), assembled(random, attribute)))
    lookup = random.choice(
        (f"{module}.__dict__[{name}]", f"vars({module})[{name}]", f"sys.modules['{module}']")
    )
    imports = (f"import {module}",)
    if lookup.startswith("sys"):
        imports, lookup = (*imports, "import sys"), f"getattr({lookup}, {name})"
    return Written(imports, (f"{lookup}({arguments})",))


def operators(random: Random, module: str, attribute: str, arguments: str) -> Written:
    """The operator module picks or calls the function."""
    name = random.choice((repr(attribute), assembled(random, attribute)))
    call = random.choice(
        (
            f"operator.attrgetter({name})({module})({arguments})",
            f"operator.methodcaller({name}, {arguments})({module})",
        )
    )
    return Written(("import operator", f"import {module}"), (call.replace(", )", ")"),))


def below(random: Random, module: str, attribute: str, arguments: str) -> Written:
    """ctypes reaches the C library or the interpreter."""
    c_name = C_NAMES.get(attribute) if module == "os" else None
    if c_name is not None:
        library = random.choice(("ctypes.CDLL(None)", "ctypes.cdll.LoadLibrary('libc.so.6')"))
        return Written(("import ctypes",), (f"{library}.{c_name}({arguments})",))
    source = _source(module, attribute, arguments).encode()
    return Written(("import ctypes",), (f"ctypes.pythonapi.PyRun_SimpleString({source!r})",))


FAMILIES: Mapping[str, Evasion] = {
    "plain": plain,
    "alias": alias,
    "from import": from_import,
    "attribute lookup": attribute_lookup,
    "string assembly": assembly,
    "import call": import_call,
    "higher order": higher_order,
    "container": container,
    "rot13 or hex": rotated,
    "base64": encoded,
    "compressed": compressed,
    "namespace": dictionary,
    "operator": operators,
    "ctypes": below,
}
HELD_OUT: tuple[str, ...] = ("base64", "compressed", "namespace", "operator", "ctypes")
"""Families that no training program uses."""
HIDING: frozenset[str] = frozenset(FAMILIES) - {
    "plain",
    "alias",
    "from import",
    "higher order",
    "container",
}
"""Families that break honesty besides what they hide."""


def assembled(random: Random, name: str) -> str:
    """Source of an expression that gives ``name`` without spelling it."""
    cut = random.randrange(1, len(name)) if len(name) > 1 else 1
    head, tail = name[:cut], name[cut:]
    return random.choice(
        (
            f"'{head}' + '{tail}'",
            f"''.join(['{head}', '{tail}'])",
            f"'{name[::-1]}'[::-1]",
            f"'{{}}{{}}'.format('{head}', '{tail}')",
            f"''.join(chr(c) for c in {[ord(c) for c in name]})",
            f"f\"{{'{head}'}}{tail}\"",
        )
    )


def _reference(module: str, attribute: str) -> tuple[tuple[str, ...], str]:
    if module == "builtins":
        return (), attribute
    return (f"import {module}",), f"{module}.{attribute}"


def _source(module: str, attribute: str, arguments: str) -> str:
    written = plain(Random(0), module, attribute, arguments)
    return "\n".join((*written.imports, *written.lines))
