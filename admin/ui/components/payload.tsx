/** A key or a value: as a tree where it is JSON, as text, or byte by byte. */
import { useState } from "preact/hooks";
import { parseJson } from "../data/api.ts";
import { bytesOf, type Payload } from "../data/records.ts";
import { bytes } from "../data/format.ts";

type View = "tree" | "text" | "hex";
const NAMES: Readonly<Record<View, string>> = { tree: "Tree", text: "Text", hex: "Hex" };

export function PayloadView({ name, payload }: { name: string; payload: Payload }) {
  const parsed = typeof payload === "string" ? parseJson(payload) : undefined;
  const isTree = typeof parsed === "object" && parsed !== null;
  const possible: View[] = isTree ? ["tree", "text", "hex"] : ["text", "hex"];
  const [chosen, setChosen] = useState<View | null>(null);
  const view = chosen ?? (isTree ? "tree" : typeof payload === "string" ? "text" : "hex");
  if (payload === null) {
    return (
      <section>
        <h3>
          {name} <span class="null">null</span>
        </h3>
      </section>
    );
  }
  const size = bytesOf(payload).length;
  return (
    <section>
      <div class="row">
        <h3>{name}</h3>
        <span class="note">{bytes(size)}</span>
        <div class="row end" role="group" aria-label={`How ${name.toLowerCase()} is shown`}>
          {possible.map((each) => (
            <button
              key={each}
              type="button"
              class="small"
              aria-pressed={each === view}
              onClick={() => setChosen(each)}
            >
              {NAMES[each]}
            </button>
          ))}
        </div>
      </div>
      {view === "tree" && isTree && (
        <div class="tree" tabIndex={0} role="region" aria-label={name}>
          <Tree value={parsed} depth={0} />
        </div>
      )}
      {view === "text" && <pre tabIndex={0} class="value">{textOf(payload)}</pre>}
      {view === "hex" && <pre tabIndex={0} class="value hex">{hexOf(bytesOf(payload))}</pre>}
    </section>
  );
}

function textOf(payload: Payload): string {
  return typeof payload === "string" ? payload : new TextDecoder().decode(bytesOf(payload));
}

const HEX_BYTES_MAX = 16 * 1024;

/** Lines as hexdump has them: place, bytes, letters. */
function hexOf(all: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(all.length, HEX_BYTES_MAX); at += 16) {
    const row = all.subarray(at, at + 16);
    const hex = Array.from(row, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const letters = Array.from(
      row,
      (byte) => byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".",
    ).join("");
    lines.push(`${at.toString(16).padStart(8, "0")}  ${hex.padEnd(47)}  ${letters}`);
  }
  if (all.length > HEX_BYTES_MAX) lines.push(`… ${bytes(all.length - HEX_BYTES_MAX)} more`);
  return lines.join("\n");
}

const ITEMS_MAX = 500;

/** A JSON value; what is deep is closed at first. */
function Tree({ name, value, depth }: { name?: string; value: unknown; depth: number }) {
  const label = name === undefined ? null : <span class="name">{`${name}: `}</span>;
  if (typeof value !== "object" || value === null) {
    return (
      <div class="leaf">
        {label}
        <span class={typeof value === "string" ? "string" : "other"}>{JSON.stringify(value)}</span>
      </div>
    );
  }
  const entries = Object.entries(value);
  const [open, close] = Array.isArray(value) ? ["[", "]"] : ["{", "}"];
  if (entries.length === 0) return <div class="leaf">{label}{open}{close}</div>;
  return (
    <details open={depth < 2 && entries.length <= 50}>
      <summary>
        {label}
        {open}
        <span class="note">{entries.length}</span> {close}
      </summary>
      <div>
        {entries.slice(0, ITEMS_MAX).map(([key, each]) => (
          <Tree key={key} name={key} value={each} depth={depth + 1} />
        ))}
        {entries.length > ITEMS_MAX && (
          <div class="leaf muted">… {entries.length - ITEMS_MAX} more: see the text</div>
        )}
      </div>
    </details>
  );
}
