"""The course models in; the tables of docs/course-tree.md, one line for each field, out.

`python -m grader.course.reference docs/course-tree.md` writes them anew between their markers.
"""

import ast
import inspect
import re
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from grader.course import cluster_settings, decision_policy, model, watch_policy
from grader.course.words import in_words

SECTIONS: dict[str, type[BaseModel]] = {
    "course.toml": model.Course,
    "[components.assignments], [components.exam], [components.project]": model.Component,
    "[late]": model.LatePolicy,
    "[collect]": model.CollectPolicy,
    "[collect.decisions]": decision_policy.DecisionPolicy,
    "[collect.watch]": watch_policy.WatchPolicy,
    "[cluster]": cluster_settings.ClusterSettings,
    "[scales.<level>]": model.LetterScale,
    "assignment.toml": model.Assignment,
    "[scales.<scale>]": model.Scale,
    "[[tasks]]": model.Task,
    "[tasks.scales.<scale>]": model.TaskScale,
    "[limits]": model.Limits,
    "rubric.toml": model.Rubric,
    "[[criteria]]": model.Criterion,
    "bands.json": model.Bands,
    "bands.<measurement>": model.Band,
}
"""Heading that a marker in the page names → model that its table shows."""

BLOCK = re.compile(r"(<!-- fields: (?P<section>.+?) -->\n).*?(<!-- end of fields -->)", re.DOTALL)


def with_current_tables(page: str) -> str:
    """The page with the table between each pair of markers made from the models as they are now."""
    return BLOCK.sub(lambda m: f"{m[1]}\n{table(SECTIONS[m['section']])}\n\n{m[3]}", page)


def table(record_type: type[BaseModel]) -> str:
    """A Markdown table: field, what to write, default, meaning."""
    meanings = _meanings(record_type)
    lines = ["| field | write | default | meaning |", "|---|---|---|---|"]
    for name, field in record_type.model_fields.items():
        words = in_words(field.annotation, field.metadata)
        lines.append(f"| `{name}` | {words} | {_default(field)} | {meanings.get(name, '')} |")
    return "\n".join(lines)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    return "empty" if field.default_factory is not None else _shown(field.default)


def _shown(value: Any) -> str:
    if isinstance(value, BaseModel | dict) or value in ((), "", None):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return ", ".join(_shown(item) for item in value)
    return f"`{value}`"


def _meanings(record_type: type[BaseModel]) -> dict[str, str]:
    """The text that stands below each field in the source."""
    (definition,) = ast.parse(inspect.getsource(record_type)).body
    assert isinstance(definition, ast.ClassDef)
    found = {}
    for field, text in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            assert isinstance(field.target, ast.Name)
            assert isinstance(text.value, ast.Constant)
            found[field.target.id] = " ".join(str(text.value.value).split())
    return found


if __name__ == "__main__":  # pragma: no cover
    PAGE = Path(sys.argv[1])
    PAGE.write_text(with_current_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
