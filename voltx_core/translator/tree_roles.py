"""Role labels of JavaScript, Java, Rust and Go, from the syntax trees of tree-sitter.

Each grammar has its own names for the same constructs; what they say is what Python's say in
`roles`, so that a frame means the same in every language.
"""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from voltx_core.errors import DataError
from voltx_core.frame import ROLES
from voltx_core.translator.roles import AGENT, CAUSE, PREDICATE, UNLABELLED

if TYPE_CHECKING:
    from tree_sitter import Node, Parser


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """Node types of one language by what they say.

    Attributes:
        module: Python package of the grammar.
        roles: Role → node types that are painted with it.
        definitions: Node types whose ``name`` is an agent.
        calls: Node type of a call → field that holds what is called.
        raising: What is called where other languages have a statement.
    """

    module: str
    roles: dict[str, frozenset[str]]
    definitions: frozenset[str]
    calls: dict[str, str]
    raising: frozenset[str] = frozenset()

    def role_of(self, kind: str) -> int | None:
        """Number of the role of a node type."""
        return next(
            (ROLES.index(role) for role, kinds in self.roles.items() if kind in kinds), None
        )


def _roles(**kinds: str) -> dict[str, frozenset[str]]:
    return {role: frozenset(names.split()) for role, names in kinds.items()}


GRAMMARS: dict[str, Grammar] = {
    "javascript": Grammar(
        module="tree_sitter_javascript",
        roles=_roles(
            location="return_statement yield_expression",
            time="for_statement for_in_statement while_statement do_statement break_statement "
            "continue_statement",
            manner="import_statement arrow_function function_expression with_statement",
            instrument="if_statement else_clause ternary_expression",
            cause="try_statement catch_clause finally_clause throw_statement",
            result="switch_statement switch_case switch_default",
            predicate="variable_declarator assignment_expression augmented_assignment_expression "
            "binary_expression unary_expression update_expression call_expression new_expression",
            patient="identifier number string template_string regex true false null undefined",
        ),
        definitions=frozenset(
            [
                "function_declaration",
                "class_declaration",
                "method_definition",
                "generator_function_declaration",
            ]
        ),
        calls={"call_expression": "function", "new_expression": "constructor"},
    ),
    "java": Grammar(
        module="tree_sitter_java",
        roles=_roles(
            location="return_statement yield_statement",
            time="for_statement enhanced_for_statement while_statement do_statement "
            "break_statement continue_statement",
            manner="import_declaration lambda_expression",
            instrument="if_statement ternary_expression",
            cause="try_statement try_with_resources_statement catch_clause finally_clause "
            "throw_statement assert_statement",
            result="switch_expression switch_block_statement_group switch_rule switch_label",
            predicate="variable_declarator assignment_expression binary_expression "
            "unary_expression update_expression method_invocation object_creation_expression "
            "cast_expression instanceof_expression",
            patient="identifier decimal_integer_literal decimal_floating_point_literal "
            "hex_integer_literal string_literal character_literal true false null_literal",
        ),
        definitions=frozenset(
            [
                "method_declaration",
                "class_declaration",
                "interface_declaration",
                "record_declaration",
                "enum_declaration",
                "constructor_declaration",
            ]
        ),
        calls={"method_invocation": "name", "object_creation_expression": "type"},
    ),
    "rust": Grammar(
        module="tree_sitter_rust",
        roles=_roles(
            location="return_expression",
            time="for_expression while_expression loop_expression break_expression "
            "continue_expression",
            manner="use_declaration closure_expression",
            instrument="if_expression else_clause",
            cause="try_expression",
            result="match_expression match_arm",
            predicate="let_declaration assignment_expression compound_assignment_expr "
            "binary_expression unary_expression call_expression macro_invocation "
            "type_cast_expression",
            patient="identifier integer_literal float_literal string_literal char_literal "
            "boolean_literal self",
        ),
        definitions=frozenset(
            ["function_item", "struct_item", "enum_item", "trait_item", "mod_item"]
        ),
        calls={"call_expression": "function", "macro_invocation": "macro"},
        raising=frozenset(("panic", "unreachable", "assert", "assert_eq", "todo")),
    ),
    "go": Grammar(
        module="tree_sitter_go",
        roles=_roles(
            location="return_statement",
            time="for_statement break_statement continue_statement",
            manner="import_declaration func_literal",
            instrument="if_statement",
            cause="defer_statement",
            result="expression_switch_statement type_switch_statement select_statement "
            "expression_case default_case type_case communication_case",
            predicate="short_var_declaration var_spec assignment_statement inc_statement "
            "dec_statement binary_expression unary_expression call_expression",
            patient="identifier int_literal float_literal interpreted_string_literal "
            "raw_string_literal rune_literal true false nil",
        ),
        definitions=frozenset(["function_declaration", "method_declaration", "type_spec"]),
        calls={"call_expression": "function"},
        raising=frozenset(("panic", "recover")),
    ),
}


def label_characters(code: str, language: str) -> list[int]:
    """The role of every character of a program, UNLABELLED where there is none.

    A program that does not parse is wholly unlabelled.

    Raises:
        DataError: No grammar of that language.
    """
    grammar, source = _grammar(language), code.encode()
    tree = _parser(grammar.module).parse(source)
    if tree.root_node.has_error:
        return [UNLABELLED] * len(code)
    labels = [UNLABELLED] * len(source)

    def paint(node: "Node", role: int) -> None:
        labels[node.start_byte : node.end_byte] = [role] * (node.end_byte - node.start_byte)

    # An explicit stack: generated code may nest deeper than Python recurses.
    waiting: list[tuple[Node, int | None]] = [(tree.root_node, None)]
    while waiting:
        node, given = waiting.pop()
        role = grammar.role_of(node.type) if given is None else given
        if role is not None:
            paint(node, role)
        if given is not None:
            continue
        field = grammar.calls.get(node.type)
        callee = node.child_by_field_name(field) if field else None
        name = node.child_by_field_name("name") if node.type in grammar.definitions else None
        for child in reversed(node.children):
            if child == name:
                waiting.append((child, AGENT))
            elif child == callee:
                said = source[child.start_byte : child.end_byte].decode()
                waiting.append((child, CAUSE if said in grammar.raising else PREDICATE))
            else:
                waiting.append((child, None))
    return _of_characters(code, labels)


def _of_characters(code: str, labels: list[int]) -> list[int]:
    """From bytes to characters."""
    if len(labels) == len(code):
        return labels
    found, place = [], 0
    for character in code:
        found.append(labels[place])
        place += len(character.encode())
    return found


def _grammar(language: str) -> Grammar:
    if language not in GRAMMARS:
        raise DataError(
            f"There are no role labels for {language!r}; there are for python, "
            f"{', '.join(GRAMMARS)}."
        )
    return GRAMMARS[language]


@cache
def _parser(module: str) -> "Parser":
    from tree_sitter import Language, Parser

    grammar: Any = import_module(module)
    return Parser(Language(grammar.language()))
