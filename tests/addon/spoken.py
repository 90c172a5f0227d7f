"""Every English sentence that the engine and its set-up can say, as templates with {} for what is filled in: read from their sources."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DUMB = {"synth", "metrics", "training", "terminal.py", "__main__.py", "commands.py"}  # speak on a terminal or a page of their own, in English
ON_A_PAGE = {"{}{}. From left to right: {}."}
SETUP = ("environment", "jobs", "process", "setup", "weights")  # of the add-on: their failures come the same way


def templates(node: ast.AST) -> set[str]:
    """All that a text, an f-string, a choice or a sum of them can be; nothing for any other expression."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    if isinstance(node, ast.FormattedValue):
        return (templates(node.value) if isinstance(node.value, ast.IfExp) else set()) or {"{}"}
    if isinstance(node, ast.JoinedStr):
        return {"".join(parts) for parts in product(*map(templates, node.values))}
    if isinstance(node, ast.IfExp):
        return templates(node.body) | templates(node.orelse)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return {a + b for a in templates(node.left) for b in templates(node.right)}
    return set()


def sources() -> Iterator[Path]:
    """Files whose words reach an artist."""
    for path in sorted((ROOT / "engine").rglob("*.py")):
        if not DUMB & set(path.relative_to(ROOT).parts):
            yield path
    yield from (ROOT / "addon" / f"{name}.py" for name in SETUP)


def texts(node: ast.AST) -> Iterator[set[str]]:
    """The templates of each largest text below a node; no docstrings."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        found = templates(child)
        if found:
            yield found
        else:
            yield from texts(child)


def sentences() -> set[str]:
    """Whole sentences, wherever they stand: what, why and remedy of failures, warnings."""
    every = (text.strip() for path in sources() for found in texts(ast.parse(path.read_text(encoding="utf-8"))) for text in found)
    return {text for text in every if re.match(r"\W*([A-Z{]|python)", text) and text.endswith(".") and re.search(r"[a-z]{3,} [a-z]", text)} - ON_A_PAGE


def judgements() -> set[str]:
    """What the report card says of a solve, as a sentence."""
    tree = ast.parse((ROOT / "engine/camera/judgement.py").read_text(encoding="utf-8"))
    body = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "_warnings")
    said = {text for node in ast.walk(body) if isinstance(node, ast.Call) and ast.unparse(node.func) == "found.append" for text in templates(node.args[0])}
    return {f"{text[:1].upper()}{text[1:]}." for text in said}


def networks() -> set[str]:
    """What each pretrained network is for, and its licence where that is a sentence."""
    table = tomllib.loads((ROOT / "engine/weights.toml").read_text(encoding="utf-8"))
    return {about["purpose"] for about in table.values()} | {about["licence"] for about in table.values() if " " in about["licence"]}


def ways() -> set[str]:
    """What a stage says it used, and what it is doing."""
    found: set[str] = set()
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assign | ast.AugAssign):
                target = ast.unparse(node.targets[0] if isinstance(node, ast.Assign) else node.target)
                values = node.value.values if target == "USED" and isinstance(node.value, ast.Dict) else [node.value]
                if target.endswith(".used") or target in ("used", "USED", "method", "way"):
                    found |= {("{}" if isinstance(node, ast.AugAssign) else "") + text for value in values for text in templates(value)}
            if isinstance(node, ast.keyword) and node.arg == "method":
                found |= templates(node.value) if isinstance(node.value, ast.JoinedStr) else set()
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("report.progress") and len(node.args) > 2:
                found |= templates(node.args[2])
    return {text for text in found if re.search(r"[a-z]{3}", text)}
