"""Published Java and Go programs and tests, brought to the form the judge runs."""

import re

from voltx_core.data.suites.rows import tidy_code

GO_CHECKS = {"fmt", "reflect"}
"""Packages that the stand-ins below need."""
GO_REPLACED = {"testing", "github.com/stretchr/testify/assert"}
"""Packages that they stand in for."""

GO_STANDARD = (
    "bytes", "crypto/md5", "encoding/hex", "fmt", "math", "math/rand", "regexp", "sort", "strconv",
    "strings", "time", "unicode",
)  # fmt: skip
"""Packages that published solutions presume, imported or not."""
GO_HEADER = re.compile(r"\A\s*(?:package \w+\s+)?(?:import (?:\([^)]*\)|\"[^\"]+\")\s*)*")

GO_ASSERT = """\
assert := struct {
    Equal func(expected, actual interface{}, message ...interface{}) bool
}{
    func(expected, actual interface{}, message ...interface{}) bool {
        if !checkreflect.DeepEqual(expected, actual) {
            panic(checkfmt.Sprintf("expected %#v, got %#v", expected, actual))
        }
        return true
    },
}
"""

GO_T = """\
type checkT struct {
    Errorf func(format string, values ...interface{})
    Run    func(name string, body func(t *checkT)) bool
}
t := &checkT{}
t.Errorf = func(format string, values ...interface{}) {
    panic(checkfmt.Sprintf(format, values...))
}
t.Run = func(name string, body func(t *checkT)) bool {
    body(t)
    return true
}
"""


def call_java_main(test: str) -> str:
    """The test's class ``Main`` as a local class (Java 16 or newer), and a call of its ``main``."""
    local = re.sub(r"^public class Main\b", "class Main", test, flags=re.MULTILINE)
    return f"{tidy_code(local)}Main.main(new String[0]);\n"


def without_go_header(code: str) -> str:
    """Go code without its package clause and imports."""
    return GO_HEADER.sub("", code)


def go_module(code: str) -> str:
    """A file of ``package main`` that imports exactly what it uses.

    The published files rely on imports that a harness adds, and have some that only tests use.
    """
    body = without_go_header(code)
    used = [
        path
        for path in GO_STANDARD
        if re.search(rf"(?<![\w.\"]){path.rpartition('/')[2]}\.[A-Z]", body)
    ]
    block = "".join(f'    "{path}"\n' for path in used)
    imports = f"import (\n{block})\n\n" if used else ""
    return tidy_code(f"package main\n\n{imports}{body}")


def go_statements(setup: str, test: str) -> tuple[str, str]:
    """The body of the one test function, with stand-ins for testify's assert and ``testing.T``.

    Args:
        setup: text holding the import paths that the test may use.
        test: ``func TestX(t *testing.T) { ... }``.

    Returns:
        (imports, statements). Imports have names of their own, ``check...``: a candidate may
        import the same packages, and Go refuses the same name twice, and unused ones.
    """
    body = test.strip().partition("{")[2].rpartition("}")[0]
    if "assert.New(t)" in body:
        body = GO_ASSERT + re.sub(r"^\s*assert := assert\.New\(t\)\n", "", body.lstrip("\n"))
    else:
        body = GO_T + body.replace("*testing.T", "*checkT")
    imports = []
    for path in sorted({*re.findall(r'"([^"\n]+)"', setup), *GO_CHECKS} - GO_REPLACED):
        name = path.rpartition("/")[2]
        body = re.sub(rf"(?<![\w.\"]){name}\.(?=[A-Z])", f"check{name}.", body)
        if f"check{name}." in body:
            imports.append(f'import check{name} "{path}"\n')
    return "".join(imports), tidy_code(body)
