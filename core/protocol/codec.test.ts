import { expect, test } from "bun:test";
import { WIRE_REQUEST_ELEMENTS_MAX } from "../limits.ts";
import { produce } from "./00-produce.ts";
import { fetch } from "./01-fetch.ts";
import { metadata } from "./03-metadata.ts";
import { apiVersions } from "./18-api-versions.ts";
import { offsetForLeaderEpoch } from "./23-offset-for-leader-epoch.ts";
import * as codec from "./codec.ts";
import { apiByKey, apis } from "./index.ts";
import { interpretDecode, interpretEncode } from "./interpreter.test-helper.ts";
import { type Below, randomMessage, seeded } from "./random-message.test-helper.ts";
import { consumerGroupMemberMetadataRecord } from "./records/consumer-group-records.ts";
import { consumerProtocolSubscription } from "./records/consumer-protocol.ts";
import { offsetCommitRecord } from "./records/offset-and-group-records.ts";
import { type Message, parseVersions, ZERO_UUID } from "./schema.ts";

const { ProtocolError } = codec;
const SAMPLES = 6;

function reasonOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error.reason;
    throw error;
  }
  return "none";
}

function eachVersion(visit: (message: Message, version: number, below: Below) => void): number {
  let count = 0;
  for (const { key, request, response } of apis) {
    for (const message of [request, response]) {
      const { min, max } = parseVersions(message.versions);
      for (let version = min; version <= max; version++) {
        for (let sample = 0; sample < SAMPLES; sample++) {
          visit(message, version, seeded(key * 1000 + version * 10 + sample));
          count++;
        }
      }
    }
  }
  return count;
}

test("the compiled codec agrees with the interpreter in every API and version", () => {
  const count = eachVersion((message, version, below) => {
    const value = randomMessage(message, version, below);
    const bytes = interpretEncode(message, version, value);
    const what = `${message.name} v${version}`;
    expect(Buffer.compare(codec.joinChunks(codec.encodeData(message, version, value)), bytes), what)
      .toBe(0);
    expect(interpretDecode(message, version, bytes), what).toEqual({ value, end: bytes.length });
    expect(codec.decodeData(message, version, bytes) as unknown, what).toEqual(value);
  });
  expect(count).toBeGreaterThan(3000);
});

test("cut or changed messages throw nothing but malformed, and take no more than they hold", () => {
  eachVersion((message, version, below) => {
    const value = randomMessage(message, version, below);
    const bytes = interpretEncode(message, version, value);
    const cut = bytes.subarray(0, below(bytes.length));
    if (bytes.length > 0) {
      expect(reasonOf(() => codec.decodeData(message, version, cut))).toBe("malformed");
    }
    for (let round = 0; round < 4 && bytes.length > 0; round++) {
      const changed = bytes.slice();
      for (let n = 1 + below(3); n > 0; n--) changed[below(changed.length)] = below(256);
      expect(["none", "malformed"]).toContain(
        reasonOf(() => codec.decodeData(message, version, changed)),
      );
    }
  });
});

test("claims of huge lengths are refused before anything is allocated", () => {
  // Metadata v1 is a plain array of strings: count 2^31 − 1, then one short string.
  const plain = new Uint8Array([0x7f, 0xff, 0xff, 0xff, 0, 1, 97]);
  expect(reasonOf(() => codec.decodeRequest(metadata, 1, plain))).toBe("malformed");
  // In v9 the count is a varint: 5 bytes, 6 bytes, and one beyond 31 bits.
  for (
    const varint of [[255, 255, 255, 255, 7], [255, 255, 255, 255, 255, 1], [
      255,
      255,
      255,
      255,
      15,
    ]]
  ) {
    const bytes = new Uint8Array([...varint, 2, 97]);
    expect(reasonOf(() => codec.decodeRequest(metadata, 9, bytes))).toBe("malformed");
  }
  // So many tagged fields, each of so many bytes.
  const tags = new Uint8Array([0, 0, 0, 0, 255, 255, 255, 255, 7, 1, 255, 255, 255, 255, 7]);
  expect(reasonOf(() => codec.decodeRequest(metadata, 9, tags))).toBe("malformed");
});

test("a message of very many tiny elements is refused", () => {
  // OffsetForLeaderEpoch v4 takes three bytes for a topic without a name or partitions.
  const count = WIRE_REQUEST_ELEMENTS_MAX;
  const topics = (more: number) =>
    codec.joinChunks(codec.encodeRequest(offsetForLeaderEpoch, 4, {
      topics: Array.from({ length: count + more }, () => ({})),
    }));
  expect(codec.decodeRequest(offsetForLeaderEpoch, 4, topics(0)).topics.length).toBe(count);
  expect(reasonOf(() => codec.decodeRequest(offsetForLeaderEpoch, 4, topics(1)))).toBe("malformed");
});

test("null stands only where the version allows it", () => {
  // Metadata asks for all topics by null from version 1 on; in version 0 there is no null.
  const isNull = new Uint8Array([255, 255, 255, 255]);
  expect(codec.decodeRequest(metadata, 1, isNull).topics).toBeNull();
  expect(reasonOf(() => codec.decodeRequest(metadata, 0, isNull))).toBe("malformed");
  expect(reasonOf(() => codec.encodeRequest(metadata, 0, { topics: null }))).toBe("invalid-value");
});

test("a field that the version lacks takes its default, and is refused with another value", () => {
  const bytes = codec.joinChunks(codec.encodeRequest(fetch, 4, { maxWaitMs: 5 }));
  expect(codec.decodeRequest(fetch, 4, bytes)).toMatchObject({
    clusterId: null,
    replicaId: -1,
    replicaState: { replicaId: -1, replicaEpoch: -1n },
    maxBytes: 0x7fff_ffff,
    sessionEpoch: -1,
    rackId: "",
    forgottenTopicsData: [],
  });
  // The session epoch is ignorable, the list of forgotten topics is not.
  codec.encodeRequest(fetch, 4, { sessionEpoch: 3 });
  const forgotten = { forgottenTopicsData: [{ topic: "t", partitions: [1] }] };
  expect(reasonOf(() => codec.encodeRequest(fetch, 4, forgotten))).toBe("unsupported-version");
  expect(reasonOf(() => codec.encodeRequest(fetch, 7, forgotten))).toBe("none");
  const tagged = { replicaState: { replicaId: 4 } };
  expect(reasonOf(() => codec.encodeRequest(fetch, 12, tagged))).toBe("unsupported-version");
  const unknownTags = [{ tag: 200, bytes: new Uint8Array(1) }];
  expect(reasonOf(() => codec.encodeRequest(fetch, 11, { unknownTags })))
    .toBe("unsupported-version");
});

test("unknown versions are refused", () => {
  for (const version of [-1, 2, 14, Number.NaN]) {
    expect(reasonOf(() => codec.decodeRequest(produce, version, new Uint8Array(100))))
      .toBe("unsupported-version");
  }
});

test("values that do not fit their field are refused", () => {
  for (const acks of [40_000, 1.5, Number.NaN]) {
    expect(reasonOf(() => codec.encodeRequest(produce, 9, { acks }))).toBe("invalid-value");
  }
  for (const topicId of ["", "short", "!".repeat(22)]) {
    expect(reasonOf(() => codec.encodeRequest(produce, 13, { topicData: [{ topicId }] })))
      .toBe("invalid-value");
  }
  const long = { transactionalId: "€".repeat(11_000) };
  expect(reasonOf(() => codec.encodeRequest(produce, 9, long))).toBe("invalid-value");
  const tags = [5, 4].map((tag) => ({ tag, bytes: new Uint8Array(1) }));
  expect(reasonOf(() => codec.encodeRequest(produce, 9, { unknownTags: tags })))
    .toBe("invalid-value");
  const known = [{ tag: 0, bytes: new Uint8Array(1) }];
  expect(reasonOf(() => codec.encodeResponse(produce, 10, { unknownTags: known })))
    .toBe("invalid-value");
});

test("records are passed on by reference, and decoded as views", () => {
  const records = new Uint8Array(5000).fill(7);
  const small = new Uint8Array([1, 2, 3]);
  const chunks = codec.encodeResponseFrame(fetch, 17, 99, {
    responses: [{
      topicId: "AAAAAAAAAAAAAAAAAAAAAQ",
      partitions: [{ records }, { records: small }, { records: records.subarray(10) }],
    }],
  });
  expect(chunks.length).toBe(5);
  expect(chunks[1]).toBe(records);
  expect((chunks[3] as Uint8Array).buffer).toBe(records.buffer);
  const frame = codec.joinChunks(chunks);
  expect(new DataView(frame.buffer).getInt32(0)).toBe(frame.length - 4);
  const body = frame.subarray(4);
  const { correlationId, bodyOffset } = codec.decodeResponseHeader(fetch, 17, body);
  expect(correlationId).toBe(99);
  const [topic] = codec.decodeResponse(fetch, 17, body, bodyOffset).responses;
  expect(topic!.partitions.map(({ records }) => records!.length)).toEqual([5000, 3, 4990]);
  expect(topic!.partitions[0]!.records!.buffer).toBe(frame.buffer);
});

test("a message beyond the scratch room is encoded whole", () => {
  const topics = Array.from(
    { length: 60_000 },
    (_, i) => ({ name: `topic-${i}`, topicId: ZERO_UUID }),
  );
  const bytes = codec.joinChunks(codec.encodeRequest(metadata, 12, { topics }));
  expect(bytes.length).toBeGreaterThan(1_500_000);
  expect(codec.decodeRequest(metadata, 12, bytes).topics as unknown).toEqual(topics);
});

test("a request's header is decoded also for unknown APIs and versions", () => {
  const header = { correlationId: 5, clientId: "me" };
  const request = { clientSoftwareName: "kstream", clientSoftwareVersion: "1" };
  const frame = codec.joinChunks(codec.encodeRequestFrame(apiVersions, 3, header, request))
    .subarray(4);
  const decoded = codec.decodeRequestHeader(frame, apiByKey);
  expect(decoded).toMatchObject({ ...header, apiKey: 18, apiVersion: 3, api: apiVersions });
  expect(codec.decodeRequest(apiVersions, 3, frame, decoded.bodyOffset)).toEqual({
    ...request,
    clusterId: null,
    nodeId: -1,
  });
  frame[3] = 77;
  expect(codec.decodeRequestHeader(frame, apiByKey))
    .toMatchObject({ ...header, apiVersion: 77, api: apiVersions });
  frame[1] = 200;
  expect(codec.decodeRequestHeader(frame, apiByKey))
    .toMatchObject({ apiKey: 200, correlationId: 5, clientId: null, api: undefined });
  expect(reasonOf(() => codec.decodeRequestHeader(frame.subarray(0, 7), apiByKey)))
    .toBe("malformed");
});

test("the header before an ApiVersions response is always version 0", () => {
  expect(codec.responseHeaderVersion(apiVersions, 4)).toBe(0);
  expect(codec.responseHeaderVersion(fetch, 12)).toBe(1);
  expect(codec.responseHeaderVersion(fetch, 11)).toBe(0);
  expect(codec.joinChunks(codec.encodeResponseFrame(apiVersions, 0, 1, { errorCode: 35 })))
    .toEqual(new Uint8Array([0, 0, 0, 10, 0, 0, 0, 1, 0, 35, 0, 0, 0, 0]));
});

test("records of coordinators begin with their type or version", () => {
  const key = { group: "g", topic: "t", partition: 2 };
  const bytes = codec.encodePrefixed(offsetCommitRecord.key, offsetCommitRecord.type, 0, key);
  expect(bytes).toEqual(new Uint8Array([0, 1, 0, 1, 103, 0, 1, 116, 0, 0, 0, 2]));
  expect(codec.decodePrefix(bytes)).toBe(1);
  expect(codec.decodeData(offsetCommitRecord.key, 0, bytes, 2)).toEqual(key);
  const value = codec.encodeVersioned(offsetCommitRecord.value, 3, { offset: 7n, metadata: "m" });
  expect(codec.decodeVersioned(offsetCommitRecord.value, value)).toEqual({
    offset: 7n,
    leaderEpoch: -1,
    metadata: "m",
    commitTimestamp: 0n,
    expireTimestamp: -1n,
    topicId: ZERO_UUID,
  });
});

test("a consumer's metadata of a version after the last is read as the last", () => {
  const bytes = codec.encodeVersioned(consumerProtocolSubscription, 3, { topics: ["a"] });
  bytes[1] = 9;
  expect(codec.decodeVersioned(consumerProtocolSubscription, bytes, "latest").topics).toEqual([
    "a",
  ]);
  expect(reasonOf(() => codec.decodeVersioned(consumerProtocolSubscription, bytes)))
    .toBe("unsupported-version");
});

test("null in a tagged struct is a varint, as Kafka's classes write it", () => {
  const { value: message } = consumerGroupMemberMetadataRecord;
  const absent = codec.joinChunks(codec.encodeData(message, 0, {}));
  const isNull = codec.joinChunks(codec.encodeData(message, 0, { classicMemberMetadata: null }));
  expect(isNull).toEqual(new Uint8Array([...absent.subarray(0, -1), 1, 0, 1, 0]));
  expect(codec.decodeData(message, 0, isNull).classicMemberMetadata).toBeNull();
});
