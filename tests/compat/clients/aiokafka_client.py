"""aiokafka against the broker named in BOOTSTRAP."""
import asyncio
import os

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

BOOTSTRAP = os.environ["BOOTSTRAP"]


async def main():
    admin = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    await admin.start()
    await admin.create_topics([NewTopic("aiokafka", 3, 1)])
    sent = []
    for codec in [None, "gzip", "snappy", "lz4", "zstd"]:
        producer = AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, compression_type=codec,
                                    enable_idempotence=True, acks="all")
        await producer.start()
        futures = []
        for index in range(200):
            key, value = f"key-{index % 17}".encode(), f"value {codec} {index}".encode()
            futures.append(await producer.send("aiokafka", value, key=key, headers=[("h", b"1")]))
            sent.append((key, value))
        await asyncio.gather(*futures)
        await producer.stop()

    received = []

    async def member():
        consumer = AIOKafkaConsumer("aiokafka", bootstrap_servers=BOOTSTRAP, group_id="aiokafka-group",
                                    auto_offset_reset="earliest", enable_auto_commit=False,
                                    session_timeout_ms=10000, heartbeat_interval_ms=500)
        await consumer.start()
        while len(received) < len(sent):
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                received.extend((record.key, record.value) for record in batch)
                await consumer.commit()
        await consumer.stop()

    await asyncio.wait_for(asyncio.gather(member(), member()), 40)
    assert set(received) == set(sent), f"{len(set(received))} of {len(sent)}"
    offsets = await admin.list_consumer_group_offsets("aiokafka-group")
    assert sum(entry.offset for entry in offsets.values()) == len(sent), offsets
    reader = AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP)
    await reader.start()
    partition = TopicPartition("aiokafka", 0)
    reader.assign([partition])
    end = (await reader.end_offsets([partition]))[partition]
    reader.seek(partition, end - 1)
    assert (await reader.getone()).offset == end - 1
    times = await reader.offsets_for_times({partition: 0})
    assert times[partition].offset == 0
    await reader.stop()
    await admin.delete_topics(["aiokafka"])
    await admin.close()
    print(f"{len(sent)} records")


asyncio.run(main())
