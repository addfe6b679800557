"""Subcommands as a user types them, with what they print and what comes of it."""
import contextlib
import json
import os
import pty
import re
import subprocess
import threading

import pytest

from harness import BINARY, SLOW, TcpReceiver, numbered, until

# -- tail -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('to', ['console', 'file', 'tcp', 'http'])
def test_tail_sends_lines_as_they_are(world, receiver, to):
    world.write('a.log', numbered(1, 1000))
    with contextlib.closing(TcpReceiver()) as tcp:
        uri = {'console': 'console', 'file': f'file:{world.path("out.log")}', 'tcp': f'tcp://127.0.0.1:{tcp.port}',
               'http': receiver.uri}[to]
        done = world.call('tail', world.log('*.log'), '--to', uri, '--until-eof')
        assert done.returncode == 0, done.stderr
        came = {'console': done.stdout.encode, 'file': world.out, 'tcp': lambda: b''.join(tcp.connections),
                'http': lambda: b'\n'.join([*receiver.lines(), b''])}[to]
        until(lambda: came() == numbered(1, 1000), lambda: f'{came()[:100]} ...')
        assert to == 'console' or done.stdout == ''


def test_tail_follows_until_it_is_stopped(world):
    world.write('a.log', numbered(1, 10))
    process = subprocess.Popen([BINARY, 'tail', world.log('*.log'), '--from', 'end'], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    world.closers.append(process.kill)
    lines = []
    threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, b'')), daemon=True).start()

    def arrived():
        world.append('a.log', b'now\n')  # what was written before the first look at the file is not new
        return lines
    until(arrived, 'a line')
    assert set(lines) == {b'now\n'}
    process.terminate()
    assert process.wait(20 * SLOW) == 0


def test_tail_prints_a_configuration_that_does_the_same(world):
    world.write('a.log', numbered(1, 100))
    arguments = ['tail', world.log('*.log'), '--to', f'file:{world.path("out.log")}', '--data-dir', world.path('data')]
    printed = world.call(*arguments, '--print-config')
    assert printed.returncode == 0 and world.out() == b'', 'it only prints'
    with open(world.path('printed.yaml'), 'w') as file:
        file.write(printed.stdout)
    assert world.call('validate', world.path('printed.yaml')).returncode == 0
    world.run_to_end(world.path('printed.yaml'))
    assert world.out() == numbered(1, 100)
    world.append('a.log', numbered(101, 110))
    done = world.call(*arguments, '--until-eof')  # the same names of components, so the same checkpoints
    assert done.returncode == 0 and world.out() == numbered(1, 110)


@pytest.mark.parametrize('uri', ['ftp://x/y', 'tcp://127.0.0.1', 'kafka://127.0.0.1:1', 'file:'])
def test_tail_names_a_wrong_uri(world, uri):
    done = world.call('tail', world.log('*.log'), '--to', uri, '--until-eof', timeout=20)
    assert done.returncode == 2 and (uri.split('//')[-1] in done.stderr) and done.stdout == ''


# -- checkpoints ----------------------------------------------------------------------------------------------


def checkpoints(world, *arguments, code=0):
    done = world.call('checkpoints', *arguments, '--config', world.path('logflume.yaml'))
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_checkpoints_are_listed_shown_and_reset(world):
    world.config(sinks={'out': world.file_sink(), 'other': world.file_sink('other.log')})
    for name in ('a', 'b'):
        world.write(f'{name}.log', numbered(1, 10, name))
    world.run_to_end()
    world.append('a.log', numbered(11, 12, 'a'))
    rows = {(os.path.basename(row['path']), row['sink']): row for row in json.loads(checkpoints(world, 'list', '--json'))}
    assert rows.keys() == {(file, sink) for file in ('a.log', 'b.log') for sink in ('out', 'other')}
    size = len(numbered(1, 10, 'a'))
    assert all(row['offset'] == size and row['source'] == 'app' for row in rows.values())
    assert rows['a.log', 'out']['lag_bytes'] == 2 * size // 10 and rows['b.log', 'out']['lag_bytes'] == 0
    text = checkpoints(world, 'list')
    assert text.count('a.log') == 2 and str(size) in text
    shown = checkpoints(world, 'show', 'a.log')
    assert str(os.stat(world.log()).st_ino) in shown and 'b.log' not in shown

    before = checkpoints(world, 'list', '--json')
    assert 'a.log' in checkpoints(world, 'reset', '--file', 'a.log', '--dry-run')
    assert checkpoints(world, 'list', '--json') == before
    checkpoints(world, 'reset', '--file', 'a.log', '--sink', 'out')
    world.run_to_end()
    assert sorted(world.out_lines()) == sorted(
        (numbered(1, 10, 'a') + numbered(1, 10, 'b') + numbered(1, 12, 'a')).splitlines())
    assert world.out('other.log').count(b'a 0000001') == 1
    checkpoints(world, 'reset', '--file', 'b.log', '--sink', 'out', '--to-offset', len(numbered(1, 8, 'b')))
    world.append('a.log', numbered(13, 14, 'a'))
    checkpoints(world, 'reset', '--file', 'a.log', '--sink', 'other', '--to-end')
    world.run_to_end()
    assert world.out_lines().count(b'b 0000008') == 1 and world.out_lines().count(b'b 0000009') == 2
    assert b'a 0000013' in world.out_lines() and b'a 0000013' not in world.out_lines('other.log')


def test_checkpoints_of_a_running_agent_are_not_reset(world):
    world.config()
    world.write('a.log', numbered(1, 10))
    agent = world.start()
    world.expect_out(numbered(1, 10))
    assert str(agent.pid) in checkpoints(world, 'reset', code=1)
    until(lambda: '"offset":130' in checkpoints(world, 'list', '--json').replace(' ', ''), 'they can be looked at')
    world.append('a.log', numbered(11, 11))
    world.expect_out(numbered(1, 11))
    assert agent.stop() == 0


# -- schema ---------------------------------------------------------------------------------------------------


def test_the_schema_says_what_is_accepted(world):
    done = world.call('schema')
    assert done.returncode == 0 and done.stderr == ''
    schema = json.loads(done.stdout)
    values = {'inputs': ['app'], 'path': world.path('x'), 'address': '127.0.0.1:1', 'uri': 'http://127.0.0.1:1/',
              'bootstrap_servers': '127.0.0.1:1', 'topic': 't'}
    kinds = schema['properties']['sinks']['additionalProperties']['properties']['type']['enum']
    assert {'blackhole', 'console', 'file', 'tcp', 'http', 'kafka'} <= set(kinds)

    def validate(sink, **top):
        path = world.path('try.yaml')
        with open(path, 'w') as file:
            json.dump({'data_dir': world.path('data'), 'sources': {'app': {'type': 'file', 'include': ['/x']}},
                       'sinks': {'out': sink}, **top}, file)
        return world.call('validate', path)
    for kind in kinds:
        described = schema['$defs'][f'{kind}_sink']
        required = [key for key in described['required'] if key != 'type']
        sink = {'type': kind, **{key: values[key] for key in required}}
        assert validate(sink).returncode == 0, kind
        for key in required:
            done = validate({k: v for k, v in sink.items() if k != key})
            assert done.returncode == 78 and key in done.stderr, (kind, key)
        assert validate({**sink, 'no_such_key': 1}).returncode == 78
        assert 'no_such_key' not in described['properties']
    assert schema['additionalProperties'] is False and validate(sink, no_such_key=1).returncode == 78


# -- Progress -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('what', ['run', 'generate'])
def test_progress_is_shown_on_a_terminal_and_nowhere_else(world, what):
    """Method: standard error is a pseudo-terminal, standard output a pipe; then neither is a terminal."""
    world.write('a.log', numbered(1, 100_000))
    command = {'run': [BINARY, 'run', '--config', world.config(
                   sinks={'out': {'type': 'console', 'encoding': 'raw'}}, rate_limit='1MB'), '--until-eof'],
               'generate': [BINARY, 'generate', '--bytes', '1MB', '--rate', '500KB/s']}[what]
    master, slave = pty.openpty()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=slave)
    os.close(slave)
    shown = bytearray()

    def listen():
        with contextlib.suppress(OSError):  # EIO: nobody has it open any more
            while data := os.read(master, 4096):
                shown.extend(data)
    thread = threading.Thread(target=listen)
    thread.start()
    out, _ = process.communicate(timeout=60 * SLOW)
    thread.join()
    os.close(master)
    assert process.returncode == 0
    if what == 'run':
        assert out == numbered(1, 100_000)
    assert re.search(rb'\r.*MB/s +\d+% .*left', bytes(shown)), bytes(shown)
    percents = [int(n) for n in re.findall(rb'(\d+)%', bytes(shown))]
    assert len(percents) > 3 and percents == sorted(percents) and percents[-1] > 70, percents
    world.config(sinks={'out': {'type': 'console', 'encoding': 'raw'}}, rate_limit='1MB',
                 top={'data_dir': world.path('data2'), 'log': {'level': 'warn'}})
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60 * SLOW)
    assert done.returncode == 0 and done.stderr == b'' and b'\r' not in done.stdout
