"""The tags of MJML 4, where each may stand and which attributes it has.

The compiler accepts anything and drops what it does not know, so the linter needs this table to say what would be lost.
"""

from collections.abc import Mapping

_PADDING = "padding padding-top padding-right padding-bottom padding-left"
_BORDER = "border border-top border-right border-bottom border-left border-radius"
_FONT = "color font-family font-size font-style font-weight letter-spacing line-height text-decoration text-transform"
_ICON = (
    "icon-align icon-height icon-position icon-unwrapped-alt icon-unwrapped-url icon-width icon-wrapped-alt "
    "icon-wrapped-url"
)
_BACKGROUND = (
    "background-color background-position background-position-x background-position-y background-repeat "
    "background-size background-url"
)
_LINK = "href name rel target title"
_BOX = f"container-background-color align vertical-align {_PADDING}"
_SECTION = f"{_BACKGROUND} {_BORDER} {_PADDING} direction full-width gap text-align text-padding"
_THUMBNAILS = "tb-border tb-border-radius tb-hover-border-color tb-selected-border-color tb-width"

_WRITTEN = {
    "mjml": "lang dir owa version",
    "mj-head": "",
    "mj-body": "background-color width id",
    "mj-attributes": "",
    "mj-breakpoint": "width",
    "mj-font": "name href",
    "mj-preview": "",
    "mj-style": "inline",
    "mj-title": "",
    "mj-raw": "position",
    "mj-wrapper": _SECTION,
    "mj-section": _SECTION,
    "mj-group": "background-color direction vertical-align width",
    "mj-column": (
        f"background-color direction vertical-align width {_BORDER} {_PADDING} inner-background-color inner-border "
        "inner-border-top inner-border-right inner-border-bottom inner-border-left inner-border-radius"
    ),
    "mj-hero": (
        f"{_BACKGROUND} {_BOX} background-height background-width border-radius height inner-background-color "
        "inner-padding inner-padding-top inner-padding-right inner-padding-bottom inner-padding-left mode width"
    ),
    "mj-text": f"{_FONT} {_BOX} background-color height",
    "mj-button": f"{_FONT} {_BOX} {_BORDER} {_LINK} background-color height inner-padding text-align width",
    "mj-image": (
        f"{_BOX} {_BORDER} {_LINK} alt fluid-on-mobile font-size height max-height sizes src srcset usemap width"
    ),
    "mj-divider": f"{_BOX} border-color border-style border-width width",
    "mj-spacer": f"{_BOX} {_BORDER} height width",
    "mj-table": f"{_FONT} {_BOX} border cellpadding cellspacing role table-layout text-align width",
    "mj-accordion": f"{_BOX} border font-family {_ICON}",
    "mj-accordion-element": f"background-color border font-family {_ICON}",
    "mj-accordion-title": f"{_FONT} {_PADDING} background-color",
    "mj-accordion-text": f"{_FONT} {_PADDING} background-color",
    "mj-carousel": f"{_BOX} {_THUMBNAILS} background-color border-radius icon-width left-icon right-icon thumbnails",
    "mj-carousel-image": f"{_LINK} {_THUMBNAILS} alt border-radius src thumbnails-src",
    "mj-navbar": (
        f"{_BOX} base-url hamburger ico-align ico-close ico-color ico-font-family ico-font-size ico-line-height "
        "ico-open ico-padding ico-padding-top ico-padding-right ico-padding-bottom ico-padding-left "
        "ico-text-decoration ico-text-transform"
    ),
    "mj-navbar-link": f"{_FONT} {_PADDING} {_LINK}",
    "mj-social": (
        f"{_FONT} {_BOX} border-radius icon-height icon-padding icon-size inner-padding mode table-layout text-padding"
    ),
    "mj-social-element": (
        f"{_FONT} {_PADDING} {_LINK} align alt background-color border-radius icon-height icon-padding icon-position "
        "icon-size sizes src srcset text-padding vertical-align"
    ),
}

ATTRIBUTES: Mapping[str, frozenset[str]] = {
    tag: frozenset(f"{names} css-class mj-class".split()) for tag, names in _WRITTEN.items()
}

#: Their attributes are defaults for other tags, so any name may stand there.
ANY_ATTRIBUTE = frozenset({"mj-all", "mj-class"})

KNOWN = frozenset(ATTRIBUTES) | ANY_ATTRIBUTE

_IN_COLUMN = frozenset({
    "mj-accordion", "mj-button", "mj-carousel", "mj-divider", "mj-image", "mj-navbar", "mj-raw", "mj-social",
    "mj-spacer", "mj-table", "mj-text",
})  # fmt: skip

#: What may stand directly in a tag; a tag that is not here holds HTML.
CHILDREN: Mapping[str, frozenset[str]] = {
    "mjml": frozenset({"mj-head", "mj-body"}),
    "mj-head": frozenset({"mj-attributes", "mj-breakpoint", "mj-font", "mj-preview", "mj-raw", "mj-style", "mj-title"}),
    "mj-attributes": frozenset(ATTRIBUTES) | ANY_ATTRIBUTE,
    "mj-class": frozenset(ATTRIBUTES),
    "mj-body": frozenset({"mj-wrapper", "mj-section", "mj-hero", "mj-raw"}),
    "mj-wrapper": frozenset({"mj-section", "mj-hero", "mj-raw"}),
    "mj-section": frozenset({"mj-column", "mj-group", "mj-raw"}),
    "mj-group": frozenset({"mj-column", "mj-raw"}),
    "mj-column": _IN_COLUMN,
    "mj-hero": _IN_COLUMN,
    "mj-accordion": frozenset({"mj-accordion-element", "mj-raw"}),
    "mj-accordion-element": frozenset({"mj-accordion-title", "mj-accordion-text", "mj-raw"}),
    "mj-carousel": frozenset({"mj-carousel-image"}),
    "mj-navbar": frozenset({"mj-navbar-link", "mj-raw"}),
    "mj-social": frozenset({"mj-social-element", "mj-raw"}),
}

#: Tags of MJML that a mail here does not use, and what to write instead.
REPLACED: Mapping[str, str] = {
    "mj-include": 'write {% include "parts/footer.mjml" %}',  # those with a literal path are gone by now
    "mj-html-attributes": "write the attribute where it belongs; this compiler does not know the tag",
    "mj-selector": "write the attribute where it belongs; this compiler does not know the tag",
    "mj-html-attribute": "write the attribute where it belongs; this compiler does not know the tag",
}

PARENTS: Mapping[str, tuple[str, ...]] = {
    tag: tuple(
        parent
        for parent, children in CHILDREN.items()
        if tag in children and parent not in {"mj-attributes", "mj-class"}
    )
    for tag in ATTRIBUTES
}
