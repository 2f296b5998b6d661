"""aiokafka in transactions against the broker named in BOOTSTRAP."""
import asyncio
import os

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

BOOTSTRAP = os.environ["BOOTSTRAP"]
ROUNDS = 20


async def main():
    producer = AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, transactional_id="t")
    await producer.start()
    for number in range(ROUNDS):
        await producer.begin_transaction()
        await producer.send_and_wait("txn", f"a{number}".encode())
        await producer.send_offsets_to_transaction({TopicPartition("txn", 0): number}, "group")
        if number % 2:
            await producer.abort_transaction()
        else:
            await producer.commit_transaction()
    await producer.stop()
    consumer = AIOKafkaConsumer("txn", bootstrap_servers=BOOTSTRAP, auto_offset_reset="earliest",
                                isolation_level="read_committed", group_id="group")
    await consumer.start()
    offset = await consumer.committed(TopicPartition("txn", 0))
    assert offset == ROUNDS - 2, offset
    await consumer.seek_to_beginning()
    seen = []
    while len(seen) < ROUNDS // 2:
        seen.append((await asyncio.wait_for(consumer.getone(), 20)).value.decode())
    await consumer.stop()
    assert sorted(seen) == sorted(f"a{n}" for n in range(0, ROUNDS, 2)), seen
    print(f"{ROUNDS} transactions")


asyncio.run(main())
