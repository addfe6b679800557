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
    until(lambda: audit(world) and parts(audit(world)[0], 'out') == {'skipped start_at_end': 130}, 'it is at the end')
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


# -- A running agent ------------------------------------------------------------------------------------------------------

JOURNAL = {'audit': {'enabled': True}}


def find(world, address, code=0, more=()):
    done = world.call('audit', '--data-dir', world.path('data'), '--json', '--find', address, *more)
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    return json.loads(done.stdout)


def fates(found, sink):
    one = next(s for s in found['sinks'] if s['sink'] == sink)
    return [f"{fate['what']} {fate['reason']}".strip() for fate in one['fates']]


def steps(found, sink):
    return [step['stage'] for s in found['sinks'] if s['sink'] == sink for step in s['steps']]


@pytest.mark.sanitizer
def test_a_running_agent_tells_what_is_on_its_way(world, receiver):
    receiver.status = None  # it hangs
    world.write('a.log', numbered(1, 100_000))
    world.config(sinks={'out': world.file_sink(), 'web': http_sink(receiver)})
    agent = world.start()
    world.expect_out(numbered(1, 100_000))
    until(lambda: agent.metrics().get('logflume_sink_inflight_bytes', component='web'), 'something is on its way')

    def settled():
        file, = audit(world)
        return parts(file, 'out') == {'delivered': 1_300_000} and parts(file, 'web').get('pending') and file
    file = until(settled, 'all is delivered to the other')
    web = parts(file, 'web')
    assert set(web) == {'pending', 'unread'} and web['pending'] + web['unread'] == 1_300_000, web
    at_rest, = audit(world, '--at-rest')
    assert parts(at_rest, 'web') == {'unread': 1_300_000}
    status, page = agent.get('/audit')
    assert status == 200 and json.loads(page)['next'] == 0
    over_http, = json.loads(page)['files']
    assert parts(over_http, 'web') == web
    assert agent.get('/audit?nonsense')[0] == 400
    text = world.call('audit', '--config', world.path('logflume.yaml'), world.log()).stdout
    assert 'read and not acknowledged [0, ' in text, text
    receiver.status = 200
    until(lambda: parts(audit(world)[0], 'web') == {'delivered': 1_300_000}, lambda: f'{audit(world)}')
    assert agent.stop() == 0


def test_the_books_of_many_files_come_in_pages(world):
    for i in range(1300):
        world.write(f'{i}.log', numbered(1, 3))
    world.config()
    agent = world.start()
    until(lambda: len(world.out_lines()) == 3900, 'all is delivered')
    files = audit(world)
    assert [file['id'] for file in files] == sorted(file['id'] for file in files)
    assert len({file['path'] for file in files}) == 1300
    assert all(parts(file, 'out') == {'delivered': 39} for file in files)
    assert json.loads(agent.get('/audit')[1])['next'] == files[511]['id']
    names = [world.log(f'{i}.log') for i in range(0, 1300, 13)]
    assert sorted(file['path'] for file in audit(world, *names)) == sorted(names)
    assert agent.stop() == 0
    assert {file['path'] for file in audit(world)} == {file['path'] for file in files}


def test_an_audit_while_lines_flow_and_files_turn_is_balanced(world, receiver):
    """Each audit is of one moment: nothing is missing, nothing counted twice, whatever happens meanwhile."""
    rng = random.Random(11)
    world.config(sinks={'out': world.file_sink(), 'web': http_sink(receiver)}, include=[world.log('*')], top=JOURNAL)
    agent = world.start()
    written = 0
    for turn in range(40):
        receiver.status = rng.choice([200, 200, 503, 400])
        for _ in range(rng.randrange(1, 6)):
            world.append('a.log', numbered(written + 1, written + 2000))
            written += 2000
        if turn % 5 == 4:
            if rng.random() < 0.5:
                os.rename(world.log(), world.log(f'a.log.{turn}'))
            else:
                shutil.copyfile(world.log(), world.log(f'a.log.{turn}'))
                os.truncate(world.log(), 0)
        audit(world)
    receiver.status = 200
    until(lambda: all(set(parts(file, 'out')) <= {'delivered'} and set(parts(file, 'web')) <= {'delivered', 'discarded rejected_400'}
                      for file in audit(world)), lambda: f'the books close: {audit(world)}', seconds=60)
    assert agent.stop() == 0


# -- One line -------------------------------------------------------------------------------------------------------------

@pytest.mark.sanitizer
def test_a_line_is_found_by_number_and_by_offset(world):
    world.write('a.log', numbered(1, 100_000))
    world.config(top=JOURNAL)
    agent = world.start()
    world.expect_out(numbered(1, 100_000))
    begun = time.time()

    def found():
        one, = find(world, world.log() + ':50000')
        return fates(one, 'out') == ['delivered'] and one
    one = until(found, 'it is delivered')
    assert one['range'] == [13 * 49_999, 13 * 50_000] and one['path'] == world.log() and not one['beyond_end']
    read, = one['reads']
    assert read['range'][0] <= one['range'][0] and read['range'][1] >= one['range'][1] and read['events'] * 13 == read['range'][1] - read['range'][0]
    acknowledged, = one['sinks'][0]['steps']
    assert acknowledged['batch'] == read['batch'] > 0 and read['at'] <= acknowledged['at']
    assert abs(begun - time.mktime(time.strptime(read['at'][:19], '%Y-%m-%dT%H:%M:%S')) + time.timezone) < 120 * SLOW
    other, = find(world, world.log() + ':@650000')
    assert other['reads'][0]['batch'] != read['batch'] or other['reads'] == one['reads']
    assert find(world, world.log() + ':@1300000')[0]['beyond_end']
    assert agent.stop() == 0
    at_rest, = find(world, world.log() + ':50000')
    assert at_rest == one
    text = world.call('audit', '--data-dir', world.path('data'), '--find', world.log() + ':50000').stdout
    assert f'in batch {read["batch"]}' in text and f'acknowledged {acknowledged["at"]}' in text and 'delivered' in text, text
    for wrong, code in [('a.log', 2), (world.log() + ':0', 2), (world.log() + ':100001', 1), (world.log('b.log') + ':1', 1),
                        (world.log('b.log') + ':@1', 1), (world.path('data') + ':1', 1)]:
        done = world.call('audit', '--data-dir', world.path('data'), '--find', wrong)
        assert done.returncode == code and done.stderr and 'Traceback' not in done.stderr, (wrong, done)
    assert 'has 100000 lines now' in world.call('audit', '--data-dir', world.path('data'), '--find', world.log() + ':100001').stderr


def test_without_a_journal_the_ranges_tell(world):
    world.write('a.log', numbered(1, 10))
    world.config(top={'audit': {'enabled': False}})
    world.run_to_end()
    one, = find(world, world.log() + ':5')
    assert fates(one, 'out') == ['delivered'] and not one['journal'] and not one['reads']
    assert 'no journal tells when' in world.call('audit', '--data-dir', world.path('data'), '--find', world.log() + ':5').stdout
    assert not os.path.exists(world.path('data', 'audit'))


def test_a_line_that_is_not_delivered_says_why(world, receiver):
    receiver.status = 400
    world.write('a.log', numbered(1, 10))
    world.config(sinks={'out': world.file_sink(), 'web': http_sink(receiver)}, max_line_bytes=1000, top=JOURNAL)
    agent = world.start()
    until(lambda: agent.metrics().get('logflume_component_discarded_events_total', component='web') == 10, 'all are refused')
    receiver.status = None
    world.append('a.log', b'x' * 5000 + b'\n' + numbered(11, 20) + b'no newline')
    world.expect_out(numbered(1, 10) + b'x' * 1000 + b'\n' + numbered(11, 20))

    def line(number):
        one, = find(world, f'{world.log()}:{number}')
        return one
    until(lambda: fates(line(5), 'web') == ['discarded rejected_400'], lambda: f'{line(5)}')
    until(lambda: fates(line(15), 'out') == ['delivered'], lambda: f'{line(15)}')
    pending = line(15)
    assert fates(pending, 'web') == ['pending'] and steps(pending, 'web') == [] and steps(pending, 'out') == ['acknowledged']
    assert pending['reads'], 'it was read'
    assert fates(line(5), 'out') == ['delivered']
    assert fates(line(11), 'out') == ['delivered', 'skipped max_line_bytes']
    assert fates(line(22), 'out') == fates(line(22), 'web') == ['unread'] and not line(22)['reads']
    agent.kill()
    assert fates(line(15), 'web') == ['unread'], 'nobody has it in hand any more'
    assert fates(line(5), 'web') == ['discarded rejected_400'] and line(5)['reads']


@pytest.mark.parametrize('rotation', ['rename', 'copytruncate', 'gzip'])
def test_a_line_is_found_in_a_file_that_had_other_names(world, rotation):
    world.write('a.log', numbered(1, 1000))
    world.config(include=[world.log('*')], top=JOURNAL)
    agent = world.start()
    world.expect_out(numbered(1, 1000))
    rotated = world.log('a.log.1')
    if rotation == 'rename':
        os.rename(world.log(), rotated)
    elif rotation == 'copytruncate':
        shutil.copyfile(world.log(), rotated)
        os.truncate(world.log(), 0)
    else:
        rotated += '.gz'
        with gzip.open(rotated, 'wb') as archive:
            archive.write(numbered(1, 1000))
        os.unlink(world.log())
    world.append('a.log', numbered(1001, 2000))
    world.expect_out(numbered(1, 2000))

    def found():
        done = world.call('audit', '--data-dir', world.path('data'), '--json', '--find', rotated + ':500')
        return done.returncode == 0 and json.loads(done.stdout)[0]  # not known before it was looked at
    one = until(found, 'the content goes on under its new name')
    assert [name['path'] for name in one['former_names']] == [world.log()] and one['range'] == [13 * 499, 13 * 500]
    until(lambda: fates(find(world, rotated + ':500')[0], 'out') == ['delivered'], lambda: f'{one}')
    assert one['reads'] and steps(one, 'out') == ['acknowledged']
    new, = find(world, world.log() + ':500')
    assert new['id'] != one['id'] and new['former_names'] == []
    assert {file['id'] for file in audit(world, world.log())} == {one['id'], new['id']}, 'both had that name'
    os.unlink(rotated)
    assert agent.stop() == 0
    done = world.call('audit', '--data-dir', world.path('data'), '--find', rotated + ':500')
    assert done.returncode == 1 and '@OFFSET' in done.stderr
    gone, = find(world, rotated + ':@6500')
    assert gone['id'] == one['id'] and fates(gone, 'out') == ['delivered']


def test_after_a_kill_the_journal_tells_both_runs(world, receiver):
    receiver.status = None
    world.write('a.log', numbered(1, 1000))
    world.config(sinks={'web': http_sink(receiver)}, top=JOURNAL)
    agent = world.start()
    until(lambda: agent.metrics().get('logflume_component_received_events_total', component='app') == 1000, 'it is read')
    until(lambda: find(world, world.log() + ':5')[0]['reads'], 'it is read')
    agent.kill()
    receiver.status = 200
    agent = world.start()
    until(lambda: len(receiver.lines()) == 1000, lambda: f'{len(receiver.lines())} lines')
    one, = until(lambda: [f for f in find(world, world.log() + ':5') if fates(f, 'web') == ['delivered']], 'delivered')
    first, second = one['reads']
    assert first['batch'] < second['batch'] and first['at'] < second['at']
    assert [step['batch'] for step in one['sinks'][0]['steps']] == [second['batch']]
    assert agent.stop() == 0


def test_a_reload_switches_the_journal(world):
    world.config(top={'audit': {'enabled': False}})
    agent = world.start()
    world.append('a.log', numbered(1, 10))
    world.expect_out(numbered(1, 10))
    world.config(top=JOURNAL)
    assert world.call('reload', '--data-dir', world.path('data')).returncode == 0
    world.append('a.log', numbered(11, 20))
    world.expect_out(numbered(1, 20))
    until(lambda: find(world, world.log() + ':15')[0]['reads'], 'it is on')
    assert not find(world, world.log() + ':5')[0]['reads']
    world.config(top={'audit': {'enabled': False}})
    assert world.call('reload', '--data-dir', world.path('data')).returncode == 0
    world.append('a.log', numbered(21, 30))
    world.expect_out(numbered(1, 30))
    assert not find(world, world.log() + ':25')[0]['reads'] and find(world, world.log() + ':15')[0]['reads']
    assert agent.stop() == 0


# -- Disk buffers ---------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize('when_full', ['drop_newest', 'drop_oldest'])
def test_what_a_disk_buffer_gives_up_is_discarded(world, receiver, when_full):
    receiver.status = 503
    buffer = {'type': 'disk', 'max_bytes': '1MiB', 'when_full': when_full}
    world.config(sinks={'web': {**http_sink(receiver), 'buffer': buffer}}, top={**JOURNAL, 'memory_limit': '16MiB'})
    agent = world.start()
    discarded = lambda: agent.metrics().get('logflume_component_discarded_events_total', component='web')
    lines = 0

    def gave_up():
        nonlocal lines
        world.append('a.log', numbered(lines + 1, lines + 20_000))
        lines += 20_000
        until(lambda: audit(world) and parts(audit(world)[0], 'web').get('unread', 0) == 0, 'the buffer takes it')
        return discarded() > 50_000
    until(gave_up, 'log and memory are full')
    receiver.status = 200

    def closed():
        file, = audit(world)
        got = parts(file, 'web')
        return got.get('delivered', 0) == 13 * len(receiver.lines()) and got.get('discarded buffer_full') == 13 * discarded() and file
    file = until(closed, lambda: f'{parts(audit(world)[0], "web")}, {len(receiver.lines())} lines, {discarded()} discarded', seconds=40)
    gone = file['sinks'][0]['exceptions'][0]['ranges'][0]
    one, = find(world, f'{world.log()}:@{gone[0]}')
    assert fates(one, 'web') == ['discarded buffer_full']
    kept = file['sinks'][0]['delivered']['ranges'][0]
    one, = find(world, f'{world.log()}:@{kept[0]}')
    assert fates(one, 'web') == ['delivered'] and set(steps(one, 'web')) == {'released', 'acknowledged'}
    assert agent.stop() == 0


def test_what_a_server_refuses_from_a_disk_buffer_is_discarded(world, receiver):
    receiver.status = 503
    world.write('a.log', numbered(1, 10_000))
    world.config(sinks={'web': {**http_sink(receiver), 'buffer': {'type': 'disk', 'max_bytes': '64MiB'}}}, top=JOURNAL)
    agent = world.start()
    until(lambda: parts(audit(world)[0], 'web') == {'delivered': 130_000}, 'the buffer has it')
    agent.kill()
    receiver.status = 400
    agent = world.start()
    until(lambda: parts(audit(world)[0], 'web') == {'discarded rejected_400': 130_000}, lambda: f'{parts(audit(world)[0], "web")}')
    assert fates(find(world, world.log() + ':77')[0], 'web') == ['discarded rejected_400']
    assert agent.stop() == 0
