"""aiokafka against the broker named in BOOTSTRAP: transactions, offsets in them, read_committed."""
import asyncio
import os

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

BOOTSTRAP = os.environ["BOOTSTRAP"]
TOPIC = "aiokafka-txn"


async def transactional(name):
    producer = AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, transactional_id=name)
    await producer.start()
    return producer


async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, 2, 1)])
    partition = TopicPartition(TOPIC, 0)
    producer = await transactional("aiokafka")
    committed = []
    for batch in range(20):
        values = [f"{batch} {index}".encode() for index in range(20)]
        await producer.begin_transaction()
        for value in values:
            await producer.send(TOPIC, value)
        await producer.send_offsets_to_transaction({partition: batch}, "aiokafka-txn")
        if batch % 3 == 1:
            await producer.abort_transaction()
        else:
            await producer.commit_transaction()
            committed.extend(values)
    await producer.stop()
    offsets = await admin.list_consumer_group_offsets("aiokafka-txn")
    assert offsets[partition].offset == 18, offsets

    zombie = await transactional("aiokafka-fenced")
    await zombie.begin_transaction()
    await zombie.send_and_wait(TOPIC, b"zombie")
    young = await transactional("aiokafka-fenced")
    try:
        await zombie.commit_transaction()
        raise AssertionError("the zombie has committed")
    except KafkaError:
        pass
    async with young.transaction():
        await young.send_and_wait(TOPIC, b"young")
    committed.append(b"young")
    await young.stop()

    consumer = AIOKafkaConsumer(TOPIC, bootstrap_servers=BOOTSTRAP, group_id="reader",
                                auto_offset_reset="earliest", isolation_level="read_committed")
    await consumer.start()
    received = []

    async def read():
        while len(received) < len(committed):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                received.extend(record.value for record in records)

    await asyncio.wait_for(read(), 30)
    await consumer.stop()
    assert sorted(received) == sorted(committed), f"{len(received)} of {len(committed)}"
    await admin.close()
    print(f"{len(received)} records")
    os._exit(0)  # the zombie cannot be stopped in good order


asyncio.run(main())
