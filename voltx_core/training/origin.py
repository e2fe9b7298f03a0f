"""What a checkpoint is the progress of: a configuration, and the code that was at work."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Recorded in every checkpoint and compared when it is restored.

    Progress of another configuration is of no use. Progress of other code is: the code goes on
    from there, and only the last bits of an unchanged run are not promised any more.
    """

    fingerprint: str
    """Of stage, settings and inputs."""
    settings: Mapping[str, Any]
    """What the fingerprint hashes of the configuration, to name what differs."""
    code: Mapping[str, str]
    """sha256 of every module of the stage's work."""

    def record(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @classmethod
    def of(cls, record: Any) -> Self:
        """Read what ``record`` gave.

        Raises:
            ValueError: It is something else.
        """
        try:
            return cls(**record)
        except TypeError as error:
            raise ValueError(f"no record of an origin: {error}") from error

    def refusal(self, other: "Origin") -> str | None:
        """Why progress of ``other`` does not count here, or None."""
        if self.fingerprint == other.fingerprint:
            return None
        absent = "absent"
        changed = [
            f"{key} was {other.settings.get(key, absent)}, is {self.settings.get(key, absent)}"
            for key in sorted({*self.settings, *other.settings})
            if self.settings.get(key, absent) != other.settings.get(key, absent)
        ]
        return "it belongs to another configuration: " + (
            "; ".join(changed) or "its inputs were others"
        )

    def changed_code(self, other: "Origin") -> list[str]:
        """Modules that are not what they were."""
        return sorted(
            name
            for name in {*self.code, *other.code}
            if self.code.get(name) != other.code.get(name)
        )
