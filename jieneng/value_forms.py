"""Determine type, limits and default of the keys of a settings struct. Pure.

Law: TOML has no null, so `X | None` is treated like X.
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


class Form(msgspec.Struct, frozen=True, dict=True):  # dict, for cached properties
    """Type, limits and default of a key.

    Attributes:
        base: type of the value, without limits and without None.
        limits: limits of the value.
        default: default of the key; None if it has none.
    """

    base: Any
    limits: Meta
    default: object = None

    @cached_property
    def items(self) -> "Form | None":
        """Form of the items if the value is a list of any length; otherwise None."""
        is_union = typing.get_origin(self.base) in (typing.Union, types.UnionType)
        for member in typing.get_args(self.base) if is_union else (self.base,):
            arguments = typing.get_args(member)
            if typing.get_origin(member) is tuple and len(arguments) == 2 and arguments[1] is ...:
                return form_of(arguments[0])
        return None

    @cached_property
    def mapped(self) -> "Form | None":
        """Common form of the entries if the value is a table of such entries; otherwise None."""
        if typing.get_origin(self.base) in (dict, Mapping):
            return form_of(typing.get_args(self.base)[1])
        return None

    @cached_property
    def keys(self) -> Sequence[str]:
        """Possible keys if the value is a table whose keys are listed; otherwise empty."""
        if self.mapped is None:
            return ()
        key = typing.get_args(self.base)[0]
        return typing.get_args(key) if typing.get_origin(key) is typing.Literal else ()

    @cached_property
    def structs(self) -> Sequence[type[msgspec.Struct]]:
        """Struct of the value, or structs of a tagged union; empty for other types."""
        is_union = typing.get_origin(self.base) in (typing.Union, types.UnionType)
        members = typing.get_args(self.base) if is_union else (self.base,)
        found = [
            one for one in members if isinstance(one, type) and issubclass(one, msgspec.Struct)
        ]
        return found if len(found) == len(members) else ()

    def accepts(self, value: object) -> bool:
        """Return True if a value has this type, and meets the limits and their condition."""
        try:
            converted = msgspec.convert(value, self.annotation)
        except msgspec.ValidationError:
            return False
        condition = (self.limits.extra or {}).get("condition")
        return condition is None or _CONDITIONS[condition](converted)

    @cached_property
    def annotation(self) -> Any:
        """Type with limits, as an annotation for msgspec."""
        return Annotated[self.base, self.limits]


def form_of(annotation: Any, default: object = None) -> Form:
    """Return the form of an annotated type; `X | None` is treated like X."""
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
    """Return True for an IP address, and for a valid host name (RFC 1123, section 2.1).

    A name whose last part is a number is not valid, because it is a mistyped IP address.
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


#: Conditions for `Meta(extra={"condition": name})`, in addition to the limits of msgspec.
_CONDITIONS: Final[Mapping[str, Callable[[Any], bool]]] = {"host": is_host}
