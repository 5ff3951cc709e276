"""Find the places of the project that hold a sentence for people (a msgid), by their annotations.

Laws:

1. Three kinds of places hold msgids: parameters, fields, variables and results annotated `Msgid`;
   the first argument of a call of a function annotated `Translate`; and the `description` of a
   `msgspec.Meta`.
2. The parameters of a private function are used only for calls in its own module, because private
   functions of several modules may have the same name. Public functions and classes of the same
   name share their msgid parameters.

The search reads the syntax tree of the modules and does not import them.
"""

import ast
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


class Module(NamedTuple):
    """A module of the project.

    Attributes:
        path: path of the file, relative to the root of the project.
        tree: syntax tree of the module.
    """

    path: str
    tree: ast.Module


class Parameters(NamedTuple):
    """Parameters of a function or class that are msgids.

    Attributes:
        positions: their positions among all parameters of a call.
        names: names of the msgid parameters that can be given by keyword.
    """

    positions: frozenset[int] = frozenset()
    names: frozenset[str] = frozenset()

    def arguments(self, call: ast.Call) -> Iterator[ast.expr]:
        """Yield the arguments that a call passes for these parameters."""
        for position, argument in enumerate(call.args):
            if isinstance(argument, ast.Starred):
                break
            if position in self.positions:
                yield argument
        for keyword in call.keywords:
            if keyword.arg in self.names:
                yield keyword.value


#: Msgid parameters of `msgspec.Meta`; they are listed here because its source is not searched.
_META_PARAMETERS = Parameters(names=frozenset({"description"}))


class MsgidPlaces:
    """Places of the whole project that are annotated `Msgid` or `Translate`.

    Attributes:
        parameters: msgid parameters of each function or class, by (path, name). The path is that of
            the module for a private function, otherwise empty.
        bases: names of the base classes of each class.
        msgids: names of variables, fields and functions whose value is a msgid.
        translators: names of parameters and variables that are annotated `Translate`.
        translating_attributes: names of attributes that are annotated `Translate`.
    """

    def __init__(self) -> None:
        self.parameters: dict[tuple[str, str], Parameters] = {("", "Meta"): _META_PARAMETERS}
        self.bases: dict[str, list[str]] = {}
        self.msgids: set[str] = {"description"}
        self.translators: set[str] = set()
        self.translating_attributes: set[str] = set()

    def read(self, module: Module) -> None:
        """Add the annotations of a module."""
        for node in statements(module.tree):
            if isinstance(node, ast.ClassDef):
                self._read_class(node, module.path)
            elif isinstance(node, Function):
                self._read_function(node, node.name, module.path, skip=0)
            elif isinstance(node, ast.AnnAssign):
                self._read_variable(node)

    def inherit(self) -> None:
        """Give each class without a constructor of its own the msgid parameters of its base."""
        for name in self.bases:
            inherited = self._inherited(name)
            if inherited is not None:
                self.parameters[("", name)] = inherited

    def parameters_of(self, name: str, path: str) -> Parameters:
        """Return the msgid parameters of the function or class that a module calls by a name."""
        for key in ((path, name), ("", name)):
            if key in self.parameters:
                return self.parameters[key]
        return Parameters()

    def _inherited(self, name: str) -> Parameters | None:
        own = self.parameters.get(("", name))
        if own is not None:
            return own
        for base in self.bases.get(name, ()):
            inherited = self._inherited(base)
            if inherited is not None:
                return inherited
        return None

    def _read_class(self, node: ast.ClassDef, path: str) -> None:
        self.bases[node.name] = [last_name(base) for base in node.bases]
        fields = [member for member in node.body if isinstance(member, ast.AnnAssign)]
        methods = [member for member in node.body if isinstance(member, Function)]
        constructor = next((method for method in methods if method.name == "__init__"), None)
        if constructor is not None:
            self._read_function(constructor, node.name, path, skip=1)
        elif any(contains(field.annotation, "Msgid") for field in fields):
            annotated = [(last_name(field.target), field.annotation) for field in fields]
            self._add_parameters(node.name, "", annotated)
        for field in fields:
            if contains(field.annotation, "Translate"):
                self.translating_attributes.add(last_name(field.target))
        for method in methods:
            if not method.name.startswith("__"):
                decorators = [last_name(decorator) for decorator in method.decorator_list]
                skip = 0 if "staticmethod" in decorators else 1
                self._read_function(method, method.name, path, skip=skip)

    def _read_function(self, node: Function, name: str, path: str, *, skip: int) -> None:
        """Add the annotations of a function.

        Args:
            node: the function.
            name: name by which calls name it; for a constructor, the name of its class.
            path: path of the module.
            skip: number of first parameters that a call does not give: 1 for `self` or `cls`.
        """
        if contains(node.returns, "Msgid"):
            self.msgids.add(node.name)
        positional = [*node.args.posonlyargs, *node.args.args]
        has_self = bool(positional) and positional[0].arg in ("self", "cls")
        if has_self and not skip:
            return  # a method, which is read with its class
        given = [*positional[skip:], *node.args.kwonlyargs]
        parameters = [(parameter.arg, parameter.annotation) for parameter in given]
        for parameter, annotation in parameters:
            if contains(annotation, "Translate"):
                self.translators.add(parameter)
        path = path if name.startswith("_") else ""
        self._add_parameters(name, path, parameters, len(node.args.posonlyargs) - skip)

    def _add_parameters(
        self,
        name: str,
        path: str,
        parameters: Sequence[tuple[str, ast.expr | None]],
        positional_only: int = 0,
    ) -> None:
        """Add those of these parameters (name, annotation) that are msgids.

        Functions of the same name share one entry. The first `positional_only` parameters have no
        keyword.
        """
        msgids = [
            (position, parameter)
            for position, (parameter, annotation) in enumerate(parameters)
            if contains(annotation, "Msgid")
        ]
        known = self.parameters.get((path, name), Parameters())
        self.parameters[(path, name)] = Parameters(
            known.positions | {position for position, _ in msgids},
            known.names | {parameter for at, parameter in msgids if at >= positional_only},
        )

    def _read_variable(self, node: ast.AnnAssign) -> None:
        name = last_name(node.target)
        if contains(node.annotation, "Msgid"):
            self.msgids.add(name)
        if contains(node.annotation, "Translate"):
            is_attribute = isinstance(node.target, ast.Attribute)
            (self.translating_attributes if is_attribute else self.translators).add(name)


def statements(scope: ast.AST, skip_inside: tuple[type[ast.AST], ...] = ()) -> Iterator[ast.stmt]:
    """Yield the statements in a scope, from the outer to the inner ones.

    No expression is searched: there are ten times as many, and none contains a statement.

    Args:
        scope: a module, class or function.
        skip_inside: kinds of statements whose inside is left out.
    """
    waiting = deque([scope])
    while waiting:
        for node in ast.iter_child_nodes(waiting.popleft()):
            if isinstance(node, ast.stmt):
                yield node
            if isinstance(node, _WITH_STATEMENTS) and not isinstance(node, skip_inside):
                waiting.append(node)


#: Nodes that can contain statements.
_WITH_STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)


def contains(annotation: ast.expr | None, type_name: str) -> bool:
    """Return True if an annotation is a type or contains it."""
    return annotation is not None and any(
        (isinstance(node, ast.Name) and node.id == type_name)
        or (isinstance(node, ast.Constant) and node.value == type_name)
        for node in ast.walk(annotation)
    )


def last_name(node: ast.expr) -> str:
    """Return `b` for `a.b`, `b(...)` and `b[...]`; an empty text for anything else."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=inner) | ast.Subscript(value=inner):
            return last_name(inner)
    return ""
