/** The exit code of a process that an `OperatorError` ends. */
export type ExitCode = 1 | 2 | 3 | 4;

/**
 * Something that the person who runs the program can put right. It is shown as one line, without
 * a stack: what happened, why, and what to do. `exitCode`: 1 failed, 2 usage, 3 unreachable or
 * timed out, 4 partly delivered.
 */
export class OperatorError extends Error {
  override readonly name = "OperatorError";
  constructor(
    readonly what: string,
    readonly why: string,
    readonly whatToDo: string,
    readonly exitCode: ExitCode = 1,
    /** Lines shown below the message: the place in what somebody wrote. */
    readonly excerpt: string = "",
  ) {
    super([what, why, whatToDo].filter((part) => part !== "").join(": "));
  }
}
