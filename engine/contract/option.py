"""The contract's description of one option: what the panel draws, the command line parses and the cache key hashes.

Standard library only.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any


class WrongOption(ValueError):
    """A value that an option cannot take; the text is one sentence for the user."""


@dataclass(frozen=True)
class Choice:
    """One entry of an option that is picked from a list."""

    value: str
    label: str
    help: str


@dataclass(frozen=True)
class Option:
    """One knob of a stage. `kind` is bool, int, float, text, choice, file or folder."""

    name: str
    kind: str
    default: Any
    label: str
    help: str
    low: float | None = None
    high: float | None = None
    unit: str = ""
    choices: tuple[Choice, ...] = ()
    advanced: bool = False
    affects: bool = True  # False: never changes the result, so it is left out of the address
    only: tuple[str, str | tuple[str, ...]] | None = None  # (option, value or values): counts for the address only where that option has such a value
    # Installed weights, files or folders, that an empty value stands for, the first that is there; or these by the value of the option in `only`.
    installed: tuple[str, ...] | dict[str, tuple[str, ...]] = ()

    def counts(self, options: Any) -> bool:
        """Whether this option changes the result of a stage with these options."""
        if not self.affects or self.only is None:
            return self.affects
        name, values = self.only
        return getattr(options, name) in ((values,) if isinstance(values, str) else values)

    def stands_for(self, options: Any) -> tuple[str, ...]:
        """The installed weights that an empty value stands for beside these options."""
        if not isinstance(self.installed, dict):
            return self.installed
        return self.installed.get(getattr(options, self.only[0]), ()) if self.only else ()

    def check(self, value: Any) -> Any:
        """The value in this option's own type, or WrongOption with one sentence."""
        if isinstance(value, str) and self.kind in ("bool", "int", "float"):
            value = self._read(value)
        if self.kind == "bool":
            return bool(value)
        if self.kind in ("int", "float"):
            return self._check_number(value)
        value = str(value)
        known = [choice.value for choice in self.choices]
        if self.kind == "choice" and value not in known:
            raise WrongOption(f"{self.name} cannot be '{value}'; choose one of: {', '.join(known)}.")
        return value

    def _read(self, text: str) -> Any:
        if self.kind == "bool":
            states = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
            if text.strip().lower() not in states:
                raise WrongOption(f"{self.name} is on or off, not '{text}'.")
            return states[text.strip().lower()]
        try:
            return int(text) if self.kind == "int" else float(text)
        except ValueError:
            raise WrongOption(f"{self.name} must be a number, not '{text}'.") from None

    def _check_number(self, value: Any) -> int | float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
            raise WrongOption(f"{self.name} must be a number, not '{value}'.")
        if self.kind == "int" and value != int(value):
            raise WrongOption(f"{self.name} must be a whole number, not {value}.")
        below = self.low is not None and value < self.low
        above = self.high is not None and value > self.high
        if below or above:
            unit = f" {self.unit}" if self.unit else ""
            raise WrongOption(f"{self.name} must lie between {self.low} and {self.high}{unit}, not {value}.")
        return int(value) if self.kind == "int" else float(value)


def option(default: Any, label: str, help: str, **more: Any) -> Any:
    """A dataclass field that carries its own description; `kind` is read off the default unless given."""
    choices = tuple(Choice(*entry) for entry in more.pop("choices", ()))
    kind = more.pop("kind", "choice" if choices else {bool: "bool", int: "int", float: "float", str: "text"}[type(default)])
    about = Option(name="", kind=kind, default=default, label=label, help=help, choices=choices, **more)
    return field(default=default, metadata={"option": about})


def describe(options: type) -> tuple[Option, ...]:
    """Every option of a stage's dataclass, in the order in which the panel shows them."""
    return tuple(
        Option(**{**entry.metadata["option"].__dict__, "name": entry.name}) for entry in fields(options)
    )


def build(options: type, values: dict[str, Any]) -> Any:
    """The stage's options with `values` over the defaults, each checked."""
    known = {entry.name: entry for entry in describe(options)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise WrongOption(f"There is no option '{unknown[0]}'; known here: {', '.join(known) or 'none'}.")
    return options(**{name: known[name].check(value) for name, value in values.items()})
