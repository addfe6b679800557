"""The kafka sink against a real broker: every way to connect, encode and compress, and every way to fail."""
import collections
import json
import os
import random
import re
import time
import uuid

import pytest

from harness import SLOW, free_port, numbered, until
from kafka.broker import PASSWORD, USER

OUTAGE_SECONDS = 20


@pytest.fixture
def topic():
    return f't-{uuid.uuid4().hex[:12]}'


def sink(broker, topic, listener='PLAINTEXT', **more):
    return {'type': 'kafka', 'bootstrap_servers': broker.address(listener), 'topic': topic, 'encoding': 'raw',
            'batch': {'linger': '20ms'}, **more}


def expect_messages(broker, topic, count, partitions=1, seconds=60):
    got = 0

    def complete():
        nonlocal got
        got = broker.message_count(topic, partitions)
        return got >= count
    until(complete, lambda: f'{count} messages in {topic}, there are {got}', seconds)


def save(world, broker, topic):
    path = world.path('topic.log')
    with open(path, 'wb') as file:
        file.write(broker.read(topic))
    return path


def health_of(agent, name='bus'):
    return next(component for component in agent.health()['components'] if component['name'] == name)


def expect_health(agent, status, words='', seconds=30):
    def reached():
        found = health_of(agent)
        return found['status'] == status and words in found['message']
    until(reached, lambda: f'bus {status} ({words}), is {health_of(agent)}', seconds)


@pytest.mark.asan
@pytest.mark.parametrize('compression', ['none', 'gzip', 'snappy', 'lz4', 'zstd'])
def test_each_compression_delivers_every_line_in_order(world, broker, topic, compression):
    streams = world.generate('--out', world.log(), '--lines', 50000)
    world.config(sinks={'bus': sink(broker, topic, compression=compression)})
    world.run_to_end()
    report = world.expect_complete(streams, save(world, broker, topic))
    assert report['lost'] == report['duplicated'] == report['reordered'] == 0


def test_json_is_a_message_an_event(world, broker, topic):
    lines = ['plain', 'with "quotes" and \\', '', 'umlaut \u00e4', 'tab\there']
    path = world.write('a.log', '\n'.join(lines) + '\n')
    json_sink = {**sink(broker, topic), 'encoding': 'json', 'labels': {'env': 'prod'}}
    world.config(sinks={'bus': json_sink})
    world.run_to_end()
    events = [json.loads(line) for line in broker.lines(topic)]
    assert [event['message'] for event in events] == lines
    for event in events:
        assert (event['file'], event['source'], event['env']) == (path, 'app', 'prod')


def test_raw_keeps_what_is_no_text(world, broker, topic):
    lines = [b'', b'\xff\xfe\x00binary', b'cr at the end\r', b' ' * 100]
    world.write('a.log', b'\n'.join(lines) + b'\n')
    world.config(sinks={'bus': sink(broker, topic)})
    world.run_to_end()
    assert broker.lines(topic) == lines


@pytest.mark.asan
def test_key_keeps_each_file_in_one_partition_in_order(world, broker, topic):
    broker.create_topic(topic, partitions=4)
    files = {world.write(f'{n}.log', numbered(1, 3000, f'file{n}')): numbered(1, 3000, f'file{n}').splitlines()
             for n in range(10)}
    world.config(sinks={'bus': sink(broker, topic, key='{{ file }}', compression='snappy')})
    world.run_to_end()
    partitions, lines = collections.defaultdict(set), collections.defaultdict(list)
    for record in broker.read(topic, '%p\t%k\t%s\n').splitlines():
        partition, key, line = record.split(b'\t')
        partitions[key.decode()].add(partition)
        lines[key.decode()].append(line)
    assert dict(lines) == files
    assert all(len(used) == 1 for used in partitions.values()), partitions
    assert len(set.union(*partitions.values())) > 1, 'the keys use several partitions'


def test_without_a_key_all_partitions_together_hold_every_line_once(world, broker, topic):
    broker.create_topic(topic, partitions=3)
    streams = world.generate('--out', world.log(), '--lines', 30000)
    world.config(sinks={'bus': sink(broker, topic, compression='lz4')})
    world.run_to_end()
    world.expect_complete(streams, save(world, broker, topic), reordering=True)


@pytest.mark.asan
def test_topic_and_headers_are_templates(world, broker, topic):
    world.write('api.log', 'x\n')
    world.config(sinks={'bus': sink(broker, topic + '-{{ file_name }}', labels={'team': 'web'},
                                    headers={'origin': '{{ source }}', 'team': '{{ team }}'})})
    world.run_to_end()
    assert broker.read(f'{topic}-api.log', '%h %s\n') == b'origin=app,team=web x\n'


PARSED = {'p': {'type': 'parse_json', 'inputs': ['app']}}


@pytest.mark.asan
@pytest.mark.parametrize('producers', [1, 3])
def test_topics_keys_and_headers_by_fields_of_events(world, broker, topic, producers):
    """Order within a key stays, an event without the field goes elsewhere, and all is acknowledged once."""
    for name in ('api', 'web', 'none', 'a_b'):
        broker.create_topic(f'{topic}-{name}', partitions=4)
    event = lambda n: {'n': n, 'service': ('api', 'web', 'a/b', None)[n % 4], 'user': {'id': n // 4 % 50}}
    sent = [json.dumps({name: value for name, value in event(n).items() if value is not None}) for n in range(20000)]
    world.write('a.log', '\n'.join(sent) + '\n{"service":"api"}\n')
    world.config(transforms=PARSED, sinks={'bus': sink(
        broker, topic + '-{{ service ?? none }}', inputs=['p'], key='{{ user.id }}', parallel_producers=producers,
        labels={'team': 'web'}, headers={'team': '{{ team }}', 'user': '{{ user.id ?? none }}'})})
    world.run_to_end()
    for place, name in enumerate(('api', 'web', 'a_b', 'none')):
        partitions, by_key = collections.defaultdict(set), collections.defaultdict(list)
        for record in broker.read(f'{topic}-{name}', '%p\t%k\t%h\t%s\n').splitlines():
            partition, key, headers, line = record.decode().split('\t')
            assert headers == f'team=web,user={key or "none"}'
            partitions[key].add(partition)
            by_key[key].append(line)
        assert by_key.pop('', None) == (['{"service":"api"}'] if name == 'api' else None)
        partitions.pop('', None)
        expected = collections.defaultdict(list)
        for n in range(place, 20000, 4):
            expected[str(n // 4 % 50)].append(sent[n])
        assert by_key == expected
        assert all(len(used) == 1 for used in partitions.values())
        assert len(set.union(*partitions.values())) > 1, 'the keys use several partitions'


@pytest.mark.asan
def test_a_topic_that_does_not_exist_holds_up_no_other(world, broker, topic):
    broker.create_topic(f'{topic}-good')
    world.write('a.log', ''.join('{"n":%d,"to":"%s"}\n' % (n, 'good' if n % 3 else 'bad') for n in range(3000)))
    world.config(transforms=PARSED, sinks={'bus': sink(broker, topic + '-{{ to }}', inputs=['p'],
                                                       options={'allow.auto.create.topics': 'false'})})
    agent = world.start()
    expect_messages(broker, f'{topic}-good', 2000)
    metrics = agent.metrics()
    assert metrics.get('logflume_component_sent_events_total', component='bus') >= 2000
    broker.create_topic(f'{topic}-bad')
    expect_messages(broker, f'{topic}-bad', 1000, seconds=90)
    until(lambda: agent.metrics().get('logflume_component_pending_events', component='bus') == 0, 'all is acknowledged')
    assert agent.stop() == 0
    world.run_to_end()
    assert (len(broker.lines(f'{topic}-good')), len(broker.lines(f'{topic}-bad'))) == (2000, 1000), 'nothing comes again'


def test_tail_to_kafka(world, broker, topic):
    world.write('a.log', numbered(1, 100))
    done = world.call('tail', world.log(), '--to', f'kafka://{broker.address()}/{topic}', '--until-eof')
    assert done.returncode == 0, done.stderr
    assert broker.lines(topic) == numbered(1, 100).splitlines()


def credentials(mechanism, password=PASSWORD):
    return {'mechanism': mechanism, 'username': USER, 'password': password}


def tls(broker, **more):
    return {'enabled': True, 'ca_file': str(broker.certificates.ca), **more}


@pytest.mark.parametrize('way', ['tls', 'mutual_tls', 'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'PLAIN_over_tls'])
def test_connects_with(world, broker, topic, way):
    certificates = broker.certificates
    how = {
        'tls': ('TLS', {'tls': tls(broker)}),
        'mutual_tls': ('MTLS', {'tls': tls(broker, cert_file=str(certificates.client_cert),
                                           key_file=str(certificates.client_key))}),
        'PLAIN_over_tls': ('SASLTLS', {'tls': tls(broker), 'sasl': credentials('PLAIN')}),
    }
    listener, settings = how.get(way) or ('SASL', {'sasl': credentials(way)})
    world.write('a.log', numbered(1, 1000))
    world.config(sinks={'bus': sink(broker, topic, listener, **settings)})
    world.run_to_end()
    assert broker.lines(topic) == numbered(1, 1000).splitlines()


@pytest.mark.parametrize('wrong', ['password', 'ca', 'no_tls'])
def test_refused_connection_is_degraded_with_its_reason_and_loses_nothing(world, broker, topic, wrong):
    listener, settings = {
        'password': ('SASL', {'sasl': credentials('SCRAM-SHA-256', 'wrong')}),
        'ca': ('TLS', {'tls': {'enabled': True, 'ca_file': str(broker.certificates.other_ca)}}),
        'no_tls': ('TLS', {}),
    }[wrong]
    world.write('a.log', numbered(1, 100))
    world.config(sinks={'bus': sink(broker, topic, listener, **settings)}, top={'shutdown_timeout': '1s'})
    agent = world.start()
    expect_health(agent, 'degraded', {'password': 'uthentication', 'ca': 'certificate', 'no_tls': ''}[wrong])
    assert health_of(agent)['message']
    assert agent.stop() == 1, 'lines had to be left for the next start'
    world.config(sinks={'bus': sink(broker, topic)})
    world.run_to_end()
    assert broker.lines(topic) == numbered(1, 100).splitlines()


def test_configuration_errors_name_the_property(world, broker, topic):
    world.write('a.log', 'x\n')
    for options, words in (({'linger.mss': '5'}, ['linger.mss', 'linger.ms']), ({'acks': 'maybe'}, ['options.acks']),
                           ({'transactional.id': 'x'}, ['transactional.id']),
                           ({'acks': '1', 'enable.idempotence': 'true'}, ['enable.idempotence'])):
        world.config(sinks={'bus': sink(broker, topic, options=options)})
        for command in (('validate', world.path('logflume.yaml')),
                        ('run', '--config', world.path('logflume.yaml'), '--until-eof')):
            done = world.call(*command)
            assert done.returncode == 78, (options, done)
            assert all(word in done.stderr for word in words), done.stderr
            assert re.match(r'.*logflume\.yaml:\d+:\d+: error: ', done.stderr), done.stderr


# -- Outages ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize('how', ['hangs', 'is_killed', 'is_stopped'])
def test_a_broker_away_for_20_s_costs_nothing(world, broker, topic, how):
    """Goal: no loss, no repetition, order kept. Method: a writer goes on while the broker is away."""
    broker.create_topic(topic)
    world.config(sinks={'bus': sink(broker, topic, compression='snappy')})
    agent = world.start()
    writer = world.generate('--out', world.log(), '--duration', f'{OUTAGE_SECONDS + 10}s', '--rate', '1MB/s',
                            wait=False)
    until(lambda: broker.message_count(topic) > 1000, 'some messages have arrived')
    away = {'hangs': broker.freeze, 'is_killed': broker.kill, 'is_stopped': broker.stop}[how]
    away()
    try:
        expect_health(agent, 'degraded')
        time.sleep(OUTAGE_SECONDS)
    finally:
        if how == 'hangs':
            broker.thaw()
        broker.start()
    streams = world.generated(writer)
    total = sum(streams.values())
    expect_messages(broker, topic, total, seconds=90)
    expect_health(agent, 'ok')
    assert agent.stop() == 0
    # What a killed broker had acknowledged was in its page cache: nothing is lost by it.
    report = world.expect_complete(streams, save(world, broker, topic))
    assert report['duplicated'] == report['reordered'] == 0


def test_starts_before_its_broker(world, broker, topic):
    broker.stop()
    try:
        world.write('a.log', numbered(1, 5000))
        world.config(sinks={'bus': sink(broker, topic)})
        agent = world.start()
        expect_health(agent, 'degraded')
    finally:
        broker.start()
    expect_messages(broker, topic, 5000)
    assert agent.stop() == 0
    assert broker.lines(topic) == numbered(1, 5000).splitlines()


@pytest.mark.asan
def test_another_sink_goes_on_while_the_broker_hangs(world, broker, topic):
    broker.create_topic(topic)
    world.config(sinks={'bus': sink(broker, topic, buffer={'max_bytes': '1MiB'}), 'out': world.file_sink()})
    agent = world.start()
    broker.freeze()
    try:
        world.write('a.log', numbered(1, 400000))  # far more than the buffer of the stuck one
        world.expect_out(numbered(1, 400000), seconds=60)
    finally:
        broker.thaw()
    expect_messages(broker, topic, 400000, seconds=90)
    assert agent.stop() == 0
    assert broker.lines(topic) == numbered(1, 400000).splitlines()


def test_kill_9_of_the_agent_loses_nothing(world, broker, topic):
    broker.create_topic(topic)
    moments = random.Random(7)
    world.config(sinks={'bus': sink(broker, topic, compression='lz4')})
    writer = world.generate('--out', world.log(), '--duration', '8s', '--rate', '3MB/s', wait=False)
    for _ in range(6):
        agent = world.start(ready=False)
        time.sleep(moments.uniform(0.2, 1.5))
        agent.kill()
    streams = world.generated(writer)
    agent = world.start()
    until(lambda: agent.metrics().get('logflume_source_lag_bytes') == 0 and
          agent.metrics().get('logflume_component_sent_events_total', component='bus') ==
          agent.metrics().get('logflume_component_received_events_total', component='bus'), 'all is delivered', 60)
    assert agent.stop() == 0
    world.expect_complete(streams, save(world, broker, topic), duplicates=True)


@pytest.mark.asan
def test_sigterm_under_load_neither_loses_nor_repeats(world, broker, topic):
    broker.create_topic(topic)
    world.config(sinks={'bus': sink(broker, topic, compression='snappy')})
    writer = world.generate('--out', world.log(), '--duration', '6s', '--rate', '3MB/s', wait=False)
    for _ in range(4):
        agent = world.start()
        time.sleep(0.7)
        assert agent.stop() == 0
    streams = world.generated(writer)
    agent = world.start()
    expect_messages(broker, topic, sum(streams.values()))
    assert agent.stop() == 0
    report = world.expect_complete(streams, save(world, broker, topic))
    assert report['duplicated'] == 0


# -- Refused messages -------------------------------------------------------------------------------------


def incompressible(size):
    return os.urandom(size).hex().encode()[:size]


@pytest.mark.asan
@pytest.mark.parametrize('compression', ['none', 'snappy'])
def test_a_line_too_large_for_the_topic_is_counted_and_named_and_the_rest_flows(world, broker, topic, compression):
    broker.create_topic(topic, max_message_bytes=100000)
    small = numbered(1, 6000).splitlines()
    giants = {1000: incompressible(250000), 3000: incompressible(400000), 3001: incompressible(300000)}
    lines = [line for n, plain in enumerate(small) for line in ([giants[n], plain] if n in giants else [plain])]
    path = world.write('a.log', b'\n'.join(lines) + b'\n')
    world.config(sinks={'bus': sink(broker, topic, compression=compression)})
    agent = world.start()
    expect_messages(broker, topic, len(small))
    until(lambda: agent.metrics().get('logflume_component_discarded_events_total', component='bus') == len(giants),
          'the giants are counted')
    metrics = agent.metrics()
    assert metrics.get('logflume_component_discarded_events_total', reason='msg_size_too_large') == len(giants)
    assert metrics.get('logflume_component_sent_events_total', component='bus') == len(small)
    world.append('a.log', b'and on\n')
    expect_messages(broker, topic, len(small) + 1)
    assert health_of(agent)['status'] == 'ok'
    assert agent.stop() == 0
    assert broker.lines(topic) == [*small, b'and on']
    first_offset = sum(len(line) + 1 for line in small[:1000])
    assert path in agent.stderr() and str(first_offset) in agent.stderr()
    # Acknowledged as well: it does not come back with the next start.
    world.run_to_end()
    assert broker.lines(topic) == [*small, b'and on']


def test_a_small_topic_limit_only_makes_batches_smaller(world, broker, topic):
    broker.create_topic(topic, max_message_bytes=30000)
    lines = [incompressible(1000) for _ in range(3000)]
    world.write('a.log', b'\n'.join(lines) + b'\n')
    world.config(sinks={'bus': sink(broker, topic)})
    world.run_to_end()
    assert broker.lines(topic) == lines


def test_a_topic_that_nobody_created_stalls_no_other(world, strict_broker, topic):
    strict_broker.create_topic(f'{topic}-good.log')
    world.config(sinks={'bus': sink(strict_broker, topic + '-{{ file_name }}')})
    world.write('bad.log', numbered(1, 500))
    agent = world.start()
    expect_health(agent, 'degraded', f'topic {topic}-bad.log does not exist')
    world.write('good.log', numbered(1, 20000))
    expect_messages(strict_broker, f'{topic}-good.log', 20000, seconds=20)
    expect_health(agent, 'degraded', f'topic {topic}-bad.log does not exist')
    until(lambda: agent.metrics().get('logflume_component_sent_events_total', component='bus') == 20000, 'acknowledged')
    assert agent.metrics().get('logflume_component_retries_total', component='bus') > 0
    strict_broker.create_topic(f'{topic}-bad.log')
    expect_messages(strict_broker, f'{topic}-bad.log', 500, seconds=40)
    expect_health(agent, 'ok')
    assert agent.stop() == 0
    assert strict_broker.lines(f'{topic}-bad.log') == numbered(1, 500).splitlines()
    assert strict_broker.lines(f'{topic}-good.log') == numbered(1, 20000).splitlines()


def test_waits_for_a_topic_that_nobody_created(world, strict_broker, topic):
    world.write('a.log', numbered(1, 2000))
    world.config(sinks={'bus': sink(strict_broker, topic)})
    agent = world.start()
    expect_health(agent, 'degraded', f'topic {topic} does not exist')
    strict_broker.create_topic(topic)
    expect_messages(strict_broker, topic, 2000, seconds=40)
    expect_health(agent, 'ok')
    assert agent.stop() == 0
    assert strict_broker.lines(topic) == numbered(1, 2000).splitlines()


def test_a_reload_to_a_broker_that_refuses_is_refused(world, broker):
    world.config()
    agent = world.start()
    agent.first = False
    world.config(sinks={'out': world.file_sink(), 'bus': {'type': 'kafka', 'topic': 'x', 'bootstrap_servers': f'127.0.0.1:{free_port()}'}})
    begin = time.monotonic()
    done = world.call('reload', '--config', world.path('logflume.yaml'))
    assert done.returncode == 1 and 'sink bus: ' in done.stderr and 'refused' in done.stderr, done.stderr
    assert time.monotonic() - begin < 5 * SLOW
    world.config(sinks={'out': world.file_sink(), 'bus': {'type': 'kafka', 'topic': 'x', 'bootstrap_servers': broker.address()}})
    assert world.call('reload', '--config', world.path('logflume.yaml')).returncode == 0
    assert agent.stop() == 0
