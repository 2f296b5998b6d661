/** Tabs that are links: each has an address. */
import { href } from "../router.ts";

export function Tabs({ label, base, current, tabs }: {
  label: string;
  base: string;
  current: string;
  /** Their names and paths below `base`. */
  tabs: readonly (readonly [id: string, name: string])[];
}) {
  return (
    <nav class="tabs" aria-label={label}>
      {tabs.map(([id, name]) => (
        <a key={id} href={href(`${base}/${id}`)} aria-current={id === current ? "page" : undefined}>
          {name}
        </a>
      ))}
    </nav>
  );
}
