"""`logflume generate` by its command line: what it writes, what --verify finds, how it refuses."""
import gzip
import json
import os
import re
import signal
import subprocess
import time

import pytest

from harness import BINARY, SLOW


def generate(world, *arguments, **more):
    return world.call('generate', *arguments, **more)


def verify(world, *arguments):
    done = generate(world, '--json', '--verify', *arguments)
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize('form', ['nginx', 'json', 'java', 'syslog', 'syslog-rfc3164'])
def test_every_format_verifies(world, form):
    assert generate(world, '--format', form, '--lines', 3000, '--out', world.log()).returncode == 0
    with open(world.log(), 'rb') as file:
        assert file.read().count(b'\n') == 3000
    code, report = verify(world, world.log())
    assert code == 0 and report['lines'] == 3000 and report['ok']


def test_each_kind_of_harm_is_counted_and_fails(world):
    generate(world, '--lines', 1000, '--out', world.log())
    with open(world.log(), 'rb') as file:
        lines = file.read().splitlines(True)
    harmed = {
        'lost': lines[:10] + lines[11:],
        'duplicated': lines + lines[5:6],
        'reordered': lines[1:2] + lines[:1] + lines[2:],
        'damaged': lines + [lines[0][:-20] + b'\n'],
    }
    for what, text in harmed.items():
        with open(world.log('harmed'), 'wb') as file:
            file.writelines(text)
        code, report = verify(world, world.log('harmed'))
        assert code == 1, what
        assert {key: report[key] for key in harmed} == {key: int(key == what) for key in harmed}
        said = generate(world, '--verify', world.log('harmed'))
        assert re.search(rf'^{what} +1$', said.stdout, re.MULTILINE)
    with open(world.log('harmed'), 'wb') as file:
        file.writelines(lines[1:2] + lines[:1] + lines[1:])
    assert generate(world, '--verify', world.log('harmed'), '--allow', 'duplicated,reordered').returncode == 0
    assert generate(world, '--verify', world.log('harmed'), '--allow', 'duplicated').returncode == 1


def test_a_missing_tail_is_seen_against_the_originals(world):
    generate(world, '--lines', 100, '--out', world.log(), '--writer-id', 'w')
    with open(world.log(), 'rb') as file:
        lines = file.read().splitlines(True)
    with open(world.path('out.log'), 'wb') as file:
        file.writelines(lines[:90])
    assert verify(world, world.path('out.log'))[0] == 0
    for arguments in (['--expect', 100], ['--expect', 'w=100'], ['--expect-from', world.path('logs')]):
        code, report = verify(world, world.path('out.log'), *arguments)
        assert code == 1 and report['lost'] == 10, arguments
    assert generate(world, '--verify', world.path('out.log'), '--expect', 'many').returncode == 2


def test_outputs_may_be_compressed_json_directories_and_standard_input(world):
    generate(world, '--format', 'json', '--lines', 500, '--out', world.log())
    with open(world.log(), 'rb') as file:
        data = file.read()
    events = ''.join(json.dumps({'host': 'h', 'message': line.decode()}) + '\n' for line in data.splitlines())
    os.makedirs(world.path('out'))
    with gzip.open(world.path('out/a.gz'), 'wb') as file:
        file.write(data)
    with open(world.path('events.json'), 'w') as file:
        file.write(events)
    assert verify(world, world.path('out'))[1]['lines'] == 500
    assert verify(world, world.path('events.json')) == verify(world, world.log())
    done = subprocess.run([BINARY, 'generate', '--verify', '-'], input=data, capture_output=True)
    assert done.returncode == 0 and b'lines      500' in done.stdout


def test_standard_output_holds_the_lines_and_nothing_else(world):
    done = subprocess.run([BINARY, 'generate', '--lines', '1000', '--line-bytes', '200'], capture_output=True)
    assert done.returncode == 0 and done.stderr == b''
    assert {len(line) for line in done.stdout.splitlines(True)} == {200} and done.stdout.count(b'\n') == 1000


@pytest.mark.alone
@pytest.mark.parametrize('rate, unit', [('2MB/s', 'bytes'), ('4000/s', 'lines')])
def test_a_rate_is_kept(world, rate, unit):
    done = generate(world, '--rate', rate, '--duration', '2s', '--out', world.log(), '--json')
    stream = json.loads(done.stdout)['streams'][0]
    wanted = 2 * (2e6 if unit == 'bytes' else 4000)
    assert 0.7 * wanted / SLOW < stream[unit] < 1.05 * wanted


def test_several_files_and_bounded_rotation(world):
    done = generate(world, '--files', 3, '--out', world.log('app-{}.log'), '--lines', 5000, '--rotate', 'gzip',
                    '--rotate-every', '100KB', '--rotate-keep', 3, '--json')
    streams = json.loads(done.stdout)['streams']
    assert [os.path.basename(stream['file']) for stream in streams] == ['app-1.log', 'app-2.log', 'app-3.log']
    assert all(stream['rotations'] > 4 for stream in streams)
    assert sorted(os.listdir(world.path('logs'))) == sorted(
        f'app-{n}.log{end}' for n in (1, 2, 3) for end in ('', '.1.gz', '.2.gz', '.3.gz'))


def test_a_signal_ends_it_after_whole_lines(world):
    writer = subprocess.Popen([BINARY, 'generate', '--rate', '1MB/s', '--split-writes', '--out', world.log()])
    while not os.path.exists(world.log()) or os.path.getsize(world.log()) < 10_000:
        assert writer.poll() is None
        time.sleep(0.01)
    writer.send_signal(signal.SIGTERM)
    assert writer.wait(10 * SLOW) == 0
    code, report = verify(world, world.log())
    assert code == 0 and report['lines'] > 10


@pytest.mark.parametrize('arguments, says', [
    (['--out', 'x'], '--lines'),
    (['--format', 'cobol'], 'cobol'),
    (['--lines', 'ten'], 'ten'),
    (['--rate', '5 parsecs', '--out', 'x'], 'parsecs'),
    (['--rotate', 'rename', '--lines', '5', '--out', 'x'], '--rotate-every'),
    (['--lines', '5', '--line-bytes', '20', '--out', 'x'], 'at least'),
    (['--lines', '5', '--writer-id', 'a b', '--out', 'x'], 'a b'),
    (['--files', '2', '--lines', '5'], '--out'),
])
def test_a_wrong_command_line_is_explained(world, arguments, says):
    done = generate(world, *arguments, cwd=world.dir)
    assert done.returncode == 2 and says in done.stderr and done.stdout == ''
    assert os.listdir(world.path('logs')) == []


def test_what_cannot_be_written_or_read_is_a_failure_that_names_it(world):
    done = generate(world, '--lines', 5, '--out', world.path('missing/a.log'))
    assert done.returncode == 1 and 'missing/a.log: No such file' in done.stderr
    done = generate(world, '--verify', world.path('missing.log'))
    assert done.returncode == 1 and 'missing.log: No such file' in done.stderr
    with open(world.log('broken.gz'), 'wb') as file:
        file.write(gzip.compress(b'x' * 10_000)[:-12])
    done = generate(world, '--verify', world.log('broken.gz'))
    assert done.returncode == 1 and 'broken.gz' in done.stderr
