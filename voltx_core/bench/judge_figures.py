"""From the rounds of a race to the figures of `voltx bench judge`."""

import statistics
from collections.abc import Mapping

from voltx_core.bench.race import Record, Round

Figures = dict[str, float | None]

LEVELS = ("ns", "uid", "seccomp")
PEERS = ("human_eval", "evalplus", "nsjail", "subprocess")
FLOOR = "floor"


def measure(records: Mapping[str, Record], programs: int) -> tuple[Figures, dict[str, str]]:
    """Medians over rounds, and medians of ratios taken within each round.

    Figures without a suffix are those of this judge at ``ns``; ``_uid`` and ``_seccomp`` are its
    other levels; every other suffix names a contender. ``vs_X`` is this judge's programs per second
    over X's, ``cpu_over_floor`` its CPU over the floor's.

    Args:
        records: by name of the contender; those that were not asked for are absent.
        programs: how many a round had.

    Returns:
        The figures, and why each of those that are None is.
    """
    figures: Figures = {}
    why: dict[str, str] = {}

    def note(name: str, value: float | None, *needed: str, otherwise: str = "") -> None:
        figures[name] = None if value is None else round(value, 3)
        if value is None:
            why[name] = "; ".join(
                _absence(records, need) for need in needed if _lacks(records, need)
            )
            why[name] = why[name] or otherwise

    for name in (*LEVELS, *PEERS, FLOOR):
        end, rounds = suffix(name), _rounds(records, name)
        latencies = sorted(wall_s for one in rounds for wall_s in one.latencies_s)
        note(f"programs_per_s{end}", _median([programs / one.wall_s for one in rounds]), name)
        note(f"cpu_ms{end}", _median([1e3 * one.cpu_s / programs for one in rounds]), name)
        note(f"p50_ms{end}", _quantile_ms(latencies, 0.50), name)
        note(f"p99_ms{end}", _quantile_ms(latencies, 0.99), name)
        note(f"mismatches{end}", max((len(r.failed) for r in rounds), default=None), name)
    for level in LEVELS:
        ours, end = _rounds(records, level), suffix(level)
        for peer in PEERS:
            pairs = zip(ours, _rounds(records, peer), strict=False)
            note(f"vs_{peer}{end}", _median([b.wall_s / a.wall_s for a, b in pairs]), level, peer)
        pairs = zip(ours, _rounds(records, FLOOR), strict=False)
        note(
            f"cpu_over_floor{end}",
            _median([a.cpu_s / b.cpu_s for a, b in pairs if b.cpu_s]),
            level,
            FLOOR,
            otherwise="the bare fork took less CPU than a tick of the clock: more --programs",
        )
        record = records.get(level)
        note(
            f"memory_mib_per_slot{end}",
            record.slot_mib if record else None,
            level,
            otherwise="its memory could not be read",
        )
    return figures, why


def samples(records: Mapping[str, Record], programs: int) -> dict[str, dict[str, list[object]]]:
    """Every round of every contender, for whoever wants another summary than medians."""
    return {
        name: {
            "programs_per_s": [round(programs / one.wall_s, 2) for one in record.rounds],
            "cpu_ms": [round(1e3 * one.cpu_s / programs, 3) for one in record.rounds],
            "failed": sorted({script for one in record.rounds for script in one.failed}),
        }
        for name, record in records.items()
    }


def suffix(name: str) -> str:
    """What the figures of a contender end in."""
    return "" if name == LEVELS[0] else f"_{name}"


def _rounds(records: Mapping[str, Record], name: str) -> list[Round]:
    return records[name].rounds if name in records else []


def _lacks(records: Mapping[str, Record], name: str) -> bool:
    return not _rounds(records, name)


def _absence(records: Mapping[str, Record], name: str) -> str:
    if name not in records:
        return f"{name} was not asked for"
    return f"{name}: {records[name].why}"


def _median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def _quantile_ms(ordered: list[float], share: float) -> float | None:
    """Nearest rank."""
    return 1e3 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
