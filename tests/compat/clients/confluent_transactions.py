"""confluent-kafka (librdkafka) in transactions against the broker named in BOOTSTRAP."""
import os
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

base = {"bootstrap.servers": os.environ["BOOTSTRAP"]}
ROUNDS = 20

admin = AdminClient(base)
for future in admin.create_topics([NewTopic("txn", 2, 1)]).values():
    future.result(10)
member = Consumer({**base, "group.id": "txn-group", "enable.auto.commit": False})
member.subscribe(["txn"])
until = time.time() + 20
while not member.assignment() and time.time() < until:
    member.poll(0.2)

producer = Producer({**base, "transactional.id": "t"})
producer.init_transactions(20)
for number in range(ROUNDS):
    producer.begin_transaction()
    producer.produce("txn", f"a{number}".encode(), partition=0)
    producer.produce("txn", f"b{number}".encode(), partition=1)
    offsets = [TopicPartition("txn", 0, number)]
    producer.send_offsets_to_transaction(offsets, member.consumer_group_metadata(), 20)
    if number % 2:
        producer.abort_transaction(20)
    else:
        producer.commit_transaction(20)
committed = member.committed([TopicPartition("txn", 0)], 20)[0]
assert committed.offset == ROUNDS - 2, committed
member.close()

reader = Consumer({**base, "group.id": "readers", "auto.offset.reset": "earliest",
                   "isolation.level": "read_committed"})
reader.subscribe(["txn"])
seen, until = [], time.time() + 30
while len(seen) < ROUNDS and time.time() < until:
    message = reader.poll(0.5)
    if message is not None and message.error() is None:
        seen.append(message.value().decode())
reader.close()
assert sorted(seen) == sorted(f"{x}{n}" for n in range(0, ROUNDS, 2) for x in "ab"), seen

successor = Producer({**base, "transactional.id": "t"})
successor.init_transactions(20)
try:
    producer.begin_transaction()
    producer.produce("txn", b"zombie")
    producer.commit_transaction(20)
    raise AssertionError("a producer that has been succeeded is not fenced")
except KafkaException as error:
    assert error.args[0].fatal(), error
print(f"{ROUNDS} transactions")
