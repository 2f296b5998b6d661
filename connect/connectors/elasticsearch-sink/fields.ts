/** Settings of the sink, by the names that Confluent's has for them. */
import { httpUrl } from "../../formats/index.ts";
import { boolean, choice, int, list, long, secret, string } from "../../index.ts";
import type { ConfigOf } from "../../index.ts";

export const fields = {
  "connection.url": list().importance("HIGH").check((urls) =>
    urls.length > 0 && urls.every((url) => httpUrl(url) === null)
      ? null
      : "must be one or more URLs that begin with http:// or https://"
  ).doc("Where the cluster is; with several URLs the next one is asked where one does not answer.")
    .example("http://localhost:9200"),
  "connection.username": string().default("").group("Security").doc("The user, with a password."),
  "connection.password": secret().default("").group("Security").doc("The password of that user."),
  "api.key": secret().default("").group("Security").doc(
    "An API key in place of user and password, as the cluster gives it out in base64.",
  ),
  "elastic.https.ssl.truststore.location": string().default("").group("Security").doc(
    "A file of certificates (PEM) that the cluster is trusted by, besides those of the system.",
  ),
  "elastic.https.ssl.endpoint.identification.algorithm": choice("https", "").default("https")
    .group("Security").doc("Whether names in certificates are looked at; empty: they are not."),
  "topic.to.external.resource.mapping": list().default([]).doc(
    "Indices (or data streams) of topics whose names are others, as TOPIC:INDEX; any other is the " +
      "topic in small letters.",
  ),
  "index.create": boolean().default(true).doc(
    "Whether indices that are not there are made. With a schema, and unless schema.ignore, with types " +
      "of its fields.",
  ),
  "key.ignore": boolean().default(false).importance("HIGH").doc(
    "Whether ids of documents are made of topic, partition and offset, not of keys: each record is a " +
      "document then.",
  ),
  "topic.key.ignore": list().default([]).doc("Topics for which that is so whatever key.ignore is."),
  "schema.ignore": boolean().default(false).doc(
    "Whether the cluster finds out types of fields also where there is a schema.",
  ),
  "topic.schema.ignore": list().default([])
    .doc("Topics for which that is so whatever schema.ignore is."),
  "write.method": choice("insert", "upsert").default("insert").doc(
    "insert: a document is put in the place of the one with its id; upsert: its fields are, others stay.",
  ),
  "behavior.on.null.values": choice("ignore", "delete", "fail").default("fail").doc(
    "What a tombstone does: nothing, delete the document of its key, or be refused.",
  ),
  "behavior.on.malformed.documents": choice("ignore", "warn", "fail").default("fail").doc(
    "What becomes of documents that the cluster refuses: they are left out, with or without a line in " +
      "the log, or refused, and go where errors.tolerance says.",
  ),
  "data.stream.type": choice("none", "logs", "metrics").default("none").group("Data stream").doc(
    "With logs or metrics, records go to the data stream TYPE-DATASET-NAMESPACE, each once.",
  ),
  "data.stream.dataset": string().default("${topic}").group("Data stream")
    .doc("Its dataset; ${topic} stands for the topic."),
  "data.stream.namespace": string().default("default").group("Data stream")
    .doc("Its namespace; ${topic} stands for the topic."),
  "data.stream.timestamp.field": list().default([]).group("Data stream").doc(
    "Fields of which the first that is there is @timestamp; else it is the time of the record.",
  ),
  "batch.size": int({ min: 1, max: 100_000 }).default(2000)
    .doc("Records of a bulk request at most."),
  "bulk.size.bytes": int({ min: 1024 }).default(5 * 1024 * 1024)
    .doc("Bytes of a bulk request, about; a larger record is a request of its own."),
  "max.in.flight.requests": int({ min: 1, max: 100 }).default(5).doc(
    "Bulk requests at a time, of the records that a task is given at a time " +
      "(consumer.override.max.poll.records). With upsert it is one.",
  ),
  "read.timeout.ms": long({ min: 1 }).default(30_000).doc("How long an answer may take."),
  "max.retries": int({ min: 0 }).default(5).doc(
    "How often a request is made again before the task waits as for an outage, and goes on trying.",
  ),
  "retry.backoff.ms": long({ min: 1 }).default(100)
    .doc("The pause before a request is made again, twice as long each time."),
};

export type Config = ConfigOf<typeof fields>;
