"""Families, for tests to look things up in."""

from collections.abc import Iterable

from mitmcache.metrics.families import Family, Histogram


def value(families: Iterable[Family], name: str, **labels: str) -> float | Histogram | None:
    """Of the sample with just these labels, None where there is none."""
    [family] = [each for each in families if each.name == name]
    assert set(labels) == set(family.labels), family.labels
    wanted = tuple(labels[label] for label in family.labels)
    found = [sample.value for sample in family.samples if sample.labels == wanted]
    assert len(found) < 2
    return found[0] if found else None


def count(families: Iterable[Family], name: str, **labels: str) -> float | None:
    found = value(families, name, **labels)
    assert not isinstance(found, Histogram)
    return found


def observed(families: Iterable[Family], name: str, **labels: str) -> tuple[int, float]:
    """How many observations, and their sum."""
    found = value(families, name, **labels)
    if found is None:
        return 0, 0.0
    assert isinstance(found, Histogram)
    return sum(found.counts), found.sum
