/** Records from HTTP: asked of a service, or posted to a server. */
import {
  answerExpression,
  FormatError,
  headerLines,
  httpUrl,
  parseHeaders,
  parseJson,
  textOfFile,
} from "../../formats/index.ts";
import type { Answer } from "../../formats/index.ts";
import { choice, defineSource, FieldError, int, list, long, secret, string } from "../../index.ts";
import type { ConfigOf } from "../../index.ts";
import { poll } from "./poll.ts";
import { webhook } from "./webhook.ts";
import type { ReadBody, WebhookSettings } from "./webhook.ts";

const MIB = 1024 * 1024;

const fields = {
  topic: string().importance("HIGH").doc("The topic that records are written to."),
  mode: choice("poll", "webhook").default("poll").importance("HIGH").doc(
    "poll asks a service again and again; webhook is a server that others post to.",
  ),
  format: choice("json", "text", "bytes").default("json").doc(
    "What a body is: JSON, or one record as text or bytes.",
  ),
  records: string().default("v").check(isExpression).doc(
    "An expression for the records of a body, which is v: an array is a record each, null is none, " +
      "anything else is one.",
  ).example("v.items"),
  "body.bytes.max": int({ min: 1, max: 1024 * MIB }).default(64 * MIB).doc(
    "Longer bodies are refused.",
  ),
  url: string().optional().group("Poll").check((text) => text === null ? null : httpUrl(text)).doc(
    "What is asked. {cursor} stands for the cursor.",
  ).example("https://api.example.com/orders?after={cursor}"),
  method: choice("GET", "POST").default("GET").group("Poll").doc("How it is asked."),
  body: string().optional().group("Poll").doc(
    "What is sent with POST; {cursor} stands for the cursor, as a text within JSON.",
  ),
  headers: string().default("").group("Poll").check(headerLines).doc(
    "Headers that are sent, lines of NAME: VALUE.",
  ).example("Authorization: Bearer ${env:TOKEN}"),
  cursor: string().optional().group("Poll").check((text) =>
    text === null ? null : isExpression(text)
  )
    .doc(
      "An expression over the answer for the cursor of the next question: v is its body, h its headers. " +
        "Null leaves the cursor. It is remembered with the records.",
    ).example("v.next"),
  "cursor.initial": string().default("").group("Poll").doc("The cursor of the first question."),
  "interval.ms": long({ min: 10 }).default(60_000).group("Poll").doc(
    "The pause behind an answer without records, or without another cursor. Else it goes on at once.",
  ),
  "timeout.ms": long({ min: 1 }).default(30_000).doc(
    "How long an answer may take; in webhook mode, how long who posts waits for records to be stored.",
  ),
  listen: string().default("127.0.0.1:8090").group("Webhook").check(isAddress).doc(
    "Where the server listens, HOST:PORT.",
  ),
  "tls.certificate.file": string().optional().group("Webhook").doc(
    "A file with the certificate of the server and those between it and its authority (PEM): with it " +
      "the server speaks TLS. It is read again when the task begins again.",
  ),
  "tls.key.file": string().optional().group("Webhook").doc("A file with its key (PEM)."),
  path: string().default("/").group("Webhook").doc("The path that is posted to."),
  "signature.secret": secret().optional().group("Webhook").doc(
    "With it, only bodies are taken whose HMAC-SHA256 is in signature.header, as GitHub, Shopify and " +
      "others send it: hex, with or without sha256= before it.",
  ),
  "signature.header": string().default("X-Hub-Signature-256").group("Webhook").doc(
    "The header that has the signature.",
  ),
  answer: choice("stored", "queued").default("stored").group("Webhook").doc(
    "When who posts is answered: once the records are in the topic (with exactly-once when their " +
      "transaction is committed), or at once, so that records are lost if the worker dies.",
  ),
  "queue.records.max": int({ min: 1 }).default(10_000).group("Webhook").doc(
    "Where more records wait, those who post are told to come later (503).",
  ),
  "keep.headers": list().default([]).group("Webhook").doc(
    "Names of headers of requests that become headers of records.",
  ),
};

type Config = ConfigOf<typeof fields>;

function isExpression(text: string): string | null {
  try {
    answerExpression(text);
    return null;
  } catch (error) {
    if (error instanceof FieldError) return error.message;
    throw error;
  }
}

function isAddress(text: string): string | null {
  return /^(?:\[[\da-fA-F:]+\]|[^:[\]]*):\d{1,5}$/.test(text) ? null : "must be HOST:PORT";
}

export default defineSource({
  name: "http-source",
  version: "1.0.0",
  doc:
    "Reads records from HTTP: asks a service at intervals and from page to page, or takes what is " +
    "posted to it, with signatures checked. At least once: of a page that was not done with, all " +
    "records come again.",
  example: {
    topic: "orders",
    url: "https://api.example.com/orders?after={cursor}",
    records: "v.items",
    cursor: "v.next",
    "interval.ms": "10000",
  },
  config: fields,
  check(config) {
    if (config.mode === "poll" && config.url === null) {
      return [{ field: "url", message: '"url" must be given with mode=poll' }];
    }
    const [certificate, key] = [config["tls.certificate.file"], config["tls.key.file"]];
    if ((certificate === null) !== (key === null)) {
      const field = certificate === null ? "tls.certificate.file" : "tls.key.file";
      return [{ field, message: `"${field}" is missing: a certificate has a key` }];
    }
    if (config.mode === "poll" && config.method === "GET" && config.body !== null) {
      return [{ field: "body", message: '"body" goes with method=POST' }];
    }
    return [];
  },
  read(context) {
    const { config } = context;
    const readBody = bodyReader(config);
    return config.mode === "poll"
      ? poll(pollSettings(config), readBody, context)
      : webhook(webhookSettings(config), readBody, context);
  },
});

function bodyReader({ format, records }: Config): ReadBody {
  const expression = answerExpression(records);
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  const textOf = ({ body }: Answer) => {
    try {
      return utf8.decode(body);
    } catch {
      throw new FormatError("the body is no UTF-8");
    }
  };
  switch (format) {
    case "bytes":
      return ({ body }) => [Uint8Array.from(body)];
    case "text":
      return (answer) => [textOf(answer)];
    case "json":
      return (answer) => {
        // As it is, large numbers stay exact; an expression is only asked where there is one.
        const text = textOf(answer);
        if (text.trim() === "") return [];
        const parsed = parseBody(text);
        const value = records.trim() === "v" ? parsed : expression(answer);
        if (value === null) return [];
        return Array.isArray(value) ? value : [value];
      };
  }
}

function parseBody(text: string) {
  try {
    return parseJson(text);
  } catch (error) {
    throw error instanceof FormatError ? new FormatError(`the body ${error.message}`) : error;
  }
}

function pollSettings(config: Config) {
  return {
    topic: config.topic,
    url: config.url ?? "",
    method: config.method,
    headers: parseHeaders(config.headers),
    body: config.body,
    cursor: config.cursor === null ? null : answerExpression(config.cursor),
    firstCursor: config["cursor.initial"],
    intervalMs: config["interval.ms"],
    timeoutMs: config["timeout.ms"],
    bytesMax: config["body.bytes.max"],
  };
}

function webhookSettings(config: Config): WebhookSettings {
  const colon = config.listen.lastIndexOf(":");
  const host = config.listen.slice(0, colon).replaceAll(/^\[|\]$/g, "");
  return {
    topic: config.topic,
    hostname: host === "" ? "0.0.0.0" : host,
    port: Number(config.listen.slice(colon + 1)),
    tls: tlsFiles(config),
    path: config.path,
    secret: config["signature.secret"],
    signatureHeader: config["signature.header"],
    bodyBytesMax: config["body.bytes.max"],
    queueMax: config["queue.records.max"],
    answersWhenStored: config.answer === "stored",
    timeoutMs: config["timeout.ms"],
    keptHeaders: config["keep.headers"],
  };
}

/** Throws where a file cannot be read. */
function tlsFiles(config: Config): WebhookSettings["tls"] {
  const [certificate, key] = [config["tls.certificate.file"], config["tls.key.file"]];
  if (certificate === null || key === null) return null;
  return {
    cert: textOfFile("tls.certificate.file", certificate),
    key: textOfFile("tls.key.file", key),
  };
}
