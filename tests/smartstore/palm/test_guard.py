"""Whoever tries palms in bulk is slowed down, and then locked out; a busy gate is not."""

from smartstore.palm.guard import Guard, GuardOptions

S = 1_000_000_000
OPTIONS = GuardOptions(per_s=2.0, burst=5, failures=3, forgive_s=10.0, lock_s=30.0, longest_lock_s=100.0)


def test_a_burst_goes_through_and_then_two_a_second() -> None:
    guard = Guard(OPTIONS)
    assert [guard.wait_s("gate", 0) for _ in range(7)] == [0, 0, 0, 0, 0, 0.5, 0.5]
    assert guard.wait_s("gate", S // 2) == 0
    assert guard.wait_s("gate", S // 2) > 0
    assert guard.wait_s("gate", 60 * S) == 0


def test_one_client_does_not_slow_down_another() -> None:
    guard = Guard(OPTIONS)
    for _ in range(20):
        guard.wait_s("noisy", 0)
    assert guard.wait_s("quiet", 0) == 0


def test_three_failures_lock_for_a_while_and_each_lock_is_longer() -> None:
    guard, locks, now = Guard(OPTIONS), [], 0
    for _ in range(4):
        assert [guard.failed("gate", now), guard.failed("gate", now)] == [0, 0]
        locks.append(guard.failed("gate", now))
        assert guard.wait_s("gate", now + int((locks[-1] - 1) * S)) == 1
        now += int(locks[-1] * S) + S
        assert guard.wait_s("gate", now) == 0
    assert locks == [30, 60, 100, 100]


def test_failures_now_and_then_are_forgiven() -> None:
    guard = Guard(OPTIONS)
    assert not any(guard.failed("gate", second * S) for second in range(0, 1000, 10))


def test_a_good_palm_in_between_does_not_wash_off_the_failures() -> None:
    guard = Guard(OPTIONS)
    for second in range(3):
        guard.failed("gate", second * S)
        assert guard.wait_s("gate", second * S) == 0
    assert guard.failed("gate", 3 * S) == 30


def test_after_a_long_good_time_the_first_lock_is_short_again() -> None:
    guard = Guard(OPTIONS)
    for _ in range(3):
        guard.failed("gate", 0)
    later = 1000 * S
    assert [guard.failed("gate", later) for _ in range(3)] == [0, 0, 30]


def test_a_flood_of_addresses_is_forgotten_but_not_who_is_locked_out() -> None:
    guard = Guard(OPTIONS)
    for _ in range(3):
        guard.failed("attacker", 0)
    for number in range(30_000):
        guard.wait_s(f"address {number}", S)
    assert len(guard._seen) <= 10_001
    assert guard.wait_s("attacker", 2 * S) == 28
