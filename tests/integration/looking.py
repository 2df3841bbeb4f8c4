"""What a person sees of a page in the browser, on whatever device."""

import base64
import json
import re
from pathlib import Path
from typing import List

from tests.integration.browser import Browser

PHONE, DESK = 320, 1280
"""Widths in pixels; the one of the narrowest phone that anybody still has."""

# Which texts have less contrast to their background than WCAG asks for (level AA).
FAINT = r"""
(() => {
  const parse = color => color.match(/[\d.]+/g).map(Number);
  const light = color => parse(color).slice(0, 3).map(c => c / 255).map(
    c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  ).reduce((sum, c, index) => sum + c * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = node => {
    const color = getComputedStyle(node).backgroundColor;
    const [, , , alpha = 1] = parse(color);
    return alpha === 1 || !node.parentElement ? color : ground(node.parentElement);
  };
  const contrast = node => {
    const both = [getComputedStyle(node).color, ground(node)].map(light).sort((a, b) => b - a);
    return (both[0] + 0.05) / (both[1] + 0.05);
  };
  const own = node => [...node.childNodes].some(n => n.nodeType === 3 && n.data.trim());
  const drawn = node => parse(getComputedStyle(node).color)[3] !== 0;
  const shown = [...document.body.querySelectorAll("*")].filter(
    node => own(node) && node.checkVisibility() && drawn(node));
  return {
    looked: shown.length,
    faint: shown.filter(node => contrast(node) < 4.5).map(node => node.textContent.slice(0, 50)),
  };
})()
"""


def text(page: Browser, selector: str = "body") -> str:
    """What somebody reads there, in one line."""
    found = page.evaluate(f"document.querySelector({json.dumps(selector)}).innerText")
    return re.sub(r"\s+", " ", found).strip()


def rows(page: Browser, selector: str) -> List[List[str]]:
    """The cells of each row."""
    found = json.dumps(selector)
    cells: List[List[str]] = page.evaluate(
        f"[...document.querySelectorAll({found})]"
        ".map(row => [...row.children].map(cell => cell.innerText.trim()))"
    )
    return cells


def visible(page: Browser, *selectors: str) -> List[str]:
    """Those that somebody can see."""
    shown = f"{json.dumps(selectors)}.filter(s => document.querySelector(s).checkVisibility())"
    found: List[str] = page.evaluate(shown)
    return found


def look(page: Browser, width: int, scheme: str = "light") -> None:
    """Be a device of this width, by day or by night."""
    page.call(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=800,
        deviceScaleFactor=1,
        mobile=False,
    )
    page.call(
        "Emulation.setEmulatedMedia",
        features=[{"name": "prefers-color-scheme", "value": scheme}],
    )


def look_as_usual(page: Browser) -> None:
    """Be no device in particular again."""
    page.call("Emulation.clearDeviceMetricsOverride")
    page.call("Emulation.setEmulatedMedia", features=[])


def assert_legible(page: Browser, folder: Path, name: str) -> None:
    """On desk and phone, by day and by night; leaves a picture of each."""
    for width in (DESK, PHONE):
        for scheme in ("light", "dark"):
            look(page, width, scheme)
            size = page.call("Page.getLayoutMetrics")["cssContentSize"]
            picture = page.call(
                "Page.captureScreenshot", captureBeyondViewport=True, clip={**size, "scale": 1}
            )
            path = folder / f"{name}-{width}-{scheme}.png"
            path.write_bytes(base64.b64decode(picture["data"]))
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            found = page.evaluate(FAINT)
            assert found["looked"] > 5
            assert found["faint"] == [], path
