/** The field that narrows a list: `/` leads to it. */
import type { ComponentChildren } from "preact";

export function FilterBar({ label, placeholder, value, onChange, count, children }: {
  label: string;
  placeholder: string;
  value: string;
  onChange: (value: string) => void;
  /** How many there are, in words. */
  count: string;
  children?: ComponentChildren;
}) {
  return (
    <div class="bar">
      <input
        class="grow"
        type="search"
        data-filter
        aria-label={label}
        placeholder={placeholder}
        value={value}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
      {children}
      <span class="count" role="status">{count}</span>
    </div>
  );
}
