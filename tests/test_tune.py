"""`logflume tune`: what it prints loads, says why, and leaves the user's files as they are."""
import json
import os
import pathlib
import re
import subprocess
import threading
import time

import pytest

from harness import BINARY


def write_logs(world, name='app.log', lines=60_000):
    assert world.call('generate', '--format', 'nginx', '--lines', lines, '--out', pathlib.Path(world.dir) / name).returncode == 0
    return pathlib.Path(world.dir) / name


def validated(world, yaml):
    path = pathlib.Path(world.dir) / 'tuned.yaml'
    path.write_text(yaml)
    done = world.call('validate', path)
    assert done.returncode == 0, done.stdout + done.stderr + yaml


@pytest.mark.parametrize('to, keys', [
    ('kafka://127.0.0.1:9092/logs', {'sinks.out.compression'}),
    ('http://127.0.0.1:8080/ingest', {'sinks.out.compression'}),
    ('tcp://127.0.0.1:9000', set()),
    ('file:out.log', set()),
    ('console', set()),
])
def test_the_configuration_is_valid_and_says_why(world, to, keys):
    log = write_logs(world)
    before = (log.stat().st_size, log.stat().st_mtime_ns)
    data = pathlib.Path(world.dir) / 'tuned-data'
    done = world.call('tune', log, '--to', to, '--link', '100Mbit', '--data-dir', data, '--json')
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    validated(world, answer['config'])
    assert (log.stat().st_size, log.stat().st_mtime_ns) == before
    assert not data.exists() and not (pathlib.Path(world.dir) / 'out.log').exists()
    assert answer['files'] == {'count': 1, 'bytes': before[0], 'empty': 0, 'archives': 0, 'unreadable': 0}
    assert 100 < answer['lines']['mean_bytes'] < 400
    assert {read['mode'] for read in answer['reads']} == {'pread', 'mmap', 'io_uring'}
    recommended = {one['key'] for one in answer['recommendations']}
    assert keys <= recommended
    for one in answer['recommendations']:
        assert one['why']
        # Its reason stands at the key: words of it are in the comments.
        assert one['why'].split()[0] in answer['config']
    for one in answer['recommendations']:
        if one['key'] == 'sinks.out.compression':
            assert one['gain'] > 1.5 and '100 Mbit/s' in one['why']


def test_text_and_json_have_the_same_configuration(world):
    log = write_logs(world)
    done = world.call('tune', log, '--to', 'http://h/x', '--data-dir', pathlib.Path(world.dir) / 'tuned-data')
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('# Recommended by logflume tune')
    assert 'which is assumed: --link says another' in re.sub(r'\s*\n\s*#\s*', ' ', done.stdout)
    assert all(len(line) <= 100 for line in done.stdout.splitlines() if line.lstrip().startswith('#'))
    validated(world, done.stdout)


def test_files_that_grow_are_seen(world):
    log = write_logs(world, lines=1000)
    stop = threading.Event()

    def append():
        with open(log, 'ab') as file:
            while not stop.is_set():
                file.write(b'another line of the log\n' * 100)
                file.flush()
                time.sleep(0.05)

    writer = threading.Thread(target=append)
    writer.start()
    try:
        answer = json.loads(world.call('tune', log, '--json', '--data-dir', pathlib.Path(world.dir) / 'tuned-data').stdout)
    finally:
        stop.set()
        writer.join()
    assert answer['growth']['files'] == 1 and answer['growth']['bytes_per_second'] > 1000


def test_what_lines_are_like_is_configured(world):
    (pathlib.Path(world.dir) / 'long.log').write_text('x' * 900_000 + '\r\n' + 'short\r\n' * 50)
    done = world.call('tune', pathlib.Path(world.dir) / '*.log', '--data-dir', pathlib.Path(world.dir) / 'tuned-data')
    assert done.returncode == 0, done.stderr
    assert 'max_line_bytes: 2MiB' in done.stdout and 'strip_cr: true' in done.stdout
    validated(world, done.stdout)


def test_nothing_to_measure_is_said(world):
    data = ('--data-dir', pathlib.Path(world.dir) / 'tuned-data')
    done = world.call('tune', pathlib.Path(world.dir) / '*.nothing', *data)
    assert done.returncode == 1 and 'no file matches' in done.stderr and done.stdout == ''

    done = world.call('tune', world.dir, *data)
    assert done.returncode == 1 and 'it is a directory' in done.stderr

    (pathlib.Path(world.dir) / 'empty.log').write_text('')
    done = world.call('tune', pathlib.Path(world.dir) / 'empty.log', *data)
    assert done.returncode == 0 and 'There was nothing to measure: 1 empty' in done.stdout
    validated(world, done.stdout)

    done = world.call('tune', pathlib.Path(world.dir) / '[broken', *data)
    assert done.returncode == 2 and "'[' without ']'" in done.stderr
    done = world.call('tune', pathlib.Path(world.dir) / 'empty.log', '--to', 'carrier-pigeon', *data)
    assert done.returncode == 2 and 'not a destination' in done.stderr
    done = world.call('tune', pathlib.Path(world.dir) / 'empty.log', '--link', '5', *data)
    assert done.returncode == 2 and '--link' in done.stderr
    assert world.call('tune').returncode == 2


@pytest.mark.skipif(os.geteuid() == 0 and not os.path.exists('/usr/bin/setpriv'), reason='cannot give up root')
def test_files_that_may_not_be_read_are_said(world):
    log = write_logs(world, lines=10)
    log.chmod(0)
    for above in log.parents:
        if str(above).startswith('/tmp/'):
            above.chmod(0o755)
    command = [BINARY, 'tune', str(log), '--data-dir', '/tmp/logflume-tune-data']
    if os.geteuid() == 0:
        command = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and 'Permission denied' in done.stderr, done.stderr
