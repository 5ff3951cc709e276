"""Find every sentence for people (a msgid) in the source code.

Laws:

1. Msgids are the values of the places that `msgid_places` finds, and the first line of the
   docstring of a kind of simulated fault.
2. The value of such a place is a literal, a choice between literals, another place annotated
   `Msgid`, or a `cast` to `Msgid`. Every other value is listed as `untraced`, and a test fails, so
   that no sentence is missed.
3. A row of a table may hold a sentence in both languages, in the keywords `en` and `zh` or in the
   same keywords with one of `_BILINGUAL_PREFIXES`. The catalogue takes the Chinese text from there.

The search reads the syntax tree of the modules and does not import them.
"""

import ast
from collections.abc import Iterable
from typing import NamedTuple, get_args

from jieneng.locale.msgid_places import (
    Function,
    Module,
    MsgidPlaces,
    contains,
    last_name,
    statements,
)

#: Prefixes of the keywords `en` and `zh` of a row that has a sentence in both languages.
_BILINGUAL_PREFIXES = ("", "definition_", "many_", "value_", "cause_", "advice_", "day_")


class Found(NamedTuple):
    """Sentences of the project.

    Attributes:
        places: (path, line) of every occurrence of a sentence, by sentence.
        chinese: Chinese text in the same row as a sentence, by sentence.
        untraced: `path:line: source` of every value that the search can't trace to a sentence.
    """

    places: dict[str, list[tuple[str, int]]]
    chinese: dict[str, str]
    untraced: list[str]


def find(modules: Iterable[Module]) -> Found:
    """Return the sentences of all modules."""
    modules = list(modules)
    places = MsgidPlaces()
    for module in modules:
        places.read(module)
    places.inherit()
    found = Found({}, {}, [])
    for module in modules:
        _Search(module, places, found).run()
    return found


class _Search(ast.NodeVisitor):
    """The search of one module."""

    def __init__(self, module: Module, places: MsgidPlaces, found: Found) -> None:
        self._module = module
        self._places = places
        self._found = found
        # Variables that are msgids: one set for each scope around the visited node.
        self._msgid_names: list[set[str]] = []
        self._classes: list[str] = []  # names of the classes around the visited node

    def run(self) -> None:
        """Add the sentences of the module to `found`."""
        self._visit_scope(self._module.tree)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if _is_fault_kind(node):
            self._add_sentence((ast.get_docstring(node) or "").split("\n")[0], node.lineno)
        self._classes.append(node.name)
        self._visit_scope(node)
        self._classes.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_function(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if contains(node.annotation, "Msgid"):
            self._take_values(node.value)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if self._translates(node.func):
            self._take_values(*node.args[:1])
        elif _is_super_init(node.func):
            for base in self._places.bases[self._classes[-1]]:
                self._take_arguments(base, node)
        else:
            self._take_arguments(last_name(node.func), node)
        self._take_chinese(node)
        self.generic_visit(node)

    def _visit_function(self, node: Function) -> None:
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        defaults = [*node.args.defaults, *node.args.kw_defaults]
        for argument, default in zip(reversed(arguments), reversed(defaults), strict=False):
            if contains(argument.annotation, "Msgid"):
                self._take_values(default)
        if contains(node.returns, "Msgid"):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return):
                    self._take_values(inner.value)
        msgids = {argument.arg for argument in arguments if contains(argument.annotation, "Msgid")}
        self._visit_scope(node, msgids)

    def _visit_scope(
        self, node: ast.Module | ast.ClassDef | Function, msgid_parameters: Iterable[str] = ()
    ) -> None:
        msgid_variables = {
            last_name(inner.target)
            for inner in statements(node, skip_inside=(*get_args(Function), ast.ClassDef))
            if isinstance(inner, ast.AnnAssign) and contains(inner.annotation, "Msgid")
        }
        self._msgid_names.append({*msgid_parameters, *msgid_variables})
        self.generic_visit(node)
        self._msgid_names.pop()

    def _take_arguments(self, name: str, call: ast.Call) -> None:
        """Add the sentences in a call of a function or class with the given name."""
        parameters = self._places.parameters_of(name, self._module.path)
        self._take_values(*parameters.arguments(call))

    def _translates(self, function: ast.expr) -> bool:
        if isinstance(function, ast.Attribute):
            return function.attr in self._places.translating_attributes
        return isinstance(function, ast.Name) and function.id in self._places.translators

    def _take_chinese(self, call: ast.Call) -> None:
        """Add the Chinese text of a row that has a sentence in both languages."""
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        for prefix in _BILINGUAL_PREFIXES:
            english, chinese = given.get(f"{prefix}en"), given.get(f"{prefix}zh")
            if isinstance(english, ast.Constant) and isinstance(chinese, ast.Constant):
                self._found.chinese[str(english.value)] = str(chinese.value)

    def _take_values(self, *values: ast.expr | None) -> None:
        """Add the sentences of the values of msgid places; list the values that can't be traced."""
        for value in values:
            match value:
                case None | ast.Constant(value=None):
                    pass
                case ast.Constant(value=str(text)):
                    self._add_sentence(text, value.lineno)
                case ast.IfExp():
                    self._take_values(value.body, value.orelse)
                case ast.Tuple() | ast.List():
                    self._take_values(*value.elts)
                case ast.Dict() | ast.BoolOp():
                    self._take_values(*value.values)
                case _ if not self._is_msgid(value):
                    source = f"{self._module.path}:{value.lineno}: {ast.unparse(value)}"
                    self._found.untraced.append(source)

    def _is_msgid(self, value: ast.expr) -> bool:
        """Return True for a name, an attribute or a call that is annotated `Msgid`."""
        if isinstance(value, ast.Subscript):
            return self._is_msgid(value.value)
        if isinstance(value, ast.Call) and last_name(value.func) == "cast":
            return contains(value.args[0], "Msgid")
        if isinstance(value, ast.Name):
            return any(value.id in names for names in self._msgid_names)
        return last_name(value) in self._places.msgids

    def _add_sentence(self, text: str, line: int) -> None:
        if text:  # an empty default is no sentence
            self._found.places.setdefault(text, []).append((self._module.path, line))


def _is_super_init(function: ast.expr) -> bool:
    """Return True for `super().__init__`."""
    is_init = isinstance(function, ast.Attribute) and function.attr == "__init__"
    return is_init and ast.unparse(function) == "super().__init__"


def _is_fault_kind(node: ast.ClassDef) -> bool:
    """Return True for a kind of simulated fault.

    `simulate fault kinds` shows the first line of the docstring of each kind.
    """
    bases = [last_name(base) for base in node.bases]
    return not node.name.endswith("Fault") and any(base.endswith("Fault") for base in bases)
