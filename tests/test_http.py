"""The http sink against a real server: what its unit tests, which bring their own, do not show."""
import contextlib

import pytest

from harness import HttpReceiver, make_certificate, numbered, until

pytestmark = pytest.mark.sanitizer


def test_tls_is_verified_against_its_own_authority(world, tmp_path):
    certificate, context = make_certificate(tmp_path)
    with contextlib.closing(HttpReceiver(world.path('received.log'), tls=context)) as receiver:
        assert receiver.uri.startswith('https://')
        sink = {'type': 'http', 'uri': receiver.uri, 'encoding': 'raw', 'batch': {'linger': '20ms'}}
        world.write('a.log', numbered(1, 20_000))
        world.config(sinks={'web': sink})
        agent = world.start()
        until(lambda: agent.metrics().get('logflume_component_errors_total', component='web') > 0, 'an unknown CA is refused')
        until(lambda: 'certificate' in str(agent.health()).lower(), lambda: f'it says why: {agent.health()}')
        assert receiver.posts == 0
        agent.kill()
        world.config(sinks={'web': {**sink, 'tls': {'ca_file': certificate}}})
        agent = world.start()
        until(lambda: receiver.lines() == numbered(1, 20_000).splitlines(), lambda: f'{len(receiver.lines())} lines', 40)
        assert agent.stop() == 0


def test_a_run_to_the_end_waits_for_no_linger(world):
    with contextlib.closing(HttpReceiver(world.path('received.log'))) as receiver:
        world.write('a.log', numbered(1, 20_000))
        world.config(sinks={'web': {'type': 'http', 'uri': receiver.uri, 'encoding': 'raw', 'batch': {'linger': '1h'}}})
        world.run_to_end()
        assert receiver.lines() == numbered(1, 20_000).splitlines()
