"""Programs of other languages with their tests around them.

The generated program reads a nonce from stdin first, runs each test by itself, and writes
``<nonce> <number>`` to descriptor 3 after each one that did not throw. A candidate that exits
early, prints results or returns an exit code therefore passes nothing. The tests do run in the
candidate's process (``assurance="inproc"``): a candidate that goes looking for the nonce there can
find it.

Conventions for test snippets, which throw, assert or panic to fail:

* JavaScript: statements (``assert`` is Node's module; ``await`` works).
* Java: statements; the candidate is one or more classes (``class Solution { static ... }``),
  ``setup`` holds imports. ``assert`` is enabled.
* Rust: statements; the candidate is items of the crate.
* Go: statements of package main; a ``panic`` fails; ``setup`` holds imports.
"""

import re
from collections.abc import Callable, Sequence

_IMPORT_JAVA = re.compile(r"^\s*import\s+[\w.*\s]+;", re.MULTILINE)
_PACKAGE = re.compile(r"^\s*package\s+[\w.]+\s*;?", re.MULTILINE)
_PUBLIC_CLASS = re.compile(
    r"^(\s*)public\s+((?:(?:final|abstract|sealed)\s+)*(?:class|interface|enum|record)\b)",
    re.MULTILINE,
)
_IMPORT_GO = re.compile(r'^import\s+(?:\([^)]*\)|(?:[\w.]+\s+)?"[^"]*")', re.MULTILINE)
_MAIN_RUST = re.compile(r"\bfn\s+main\s*\(")
_MAIN_GO = re.compile(r"\bfunc\s+main\s*\(")


def javascript(setup: str, code: str, tests: Sequence[str]) -> str:
    """A CommonJS script."""
    listed = ",\n".join(f"async () => {{\n{test}\n}}" for test in tests)
    return f"""globalThis.assert = require("assert");
{setup}
{code}
;(async () => {{
  const files = require("fs");
  const nonce = files.readFileSync(0, "utf8");
  const tests = [{listed}];
  for (let i = 0; i < tests.length; i++) {{
    try {{
      await tests[i]();
      files.writeSync(3, `${{nonce}} ${{i + 1}}\\n`);
    }} catch (error) {{
      files.writeSync(2, `test ${{i + 1}}: ${{error}}\\n`);
    }}
  }}
  process.exit(0);
}})();
"""


def java(setup: str, code: str, tests: Sequence[str]) -> str:
    """One compilation unit whose main class is ``VoltxTests``."""
    source = _PUBLIC_CLASS.sub(r"\1\2", _PACKAGE.sub("", f"{setup}\n{code}"))
    imports = "\n".join(match.strip() for match in _IMPORT_JAVA.findall(source))
    methods = "\n".join(
        f"    static void test{n}() throws Throwable {{\n{test}\n    }}"
        for n, test in enumerate(tests, 1)
    )
    calls = "\n".join(
        f"        try {{ test{n}(); pass(out, nonce, {n}); }} "
        f'catch (Throwable t) {{ System.err.println("test {n}: " + t); }}'
        for n in range(1, len(tests) + 1)
    )
    return f"""import java.util.*;
import java.util.function.*;
import java.util.stream.*;
{imports}
{_IMPORT_JAVA.sub("", source)}
class VoltxTests {{
{methods}
    static void pass(java.io.OutputStream out, String nonce, int n) throws Throwable {{
        out.write((nonce + " " + n + "\\n").getBytes("UTF-8"));
        out.flush();
    }}
    public static void main(String[] arguments) throws Throwable {{
        String nonce = new String(System.in.readAllBytes(), "UTF-8");
        var constructor = java.io.FileDescriptor.class.getDeclaredConstructor(int.class);
        constructor.setAccessible(true);
        var out = new java.io.FileOutputStream(constructor.newInstance(3));
{calls}
        Runtime.getRuntime().halt(0);
    }}
}}
"""


def rust(setup: str, code: str, tests: Sequence[str]) -> str:
    """A binary crate in one file."""
    candidate = _MAIN_RUST.sub("fn candidate_main(", f"{setup}\n{code}")
    functions = "\n".join(f"fn voltx_test_{n}() {{\n{test}\n}}" for n, test in enumerate(tests, 1))
    calls = "\n".join(
        f"    if std::panic::catch_unwind(voltx_test_{n}).is_ok() "
        f'{{ let _ = writeln!(out, "{{}} {n}", nonce); }}'
        for n in range(1, len(tests) + 1)
    )
    return f"""#![allow(warnings)]
{candidate}
{functions}
fn main() {{
    use std::io::{{Read, Write}};
    use std::os::unix::io::FromRawFd;
    let mut nonce = String::new();
    std::io::stdin().read_to_string(&mut nonce).unwrap();
    let mut out = unsafe {{ std::fs::File::from_raw_fd(3) }};
{calls}
    std::process::exit(0);
}}
"""


def go(setup: str, code: str, tests: Sequence[str]) -> str:
    """A main package in one file."""
    source = _MAIN_GO.sub("func candidateMain(", _PACKAGE.sub("", f"{setup}\n{code}"))
    imports = "\n".join(dict.fromkeys(_IMPORT_GO.findall(source)))
    functions = "\n".join(f"func voltxTest{n}() {{\n{test}\n}}" for n, test in enumerate(tests, 1))
    calls = "\n".join(f"\trun({n}, voltxTest{n})" for n in range(1, len(tests) + 1))
    return f"""package main

import (
\tvoltxfmt "fmt"
\tvoltxio "io"
\tvoltxos "os"
)
{imports}
{_IMPORT_GO.sub("", source)}
{functions}

func main() {{
\tnonce, _ := voltxio.ReadAll(voltxos.Stdin)
\tout := voltxos.NewFile(3, "verdicts")
\trun := func(number int, test func()) {{
\t\tdefer func() {{
\t\t\tif problem := recover(); problem != nil {{
\t\t\t\tvoltxfmt.Fprintf(voltxos.Stderr, "test %d: %v\\n", number, problem)
\t\t\t}}
\t\t}}()
\t\ttest()
\t\tvoltxfmt.Fprintf(out, "%s %d\\n", nonce, number)
\t}}
{calls}
\tvoltxos.Exit(0)
}}
"""


WRAPPERS: dict[str, Callable[[str, str, Sequence[str]], str]] = {
    "javascript": javascript,
    "java": java,
    "rust": rust,
    "go": go,
}


def main_class(source: str) -> str:
    """The Java class that holds ``main``; ``Main`` if none can be seen."""
    at = source.find("static void main")
    names: list[str] = re.findall(r"\bclass\s+(\w+)", source[:at] if at >= 0 else "")
    return names[-1] if names else "Main"
