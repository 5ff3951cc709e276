"""The form of a key's value: type, limits and default, read off a settings struct. Pure.

Law: TOML can't write None, so `X | None` has the form of X.
"""

import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from ipaddress import ip_address
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

_HOST_LABEL: Final = re.compile(r"(?!-)[\w-]{1,63}(?<!-)")
_LONGEST_HOST: Final = 253  # characters of a name (RFC 1035, section 2.3.4, less the length bytes)


class Form(msgspec.Struct, frozen=True, dict=True):  # dict: for what is derived once
    """The form of a key's value.

    Attributes:
        base: its type, without limits and without None.
        limits: its limits.
        default: the key's default; None if it has none.
    """

    base: Any
    limits: Meta
    default: object = None

    @cached_property
    def items(self) -> "Form | None":
        """Return the form of a list's items; None if this can be no list of any length."""
        is_union = typing.get_origin(self.base) in (typing.Union, types.UnionType)
        for member in typing.get_args(self.base) if is_union else (self.base,):
            arguments = typing.get_args(member)
            if typing.get_origin(member) is tuple and len(arguments) == 2 and arguments[1] is ...:
                return form_of(arguments[0])
        return None

    @cached_property
    def mapped(self) -> "Form | None":
        """Return the form of the values under names of any kind; None if this is no such table."""
        if typing.get_origin(self.base) in (dict, Mapping):
            return form_of(typing.get_args(self.base)[1])
        return None

    @cached_property
    def structs(self) -> Sequence[type[msgspec.Struct]]:
        """Return the struct, or the structs of a tagged union; none if this is something else."""
        is_union = typing.get_origin(self.base) in (typing.Union, types.UnionType)
        members = typing.get_args(self.base) if is_union else (self.base,)
        found = [
            one for one in members if isinstance(one, type) and issubclass(one, msgspec.Struct)
        ]
        return found if len(found) == len(members) else ()

    def accepts(self, value: object) -> bool:
        """Return True if a value has this form, and meets the condition that its limits name."""
        try:
            converted = msgspec.convert(value, self.annotation)
        except msgspec.ValidationError:
            return False
        condition = (self.limits.extra or {}).get("condition")
        return condition is None or _CONDITIONS[condition](converted)

    @cached_property
    def annotation(self) -> Any:
        """Return the type with its limits, as msgspec takes it."""
        return Annotated[self.base, self.limits]


def form_of(annotation: Any, default: object = None) -> Form:
    """Return the form of an annotated type. `X | None` is X: TOML can't write None."""
    limits = Meta()
    while True:
        origin = typing.get_origin(annotation)
        if origin is Annotated:
            annotation, *metas = typing.get_args(annotation)
            limits = next((meta for meta in metas if isinstance(meta, Meta)), limits)
        elif origin in (typing.Union, types.UnionType):
            members = [one for one in typing.get_args(annotation) if one is not type(None)]
            if len(members) > 1:
                union: Any = typing.Union[tuple(members)]  # noqa: UP007 - built at run time
                return Form(union, limits, default)
            annotation = members[0]
        else:
            return Form(annotation, limits, default)


@cache  # a table may have thousands of rows
def forms_of(struct: type[msgspec.Struct]) -> Mapping[str, Form]:
    """Return the form of each key of a table, by key."""
    return {
        field.encode_name: form_of(
            field.type, None if field.default is msgspec.NODEFAULT else field.default
        )
        for field in msgspec.structs.fields(struct)
    }


def is_host(text: str) -> bool:
    """Return True for an IP address, and for a name that can be a host's (RFC 1123, section 2.1).

    A name whose last part is a number is a mistyped address.
    """
    try:
        ip_address(text)
    except ValueError:
        labels = text.removesuffix(".").split(".")
        return (
            len(text) <= _LONGEST_HOST
            and all(_HOST_LABEL.fullmatch(label) for label in labels)
            and not labels[-1].isdecimal()
        )
    return True


#: Conditions that `Meta(extra={"condition": name})` may name, beside the limits of msgspec.
_CONDITIONS: Final[Mapping[str, Callable[[Any], bool]]] = {"host": is_host}
