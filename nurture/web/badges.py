"""A form as a QR code: for a booth, a signature, a slide. A picture (SVG), or a page to print with what it leads to."""

import io
from urllib.parse import urlencode

from markupsafe import escape

#: 15 % of the picture may be scratched or covered (ISO/IEC 18004, level M); four modules of white stand around it.
_LEVEL = "m"
_QUIET = 4


def address_of(base_url: str, form: str, rep: str = "", label: str = "") -> str:
    """Where a form is, on the page of one of us; `label` says where the link stands."""
    path = "/".join(part for part in (base_url.rstrip("/"), "subscribe", form, rep) if part)
    return f"{path}?{urlencode({'from': label})}" if label else path


def picture(address: str) -> str:
    """The QR code of an address, in black on white whatever stands behind it."""
    import segno

    out = io.BytesIO()
    code = segno.make(address, error=_LEVEL, micro=False)
    # Without a size of its own it fills whatever it is put into, and all of it is seen.
    code.save(
        out, kind="svg", border=_QUIET, scale=8, omitsize=True, dark="#000", light="#fff", xmldecl=False, title=address
    )
    return out.getvalue().decode()


def page(address: str, title: str, name: str, language: str) -> str:
    """A sheet to print: the title, the code as large as fits, and the address for whoever types."""
    shown = escape(address.partition("://")[2])
    who = f"<p>{escape(name)}</p>" if name else ""
    return f"""<!doctype html>
<html lang="{language}"><head><meta charset="utf-8"><title>{escape(title)}</title>
<style>
body {{ margin: 0; padding: 12mm; font: 16pt/1.4 system-ui, sans-serif; text-align: center; color: #000; background: #fff; }}
h1 {{ margin: 0 0 8mm; font-size: 32pt; line-height: 1.2; }}
svg {{ width: min(120mm, 100%); height: auto; }}
p {{ margin: 6mm 0 0; overflow-wrap: anywhere; }}
@page {{ margin: 0; }}
</style></head>
<body><h1>{escape(title)}</h1>{picture(address)}<p>{shown}</p>{who}</body></html>
"""
