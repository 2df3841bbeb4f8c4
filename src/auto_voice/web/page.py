"""A page that needs nothing from elsewhere, and gets nothing from there either."""

import base64
import hashlib
import re

from auto_voice.web.reply import Reply

_INLINE = re.compile(r"<(style|script)>(.*?)</\1>", re.DOTALL)


def sealed(html: str, own_files: bool = False) -> Reply:
    """The page, under a Content-Security-Policy that fits it.

    Its own styles, scripts and sounds and the server it came from are allowed. Whatever else
    might get onto the page can neither run nor load anything.

    Args:
        own_files: whether it also has scripts and styles in files. Then no script may make
            markup out of text, either.
    """
    own = " 'self'" if own_files else ""
    allowed = {"style": own, "script": own}
    for kind, text in _INLINE.findall(html):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        allowed[kind] += f" 'sha256-{digest}'"
    policy = (
        "default-src 'none'; connect-src 'self'; img-src data:; media-src blob:; base-uri 'none'; "
        f"form-action 'none'; frame-ancestors 'none'; style-src{allowed['style']}; "
        f"script-src{allowed['script']}"
    )
    if own_files:
        policy += "; require-trusted-types-for 'script'; trusted-types 'none'"
    body = html.encode()
    headers = [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-cache"),
    ]
    return Reply(200, headers, body)
