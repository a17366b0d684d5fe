from eth.rlp.headers import BlockHeader
from trinity.protocol.eth.payloads import NewBlockHash

from blockio_plugin.node.head_news import MAX_KNOWN_BLOCKS, HeadNews
from blockio_plugin.rules.schemes import NumberScheme
from blockio_plugin.rules.views import VIEW_LIMIT
from blockio_plugin.tools.encoded_chain import SLOT


def make_header(number: int, timestamp: int) -> BlockHeader:
    return BlockHeader(difficulty=1, block_number=number, gas_limit=1, timestamp=timestamp)


def test_a_number_is_a_view_under_its_scheme_alone() -> None:
    news = [NewBlockHash(b"a" * 32, 7), NewBlockHash(b"b" * 32, 9)]
    assert HeadNews(NumberScheme()).find_view(news) == 9
    assert HeadNews(NumberScheme()).find_view([NewBlockHash(b"a" * 32, VIEW_LIMIT)]) is None
    assert HeadNews(NumberScheme()).find_view([]) is None
    assert HeadNews(SLOT).find_view(news) is None


def test_the_view_of_a_hash_is_known_from_the_block() -> None:
    news = HeadNews(SLOT)
    header = make_header(7, 1_600_000_000)
    announced = NewBlockHash(header.hash, 7)
    assert news.find_view([announced]) is None
    news.learn(header)
    assert news.find_view([NewBlockHash(b"a" * 32, 8), announced]) == SLOT.view_of(header)


def test_the_oldest_give_way() -> None:
    news = HeadNews(SLOT)
    headers = [make_header(number, number) for number in range(MAX_KNOWN_BLOCKS + 1)]
    for header in headers:
        news.learn(header)
    assert news.find_view([NewBlockHash(headers[0].hash, 0)]) is None
    assert news.find_view([NewBlockHash(headers[1].hash, 1)]) is not None
