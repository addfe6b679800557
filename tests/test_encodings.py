"""What sinks write of events and their fields: line, logfmt, csv, msgpack."""
import csv
import io
import struct
import time

import pytest

from harness import until

LINES = [b'{"level":"warn","n":5,"big":12345678901234567890,"x":0.5,"ok":true,"none":null,"user":{"id":7},"text":"a \\"b\\" = c\\n"}',
         b'no json, but "quotes"']
TRANSFORMS = {'p': {'type': 'parse_json', 'inputs': ['app'], 'target': 'app'},
              's': {'type': 'set', 'inputs': ['p'], 'fields': {'at': 'timestamp("2026-01-02T03:04:05.5Z")'}}}


def decoded(data):
    """MessagePack, as far as it is written."""
    at = 0

    def take(count):
        nonlocal at
        at += count
        return data[at - count:at]

    def value():
        tag = take(1)[0]
        if tag < 0x80:
            return tag
        if tag >= 0xe0:
            return tag - 256
        if tag >> 4 == 8 or tag == 0xdf:
            return {value(): value() for _ in range(tag & 15 if tag != 0xdf else struct.unpack('>I', take(4))[0])}
        if tag >> 5 == 5:
            return take(tag & 31).decode()
        if tag in (0xd9, 0xda, 0xdb):
            size = {0xd9: 1, 0xda: 2, 0xdb: 4}[tag]
            return take(int.from_bytes(take(size), 'big')).decode()
        if tag == 0xc7:
            assert take(2) == b'\x0c\xff'
            nanoseconds, seconds = struct.unpack('>Iq', take(12))
            return seconds + nanoseconds / 1e9
        return {0xc0: lambda: None, 0xc2: lambda: False, 0xc3: lambda: True,
                0xd3: lambda: struct.unpack('>q', take(8))[0], 0xcb: lambda: struct.unpack('>d', take(8))[0]}[tag]()

    values = []
    while at < len(data):
        values.append(value())
    return values


def written(world, **sink):
    world.write('a.log', b'\n'.join(LINES) + b'\n')
    world.config(transforms=TRANSFORMS, sinks={'out': {**world.file_sink(), 'inputs': ['s'], 'labels': {'env': 'x y'}, **sink}})
    world.run_to_end()
    return world.out()


def test_the_line_and_what_was_added(world):
    first, second = written(world, encoding='line').splitlines()
    assert first == LINES[0] + (b' at=2026-01-02T03:04:05.500000000Z app.level=warn app.n=5 app.big=12345678901234567890 app.x=0.5'
                                b' app.ok=true app.none=null app.user="{\\"id\\":7}" app.text="a \\"b\\" = c\\n"')
    assert second == LINES[1] + b' at=2026-01-02T03:04:05.500000000Z'


def test_logfmt(world):
    first, second = written(world, encoding='logfmt').decode().splitlines()
    assert first.startswith('at=2026-01-02T03:04:05.500000000Z app.level=warn app.n=5')
    assert f' file={world.log()} source=app host=' in first and first.endswith(' env="x y"')
    assert second.startswith('message="no json, but \\"quotes\\"" at=2026')


def test_csv(world):
    out = written(world, encoding='csv', csv_columns=['app.n', 'message', 'app.text', 'env', 'nowhere', 'app.none'])
    assert list(csv.reader(io.StringIO(out.decode(), newline=''))) == [
        ['5', '', 'a "b" = c\n', 'x y', '', ''], ['', 'no json, but "quotes"', '', 'x y', '', '']]


@pytest.mark.sanitizer
def test_msgpack(world):
    first, second = decoded(written(world, encoding='msgpack'))
    assert first['app'] == {'level': 'warn', 'n': 5, 'big': '12345678901234567890', 'x': 0.5, 'ok': True, 'none': None,
                            'user': '{"id":7}', 'text': 'a "b" = c\n'}
    assert first['at'] == 1767323045.5 and first['env'] == 'x y' and first['file'] == world.log()
    assert abs(first['timestamp'] - time.time()) < 300
    assert second['message'] == LINES[1].decode() and 'app' not in second


def test_msgpack_over_http_has_nothing_between_events(world, receiver):
    world.write('a.log', b'\n'.join(LINES) + b'\n')
    world.config(transforms=TRANSFORMS, sinks={'http': {'type': 'http', 'uri': receiver.uri, 'inputs': ['s'],
                                                        'encoding': 'msgpack', 'batch': {'linger': '20ms'}}})
    world.run_to_end()
    until(lambda: receiver.posts, 'a request')
    assert [sorted(event)[:2] for event in decoded(open(receiver.path, 'rb').read())] == [['app', 'at'], ['at', 'file']]


def test_csv_needs_its_columns(world):
    path = world.config(sinks={'out': {**world.file_sink(), 'encoding': 'csv'}})
    done = world.call('validate', path)
    assert done.returncode == 78 and 'needs "csv_columns"' in done.stderr
