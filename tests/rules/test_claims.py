"""Claims are remembered, bounded, and found by the views they are about."""
from blockio_plugin.rules.claims import MAX_CLAIMS, ClaimBook
from blockio_plugin.rules.views import ViewRange


def test_claims_are_found_by_view() -> None:
    book = ClaimBook()
    book.add(ViewRange(0, 10), "a")
    book.add(ViewRange(5, 8), "b")
    book.add(ViewRange(6, 7), "a")
    assert book.deniers(6) == ("a", "b")
    assert book.deniers(9) == ("a",)
    assert [claim.peer for claim in book.over(ViewRange(8, 20))] == ["a"]
    assert book.over(ViewRange(10, 20)) == ()


def test_what_a_peer_claimed_is_dropped() -> None:
    book = ClaimBook()
    book.add(ViewRange(0, 10), "a")
    book.add(ViewRange(5, 20), "b")
    book.drop("a")
    assert book.deniers(7) == ("b",)
    assert len(book) == 1


def test_the_oldest_claims_give_way() -> None:
    book = ClaimBook()
    for number in range(2 * MAX_CLAIMS):
        book.add(ViewRange(number, number + 1), "a")
        assert len(book) <= MAX_CLAIMS
    assert book.deniers(2 * MAX_CLAIMS - 1) == ("a",)
    assert book.deniers(0) == ()
