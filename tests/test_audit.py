"""The audit: for each file and sink, what was delivered, discarded, lost, skipped, pending and unread is the file."""
import ctypes
import gzip
import json
import os
import random
import shutil
import sqlite3
import time

import pytest

from harness import SLOW, numbered, until


def audit(world, *arguments, code=0, data='data'):
    done = world.call('audit', '--data-dir', world.path(data), '--json', *arguments)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    files = json.loads(done.stdout)
    for file in files:
        for sink in file['sinks']:
            total = (sink['delivered']['bytes'] + sum(e['bytes'] for e in sink['exceptions']) + sink['pending_bytes']
                     + sink['unread_bytes'])
            assert sink['faults'] or total == file['size_bytes'], (file, sink)
    return files


def parts(file, sink):
    """What became of the file's bytes, by name."""
    one = next(s for s in file['sinks'] if s['sink'] == sink)
    sums = {'delivered': one['delivered']['bytes'], 'pending': one['pending_bytes'], 'unread': one['unread_bytes']}
    for e in one['exceptions']:
        sums[f"{e['kind']} {e['reason']}"] = e['bytes']
    return {name: value for name, value in sums.items() if value}


def by_content(files):
    return sorted(files, key=lambda file: file['id'])


def http_sink(receiver, **more):
    return {'type': 'http', 'uri': receiver.uri, 'encoding': 'raw', 'batch': {'max_bytes': '50KB', 'linger': '20ms'},
            'buffer': {'max_bytes': '200KB'}, **more}


@pytest.mark.sanitizer
def test_what_was_delivered_is_the_file(world):
    world.write('a.log', numbered(1, 10_000))
    world.write('b.log', b'no newline yet')
    world.config()
    agent = world.start()
    world.expect_out(numbered(1, 10_000))
    assert agent.stop() == 0
    files = {os.path.basename(file['path']): file for file in audit(world)}
    assert parts(files['a.log'], 'out') == {'delivered': 130_000}
    assert files['a.log']['sinks'][0]['delivered'] == {'bytes': 130_000, 'events': 10_000, 'ranges': [[0, 130_000]]}
    assert parts(files['b.log'], 'out') == {'unread': 14}
    text = world.call('audit', '--config', world.path('logflume.yaml'), world.log()).stdout
    assert 'b.log' not in text and '= the file' in text and '10000 events [0, 130000)' in text, text
    assert world.call('audit', '--data-dir', world.path('data'), world.log('none.log')).returncode == 1


def test_each_sink_has_books_of_its_own(world, receiver):
    """One is down, so that what it does not have is not delivered, while the other has all."""
    receiver.status = 503
    world.write('a.log', numbered(1, 100_000))
    world.config(sinks={'out': world.file_sink(), 'web': http_sink(receiver)})
    agent = world.start()
    world.expect_out(numbered(1, 100_000))
    agent.kill()
    file, = audit(world)
    assert parts(file, 'web') == {'unread': 1_300_000}, 'in flight when it was killed is not delivered'
    assert parts(file, 'out').get('delivered', 0) + parts(file, 'out').get('unread', 0) == 1_300_000
    receiver.status = 200
    agent = world.start()
    until(lambda: len(receiver.lines()) == 100_000, lambda: f'{len(receiver.lines())} lines')
    assert agent.stop() == 0
    file, = audit(world)
    assert parts(file, 'web') == parts(file, 'out') == {'delivered': 1_300_000}


@pytest.mark.sanitizer
def test_what_a_server_refuses_is_discarded_with_its_reason(world, receiver):
    receiver.status = 400
    world.write('a.log', numbered(1, 10_000))
    world.config(sinks={'web': http_sink(receiver)})
    agent = world.start()
    until(lambda: agent.metrics().get('logflume_component_discarded_events_total', component='web') == 10_000, 'all are refused')
    receiver.status = 200
    world.append('a.log', numbered(10_001, 20_000))
    until(lambda: len(receiver.lines()) == 10_000, lambda: f'{len(receiver.lines())} lines')
    assert agent.stop() == 0
    file, = audit(world)
    assert parts(file, 'web') == {'delivered': 130_000, 'discarded rejected_400': 130_000}
    discarded, = file['sinks'][0]['exceptions']
    assert discarded['events'] == 10_000 and discarded['ranges'] == [[0, 130_000]]
    assert file['sinks'][0]['delivered']['ranges'] == [[130_000, 260_000]]


@pytest.mark.parametrize('rotation', ['rename', 'copytruncate', 'gzip'])
def test_a_rotated_file_keeps_its_books(world, rotation):
    world.write('a.log', numbered(1, 10_000))
    world.config(include=[world.log('*')])
    agent = world.start()
    world.expect_out(numbered(1, 10_000))
    if rotation == 'rename':
        os.rename(world.log(), world.log('a.log.1'))
    else:
        with open(world.log(), 'rb') as log:
            data = log.read()
        with open(world.log('a.log.1' + ('.gz' if rotation == 'gzip' else '')), 'wb') as copy:
            copy.write(gzip.compress(data) if rotation == 'gzip' else data)
        os.truncate(world.log(), 0)
    world.append('a.log', numbered(10_001, 12_000))
    world.expect_out(numbered(1, 12_000))
    assert agent.stop() == 0
    old, new = by_content(audit(world))
    assert parts(old, 'out') == {'delivered': 130_000} and parts(new, 'out') == {'delivered': 26_000}
    assert new['path'] == world.log() and (rotation == 'gzip' or old['path'] == world.log('a.log.1'))


def test_what_is_skipped_has_its_reason(world):
    """start_at: end, a line that is too long, and a sink that comes later."""
    world.write('a.log', numbered(1, 10))
    world.config(start_at='end', max_line_bytes=1000)
    agent = world.start()
    world.append('a.log', b'x' * 5000 + b'\n' + b'short\n')
    world.expect_out(b'x' * 1000 + b'\n' + b'short\n')
    assert agent.stop() == 0
    file, = audit(world)
    assert parts(file, 'out') == {'skipped start_at_end': 130, 'skipped max_line_bytes': 4001, 'delivered': 1006}
    world.config(start_at='end', max_line_bytes=1000, sinks={'out': world.file_sink(), 'late': world.file_sink('late.log')})
    world.append('a.log', b'both\n')
    agent = world.start()
    world.expect_out(b'both\n', 'late.log')
    assert agent.stop() == 0
    file, = audit(world)
    assert parts(file, 'late') == {'skipped start_at_end': 130, 'skipped sink_added': 5007, 'delivered': 5}
    assert parts(file, 'out')['delivered'] == 1011


def test_what_is_lost_has_its_reason(world, receiver):
    """A file is deleted beyond the budget while a sink is down; another is truncated within a line."""
    receiver.status = 503
    world.config(sinks={'out': world.file_sink(), 'web': http_sink(receiver)}, deleted_files={'max_bytes': '100KB'})
    world.write('a.log', numbered(1, 100_000))
    agent = world.start()
    world.expect_out(numbered(1, 100_000))
    os.unlink(world.log())
    lost = until(lambda: agent.metrics().get('logflume_lost_bytes_total', component='app', reason='deleted'), 'counted as lost')
    receiver.status = 200
    until(lambda: len(b'\n'.join(receiver.lines())) + 1 + lost == 1_300_000, 'the rest arrives')
    world.write('b.log', b'whole\nhal')
    until(lambda: receiver.lines()[-1] == b'whole', 'the whole line')
    os.truncate(world.log('b.log'), 0)
    until(lambda: agent.metrics().get('logflume_lost_bytes_total', reason='truncated_partial_line') == 3, 'the half one is dropped')
    assert agent.stop() == 0
    a, b = [file for file in by_content(audit(world)) if file['size_bytes']]
    assert parts(a, 'out') == {'delivered': 1_300_000}
    assert parts(a, 'web') == {'delivered': 1_300_000 - lost, 'lost deleted': lost}
    assert parts(b, 'out') == parts(b, 'web') == {'delivered': 6, 'discarded truncated_partial_line': 3}


@pytest.mark.parametrize('damage, says', [
    ('UPDATE cursors SET delivered_bytes = delivered_bytes - 13', 'gap [0, 130000): 13 bytes'),
    ('UPDATE cursors SET delivered_bytes = delivered_bytes + 13', 'overlap [0, 130000): 13 bytes'),
    ('UPDATE cursors SET begin_offset = 13, delivered_bytes = delivered_bytes - 13', 'gap [0, 13)')])
def test_a_sum_that_is_wrong_is_an_error(world, damage, says):
    """The checksums are made right again: only the sum tells."""
    world.write('a.log', numbered(1, 10_000))
    world.config()
    world.run_to_end()
    assert parts(audit(world)[0], 'out') == {'delivered': 130_000}
    shutil.copytree(world.path('data'), world.path('copy'))
    store = sqlite3.connect(world.path('copy', 'checkpoints.db'))
    store.execute(damage)
    row = store.execute('SELECT file_id, sink, "offset", seam_bytes, seam_hash, begin_offset, delivered_bytes, delivered_events '
                        'FROM cursors').fetchone()
    store.execute('UPDATE cursors SET checksum = ?', (checksum('cursors', row),))
    store.commit()
    store.close()
    file, = audit(world, code=1, data='copy')
    assert says in file['sinks'][0]['faults'][0], file
    done = world.call('audit', '--data-dir', world.path('copy'))
    assert done.returncode == 1 and f'ERROR: {says}' in done.stdout and 'wrong for 1 of 1 file' in done.stderr


def checksum(table, row):
    """As docs/formats/checkpoint.md says."""
    xxh3 = ctypes.CDLL('libxxhash.so.0').XXH3_64bits
    xxh3.restype, xxh3.argtypes = ctypes.c_int64, [ctypes.c_char_p, ctypes.c_size_t]
    number = lambda value: (value % 2**64).to_bytes(8, 'little')
    data = number(len(table)) + table.encode()
    for column in row:
        data += number(column) if isinstance(column, int) else number(len(column)) + column
    return xxh3(data, len(data))


def test_the_sum_is_right_after_kills_at_random(world, receiver):
    """Method: 20 times kill -9 while lines are written, rotated and sometimes refused; then everything is read."""
    rng = random.Random(4)
    world.config(sinks={'out': world.file_sink(), 'web': http_sink(receiver)})
    written = 0
    for turn in range(20):
        agent = world.start()
        receiver.status = 400 if rng.random() < 0.3 else 200
        for _ in range(rng.randrange(1, 20)):
            world.append('a.log', numbered(written + 1, written + 500))
            written += 500
            if rng.random() < 0.1:
                os.rename(world.log(), world.log(f'a.{turn}.{written}.log'))
            time.sleep(rng.uniform(0, 0.03) * SLOW)
        agent.kill()
        audit(world)
    receiver.status = 200
    agent = world.start()
    world.expect_lines(numbered(1, written), seconds=60)
    until(lambda: all(set(parts(file, 'web')) <= {'delivered', 'discarded rejected_400'} for file in audit(world)),
          lambda: f'the books close: {[parts(file, "web") for file in audit(world)]}')
    assert agent.stop() == 0
    files = audit(world)
    assert sum(file['size_bytes'] for file in files) == 13 * written
    assert all(parts(file, 'out') == {'delivered': file['size_bytes']} for file in files if file['size_bytes'])
