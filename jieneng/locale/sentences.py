"""Find in the source every sentence that the code can say to people: the msgids.

Laws:

1. A parameter, field, variable or result that is annotated `Msgid` holds a msgid. So does the
   argument of everything that is annotated `Translate`, the `description` of a `msgspec.Meta`, and
   the first line of the docstring of a kind of simulated fault.
2. The value of such a place is a literal, a choice between literals, another place annotated
   `Msgid`, or a `cast` to it. Every other value is listed as `untraced`, and a test refuses it: no
   sentence can hide.
3. A table's row that has a sentence in both languages (the keywords `en` and `zh`, or
   `definition_en` and `definition_zh`) is the only place of both.

Reads the syntax tree; imports nothing of what it reads.
"""

import ast
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

#: Keywords of a row that has a sentence in both languages begin with one of these.
_BILINGUAL = ("", "definition_")

_Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
_LISTS = (ast.Tuple, ast.List)


class Module(NamedTuple):
    """A module of the project.

    Attributes:
        path: below the project's root.
        tree: its syntax tree.
    """

    path: str
    tree: ast.Module


class Found(NamedTuple):
    """Sentences of the project.

    Attributes:
        places: (path, line) of every place where a sentence stands, by sentence.
        chinese: the Chinese text that stands beside a sentence, by sentence.
        untraced: `path:line: source` of every value that the search can't trace to a sentence.
    """

    places: dict[str, list[tuple[str, int]]]
    chinese: dict[str, str]
    untraced: list[str]


class _Parameters(NamedTuple):
    """Parameters of a function or class that are msgids: their positions and their names."""

    positions: frozenset[int] = frozenset()
    names: frozenset[str] = frozenset()

    def of(self, call: ast.Call) -> Iterator[ast.expr]:
        """Yield the arguments that a call hands to these parameters."""
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


#: Msgids of a class of another library.
_OF_META = _Parameters(names=frozenset({"description"}))


class _Annotations:
    """Places of the whole project that are annotated `Msgid` or `Translate`.

    A private function is known in its own module only, so two of one name do not meet.
    """

    def __init__(self) -> None:
        self.parameters: dict[tuple[str, str], _Parameters] = {("", "Meta"): _OF_META}
        self.bases: dict[str, list[str]] = {}
        self.msgids: set[str] = {"description"}
        self.translators: set[str] = set()
        self.translating_attributes: set[str] = set()

    def read(self, module: Module) -> None:
        """Take in the annotations of a module."""
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                self._read_class(node, module.path)
            elif isinstance(node, _Function):
                self._read_function(node, node.name, module.path, skip=0)
            elif isinstance(node, ast.AnnAssign):
                self._read_variable(node)

    def inherit(self) -> None:
        """Give each class without a constructor of its own that of its base."""
        for name in self.bases:
            inherited = self._inherited(name)
            if inherited is not None:
                self.parameters[("", name)] = inherited

    def of_call(self, name: str, path: str) -> _Parameters:
        """Return the msgid parameters of what a module calls by this name."""
        for place in ((path, name), ("", name)):
            if place in self.parameters:
                return self.parameters[place]
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
        fields = [one for one in node.body if isinstance(one, ast.AnnAssign)]
        constructor = next(
            (one for one in node.body if isinstance(one, _Function) and one.name == "__init__"),
            None,
        )
        if constructor is not None:
            self._read_function(constructor, node.name, path, skip=1)
        elif any(_says(field.annotation, "Msgid") for field in fields):
            self._add(node.name, "", [(_last_name(f.target), f.annotation) for f in fields])
        for field in fields:
            if _says(field.annotation, "Translate"):
                self.translating_attributes.add(_last_name(field.target))
        for one in node.body:
            if isinstance(one, _Function) and not one.name.startswith("__"):
                is_static = any(_last_name(d) == "staticmethod" for d in one.decorator_list)
                self._read_function(one, one.name, path, skip=0 if is_static else 1)

    def _read_function(self, node: _Function, name: str, path: str, *, skip: int) -> None:
        if _says(node.returns, "Msgid"):
            self.msgids.add(node.name)
        positional = [*node.args.posonlyargs, *node.args.args]
        parameters = [(one.arg, one.annotation) for one in positional]
        has_self = bool(positional) and positional[0].arg in ("self", "cls")
        if has_self and not skip:
            return  # a method, which is read with its class
        every = [*parameters[skip:], *((one.arg, one.annotation) for one in node.args.kwonlyargs)]
        for parameter, annotation in every:
            if _says(annotation, "Translate"):
                self.translators.add(parameter)
        path = path if name.startswith("_") else ""
        self._add(name, path, every, len(node.args.posonlyargs) - skip)

    def _add(
        self,
        name: str,
        path: str,
        fields: list[tuple[str, ast.expr | None]],
        positional_only: int = 0,
    ) -> None:
        mine = [(at, field) for at, (field, kind) in enumerate(fields) if _says(kind, "Msgid")]
        known = self.parameters.get((path, name), _Parameters())
        self.parameters[(path, name)] = _Parameters(
            known.positions | {at for at, _ in mine},
            known.names | {field for at, field in mine if at >= positional_only},
        )

    def _read_variable(self, node: ast.AnnAssign) -> None:
        name = _last_name(node.target)
        if _says(node.annotation, "Msgid"):
            self.msgids.add(name)
        if _says(node.annotation, "Translate"):
            is_attribute = isinstance(node.target, ast.Attribute)
            (self.translating_attributes if is_attribute else self.translators).add(name)


class _Search(ast.NodeVisitor):
    """The search of one module."""

    def __init__(self, module: Module, annotations: _Annotations, found: Found) -> None:
        self._module = module
        self._annotations = annotations
        self._found = found
        self._names: list[set[str]] = []  # variables that are msgids, a set for each open scope
        self._classes: list[str] = []

    def run(self) -> None:
        """Add the sentences of the module to what was found."""
        self._visit_scope(self._module.tree)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if _is_fault_kind(node):
            self._add((ast.get_docstring(node) or "").split("\n")[0], node.lineno)
        self._classes.append(node.name)
        self._visit_scope(node)
        self._classes.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_function(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if _says(node.annotation, "Msgid"):
            self._take(node.value)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        if self._translates(node.func):
            self._take(*node.args[:1])
        elif ast.unparse(node.func) == "super().__init__":
            for base in self._annotations.bases[self._classes[-1]]:
                self._take(*self._annotations.of_call(base, self._module.path).of(node))
        else:
            name = _last_name(node.func)
            self._take(*self._annotations.of_call(name, self._module.path).of(node))
        self._take_chinese(node)
        self.generic_visit(node)

    def _visit_function(self, node: _Function) -> None:
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        defaults = [*node.args.defaults, *node.args.kw_defaults]
        for argument, default in zip(reversed(arguments), reversed(defaults), strict=False):
            if _says(argument.annotation, "Msgid"):
                self._take(default)
        if _says(node.returns, "Msgid"):
            for one in ast.walk(node):
                if isinstance(one, ast.Return):
                    self._take(one.value)
        self._visit_scope(node, {one.arg for one in arguments if _says(one.annotation, "Msgid")})

    def _visit_scope(
        self, node: ast.Module | ast.ClassDef | _Function, names: Iterable[str] = ()
    ) -> None:
        declared = {
            _last_name(one.target)
            for one in _own_statements(node)
            if isinstance(one, ast.AnnAssign) and _says(one.annotation, "Msgid")
        }
        self._names.append({*names, *declared})
        self.generic_visit(node)
        self._names.pop()

    def _translates(self, function: ast.expr) -> bool:
        if isinstance(function, ast.Attribute):
            return function.attr in self._annotations.translating_attributes
        return isinstance(function, ast.Name) and function.id in self._annotations.translators

    def _take_chinese(self, call: ast.Call) -> None:
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        for start in _BILINGUAL:
            english, chinese = given.get(f"{start}en"), given.get(f"{start}zh")
            if isinstance(english, ast.Constant) and isinstance(chinese, ast.Constant):
                self._found.chinese[str(english.value)] = str(chinese.value)

    def _take(self, *values: ast.expr | None) -> None:
        for value in values:
            match value:
                case None | ast.Constant(value=None):
                    pass
                case ast.Constant(value=str(text)):
                    self._add(text, value.lineno)
                case ast.IfExp():
                    self._take(value.body, value.orelse)
                case ast.Dict() | ast.Tuple() | ast.List() | ast.BoolOp():
                    self._take(*(value.elts if isinstance(value, _LISTS) else value.values))
                case _ if not self._is_msgid(value):
                    source = f"{self._module.path}:{value.lineno}: {ast.unparse(value)}"
                    self._found.untraced.append(source)

    def _is_msgid(self, value: ast.expr) -> bool:
        """Return True for a name, an attribute or a call that is annotated `Msgid`."""
        if isinstance(value, ast.Subscript):
            return self._is_msgid(value.value)
        if isinstance(value, ast.Call) and _last_name(value.func) == "cast":
            return _says(value.args[0], "Msgid")
        if isinstance(value, ast.Name):
            return any(value.id in names for names in self._names)
        return _last_name(value) in self._annotations.msgids

    def _add(self, text: str, line: int) -> None:
        self._found.places.setdefault(text, []).append((self._module.path, line))


def _own_statements(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield what stands in a scope, without what stands in functions and classes within it."""
    for node in ast.iter_child_nodes(scope):
        yield node
        if not isinstance(node, _Function | ast.ClassDef):
            yield from _own_statements(node)


def _is_fault_kind(node: ast.ClassDef) -> bool:
    """Return True for a kind of simulated fault: `simulate fault kinds` shows its first line."""
    bases = [_last_name(base) for base in node.bases]
    return not node.name.endswith("Fault") and any(base.endswith("Fault") for base in bases)


def _says(annotation: ast.expr | None, word: str) -> bool:
    """Return True if an annotation is, or contains, this type."""
    return annotation is not None and any(
        (isinstance(node, ast.Name) and node.id == word)
        or (isinstance(node, ast.Constant) and node.value == word)
        for node in ast.walk(annotation)
    )


def _last_name(node: ast.expr) -> str:
    """Return `b` of `a.b`, `b(...)` and `b[...]`; empty text for anything else."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=inner) | ast.Subscript(value=inner):
            return _last_name(inner)
    return ""
