"""confluent-kafka (librdkafka) through failovers, as kafkajs.mjs."""
import os
import sys
import threading

from confluent_kafka import Consumer, Producer

base = {"bootstrap.servers": os.environ["BOOTSTRAP"]}
topic = os.environ["TOPIC"]
stopping = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), stopping.set()), daemon=True).start()


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def consume():
    consumer = Consumer({**base, "group.id": "confluent-riders", "auto.offset.reset": "earliest",
                         "session.timeout.ms": 6000})
    consumer.subscribe([topic])
    while True:
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            say(f"saw {message.value().decode()}")


threading.Thread(target=consume, daemon=True).start()
producer = Producer({**base, "enable.idempotence": True, "linger.ms": 1, "socket.timeout.ms": 5000})
value = 0
while not stopping.is_set():
    producer.produce(topic, value=str(value),
                     on_delivery=lambda error, sent: error or say(f"ack {sent.value().decode()}"))
    producer.poll(0.01)
    value += 1
assert producer.flush(60) == 0
say("end")
threading.Event().wait()
