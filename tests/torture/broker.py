"""A real Kafka broker that dies, hangs and comes back."""
import shutil
import time

from kafka.broker import Broker, BrokerError, jars
from torture import faults
from torture.run import AT_LEAST, Output, scenario
from torture.scenarios import buffer_types, settle


def start_broker(run):
    if missing := [tool for tool in ('java', 'mvn', 'kcat', 'openssl') if not shutil.which(tool)]:
        raise faults.NotHere(f'a Kafka broker needs {" and ".join(missing)}')
    try:
        jars()
    except BrokerError as error:
        raise faults.NotHere(str(error).splitlines()[0]) from None
    broker = Broker(run.world.path('broker'))
    run.closers.append(broker.kill)
    broker.start()
    run.begin = time.monotonic()  # a Java machine takes its time to start
    return broker


def topic_to(broker, topic):
    """Writes what the topic holds to a file."""
    def fetch(path):
        with open(path, 'wb') as file:
            file.write(broker.read(topic))
    return fetch


@scenario()
def broken_broker(run):
    """A Kafka broker that is killed, stopped, frozen and started again, with kill -9 of the agent now and then."""
    broker = start_broker(run)
    for kind in buffer_types():
        name = f'kafka-{kind}'
        run.sinks[name] = {'type': 'kafka', 'bootstrap_servers': broker.address(), 'topic': name, 'encoding': 'raw',
                           'batch': {'linger': '20ms'}, 'buffer': run.buffered(kind)}
        run.outputs.append(Output(name, AT_LEAST, run.world.path(f'{name}.out'), fetch=topic_to(broker, name)))
    run.file_sink('file')
    run.configure()
    run.load()
    run.start()
    while not run.over():
        run.some_time(0.2, 1)
        what = run.random.choice(['killed', 'stopped', 'frozen'])
        run.faults[f'broker {what}'] += 1
        {'killed': broker.kill, 'stopped': broker.stop, 'frozen': broker.freeze}[what]()
        run.some_time(0.2, 2 if run.short else 8)
        run.expect_alive()
        if run.random.random() < 0.3:
            run.kill()
            run.faults['kills'] += 1
        well = time.monotonic()
        if what == 'frozen':
            broker.thaw()
        else:
            broker.start()
        settle(run)
        run.recover(well)
    return run.finish()
