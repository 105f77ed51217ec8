"""From a template to a page that needs no other file. Everything that comes from data is escaped."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fashionmt.pages.numbers import count, percent


def render(template: Path, **content: Any) -> str:
    """The page. A template may include `style.css`, and has the filters `percent` and `count`."""
    environment = Environment(
        loader=FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "count": count}
    return environment.get_template(template.name).render(**content)
