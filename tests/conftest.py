import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
import harness  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line('markers', 'sanitizer: runs under sanitizers too, in reasonable time')
    config.addinivalue_line('markers', 'asan: runs under AddressSanitizer too; what ThreadSanitizer cannot, as librdkafka')
    config.addinivalue_line('markers', 'alone: measures time, so nothing may run beside it')


@pytest.fixture
def world(tmp_path, request):
    world = harness.World(tmp_path)
    yield world
    crashed = [agent for agent in world.agents if not agent.running() and agent.process.returncode not in (0, 1, -9)]
    stderr = world.agents[-1].stderr() if world.agents else ''
    try:
        for agent in world.agents:
            if agent.running():
                agent.expect_balance()
    finally:
        world.close()
    if stderr:
        print('--- stderr of the agent\n' + stderr[-4000:])
    # A sanitizer's finding counts wherever the test looked.
    assert 'Sanitizer' not in stderr, stderr[-6000:]
    assert not crashed, f'the agent ended with {crashed[0].process.returncode}'


@pytest.fixture(params=['pread', 'mmap', 'io_uring'])
def mode(request):
    return request.param


@pytest.fixture
def receiver(tmp_path):
    """An HTTP server that accepts lines into received.log."""
    receiver = harness.HttpReceiver(tmp_path / 'received.log')
    yield receiver
    receiver.close()


@pytest.fixture
def marks():
    """A TCP peer that measures the way of marked lines."""
    marks = harness.MarkReceiver()
    yield marks
    marks.close()


@pytest.fixture(scope='session')
def broker_process(tmp_path_factory):
    from kafka.broker import Broker
    broker = Broker(tmp_path_factory.mktemp('kafka')).start()
    yield broker
    broker.kill()


@pytest.fixture
def broker(broker_process):
    """A real Kafka broker, running whatever the test before did to it."""
    yield broker_process.start()
    if broker_process.running():
        broker_process.thaw()


@pytest.fixture(scope='session')
def strict_broker(tmp_path_factory):
    """One that creates no topics by itself."""
    from kafka.broker import Broker
    broker = Broker(tmp_path_factory.mktemp('strict'), {'auto.create.topics.enable': 'false'}).start()
    yield broker
    broker.kill()
