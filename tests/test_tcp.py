"""The tcp sink: what counts is what the peer's kernel has acknowledged (semantics 16)."""
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time

import pytest

from harness import (SLOW, MarkReceiver, MarkWriter, TcpReceiver, free_port, make_certificate, marked_now, numbered,
                     until)

pytestmark = pytest.mark.sanitizer
LINES = 300_000
RECEIVER = '''
import socket, sys
listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
connection, _ = listener.accept()
with open(sys.argv[2], 'wb', buffering=0) as out:
    while data := connection.recv(65536):
        out.write(data)
'''


def tcp_sink(port, **more):
    return {'type': 'tcp', 'inputs': ['app'], 'address': f'127.0.0.1:{port}', 'encoding': 'raw', **more}


def numbers(data):
    """Of whole lines; what a broken connection cut in the middle is none."""
    return [int(line.split()[1]) for line in data.split(b'\n')[:-1] if len(line) == 12]


@pytest.mark.parametrize('linger', ['0', '20ms'])
def test_a_peer_that_closes_is_noticed_and_the_stream_goes_on_at_a_line(world, linger):
    receiver = TcpReceiver(fin_after=500_000)
    world.write('a.log', numbered(1, LINES))
    agent = world.start(world.config(sinks={'out': tcp_sink(receiver.port, batch={'linger': linger})}))
    until(lambda: b''.join(receiver.connections).endswith(b'%07d\n' % LINES),
          lambda: f'all lines: {[len(c) for c in receiver.connections]}', 60)
    # A reader that goes on after its FIN gets all that was sent, and all of it is acknowledged: the next
    # connection begins with the next line.
    assert [n for connection in receiver.connections for n in numbers(connection)] == list(range(1, LINES + 1))
    assert agent.stop() == 0
    receiver.close()


def test_a_receiver_killed_in_mid_stream_costs_at_most_what_its_kernel_held(world, tmp_path):
    port = free_port()
    world.write('a.log', numbered(1, LINES))
    out = tmp_path / 'first.out'
    process = subprocess.Popen([sys.executable, '-c', RECEIVER, str(port), str(out)])
    agent = world.start(world.config(sinks={'out': tcp_sink(port)}))
    until(lambda: out.exists() and out.stat().st_size > 300_000, 'the first receiver reads')
    process.send_signal(signal.SIGKILL)
    process.wait()
    receiver = TcpReceiver(port)
    world.append('a.log', numbered(LINES + 1, LINES + 10))
    until(lambda: receiver.connections and receiver.connections[-1].endswith(b'%07d\n' % (LINES + 10)),
          'the rest arrives', 60)
    first = numbers(out.read_bytes())
    second = [n for c in receiver.connections for n in numbers(c)]
    assert first == list(range(1, len(first) + 1))
    assert second == list(range(second[0], LINES + 11)), 'in order, once, to the end'
    # Nothing is missing but what lay acknowledged and unread in the killed receiver's kernel.
    assert (second[0] - first[-1] - 1) * 13 <= 16 * 1024 * 1024
    assert agent.stop() == 0
    receiver.close()


def test_a_receiver_that_reads_nothing_is_waited_for(world):
    listener = socket.create_server(('127.0.0.1', 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    world.write('a.log', numbered(1, LINES))
    agent = world.start(world.config(sinks={'out': tcp_sink(listener.getsockname()[1], request_timeout='2s')}))
    connection, _ = listener.accept()
    got = bytearray()
    with pytest.raises(TimeoutError):  # the agent does not take a full peer for a dead one
        listener.settimeout(4)
        listener.accept()
    while not got.endswith(b'%07d\n' % LINES):
        got += connection.recv(1 << 20)
    assert got == numbered(1, LINES)
    assert agent.stop() == 0


def test_reset_connections_lose_nothing_that_was_not_acknowledged(world):
    """The peer resets ten connections, each after it has read all that it acknowledged."""
    listener = socket.create_server(('127.0.0.1', 0))
    agent = world.start(world.config(sinks={'out': tcp_sink(listener.getsockname()[1])}))
    seen = []
    for turn in range(10):
        world.append('a.log', numbered(turn * 1000 + 1, turn * 1000 + 1000))
        connection, _ = listener.accept()
        got = bytearray()
        while not got.endswith(b'%07d\n' % (turn * 1000 + 1000)):
            got += connection.recv(65536)
        seen += numbers(got)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        connection.close()
    assert seen == list(range(1, 10_001))
    listener.close()
    agent.kill()


def test_several_addresses_are_tried_in_turn(world):
    receiver = TcpReceiver()
    sink = tcp_sink(receiver.port)
    sink['address'] = [f'127.0.0.1:{free_port()}', f'127.0.0.1:{receiver.port}']
    world.write('a.log', numbered(1, 100))
    agent = world.start(world.config(sinks={'out': sink}))
    until(lambda: receiver.connections and receiver.connections[0] == numbered(1, 100), 'the second address gets all')
    assert agent.stop() == 0
    receiver.close()


@pytest.mark.parametrize('version', [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_tls_peer_that_refuses_the_client_gets_no_line_counted(world, tmp_path, version):
    """With TLS 1.3 the handshake is over for the client before the server has looked at its certificate."""
    cert, context = make_certificate(tmp_path)
    (tmp_path / 'client').mkdir()
    own_cert, _ = make_certificate(tmp_path / 'client')
    own_key = str(tmp_path / 'client' / 'key.pem')
    context.minimum_version = context.maximum_version = version
    context.load_verify_locations(own_cert)
    context.verify_mode = ssl.CERT_REQUIRED
    receiver = TcpReceiver(tls=context)
    world.write('a.log', numbered(1, 1000))
    tls = {'enabled': True, 'ca_file': cert}
    agent = world.start(world.config(sinks={'out': tcp_sink(receiver.port, tls=tls)}, top={'shutdown_timeout': '1s'}))
    until(lambda: agent.metrics().get('logflume_component_errors_total', component='out') >= 3, 'refused')
    world.append('a.log', numbered(1001, 2000))
    until(lambda: agent.metrics().get('logflume_component_errors_total', component='out') >= 6, 'refused again')
    assert agent.metrics().get('logflume_component_sent_events_total', component='out') == 0
    health = [c for c in agent.health()['components'] if c['name'] == 'out'][0]
    assert health['status'] == 'degraded', health
    assert agent.stop() == 1
    agent = world.start(world.config(sinks={'out': tcp_sink(
        receiver.port, tls={**tls, 'cert_file': own_cert, 'key_file': own_key})}))
    until(lambda: any(c == numbered(1, 2000) for c in receiver.connections), 'all lines, once let in')
    assert agent.stop() == 0
    receiver.close()


def test_a_tls_peer_without_session_tickets_is_believed_after_a_while(world, tmp_path):
    cert, context = make_certificate(tmp_path)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    receiver = TcpReceiver(tls=context)
    world.write('a.log', numbered(1, 1000))
    agent = world.start(world.config(sinks={'out': tcp_sink(
        receiver.port, tls={'enabled': True, 'ca_file': cert})}))
    until(lambda: agent.metrics().get('logflume_component_sent_events_total', component='out') == 1000, 'acknowledged')
    assert [bytes(c) for c in receiver.connections] == [numbered(1, 1000)]
    assert agent.stop() == 0
    receiver.close()


def test_tls_is_verified_and_delivers(world, tmp_path):
    certificate, context = make_certificate(tmp_path)
    receiver = TcpReceiver(tls=context)
    world.write('a.log', numbered(1, LINES))
    untrusted = world.config(sinks={'out': tcp_sink(receiver.port, tls={'enabled': True})})
    agent = world.start(untrusted)
    until(lambda: agent.metrics().get('logflume_component_errors_total', component='out') > 0, 'an unknown CA is refused')
    assert not any(receiver.connections)
    health = [c for c in agent.health()['components'] if c['name'] == 'out'][0]
    assert 'self-signed certificate' in health['message'] or 'self signed certificate' in health['message'], health
    agent.kill()
    agent = world.start(world.config(sinks={'out': tcp_sink(
        receiver.port, tls={'enabled': True, 'ca_file': certificate})}))
    until(lambda: any(c == numbered(1, LINES) for c in receiver.connections), 'all lines over TLS', 60)
    until(lambda: agent.metrics().get('logflume_component_sent_events_total', component='out') == LINES, 'acknowledged')
    assert agent.stop() == 0
    receiver.close()


@pytest.mark.alone
def test_latency_is_kept_when_files_are_written_by_turns(world):
    receiver = MarkReceiver()
    agent = world.start(world.config(sinks={'out': receiver.sink}, latency='200ms'))
    writers = [MarkWriter(world.log(name), 0.02) for name in ('a.log', 'b.log', 'c.log')]
    time.sleep(3)
    for writer in writers:
        writer.stop()
    until(lambda: len(receiver.delays()) == sum(writer.count for writer in writers), 'all lines arrive')
    delays = sorted(receiver.delays())
    assert delays[len(delays) * 9 // 10] < 0.4 * SLOW, delays[-5:]
    assert agent.stop() == 0
    receiver.close()


@pytest.mark.alone
def test_many_files_written_by_turns_arrive_at_once(world):
    receiver = MarkReceiver()
    files = [open(world.log(f'{i:03d}.log'), 'ab', buffering=0) for i in range(200)]
    agent = world.start(world.config(sinks={'out': receiver.sink}))
    rounds = 100
    for _ in range(rounds):
        for file in files:
            file.write(b'\x01%020d\n' % marked_now())
        time.sleep(0.02)
    until(lambda: len(receiver.delays()) == rounds * len(files), 'all lines arrive')
    delays = sorted(receiver.delays())
    assert delays[len(delays) // 2] < 0.05 * SLOW, delays[-5:]
    assert agent.stop() == 0
    receiver.close()


@pytest.mark.alone
@pytest.mark.parametrize('where', ['source', 'sink', 'top'])
def test_latency_is_used_to_send_many_lines_at_once_and_kept(world, where):
    receiver = MarkReceiver()
    given = {'latency': '300ms'}
    world.write('a.log', b'')
    agent = world.start(world.config(sinks={'out': {**receiver.sink, 'inputs': ['app'], **(given if where == 'sink' else {})}},
                                     top=given if where == 'top' else {}, **(given if where == 'source' else {})))
    writer = MarkWriter(world.log('a.log'), 0.01)
    time.sleep(3)
    writer.stop()
    until(lambda: len(receiver.delays()) == writer.count, 'all lines arrive')
    delays = sorted(receiver.delays())
    assert delays[len(delays) // 2] > 0.03, 'lines wait for others'
    assert delays[len(delays) // 2] < 0.4 * SLOW, delays[-5:]
    assert agent.stop() == 0
    receiver.close()
