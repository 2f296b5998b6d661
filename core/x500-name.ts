/**
 * The subject of a certificate as text: RFC 2253, in the form of Java's `X500Principal.getName`, which
 * is how Kafka names clients by their certificates.
 */

/** Attributes that RFC 2253 has a keyword for; others are written by number. */
const KEYWORDS: ReadonlyMap<string, string> = new Map([
  ["2.5.4.3", "CN"],
  ["2.5.4.6", "C"],
  ["2.5.4.7", "L"],
  ["2.5.4.8", "ST"],
  ["2.5.4.9", "STREET"],
  ["2.5.4.10", "O"],
  ["2.5.4.11", "OU"],
  ["0.9.2342.19200300.100.1.1", "UID"],
  ["0.9.2342.19200300.100.1.25", "DC"],
]);

const OID = 0x06;
const VERSION = 0xa0;
/** ASN.1's kinds of texts, and how their bytes are to be read. */
const TEXTS: ReadonlyMap<number, string> = new Map([
  [0x0c, "utf-8"], // UTF8String
  [0x13, "latin1"], // PrintableString
  [0x14, "latin1"], // TeletexString
  [0x16, "latin1"], // IA5String
  [0x1b, "latin1"], // GeneralString
  [0x1e, "utf-16be"], // BMPString
]);

/** An element of DER: `bytes` with its head, `content` without. */
interface Element {
  readonly tag: number;
  readonly bytes: Uint8Array;
  readonly content: Uint8Array;
}

/** The subject of a certificate in DER, or null if the bytes are none. */
export function subjectOf(certificate: Uint8Array): string | null {
  try {
    return nameText(subjectElement(certificate));
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** TBSCertificate: [version], serial number, algorithm, issuer, validity, subject, … (RFC 5280). */
function subjectElement(certificate: Uint8Array): Element {
  const [outer] = elements(certificate);
  const [signed] = elements(contentOf(outer));
  const parts = elements(contentOf(signed));
  const subject = parts[parts[0]?.tag === VERSION ? 5 : 4];
  if (subject === undefined) throw new RangeError("a certificate without a subject");
  return subject;
}

/** The last part comes first. Parts of several attributes have them with a plus between. */
function nameText(name: Element): string {
  return elements(name.content).reverse()
    .map((part) => elements(part.content).map(attributeText).join("+"))
    .join(",");
}

function attributeText(attribute: Element): string {
  const [type, value] = elements(attribute.content);
  if (type?.tag !== OID || value === undefined) throw new RangeError("an attribute that is none");
  const oid = oidText(type.content);
  const keyword = KEYWORDS.get(oid);
  const encoding = TEXTS.get(value.tag);
  if (keyword === undefined || encoding === undefined) {
    return `${keyword ?? oid}=#${Buffer.from(value.bytes).toString("hex")}`;
  }
  return `${keyword}=${escape(new TextDecoder(encoding).decode(value.content))}`;
}

function escape(text: string): string {
  return text.replace(/[,=+<>#;"\\]/g, "\\$&").replaceAll("\0", "\\00")
    .replace(/^ +| +$/g, (spaces) => "\\ ".repeat(spaces.length));
}

/** Base 128, the first two numbers in one. */
function oidText(bytes: Uint8Array): string {
  const numbers: number[] = [];
  let number = 0;
  for (const byte of bytes) {
    number = number * 128 + (byte & 0x7f);
    if ((byte & 0x80) !== 0) continue;
    numbers.push(number);
    number = 0;
  }
  const [first = 0, ...rest] = numbers;
  const top = Math.min(2, Math.floor(first / 40));
  return [top, first - top * 40, ...rest].join(".");
}

function contentOf(element: Element | undefined): Uint8Array {
  if (element === undefined) throw new RangeError("DER that ends too soon");
  return element.content;
}

/** The elements that lie one after the other in these bytes. Throws a `RangeError`. */
function elements(bytes: Uint8Array): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at] ?? 0;
    const first = bytes[at + 1] ?? 0xff;
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
    if (lengthBytes > 4) throw new RangeError("a length in DER that is none");
    let length = first < 0x80 ? first : 0;
    const start = at + 2 + lengthBytes;
    for (let each = at + 2; each < start; each++) length = length * 256 + (bytes[each] ?? 0);
    if (start + length > bytes.length) throw new RangeError("DER that ends too soon");
    found.push({
      tag,
      bytes: bytes.subarray(at, start + length),
      content: bytes.subarray(start, start + length),
    });
    at = start + length;
  }
  return found;
}
