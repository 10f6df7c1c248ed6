"""HTML for notebooks: pictures as SVG images, which bring their own styles and leave the page's alone."""

from __future__ import annotations

import base64
import html
from typing import Any


def pictures(figures: list[tuple[str, str]]) -> str:
    """`(caption, SVG)` of each, one below the other."""
    return "".join(
        f'<figure style="margin:1em 0"><img style="max-width:100%" alt="{html.escape(caption)}" '
        f'src="data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
        for caption, svg in figures
    )


def table(rows: list[dict[str, Any]], columns: list[str]) -> str:
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_text(row.get(column)))}</td>" for column in columns) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def code(text: str) -> str:
    return f"<pre>{html.escape(text)}</pre>"


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
