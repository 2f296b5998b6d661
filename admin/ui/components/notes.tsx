/** What a page says instead of data: nothing there, not yet there, or an error. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Problem } from "../data/api.ts";
import { nameOf, useMe } from "../data/me.ts";
import type { Me } from "../data/model.ts";

/** There is nothing: what it would be, and how to get some. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

/** A command to type next; a click copies it. */
export function Command({ text }: { text: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
    } catch {
      setCopied(false);
    }
  };
  return (
    <p class="command">
      <code>{text}</code>
      <button type="button" class="quiet" onClick={() => void copy()}>
        {isCopied ? "Copied" : "Copy"}
      </button>
    </p>
  );
}

/** An error of the server in its own words. */
export function ProblemNote({ problem, onRetry }: {
  problem: Problem | null;
  onRetry?: () => void;
}) {
  const me = useMe();
  if (problem === null) return null;
  const title = problem.status === 403 && me !== null
    ? `Not allowed for ${nameOf(me) ?? "you"}`
    : problem.title;
  return (
    <div class="problem" role="alert">
      <p>
        <strong>{sentence(title)}</strong> {sentence(inWords(problem.detail))}
      </p>
      {problem.status === 401
        ? <button type="button" onClick={() => location.reload()}>Log in again</button>
        : onRetry !== undefined && <button type="button" onClick={onRetry}>Try again</button>}
    </div>
  );
}

/** Kafka's names of what is not allowed, in words. */
function inWords(detail: string): string {
  return detail.replaceAll(
    /(TOPIC|GROUP|CLUSTER|TRANSACTIONAL_ID)_AUTHORIZATION_FAILED(?:, \1_AUTHORIZATION_FAILED)*/g,
    (_all, type: string) => `no ACL of the ${type.toLowerCase().replace("_", " ")} allows it`,
  );
}

function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
}

/** What lists may lack. */
type Listed = keyof Me["sees"];

/** A list that may lack what its reader may not see says so, rather than seem to be all there is. */
export function NotForYou({ what }: { what: Listed }) {
  const me = useMe();
  if (me === null || me.sees[what]) return null;
  return (
    <p class="notice">
      Only what {nameOf(me) ?? "you"} may describe is listed: other {what} may be there.
    </p>
  );
}

/** An empty list: `children` say so where the reader may see all there is. */
export function NoneListed({ what, children }: { what: Listed; children: ComponentChildren }) {
  const me = useMe();
  if (me === null || me.sees[what]) return <>{children}</>;
  const option = { topics: "topic", groups: "group", transactions: "transactional-id" }[what];
  const name = nameOf(me);
  return (
    <Empty title={`There are no ${what} that ${name ?? "you"} may see`}>
      <p>Others may be there. Who administers the cluster can allow more:</p>
      <Command
        text={`kstream acl add --allow ${me.principal} -o describe --${option} '*'`}
      />
    </Empty>
  );
}

/** Until the first answer. */
export function Loading() {
  return <p class="loading" role="status">Loading…</p>;
}

/** A figure with its name. */
export function Figure({ name, value, note, tone }: {
  name: string;
  value: ComponentChildren;
  note?: ComponentChildren;
  tone?: "bad" | "warn";
}) {
  return (
    <div class="figure">
      <dt>{name}</dt>
      <dd class={tone ?? ""}>
        {value}
        {note !== undefined && <span class="note">{note}</span>}
      </dd>
    </div>
  );
}

/** A short word about the state of something. */
export function Badge({ text, tone = "plain" }: {
  text: string;
  tone?: "plain" | "good" | "warn" | "bad";
}) {
  return <span class={`badge ${tone}`}>{text}</span>;
}
