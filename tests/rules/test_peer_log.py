from blockio_plugin.rules.peer_log import DROP_TIME, MAX_NEWS, PeerLog


def test_who_is_there() -> None:
    log = PeerLog(0.0)
    log.join("alice", "geth/v1", 1.0)
    assert log.client("alice") == "geth/v1"
    log.leave("alice", None, 2.0)
    assert log.client("alice") == ""
    assert [(news.at, news.text) for news in log.news()] == [
        (1.0, "alice joined: geth/v1"),
        (2.0, "alice left"),
    ]


def test_alone_from_the_start_and_after_the_last_one_left() -> None:
    log = PeerLog(100.0)
    assert not log.is_alone(30.0, 129.0) and log.is_alone(30.0, 130.0)
    for peer in "ab":
        log.join(peer, "", 140.0)
    assert not log.is_alone(0.0, 200.0)
    log.leave("a", None, 150.0)
    assert not log.is_alone(0.0, 200.0)
    log.leave("b", None, 160.0)
    assert not log.is_alone(30.0, 189.0) and log.is_alone(30.0, 190.0)


def test_why_nobody_is_there() -> None:
    log = PeerLog(0.0)
    assert log.tell_absence(5.0) == "no peers that enable block I/O"
    log.join("mallory", "", 1.0)
    log.leave("mallory", "two blocks at view 7", 8.0)
    log.join("alice", "", 9.0)
    log.leave("alice", None, 10.0)
    told = "no peers: one was dropped 12 s ago: two blocks at view 7"
    assert log.tell_absence(20.0) == told
    assert log.tell_absence(8.0 + DROP_TIME + 1) == "no peers that enable block I/O"
    assert log.news()[1].text == "mallory was dropped: two blocks at view 7"


def test_the_latest_news_are_kept() -> None:
    log = PeerLog(0.0)
    for index in range(3 * MAX_NEWS):
        log.note(str(index), float(index))
    assert len(log.news()) == MAX_NEWS
    assert log.news()[-1].text == str(3 * MAX_NEWS - 1)


def test_peers_go_by_the_names_that_people_know() -> None:
    log = PeerLog(0.0, lambda peer: f"<{peer}>")
    log.join(7, "", 1.0)
    assert log.news()[0].text == "<7> joined"
