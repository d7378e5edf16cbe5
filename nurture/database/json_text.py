"""JSON as it is kept and handed over, short and in the alphabet it came in; for whatever writes it for every mail.

`json.JSONEncoder.encode` builds its encoder in C anew for each value, which for a small one is half the work.
"""

import json
from collections.abc import Callable
from json import encoder as standard
from typing import Any

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _make() -> Callable[[Any], str]:
    make: Any = getattr(standard, "c_make_encoder", None)
    if make is None:  # a Python without its parts in C
        return _ENCODER.encode
    # Without the look for circles, as whoever calls builds the value themselves.
    encode = make(None, _ENCODER.default, standard.encode_basestring, None, ":", ",", False, False, True)
    join = "".join
    return lambda value: join(encode(value, 0))


#: A value as JSON text.
as_json = _make()
