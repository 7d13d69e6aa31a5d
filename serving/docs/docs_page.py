"""The page at `/docs`: the OpenAPI document for people, in one file that loads nothing else."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_STYLE: Final = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin-top: 2.5rem; border-top: 1px solid #8886; padding-top: 1rem }
code, pre, textarea { font: 14px/1.45 ui-monospace, monospace }
pre, textarea { background: #8881; border: 1px solid #8884; border-radius: 6px; padding: .7rem;
  overflow: auto; width: 100%; box-sizing: border-box }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0;
  border-bottom: 1px solid #8883 }
pre:has(output:empty) { display: none }
button { font: inherit; padding: .3rem 1rem }
"""
_SCRIPT: Final = """
for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const output = form.querySelector("output");
    output.textContent = "...";
    const body = form.querySelector("textarea");
    const asked = body ? {method: "POST", body: body.value,
      headers: {"content-type": "application/json"}} : {};
    try {
      const answer = await fetch(form.dataset.path, asked);
      const text = await answer.text();
      const json = (answer.headers.get("content-type") || "").includes("json");
      const shown = json ? JSON.stringify(JSON.parse(text), null, 2) : text;
      output.textContent = answer.status + "\\n" + shown;
    } catch (error) { output.textContent = String(error); }
  });
}
"""


def docs_page(document: Mapping[str, Any]) -> str:
    """Return the page for an OpenAPI document as HTML: each operation, with a form to try it."""
    title = html.escape(document["info"]["title"])
    operations = "".join(
        part
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        for part in _operation(path, method, operation, document["components"]["schemas"])
    )
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>"
        f"<p>{html.escape(document['info']['description'])} "
        'The same for machines: <a href="/openapi.json">openapi.json</a>.</p>'
        f"{operations}<script>{_SCRIPT}</script></body></html>"
    )


def _operation(
    path: str, method: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]
) -> Iterator[str]:
    yield f'<h2 id="{operation["operationId"]}"><code>{method.upper()} {path}</code></h2>'
    yield f"<p>{html.escape(operation['summary'])}</p>"
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body:
        yield from _fields("Request", body["schema"], schemas)
    if "parameters" in operation:
        rows = [(p["name"], p["schema"]["type"], p["description"]) for p in operation["parameters"]]
        yield _table("Parameters", rows)
    content = next(iter(operation["responses"].values()))["content"]
    answer = content.get("application/json")
    if answer:
        yield from _fields("Answer", answer["schema"], schemas)
    else:
        yield f"<h3>Answer</h3><p>{html.escape(', '.join(content))}</p>"
    rows = [(status, "", r["description"]) for status, r in operation["responses"].items()]
    yield _table("Statuses", [row for row in rows if row[0] != "200"])
    if "{" not in path:
        yield from _form(path, body)
    if answer:
        yield f"<details><summary>Example answer</summary><pre>{_pretty(answer['example'])}</pre>"
        yield "</details>"


def _form(path: str, body: Mapping[str, Any] | None) -> Iterator[str]:
    yield f'<form data-path="{path}">'
    if body:
        example = next(iter(body["examples"].values()))["value"]
        text = json.dumps(example, indent=2)
        yield f'<textarea rows="{text.count(chr(10)) + 1}" aria-label="Body">{html.escape(text)}'
        yield "</textarea>"
    yield "<p><button>Try it</button></p><pre><output></output></pre></form>"


def _fields(title: str, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[str]:
    chosen = schema["anyOf"][-1] if "anyOf" in schema else schema
    found = schemas[chosen["$ref"].rpartition("/")[2]]
    required = found.get("required", [])
    yield _table(
        title,
        [
            (name if name in required else f"{name} (optional)", _kind(field), _about(field))
            for name, field in found["properties"].items()
        ],
    )


def _kind(field: Mapping[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(_kind(choice) for choice in field["anyOf"])
    if "enum" in field:
        return ", ".join(json.dumps(value) for value in field["enum"])
    return str(field.get("type") or field.get("$ref", "").rpartition("/")[2])


def _about(field: Mapping[str, Any]) -> str:
    told = [field, *field.get("anyOf", [])]
    return next((part["description"] for part in told if "description" in part), "")


def _table(title: str, rows: list[tuple[str, str, str]]) -> str:
    lines = "".join(
        f"<tr><td><code>{html.escape(name)}</code></td><td>{html.escape(kind)}</td>"
        f"<td>{html.escape(about)}</td></tr>"
        for name, kind, about in rows
    )
    return f"<h3>{title}</h3><table>{lines}</table>"


def _pretty(example: object) -> str:
    return html.escape(json.dumps(example, indent=2))
