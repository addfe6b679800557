"""Writes MaxMind DB files, by the letter of the format's specification (https://maxmind.github.io/MaxMind-DB/, 2.0)."""
import ipaddress
import struct


def _head(kind, size):
    extended = [] if kind <= 7 else [kind - 7]
    first = 0 if extended else kind << 5
    if size < 29:
        return bytes([first | size, *extended])
    if size < 285:
        return bytes([first | 29, *extended, size - 29])
    return bytes([first | 30, *extended]) + struct.pack('>H', size - 285)


class Uint(int):
    """Of the type that the format asks for in its metadata."""
    kind, size = 5, 2


class Uint64(Uint):
    kind, size = 9, 8


def encode(value):
    if isinstance(value, bool):
        return _head(14, int(value))
    if isinstance(value, str):
        text = value.encode()
        return _head(2, len(text)) + text
    if isinstance(value, float):
        return _head(3, 8) + struct.pack('>d', value)
    if isinstance(value, Uint):
        return _head(value.kind, value.size) + value.to_bytes(value.size, 'big')
    if isinstance(value, int):
        kind = 6 if 0 <= value < 1 << 32 else 9 if value >= 0 else 8
        number = (value & 0xFFFFFFFF if value < 0 else value).to_bytes(4 if kind != 9 else 8, 'big')
        return _head(kind, len(number)) + number
    if isinstance(value, list):
        return _head(11, len(value)) + b''.join(map(encode, value))
    return _head(7, len(value)) + b''.join(encode(name) + encode(one) for name, one in value.items())


def database(networks, version=6, record_bytes=3, kind='Test-City', built=1767323045):
    """The file's content. `networks`: records by network; a more specific one stands behind a wider one. A network of IPv4
    stands in a tree of IPv6 as ::a.b.c.d."""
    nodes, data = [[None, None]], bytearray()
    for text, record in networks.items():
        network = ipaddress.ip_network(text)
        width, skipped = network.max_prefixlen, 96 if version == 6 and network.version == 4 else 0
        bits = [0] * skipped + [int(network.network_address) >> (width - 1 - i) & 1 for i in range(network.prefixlen)]
        node = 0
        for bit in bits[:-1]:
            if not isinstance(nodes[node][bit], int):  # what is known of the whole is known of both halves
                nodes.append([nodes[node][bit]] * 2)
                nodes[node][bit] = len(nodes) - 1
            node = nodes[node][bit]
        nodes[node][bits[-1]] = ('data', len(data))
        data += encode(record)

    def pointer(child):
        at = len(nodes) if child is None else child if isinstance(child, int) else len(nodes) + 16 + child[1]
        return at.to_bytes(record_bytes, 'big')
    tree = b''.join(pointer(child) for node in nodes for child in node)
    return tree + bytes(16) + data + b'\xab\xcd\xefMaxMind.com' + encode({
        'node_count': len(nodes), 'record_size': Uint(record_bytes * 8), 'ip_version': Uint(version), 'database_type': kind,
        'languages': ['en'], 'binary_format_major_version': Uint(2), 'binary_format_minor_version': Uint(0),
        'build_epoch': Uint64(built), 'description': {'en': 'made by a test'}})
