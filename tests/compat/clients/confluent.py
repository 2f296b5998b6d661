"""confluent-kafka (librdkafka) against the broker named in BOOTSTRAP."""
import os
import threading
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import (AdminClient, ConfigResource, NewPartitions, NewTopic,
                                   OffsetSpec, ResourceType)

BOOTSTRAP = os.environ["BOOTSTRAP"]
SESSION_MS = 6000
base = {"bootstrap.servers": BOOTSTRAP}

admin = AdminClient(base)
for future in admin.create_topics([NewTopic("confluent", 3, 1, config={"retention.ms": "99000"})]).values():
    future.result(10)
for future in admin.create_partitions([NewPartitions("confluent", 4)]).values():
    future.result(10)
resource = ConfigResource(ResourceType.TOPIC, "confluent")
config = list(admin.describe_configs([resource]).values())[0].result(10)
assert config["retention.ms"].value == "99000", config["retention.ms"]

sent = []
for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
    producer = Producer({**base, "compression.type": codec, "enable.idempotence": True, "linger.ms": 5})
    failures = []
    for index in range(1000):
        key, value = f"key-{index % 17}".encode(), f"value {codec} {index}".encode()
        producer.produce("confluent", key=key, value=value, headers=[("h", b"1"), ("h", b"\x00\xff")],
                         on_delivery=lambda error, _: error and failures.append(error))
        sent.append((key, value))
        producer.poll(0)
    assert producer.flush(20) == 0 and not failures, failures


def member(received, ready, stop, protocol):
    consumer = Consumer({**base, "group.id": "confluent-group", "auto.offset.reset": "earliest",
                         "enable.auto.commit": False, "session.timeout.ms": SESSION_MS,
                         "partition.assignment.strategy": protocol})
    consumer.subscribe(["confluent"], on_assign=lambda *_: ready.set())
    while not stop.is_set():
        message = consumer.poll(0.2)
        if message is None:
            continue
        assert message.error() is None, message.error()
        assert message.headers() == [("h", b"1"), ("h", b"\x00\xff")]
        received.append((message.key(), message.value()))
        consumer.commit(message, asynchronous=True)
    try:
        consumer.commit(asynchronous=False)
    except KafkaException as error:  # this member has read nothing since the last rebalance
        assert error.args[0].code() == KafkaError._NO_OFFSET, error
    consumer.close()


for protocol in ["range", "cooperative-sticky"]:
    received, stop = [], threading.Event()
    threads = []
    for _ in range(3):
        ready = threading.Event()
        threads.append(threading.Thread(target=member, args=(received, ready, stop, protocol)))
        threads[-1].start()
        assert ready.wait(20), "no assignment"
    deadline = time.time() + 30
    while len(set(received)) < len(sent) and time.time() < deadline:
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join(20)
    assert set(received) == set(sent), f"{len(set(received))} of {len(sent)}"
    groups = admin.list_consumer_groups().result(10)
    assert "confluent-group" in [group.group_id for group in groups.valid]
    # Closed while it has no partition, a cooperative consumer of librdkafka says no LeaveGroup: "consumer
    # is terminating, skipping rejoin". It is out when its session ends.
    deadline = time.time() + 5 * SESSION_MS / 1000
    while True:
        described = list(admin.describe_consumer_groups(["confluent-group"]).values())[0].result(10)
        if described.state.name == "EMPTY":
            break
        assert time.time() < deadline, described.state
        time.sleep(0.1)
    list(admin.delete_consumer_groups(["confluent-group"]).values())[0].result(10)

ends = admin.list_offsets({TopicPartition("confluent", p): OffsetSpec.latest() for p in range(4)})
assert sum(future.result(10).offset for future in ends.values()) == len(sent)
deleted = admin.delete_records([TopicPartition("confluent", 0, 1)])
assert list(deleted.values())[0].result(10).low_watermark == 1

reader = Consumer({**base, "group.id": "seek", "enable.partition.eof": True})
low, high = reader.get_watermark_offsets(TopicPartition("confluent", 0), 10)
assert low == 1 and high > 1, (low, high)
reader.assign([TopicPartition("confluent", 0, high - 1)])
assert reader.poll(10).offset() == high - 1
assert reader.poll(10).error().code() == KafkaError._PARTITION_EOF
reader.close()

for future in admin.delete_topics(["confluent"]).values():
    future.result(10)
print(f"{len(sent)} records")
