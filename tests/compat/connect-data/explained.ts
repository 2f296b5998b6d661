/** Where ours differ from Kafka's on purpose; each is said in `docs/deviations.md`. */
import type { Answer } from "./ours.ts";
import { ourAnswer } from "./ours.ts";
import type { Case } from "./cases.ts";
import type { Difference } from "./compare.ts";
import { normal } from "./shown.ts";
import type { Shown } from "./shown.ts";

interface Explanation {
  readonly why: string;
  readonly holds: (difference: Difference) => boolean;
}

const form = (shown: Shown) => JSON.stringify(normal(shown));

/** The base64 of `null`. */
const NULL_JSON = "bnVsbA==";

const EXPLANATIONS: readonly Explanation[] = [
  {
    why: "null with a schema that takes null is a tombstone in plain JSON, not the text null",
    holds: ({ kafka, ours }) => kafka["bytes"] === NULL_JSON && ours["bytes"] === null,
  },
  {
    why: "arrays and maps whose elements have nothing in common have no schema, not half of one",
    holds: ({ kafka, ours }) => {
      const half = /"(?:items|keys|values)":null/;
      return half.test(JSON.stringify(kafka)) && form(withoutHalves(kafka)) === form(ours);
    },
  },
  {
    why: "arrays and maps with others in them that have no schema have none themselves",
    holds: ({ test, kafka, ours }) =>
      test.kind === "literal" && /[[{].*[[{]/.test(test.text) && ours["schema"] === null &&
      (kafka["value"] === test.text ||
        form(kafka["value"] ?? null) === form(ours["value"] ?? null)),
  },
  {
    why: "ReplaceField refuses two fields of one name, where Kafka's keeps either without a schema",
    holds: ({ test, ours }) =>
      test.kind === "transform" && test.class.includes("ReplaceField") &&
      says(ours, "two fields are called"),
  },
  {
    why: "a header that only begins with a number, date, array or map is text",
    holds: ({ test, kafka, ours }) =>
      test.kind === "literal" && ours["value"] === test.text && beginsWith(test.text, kafka),
  },
  {
    why: "SetSchemaMetadata works for all schemas; Kafka 4.3's fails for all but structs",
    holds: ({ kafka, ours }) =>
      says(kafka, "Cannot list fields on non-struct type") && !("error" in ours),
  },
  {
    why: "ReplaceField may rename a field that a record does not have to one that it has",
    holds: ({ test, kafka, ours }) =>
      test.kind === "transform" && test.class.includes("ReplaceField") && !("error" in ours) &&
      (says(kafka, "is not a valid field name") || isRenamedOver(test)),
  },
  {
    why: "MaskField keeps the scale of decimal numbers",
    holds: ({ test, kafka, ours }) =>
      test.kind === "transform" && test.class.includes("MaskField") &&
      (says(ours, "digits behind the point") || unscaled(kafka) === unscaled(ours)),
  },
  {
    why: "JSON has no zeros before numbers and nothing behind its value",
    holds: ({ test, ours }) => test.kind === "read" && says(ours, "is no JSON"),
  },
  {
    why: "a payload that is not what its schema says is refused, not made 0, false or null",
    holds: ({ test, ours }) =>
      test.kind === "read" && test.class.endsWith("JsonConverter") &&
      /it is not|is beyond|is required|no base64|no time of a day|has to be an? /.test(
        String(ours["error"]),
      ),
  },
  {
    why: "the texts NaN and Infinity, which JsonConverter writes, are numbers when it reads them",
    holds: ({ test, kafka, ours }) =>
      test.kind === "read" && !("error" in kafka) &&
      form(ours).replaceAll(/"-?(?:NaN|Infinity)"/g, '"0"') === form(kafka),
  },
  {
    why: "StringConverter writes dates in ISO 8601, and bytes in base64",
    holds: ({ test, kafka }) =>
      test.kind === "write" && test.class.endsWith("StringConverter") &&
      /^\[B@| UTC \d+$/.test(Buffer.from(String(kafka["bytes"]), "base64").toString()),
  },
  {
    why: "a decimal number in JSON gets the scale of its schema",
    holds: ({ test, kafka, ours }) =>
      test.kind === "read" && !("error" in kafka) &&
      (unscaled(kafka) === unscaled(ours) || says(ours, "digits behind the point")),
  },
  {
    why: "times end with the year 275760",
    holds: ({ ours }) => says(ours, "beyond all dates"),
  },
  {
    why: "a logical type that is cast as a whole is no such type any more",
    holds: ({ test, kafka, ours }) =>
      test.kind === "transform" && test.class.includes("Cast") && !("error" in ours) &&
      (says(kafka, "Invalid default value") ||
        form(withoutLogical(kafka, test.class)) === form(ours)),
  },
  {
    why: "BooleanConverter takes null whatever its schema",
    holds: ({ test, kafka, ours }) =>
      test.kind === "write" && says(kafka, "for BooleanConverter") && ours["bytes"] === null,
  },
];

/** Whether a field gets the name of another one that stays. */
function isRenamedOver(test: Case): boolean {
  if (!("config" in test)) return false;
  const to = test.config["renames"]?.split(":")[1];
  return to !== undefined && JSON.stringify(test).includes(`\\"field\\":\\"${to}\\"`);
}

/** Without the name of the logical type that the key or value was cast from. */
function withoutLogical(answer: Answer, type: string): Shown {
  const side = type.endsWith("$Key") ? "key" : "value";
  const text = JSON.stringify(answer[side] ?? null);
  const plain = text.replace(
    /^(\{"schema":\{"type":"[^"]+"(?:,"optional":true)?),"name":"org[^"]*","version":1/,
    "$1",
  );
  const cast = plain.replace(/^([^}]*),"parameters":\{"scale":"\d+"\}/, "$1");
  return { ...answer, [side]: JSON.parse(cast) };
}

function says(answer: Answer, part: string): boolean {
  return String(answer["error"]).includes(part);
}

/** With decimals by their values alone. */
function unscaled(answer: Answer): string {
  return form(answer).replaceAll(
    /"(-?\d+)e(-?\d+)"/g,
    (_all, digits: string, scale: string) => `"${Number(digits) / 10 ** Number(scale)}"`,
  );
}

/** Schemas that lack one of their parts become null. */
function withoutHalves(shown: Shown): Shown {
  if (typeof shown !== "object" || shown === null) return shown;
  if (Array.isArray(shown)) return shown.map(withoutHalves);
  const object = Object.fromEntries(
    Object.entries(shown).map(([name, part]) => [name, withoutHalves(part)]),
  );
  const isHalf = ["items", "keys", "values"].some((name) => object[name] === null);
  return isHalf && typeof object["type"] === "string" ? null : object;
}

/** Whether Kafka's answer is what a part of the text at its beginning says. */
function beginsWith(text: string, kafka: Answer): boolean {
  const wanted = form(kafka["value"] ?? null);
  for (let end = 1; end < text.length; end++) {
    const part = ourAnswer({ kind: "literal", text: text.slice(0, end) });
    if (form(part["value"] ?? null) === wanted) return true;
  }
  return false;
}

/** Why a difference is as it should be; null: nobody knows. */
export function explanationOf(difference: Difference): string | null {
  return EXPLANATIONS.find(({ holds }) => holds(difference))?.why ?? null;
}
