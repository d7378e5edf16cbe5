"""Languages by code or name (English, German, their own). Pure."""

import re
from functools import lru_cache

from nurture.contacts.cells import fold

_NAMED = {
    "ar": "Arabic Arabisch العربية", "bg": "Bulgarian Bulgarisch български", "ca": "Catalan Katalanisch català",
    "cs": "Czech Tschechisch čeština", "da": "Danish Dänisch dansk", "de": "German Deutsch Allemand Alemán",
    "el": "Greek Griechisch ελληνικά", "en": "English Englisch Anglais Inglés", "es": "Spanish Spanisch español castellano",
    "et": "Estonian Estnisch eesti", "fa": "Persian Persisch Farsi فارسی", "fi": "Finnish Finnisch suomi",
    "fr": "French Französisch français", "ga": "Irish Irisch Gaeilge", "he": "Hebrew Hebräisch עברית",
    "hi": "Hindi हिन्दी", "hr": "Croatian Kroatisch hrvatski", "hu": "Hungarian Ungarisch magyar",
    "id": "Indonesian Indonesisch", "is": "Icelandic Isländisch íslenska", "it": "Italian Italienisch italiano",
    "ja": "Japanese Japanisch 日本語", "ko": "Korean Koreanisch 한국어", "lt": "Lithuanian Litauisch lietuvių",
    "lv": "Latvian Lettisch latviešu", "ms": "Malay Malaiisch Melayu", "mt": "Maltese Maltesisch Malti",
    "nb": "Bokmål", "nl": "Dutch Niederländisch Nederlands", "no": "Norwegian Norwegisch norsk",
    "pl": "Polish Polnisch polski", "pt": "Portuguese Portugiesisch português", "ro": "Romanian Rumänisch română",
    "ru": "Russian Russisch русский", "sk": "Slovak Slowakisch slovenčina", "sl": "Slovenian Slowenisch slovenščina",
    "sr": "Serbian Serbisch српски", "sv": "Swedish Schwedisch svenska", "th": "Thai Thailändisch ไทย",
    "tr": "Turkish Türkisch Türkçe", "uk": "Ukrainian Ukrainisch українська", "vi": "Vietnamese Vietnamesisch",
    "zh": "Chinese Chinesisch 中文",
}  # fmt: skip

#: Further ISO 639-1 codes, which nobody is likely to spell out.
_FURTHER = """
aa ab af ak am an as av ay az ba be bh bi bm bn bo br bs ce ch co cr cu cv cy dv dz ee eo eu ff fj fo fy gd gl gn gu gv
ha ho ht hy hz ia ie ig ii ik io iu jv ka kg ki kj kk kl km kn kr ks ku kv kw ky la lb lg li ln lo lu mg mh mi mk ml mn
mr my na nd ne ng nn nr nv ny oc oj om or os pa pi ps qu rm rn rw sa sc sd se sg si sm sn so sq ss st su sw ta te tg ti
tk tl tn to ts tt tw ty ug ur uz ve vo wa wo xh yi yo za zu
"""
_CODES = frozenset((*_NAMED, *_FURTHER.split()))
_BY_NAME = {fold(name): code for code, names in _NAMED.items() for name in names.split()}
_TAG = re.compile(r"([A-Za-z]{2})(?:[-_]([A-Za-z]{2}))?(?:[-_.].*)?", re.ASCII)


@lru_cache(maxsize=1024)
def find_language(text: str) -> str | None:
    """`de`, or `de-AT` where the region is given; None when no language is called so."""
    if (match := _TAG.fullmatch(text.strip())) and match[1].lower() in _CODES:
        return f"{match[1].lower()}-{match[2].upper()}" if match[2] else match[1].lower()
    return _BY_NAME.get(fold(text))
