"""confluent-kafka (librdkafka) against the broker named in BOOTSTRAP: transactions, offsets in
them, fencing, and groups of the new protocol."""
import os
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

BOOTSTRAP = os.environ["BOOTSTRAP"]
base = {"bootstrap.servers": BOOTSTRAP}
TOPIC, COPY = "confluent-in", "confluent-out"
PARTITIONS, RECORDS = 4, 2000

admin = AdminClient(base)
for future in admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1), NewTopic(COPY, PARTITIONS, 1)]).values():
    future.result(10)
source = Producer(base)
for index in range(RECORDS):
    source.produce(TOPIC, partition=index % PARTITIONS, value=str(index))
assert source.flush(20) == 0


def transactional(name):
    producer = Producer({**base, "transactional.id": name})
    producer.init_transactions(20)
    return producer


def consumer(group, protocol):
    found = Consumer({**base, "group.id": group, "group.protocol": protocol, "auto.offset.reset": "earliest",
                      "enable.auto.commit": False, "isolation.level": "read_committed"})
    return found


def committed(topic):
    values = []
    reader = consumer("reader", "classic")
    for partition in range(PARTITIONS):
        end = reader.get_watermark_offsets(TopicPartition(topic, partition), 10)[1]
        reader.assign([TopicPartition(topic, partition, 0)])
        deadline = time.time() + 30
        while reader.position([TopicPartition(topic, partition)])[0].offset < end - 1 and time.time() < deadline:
            message = reader.poll(0.2)
            if message is not None:
                assert message.error() is None, message.error()
                values.append((partition, message.value().decode()))
            elif values and reader.position([TopicPartition(topic, partition)])[0].offset >= end - 2:
                break  # only a marker is left
    reader.close()
    return values


# Read, write and commit offsets in transactions, some of them aborted, with both protocols.
copied = 0
for protocol in ["classic", "consumer"]:
    reader = consumer(f"copy-{protocol}", protocol)
    reader.subscribe([TOPIC])
    producer = transactional(f"copy-{protocol}")
    done, rounds, deadline = 0, 0, time.time() + 60
    while done < RECORDS and time.time() < deadline:
        messages = reader.consume(100, 0.5)
        if not messages:
            continue
        producer.begin_transaction()
        for message in messages:
            assert message.error() is None, message.error()
            producer.produce(COPY, partition=message.partition(), value=f"{protocol} {message.value().decode()}")
        producer.send_offsets_to_transaction(reader.position(reader.assignment()),
                                             reader.consumer_group_metadata(), 20)
        rounds += 1
        if rounds % 4 == 0:
            producer.abort_transaction(20)
            for position in reader.committed(reader.assignment(), 10):
                reader.seek(TopicPartition(position.topic, position.partition, max(position.offset, 0)))
        else:
            producer.commit_transaction(20)
            done += len(messages)
    reader.close()
    assert done == RECORDS, f"{protocol}: {done}"
    copied += done

expected = sorted((index % PARTITIONS, f"{protocol} {index}")
                  for protocol in ["classic", "consumer"] for index in range(RECORDS))
found = sorted(committed(COPY))
assert found == expected, f"{len(found)} records, {len(set(found))} distinct, of {len(expected)}"

# A second producer of the same id shuts the first one out.
first = transactional("fenced")
first.begin_transaction()
first.produce(TOPIC, value="zombie")
first.flush(10)
second = transactional("fenced")
try:
    first.commit_transaction(20)
    raise AssertionError("the zombie has committed")
except KafkaException as error:
    assert error.args[0].fatal() or error.args[0].txn_requires_abort(), error
second.begin_transaction()
second.produce(TOPIC, value="young")
second.commit_transaction(20)
assert ("young" in [value for _, value in committed(TOPIC)])
assert ("zombie" not in [value for _, value in committed(TOPIC)])
print(f"{copied} records")
