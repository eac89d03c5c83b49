from mitmcache.cache.run import Run


def test_what_it_has_stored_is_its_own_and_nothing_else() -> None:
    run = Run()
    run.add("a", 10.0)
    assert run.has("a", 10.0)
    assert not run.has("b", 10.0)


def test_what_another_run_has_stored_under_the_same_key_is_not() -> None:
    run = Run()
    run.add("a", 10.0)
    assert not run.has("a", 9.0) and not run.has("a", 11.0)


def test_the_latest_of_a_key_counts() -> None:
    run = Run()
    run.add("a", 10.0)
    run.add("a", 11.0)
    assert run.has("a", 11.0) and not run.has("a", 10.0)


def test_of_what_it_has_forgotten_all_of_that_time_counts_as_its_own() -> None:
    run = Run(most=2)
    for at, key in enumerate("abcd", 10):
        run.add(key, float(at))
    assert all(run.has(key, float(at)) for at, key in enumerate("abcd", 10))
    assert run.has("another", 10.5)
    assert not run.has("another", 9.0) and not run.has("another", 12.0)


def test_a_run_that_has_stored_nothing_has_nothing() -> None:
    assert not Run().has("a", 0.5)
