"""An idempotent producer (librdkafka, acks=all) that runs until SIGTERM while brokers come and go.

Arguments: bootstrap, topic, partitions, name. Each record is "name:sequence". On stdout a line
"started" with the first acknowledgement, and at the end one JSON line: per partition the
acknowledged sequences as [first, last] ranges, and what failed.
"""
import json
import signal
import sys

from confluent_kafka import Producer

bootstrap, topic, partitions, name = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
stopping = False


def stop(*_):
    global stopping
    stopping = True


signal.signal(signal.SIGTERM, stop)
producer = Producer({
    "bootstrap.servers": bootstrap, "enable.idempotence": True, "acks": "all", "linger.ms": 2,
    "message.timeout.ms": 300000, "reconnect.backoff.ms": 5, "reconnect.backoff.max.ms": 50,
    "retry.backoff.ms": 5, "queue.buffering.max.messages": 2000, "log_level": 2,
    "topic.metadata.refresh.fast.interval.ms": 20, "socket.connection.setup.timeout.ms": 2000,
})
acked = [[] for _ in range(partitions)]
failed = []


def delivered(error, message):
    sequence = int(message.value().split(b":")[1])
    if error is not None:
        failed.append([sequence, str(error)])
        return
    if sequence < partitions and not any(acked):
        print("started", flush=True)
    ranges = acked[message.partition()]
    if ranges and ranges[-1][1] + partitions == sequence:
        ranges[-1][1] = sequence
    else:
        ranges.append([sequence, sequence])


sequence = 0
while not stopping:
    try:
        producer.produce(topic, partition=sequence % partitions, value=f"{name}:{sequence}".encode(),
                         on_delivery=delivered)
        sequence += 1
        producer.poll(0)
    except BufferError:
        producer.poll(0.01)
left = producer.flush(120)
print(json.dumps({"name": name, "sent": sequence, "acked": acked, "failed": failed, "left": left}))
