"""The one family of errors a user of voltx can meet.

Every message says what happened, where, why, and what to do next.
"""


class VoltxError(Exception):
    """Something the user can understand and act on; the CLI prints it without a traceback."""


class ConfigError(VoltxError):
    """A configuration value, key or combination is not acceptable."""


class DataError(VoltxError):
    """A file of data is missing, malformed or inconsistent; names file and line."""


class StoreError(VoltxError):
    """The artifact store could not read, write or verify something."""


class JudgeError(VoltxError):
    """The judge itself failed (never: the judged program failed)."""


class BudgetError(VoltxError):
    """The money or time the user allowed is spent; everything was saved first."""


class StageError(VoltxError):
    """A stage cannot start or go on: preflight, inputs, disk, memory, device."""


class Interrupted(VoltxError):
    """The stage was asked to stop and saved its progress; start it again to go on."""
