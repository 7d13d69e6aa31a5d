"""HTML pages from Jinja2 templates: one file each, with its style inside, for use offline.

A module that writes a page has its template beside it. The template extends `layout.html`, which
has the style and shows `title` and `intro`, and fills its block `content`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ontime_base.atomic_files import write_atomically

# A folder of its own: a change of the style is no change of a stage's code.
_LAYOUT: Final = Path(__file__).with_name("templates")


def write_page(path: Path, template: Path, **values: object) -> Path:
    """Render a template, write the page atomically, and return its path.

    Args:
        path: The page; missing folders are created.
        template: The template file; it may include and extend the files beside it.
        values: What the template shows, `title` and `intro` among them; texts are escaped.

    Raises:
        UndefinedError: The template uses a value that is not given.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, _LAYOUT]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(template.name).render(values)
    write_atomically(path, page.encode())
    return path
