"""The drawings of the concept pages as SVG; their colors are those of the page (style.css)."""

from collections.abc import Callable

Point = tuple[float, float]


def svg(width: int, height: int, label: str, *shapes: str) -> str:
    """A drawing without blank lines, so that Markdown keeps it whole."""
    head = (
        f'<svg class="drawing" viewBox="0 0 {width} {height}" role="img" aria-label="{label}" '
        'xmlns="http://www.w3.org/2000/svg">'
    )
    return "\n".join([head, ARROW_HEAD, *shapes, "</svg>"]) + "\n"


ARROW_HEAD = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto-start-reverse"><path d="M0 0 8 4 0 8z" fill="currentColor"/></marker></defs>'
)


def box(x: float, y: float, width: float, height: float, kind: str, dashed: bool = False) -> str:
    """A rectangle by its upper left corner."""
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="3"{dash}/>'


def dot(x: float, y: float, kind: str) -> str:
    """A small disk."""
    return f'<circle class="{kind}" cx="{x}" cy="{y}" r="5"/>'


def text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    """Words at a place."""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{words}</text>'


def arrow(start: Point, end: Point) -> str:
    """A straight arrow."""
    (x1, y1), (x2, y2) = start, end
    return f'<path class="line" d="M{x1} {y1}L{x2} {y2}" marker-end="url(#head)"/>'


def fov() -> str:
    """A canvas with its middle FOV, one that is visited next, and places of the others."""
    left, top, edge, delta = 40, 30, 180, 60
    canvas = edge + 2 * delta
    middle = (left + canvas / 2, top + canvas / 2)
    shapes = [
        box(left, top, canvas, canvas, "faint"),
        f'<path class="soft" d="M{left} {top + 130}C{left + 90} {top + 90} {left + 170} '
        f"{top + 160} {left + canvas} {top + 100}v80C{left + 170} {top + 230} {left + 90} "
        f'{top + 170} {left} {top + 205}z"/>',
        box(left + delta, top + delta, edge, edge, "accent"),
        box(left + 2 * delta, top + delta, edge, edge, "accent", dashed=True),
    ]
    for dx in (-delta, 0, delta):
        for dy in (-delta, 0, delta):
            inside = dy == 0
            shapes.append(dot(middle[0] + dx, middle[1] + dy, "fill" if inside else "open"))
    shapes += [
        arrow((middle[0] + 7, middle[1]), (middle[0] + delta - 7, middle[1])),
        text(middle[0] + delta / 2, middle[1] - 10, "delta"),
        text(left + canvas + 20, top + 16, "canvas", "start"),
        text(left + canvas + 20, top + 140, "object", "start"),
        text(left + canvas + 20, top + 210, "filled dot: belief above threshold, the", "start"),
        text(left + canvas + 20, top + 228, "FOV moves there; open dot: it does not", "start"),
        text(left + delta + 6, top + delta - 8, "first FOV", "start"),
        text(left + canvas, top + delta - 8, "next FOV", "end"),
    ]
    return svg(620, 360, "A field of view that moves over a canvas", *shapes)


def step() -> str:
    """Six logical nodes on two ranks: gradients, sums, one allreduce, one update."""
    shapes = []
    for rank in range(2):
        x = 20 + 320 * rank
        shapes += [
            box(x, 30, 280, 210, "faint"),
            text(x + 140, 22, f"rank {rank} (process)"),
            box(x + 85, 190, 110, 32, "open"),
            text(x + 140, 211, "sum of 3"),
        ]
        for place in range(3):
            node, center = 3 * rank + place, x + 50 + 90 * place
            shapes += [
                box(center - 36, 44, 72, 46, "soft"),
                text(center, 63, f"node {node}"),
                text(center, 81, "next FOV"),
                box(center - 36, 118, 72, 32, "open"),
                text(center, 139, "gradient"),
                arrow((center, 91), (center, 116)),
                arrow((center, 151), (x + 140 + 30 * (place - 1), 188)),
            ]
        shapes += [
            arrow((x + 140, 223), (x + 140, 262)),
            arrow((x + 140, 299), (x + 140, 328)),
            box(x + 50, 330, 180, 34, "accent"),
            text(x + 140, 352, "same update of weights"),
        ]
    shapes += [
        box(20, 264, 600, 34, "soft"),
        text(320, 286, "one allreduce: average over all 6 nodes"),
    ]
    return svg(640, 380, "One step with six logical nodes on two ranks", *shapes)


DRAWINGS: dict[str, Callable[[], str]] = {"fov": fov, "step": step}
