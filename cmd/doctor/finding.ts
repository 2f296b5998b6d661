/** What a check of `kstream doctor` has found. */
export interface Finding {
  /** The check: `address`, `partitions`, `skew`, `disk`, `clock`, `transactions`, `groups`. */
  readonly check: string;
  /** Something is wrong, or may become so. */
  readonly level: "problem" | "warning";
  /** What it is about, as `broker 1`, `orders:2` or `group billing`. */
  readonly subject: string;
  readonly what: string;
  readonly fix: string;
  /** The record that blocks a group, as JSON in one line. */
  readonly record?: string;
}
