"""The queue of bytes between an encoder and its reader."""

from services.report_service.export.encoder import Outbox


def test_bytes_come_out_once_and_in_order() -> None:
    box = Outbox()
    assert box.read(9) == b""
    assert (box.write(b"abc"), box.write(b"def")) == (3, 3)
    assert [box.read(4), box.read(4), box.read(4)] == [b"abcd", b"ef", b""]
    box.write(b"g")
    assert box.read(1) == b"g"
