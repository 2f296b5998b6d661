/** What is known of a table while the application is being defined, shared by its nodes at work. */

/** Mutable until the topology is complete. */
export interface TableLinks {
  /** Somebody behind it wants the value of before with each change. */
  sendsOldValues: boolean;
}
