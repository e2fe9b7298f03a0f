"""Mined pairs are real functions, complete without their docstring, which they never contain."""

import ast
import inspect
import textwrap

import pytest

from voltx_core.data.harvest import harvest_sources
from voltx_core.data.pairs import held_out, mine_file, mine_pairs, without_docstring
from voltx_core.data.source_file import SourceFile

MODULE = '''
import os

@cached
def area(width, height):
    """Return the area of a rectangle.

    More words that are not the first paragraph.
    """

    # A comment that stays.
    return width * height


class Shape:
    """A shape of some kind."""

    def scale(self, factor):
        """Make the shape larger
        by the given factor.
        :param factor: how much
        """
        def inner():
            """Nested functions are inside already."""
            return 1
        self.size *= factor
        return inner()
'''


def mine_one(text: str):
    return mine_pairs(textwrap.dedent(text))


def test_functions_and_methods_come_with_the_first_paragraph_and_without_the_docstring():
    first, second = mine_pairs(MODULE, package="shapes", path="shapes.py")
    assert (first.name, first.docstring) == ("area", "Return the area of a rectangle.")
    assert first.code == (
        "@cached\ndef area(width, height):\n    # A comment that stays.\n"
        "    return width * height\n"
    )
    assert (second.name, second.package) == ("Shape.scale", "shapes")
    assert second.docstring == "Make the shape larger by the given factor."
    assert second.code.startswith("def scale(self, factor):\n    def inner():")


@pytest.mark.parametrize(
    "text",
    [
        'def f(x):\n    """Return nothing much here."""\n',
        'def f(x):\n    """Return nothing much here."""\n    raise NotImplementedError(x, x, x)\n',
        'def f(x):\n    """Return nothing much here."""\n    ...\n',
        'def f(x): """Return something of x."""; return x + 1 + 2 + 3 + 4 + 5\n',
        'def f(x):\n    """Two words."""\n    return x + 1 + 2 + 3 + 4 + 5 + 6\n',
        'def f(x):\n    """TODO: write some words here."""\n    return x + 1 + 2 + 3 + 4 + 5\n',
        'def f(x):\n    """:param x: the first of them"""\n    return x + 1 + 2 + 3 + 4 + 5\n',
        'def f(x):\n    """-> 1 + 2 == 3 * 4 is a b c"""\n    return x + 1 + 2 + 3 + 4 + 5\n',
        'def test_f(x):\n    """Return something of x."""\n    return x + 1 + 2 + 3 + 4 + 5\n',
        "def f(x):\n    return x + 1 + 2 + 3 + 4 + 5 + 6 + 7 + 8\n",
        "def broken(:\n",
        "x = '\0'",
    ],
)
def test_what_teaches_nothing_is_left_out(text):
    assert mine_pairs(text) == []


def test_a_method_keeps_multi_line_strings_that_stand_further_left():
    (pair,) = mine_one(
        '''
        class A:
            def usage(self):
                """Tell how the program is called."""
                return self.fill("""
        usage: a [-b]
        """)
    '''.replace("\n        ", "\n")
    )
    assert "usage: a [-b]" in ast.literal_eval(ast.parse(pair.code).body[0].body[0].value.args[0])


def test_long_functions_are_left_out_by_bytes():
    text = 'def f(x):\n    """Return something of x."""\n' + "    x += 1\n" * 100 + "    return x\n"
    assert mine_pairs(text, most_code_bytes=500) == []
    assert len(mine_pairs(text, most_code_bytes=2_000)) == 1


def test_windows_newlines_and_form_feeds_do_not_shift_the_lines():
    text = MODULE.replace("import os", "import os\n\x0c").replace("\n", "\r\n")
    assert [pair.code for pair in mine_pairs(text)] == [pair.code for pair in mine_pairs(MODULE)]


def test_only_python_files_are_mined():
    assert mine_file(SourceFile(path="a.js", text=MODULE, language="javascript")) == []
    assert len(mine_file(SourceFile(path="a.py", text=MODULE, language="python"))) == 2


def test_pairs_of_real_sources_parse_are_one_function_and_hide_their_docstring():
    pairs = [pair for file in harvest_sources(max_files=60, seed=7) for pair in mine_file(file)]
    assert len(pairs) > 50
    for pair in pairs:
        (function,) = ast.parse(pair.code).body
        assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        assert function.name == pair.name.rpartition(".")[2]
        assert len(pair.docstring.split()) >= 3
        assert pair.docstring not in inspect.cleandoc(ast.get_docstring(function) or "")


def test_a_function_loses_its_docstring_and_nothing_else():
    whole = 'def f(a):\r\n        """Say what.\n\n        More."""\n        # why\n        return a'
    assert without_docstring(whole) == "def f(a):\n        # why\n        return a\n"
    assert without_docstring("def f(a):\n    return a") == "def f(a):\n    return a"


@pytest.mark.parametrize("code", ["def f(:", "x = 1", "def f(): pass\ndef g(): pass", ""])
def test_what_is_no_single_function_has_no_docstring_to_lose(code):
    assert without_docstring(code) is None


def test_a_module_of_the_standard_library_is_on_the_side_of_its_name():
    names = [f"package{n}" for n in range(2_000)]
    apart = [name for name in names if held_out(name)]
    assert 0.05 < len(apart) / len(names) < 0.15
    assert all(held_out(f"stdlib.{name}") for name in apart)
