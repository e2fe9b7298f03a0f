"""Values as JSON can hold them."""

import math
from typing import Any


def finite(value: Any) -> Any:
    """The value with NaN and infinities as null, which is all that JSON knows of them."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value
