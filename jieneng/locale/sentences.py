"""Find every sentence for people (a msgid) in the source code.

Laws:

1. A parameter, field, variable or result that is annotated `Msgid` holds a msgid. Msgids are also
   the first argument of a call of anything annotated `Translate`, the `description` of a
   `msgspec.Meta`, and the first line of the docstring of a kind of simulated fault.
2. The value of such a place is a literal, a choice between literals, another place annotated
   `Msgid`, or a `cast` to `Msgid`. Every other value is listed as `untraced`, and a test fails, so
   that no sentence is missed.
3. A row of a table may hold a sentence in both languages (keywords `en` and `zh`, or
   the same behind `definition_` or `many_`). Neither text is then written anywhere else.

The search reads the syntax tree of the modules and does not import them.
"""

import ast
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

#: Prefixes of the keywords `en` and `zh` of a row that has a sentence in both languages.
_BILINGUAL_PREFIXES = ("", "definition_", "many_")

_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


class Module(NamedTuple):
    """A module of the project.

    Attributes:
        path: path of the file, relative to the root of the project.
        tree: syntax tree of the module.
    """

    path: str
    tree: ast.Module


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


class _Parameters(NamedTuple):
    """Parameters of a function or class that are msgids.

    Attributes:
        positions: their positions among all parameters of a call.
        names: names of those that can be given by keyword.
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


def find(modules: Iterable[Module]) -> Found:
    """Return the sentences of all modules."""
    modules = list(modules)
    annotations = _Annotations()
    for module in modules:
        annotations.read(module)
    annotations.inherit()
    found = Found({}, {}, [])
    for module in modules:
        _Search(module, annotations, found).run()
    return found


#: Msgid parameters of `msgspec.Meta`, whose source is not searched.
_META_PARAMETERS = _Parameters(names=frozenset({"description"}))


class _Annotations:
    """Places of the whole project that are annotated `Msgid` or `Translate`.

    A private function counts only in its own module, so two of the same name are not confused.

    Attributes:
        parameters: msgid parameters of each function or class, by (path, name). The path is that of
            the module for a private function, otherwise empty.
        bases: names of the base classes of each class.
        msgids: names of variables, fields and functions whose value is a msgid.
        translators: names of parameters and variables that are annotated `Translate`.
        translating_attributes: names of attributes that are annotated `Translate`.
    """

    def __init__(self) -> None:
        self.parameters: dict[tuple[str, str], _Parameters] = {("", "Meta"): _META_PARAMETERS}
        self.bases: dict[str, list[str]] = {}
        self.msgids: set[str] = {"description"}
        self.translators: set[str] = set()
        self.translating_attributes: set[str] = set()

    def read(self, module: Module) -> None:
        """Add the annotations of a module."""
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                self._read_class(node, module.path)
            elif isinstance(node, _Function):
                self._read_function(node, node.name, module.path, skip=0)
            elif isinstance(node, ast.AnnAssign):
                self._read_variable(node)

    def inherit(self) -> None:
        """Give each class without a constructor of its own the msgid parameters of its base."""
        for name in self.bases:
            inherited = self._inherited(name)
            if inherited is not None:
                self.parameters[("", name)] = inherited

    def parameters_of(self, name: str, path: str) -> _Parameters:
        """Return the msgid parameters of the function or class that a module calls by a name."""
        for key in ((path, name), ("", name)):
            if key in self.parameters:
                return self.parameters[key]
        return _Parameters()

    def _inherited(self, name: str) -> _Parameters | None:
        own = self.parameters.get(("", name))
        if own is not None:
            return own
        for base in self.bases.get(name, ()):
            inherited = self._inherited(base)
            if inherited is not None:
                return inherited
        return None

    def _read_class(self, node: ast.ClassDef, path: str) -> None:
        self.bases[node.name] = [_last_name(base) for base in node.bases]
        fields = [member for member in node.body if isinstance(member, ast.AnnAssign)]
        methods = [member for member in node.body if isinstance(member, _Function)]
        constructor = next((method for method in methods if method.name == "__init__"), None)
        if constructor is not None:
            self._read_function(constructor, node.name, path, skip=1)
        elif any(_contains(field.annotation, "Msgid") for field in fields):
            annotated = [(_last_name(field.target), field.annotation) for field in fields]
            self._add_parameters(node.name, "", annotated)
        for field in fields:
            if _contains(field.annotation, "Translate"):
                self.translating_attributes.add(_last_name(field.target))
        for method in methods:
            if not method.name.startswith("__"):
                decorators = [_last_name(decorator) for decorator in method.decorator_list]
                skip = 0 if "staticmethod" in decorators else 1
                self._read_function(method, method.name, path, skip=skip)

    def _read_function(self, node: _Function, name: str, path: str, *, skip: int) -> None:
        """Add the annotations of a function.

        Args:
            node: the function.
            name: name by which it is called; for a constructor, that of its class.
            path: path of the module.
            skip: number of first parameters that a call does not give: 1 for `self` or `cls`.
        """
        if _contains(node.returns, "Msgid"):
            self.msgids.add(node.name)
        positional = [*node.args.posonlyargs, *node.args.args]
        has_self = bool(positional) and positional[0].arg in ("self", "cls")
        if has_self and not skip:
            return  # a method, which is read with its class
        given = [*positional[skip:], *node.args.kwonlyargs]
        parameters = [(parameter.arg, parameter.annotation) for parameter in given]
        for parameter, annotation in parameters:
            if _contains(annotation, "Translate"):
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
            if _contains(annotation, "Msgid")
        ]
        known = self.parameters.get((path, name), _Parameters())
        self.parameters[(path, name)] = _Parameters(
            known.positions | {position for position, _ in msgids},
            known.names | {parameter for at, parameter in msgids if at >= positional_only},
        )

    def _read_variable(self, node: ast.AnnAssign) -> None:
        name = _last_name(node.target)
        if _contains(node.annotation, "Msgid"):
            self.msgids.add(name)
        if _contains(node.annotation, "Translate"):
            is_attribute = isinstance(node.target, ast.Attribute)
            (self.translating_attributes if is_attribute else self.translators).add(name)


class _Search(ast.NodeVisitor):
    """The search of one module."""

    def __init__(self, module: Module, annotations: _Annotations, found: Found) -> None:
        self._module = module
        self._annotations = annotations
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
        if _contains(node.annotation, "Msgid"):
            self._take_values(node.value)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if self._translates(node.func):
            self._take_values(*node.args[:1])
        elif ast.unparse(node.func) == "super().__init__":
            for base in self._annotations.bases[self._classes[-1]]:
                self._take_arguments(base, node)
        else:
            self._take_arguments(_last_name(node.func), node)
        self._take_chinese(node)
        self.generic_visit(node)

    def _visit_function(self, node: _Function) -> None:
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        defaults = [*node.args.defaults, *node.args.kw_defaults]
        for argument, default in zip(reversed(arguments), reversed(defaults), strict=False):
            if _contains(argument.annotation, "Msgid"):
                self._take_values(default)
        if _contains(node.returns, "Msgid"):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Return):
                    self._take_values(inner.value)
        msgids = {argument.arg for argument in arguments if _contains(argument.annotation, "Msgid")}
        self._visit_scope(node, msgids)

    def _visit_scope(
        self, node: ast.Module | ast.ClassDef | _Function, msgid_parameters: Iterable[str] = ()
    ) -> None:
        msgid_variables = {
            _last_name(inner.target)
            for inner in _own_nodes(node)
            if isinstance(inner, ast.AnnAssign) and _contains(inner.annotation, "Msgid")
        }
        self._msgid_names.append({*msgid_parameters, *msgid_variables})
        self.generic_visit(node)
        self._msgid_names.pop()

    def _take_arguments(self, name: str, call: ast.Call) -> None:
        """Add the sentences in a call of the function or class of a name."""
        parameters = self._annotations.parameters_of(name, self._module.path)
        self._take_values(*parameters.arguments(call))

    def _translates(self, function: ast.expr) -> bool:
        if isinstance(function, ast.Attribute):
            return function.attr in self._annotations.translating_attributes
        return isinstance(function, ast.Name) and function.id in self._annotations.translators

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
        if isinstance(value, ast.Call) and _last_name(value.func) == "cast":
            return _contains(value.args[0], "Msgid")
        if isinstance(value, ast.Name):
            return any(value.id in names for names in self._msgid_names)
        return _last_name(value) in self._annotations.msgids

    def _add_sentence(self, text: str, line: int) -> None:
        self._found.places.setdefault(text, []).append((self._module.path, line))


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes in a scope, without those inside of its functions and classes."""
    for node in ast.iter_child_nodes(scope):
        yield node
        if not isinstance(node, _Function | ast.ClassDef):
            yield from _own_nodes(node)


def _is_fault_kind(node: ast.ClassDef) -> bool:
    """Return True for a kind of simulated fault.

    `simulate fault kinds` shows the first line of the docstring of each kind.
    """
    bases = [_last_name(base) for base in node.bases]
    return not node.name.endswith("Fault") and any(base.endswith("Fault") for base in bases)


def _contains(annotation: ast.expr | None, type_name: str) -> bool:
    """Return True if an annotation is a type or contains it."""
    return annotation is not None and any(
        (isinstance(node, ast.Name) and node.id == type_name)
        or (isinstance(node, ast.Constant) and node.value == type_name)
        for node in ast.walk(annotation)
    )


def _last_name(node: ast.expr) -> str:
    """Return `b` for `a.b`, `b(...)` and `b[...]`; an empty text for anything else."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=inner) | ast.Subscript(value=inner):
            return _last_name(inner)
    return ""
